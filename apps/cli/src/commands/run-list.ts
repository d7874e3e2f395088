import { AppError } from "@tutti/model";
import { type Cli, newCommand } from "../cli.ts";
import { EXIT } from "../exit-code.ts";
import { rowJson } from "../json/run-json.ts";
import { formatDuration, formatNear } from "../render/duration.ts";
import { paintRun } from "../render/style.ts";
import { renderTable } from "../render/table.ts";
import { oneLine } from "../render/text.ts";
import { parseCount, parseDurationOption, parseStatuses } from "../run-options.ts";
import type { RunQuery, RunRow } from "../run-status.ts";
import { type CommonOptions, type Session, withCommonOptions, withSession } from "../session.ts";
import { splitPair } from "../values.ts";

const LIMIT_DEFAULT = 50;
/** A page; more is a matter of `--cursor`. */
const LIMIT_MAX = 1000;

interface ListOptions extends CommonOptions {
  readonly status?: string;
  readonly workflow?: string;
  readonly label?: string;
  readonly since?: string;
  readonly error?: string;
  readonly inDoubt?: boolean;
  readonly limit: string;
  readonly cursor?: string;
}

/** `tutti run list`: runs, newest first. */
export function runList(cli: Cli): ReturnType<typeof newCommand> {
  const command = newCommand("list", "runs, newest first")
    .alias("ls")
    .option("--status <status,…>", "running, waiting, suspended, faulted, completed, cancelled, quarantined")
    .option("--workflow <[namespace/]name>", "runs of this workflow")
    .option("--label <name=value>", "runs with this label")
    .option("--since <duration>", "started within the last 30m, 24h, 7d")
    .option("--error <type>", "faulted with this error type")
    .option("--in-doubt", "with a task in doubt")
    .option("--limit <count>", "runs on a page", String(LIMIT_DEFAULT))
    .option("--cursor <cursor>", "the page after, from the last page's end");
  return withCommonOptions(command).action((options: ListOptions) =>
    cli.act(() => withSession(cli.io, options, true, (session) => list(session, options))),
  );
}

async function list(session: Session, options: ListOptions): Promise<number> {
  const { io, service, style } = session;
  const page = await service.list(queryOf(options, io.now()));
  if (session.isJson) {
    io.out(`${JSON.stringify({ runs: page.runs.map(rowJson), next: page.next ?? null })}\n`);
    return EXIT.ok;
  }
  if (page.runs.length === 0) {
    io.error(`No runs.\n`);
    return EXIT.ok;
  }
  const nowMs = io.now();
  const columns = [
    { title: "RUN" },
    { title: "STATUS", paint: (text: string, row: number) => paintRun(style, page.runs[row]?.status ?? "running")(text) },
    { title: "WORKFLOW", shrinks: true },
    { title: "STARTED" },
    { title: "TOOK", align: "right" as const },
    { title: "WHY", paint: (text: string) => style.dim(text) },
  ];
  io.out(
    renderTable(
      columns,
      page.runs.map((row) => cellsOf(row, nowMs)),
      io.size().columns,
      style.dim,
    ),
  );
  if (page.next !== undefined) io.error(style.dim(`More: add --cursor ${page.next}\n`));
  return EXIT.ok;
}

function cellsOf(row: RunRow, nowMs: number): readonly string[] {
  const doubt = row.inDoubt > 0 ? `${row.inDoubt} in doubt${row.reason === undefined ? "" : "; "}` : "";
  return [
    row.runId,
    row.status,
    oneLine(`${row.namespace}/${row.name}:${row.version}`),
    formatNear(row.startedAtMs, nowMs),
    formatDuration((row.endedAtMs ?? nowMs) - row.startedAtMs),
    oneLine(`${doubt}${row.reason ?? ""}`),
  ];
}

function queryOf(options: ListOptions, nowMs: number): RunQuery {
  const [namespace, name] = splitName(options.workflow);
  return {
    status: options.status === undefined ? undefined : parseStatuses(options.status),
    namespace,
    name,
    label: options.label === undefined ? undefined : splitPair(options.label, "--label"),
    startedAfterMs: options.since === undefined ? undefined : nowMs - parseDurationOption(options.since, "--since"),
    errorType: options.error,
    inDoubt: options.inDoubt,
    limit: parseCount(options.limit, "--limit", LIMIT_MAX),
    cursor: options.cursor,
  };
}

function splitName(text: string | undefined): readonly [string | undefined, string | undefined] {
  if (text === undefined) return [undefined, undefined];
  const parts = text.split("/");
  if (parts.length > 2 || parts.includes("")) throw new AppError("usage", `--workflow takes NAME or NAMESPACE/NAME, and got \`${text}\`.`);
  return parts.length === 2 ? [parts[0], parts[1]] : [undefined, parts[0]];
}
