import { isJsonObject, type Json, type JsonObject } from "@tutti/model";
import { type Cli, newCommand } from "../cli.ts";
import { EXIT } from "../exit-code.ts";
import { formatTime } from "../render/duration.ts";
import { renderTable } from "../render/table.ts";
import { oneLine } from "../render/text.ts";
import { parseCount } from "../run-options.ts";
import { type CommonOptions, type Session, withCommonOptions, withSession } from "../session.ts";

/** Records are read in pages of this size. */
const PAGE = 500;
const LIMIT_DEFAULT = 10_000;
const LIMIT_MAX = 1_000_000;

interface EventsOptions extends CommonOptions {
  readonly from: string;
  readonly limit: string;
  readonly lifecycle?: boolean;
}

/** `tutti run events`: the history of a run, as recorded. */
export function runEvents(cli: Cli): ReturnType<typeof newCommand> {
  const command = newCommand("events", "the recorded history of a run")
    .alias("records")
    .argument("<run>", "id, a unique beginning of it, or @latest")
    .option("--from <seq>", "begin with this record", "1")
    .option("--limit <count>", "records at most", String(LIMIT_DEFAULT))
    .option("--lifecycle", "the specification's lifecycle events instead, one CloudEvent a line");
  return withCommonOptions(command).action((run: string, options: EventsOptions) =>
    cli.act(() => withSession(cli.io, options, true, (session) => events(session, run, options))),
  );
}

async function events(session: Session, run: string, options: EventsOptions): Promise<number> {
  const { io, service, style } = session;
  const runId = await service.resolveRunId(run);
  if (options.lifecycle) {
    for (const event of await service.lifecycleEvents(runId)) io.out(`${JSON.stringify(event)}\n`);
    return EXIT.ok;
  }
  const limit = parseCount(options.limit, "--limit", LIMIT_MAX);
  const records: { readonly seq: number; readonly record: Json }[] = [];
  let from = parseCount(options.from, "--from", Number.MAX_SAFE_INTEGER);
  while (records.length < limit) {
    const page = await service.records(runId, from, Math.min(PAGE, limit - records.length));
    records.push(...page);
    if (page.length === 0) break;
    from = (page.at(-1)?.seq ?? from) + 1;
  }
  if (session.isJson) {
    io.out(`${JSON.stringify({ runId, records })}\n`);
    return EXIT.ok;
  }
  const paths = pathsOf(records);
  const columns = [
    { title: "SEQ", align: "right" as const },
    { title: "TIME" },
    { title: "RECORD" },
    { title: "TASK" },
    { title: "WHAT", paint: (text: string) => style.dim(text) },
  ];
  io.out(
    renderTable(
      columns,
      records.map(({ seq, record }) => cellsOf(seq, isJsonObject(record) ? record : {}, paths)),
      io.size().columns,
      style.dim,
    ),
  );
  return EXIT.ok;
}

function cellsOf(seq: number, record: JsonObject, paths: ReadonlyMap<number, string>): readonly string[] {
  const { type, at, path, task } = record;
  const where = typeof path === "string" ? path : typeof task === "number" ? (paths.get(task) ?? `#${task}`) : "";
  return [String(seq), typeof at === "number" ? formatTime(at) : "", textOf(type), oneLine(where), oneLine(whatOf(record))];
}

/** Records name tasks by number; the intents say which path a number has. */
function pathsOf(records: readonly { readonly record: Json }[]): ReadonlyMap<number, string> {
  const paths = new Map<number, string>();
  for (const { record } of records) {
    if (!isJsonObject(record)) continue;
    const { task, path } = record;
    if (typeof task === "number" && typeof path === "string") paths.set(task, path);
  }
  return paths;
}

/** The telling part of a record: everything but what has a column of its own. */
function whatOf(record: JsonObject): string {
  const { type, outcome, action, actor, reason, workflow, input } = record;
  if (type === "run-started" && isJsonObject(workflow)) {
    return `${textOf(workflow["namespace"])}/${textOf(workflow["name"])}:${textOf(workflow["version"])} by ${textOf(actor)}, input ${textOf(input)}`;
  }
  if (isJsonObject(action)) return `${textOf(action["kind"])} by ${textOf(actor)}${typeof reason === "string" ? `: ${reason}` : ""}`;
  if (isJsonObject(outcome)) return `${textOf(outcome["kind"])} ${textOf(outcome["output"] ?? outcome["error"])}`.trim();
  const rest = Object.entries(record).filter(([key]) => !["type", "at", "path", "task"].includes(key));
  return rest.map(([key, value]) => `${key}=${textOf(value)}`).join(" ");
}

function textOf(value: Json | undefined): string {
  if (value === undefined) return "";
  return typeof value === "string" ? value : JSON.stringify(value);
}
