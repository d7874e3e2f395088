import { appendFileSync, existsSync, readFileSync } from "node:fs";
import { isJsonObject, type Json } from "@tutti/model";
import type { CrashPoint } from "./crash-point.ts";

/**
 * Dies once at each position of the journals, for walks over all of them.
 *
 * A position is what a record says without its attempt number: run, kind, task, kind of outcome. So it is *first reached* once, whatever
 * recoveries add to the journal; dying at every new record instead would never let an interrupted attempt be sent. The end of an attempt
 * before its result is stored is a position too: there an effect exists that nobody has recorded. New positions are added to `file`, one a
 * line, before the process dies, after the commit and before anybody learns of it.
 */
export function crashOnce(file: string, die: () => void): CrashPoint {
  const seen = new Set(existsSync(file) ? readFileSync(file, "utf8").split("\n") : []);
  return (name, detail) => {
    const first = positionsOf(name, detail).filter((position) => !seen.has(position));
    if (first.length === 0) return;
    for (const position of first) seen.add(position);
    appendFileSync(file, first.map((position) => `${position}\n`).join(""));
    die();
  };
}

function positionsOf(name: string, detail: Readonly<Record<string, Json>>): string[] {
  const run = detail["runId"];
  if (name === "attempt.after") return [words([run, name, detail["path"]])];
  if (name !== "commit.after" || !Array.isArray(detail["records"])) return [];
  return (detail["records"] as readonly Json[]).map((record) =>
    isJsonObject(record)
      ? words([run, record["type"], record["task"], record["timer"], record["path"], record["outcome"], record["action"]])
      : "",
  );
}

function words(parts: readonly (Json | undefined)[]): string {
  return parts.filter((part) => part !== undefined && part !== null).join(" ");
}
