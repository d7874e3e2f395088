import { appendFileSync, existsSync, readFileSync } from "node:fs";
import { isJsonObject, type Json } from "@tutti/model";
import type { CrashPoint } from "./crash-point.ts";

/**
 * Dies once at each position of the journals, for walks over all of them.
 *
 * A position is what a record says without its attempt number: run, kind, task, kind of outcome. So it is *first reached* once, whatever
 * recoveries add to the journal; dying at every new record instead would never let an interrupted attempt be sent. For the same reason a task
 * goes by its path, which a repeated block keeps, wherever it is known. The end of an attempt before its result is stored is a position too:
 * there an effect exists that nobody has recorded. New positions are added to `file`, one a line, before the process dies, after the commit
 * and before anybody learns of it.
 */
export function crashOnce(file: string, die: () => void): CrashPoint {
  const lines = existsSync(file) ? readFileSync(file, "utf8").split("\n") : [];
  const seen = new Set(lines.filter((line) => !line.startsWith(PATH_MARK)));
  const paths = new Map(lines.flatMap((line) => (line.startsWith(PATH_MARK) ? [pathLine(line)] : [])));
  const learn = (record: Readonly<Record<string, Json>>, run: Json | undefined): void => {
    const { task, path } = record;
    const key = words([run, task]);
    if (typeof path !== "string" || task === undefined || paths.has(key)) return;
    paths.set(key, path);
    appendFileSync(file, `${PATH_MARK}${key}=${path}\n`);
  };
  return (name, detail) => {
    const run = detail["runId"];
    const records =
      name === "commit.after" && Array.isArray(detail["records"]) ? (detail["records"] as readonly Json[]).filter(isJsonObject) : [];
    for (const record of name === "attempt.after" ? [detail] : records) learn(record, run);
    const reached = records.map((record) => {
      const place = record["path"] ?? paths.get(words([run, record["task"]])) ?? record["task"];
      return words([run, record["type"], place, record["timer"], record["outcome"], record["action"]]);
    });
    if (name === "attempt.after") reached.push(words([run, name, detail["path"]]));
    const first = [...new Set(reached)].filter((position) => !seen.has(position));
    if (first.length === 0) return;
    for (const position of first) seen.add(position);
    appendFileSync(file, first.map((position) => `${position}\n`).join(""));
    die();
  };
}

/** Lines that say which task a number of a run means; records of outcomes have the number only. */
const PATH_MARK = "# ";

function pathLine(line: string): [string, string] {
  const [key = "", path = ""] = line.slice(PATH_MARK.length).split("=");
  return [key, path];
}

function words(parts: readonly (Json | undefined)[]): string {
  const said = parts.filter((part) => part !== undefined && part !== null);
  return said.map((part) => (typeof part === "object" ? JSON.stringify(part) : String(part))).join(" ");
}
