import { setTimeout } from "node:timers/promises";
import { resolve } from "node:path";
import {
  EventLog,
  LOG_LEVELS,
  LogFile,
  openHost,
  type Host,
  type ListenAddress,
  parseListenAddress,
  problemOfUrl,
  type RunChange,
  TUTTI_VERSION,
} from "@tutti/host";
import { AppError } from "@tutti/model";
import { type Cli, newCommand } from "../cli.ts";
import { EXIT } from "../exit-code.ts";
import { Interrupts } from "../interrupts.ts";
import type { Io } from "../io.ts";
import { formatClock } from "../render/duration.ts";
import { paintRun, type Style } from "../render/style.ts";
import { oneLine } from "../render/text.ts";
import { parseDurationOption } from "../run-options.ts";
import { type CommonOptions, dataDirectoryOf, styleFor, withCommonOptions } from "../session.ts";

/** How often `--until-idle` looks whether anything can still move. */
const IDLE_LOOK_MS = 100;
/** How often a starting `up` looks whether the process that drives single runs is done. */
const OWNER_LOOK_MS = 500;

interface UpOptions extends CommonOptions {
  readonly untilIdle?: boolean;
  readonly keepRuns?: string;
  readonly keepLogs?: string;
  readonly metrics?: string;
  readonly traces?: string;
  readonly lifecycle?: string;
  readonly logFormat?: string;
  readonly logFile?: string;
  readonly logLevel?: string;
}

/** `tutti up`: owns the data directory and drives all runs and timers until it is stopped. */
export function up(cli: Cli): ReturnType<typeof newCommand> {
  const command = newCommand("up", "drive all runs and timers until stopped")
    .option("--until-idle", "end when no run can move by itself any more")
    .option("--keep-runs <duration>", "how long finished runs stay: 90d, 12h, forever (default: TUTTI_KEEP_RUNS, else 90d)")
    .option("--metrics <host:port>", "serve Prometheus metrics there (default: metrics.listen of settings.yaml, else nowhere)")
    .option(
      "--traces <url>",
      "send the OpenTelemetry trace of each run there (OTLP/HTTP; default: traces.endpoint of settings.yaml, else OTEL_EXPORTER_OTLP_ENDPOINT)",
    )
    .option(
      "--lifecycle <url>",
      "tell this sink the lifecycle events of all runs, too (CloudEvents by POST; besides lifecycle.sinks of settings.yaml)",
    )
    .option("--log-format <format>", "log lines on standard error: json or text (default: TUTTI_LOG_FORMAT, else none but failures)")
    .option(
      "--log-file <file>",
      "log lines into this file instead, json unless --log-format says text; opened anew on SIGHUP (default: TUTTI_LOG_FILE)",
    )
    .option("--log-level <level>", "error, warn, info or debug (default: TUTTI_LOG_LEVEL, else info)")
    .option("--keep-logs <duration>", "how long their logs stay (default: TUTTI_KEEP_LOGS, else 30d)");
  return withCommonOptions(command).action((options: UpOptions) => cli.act(() => driveAll(cli.io, options)));
}

async function driveAll(io: Io, options: UpOptions): Promise<number> {
  const directory = dataDirectoryOf(io, options);
  const isJson = options.json === true;
  const style = styleFor(io, options);
  const file = logFileOf(io, options);
  const log = eventLogOf(io, options, file);
  // Standard error is either for people or a log.
  const isForPeople = log === undefined || file !== undefined;
  const isTalkative = !isJson && isForPeople;
  const interrupts = new Interrupts(
    () => {
      if (isForPeople) io.error("Stopping: attempts in flight may end first. Ctrl-C again ends at once.\n");
      log?.log("process.stopping", { pid: process.pid });
    },
    file === undefined ? undefined : () => file.reopen(),
  );
  try {
    const host = await openWhenFree(io, { ...options, log, isForPeople }, interrupts.signal);
    if (host === undefined) return EXIT.interrupted;
    const unsubscribe = host.onRunChange((change) =>
      io.out(`${isJson ? JSON.stringify(changeJson(change)) : renderChange(change, style)}\n`),
    );
    try {
      log?.log("process.started", { directory: directory.path, version: TUTTI_VERSION, pid: process.pid });
      if (isTalkative) io.error(`Tutti ${TUTTI_VERSION} drives all runs of ${directory.path} (process ${process.pid}). Ctrl-C stops.\n`);
      const { metricsAddress: at } = host;
      if (isTalkative && at !== undefined)
        io.error(`Metrics: http://${at.host.includes(":") ? `[${at.host}]` : at.host}:${at.port}/metrics\n`);
      await (options.untilIdle ? untilIdle(host, interrupts.signal) : aborted(interrupts.signal));
    } finally {
      await host.stop();
      log?.log("process.stopped", { pid: process.pid });
      unsubscribe();
    }
    if (isTalkative)
      io.error(interrupts.signal.aborted ? "Stopped; runs go on with the next `tutti up`.\n" : "Nothing moves by itself any more.\n");
    // Being stopped is the normal end of a server.
    return EXIT.ok;
  } finally {
    interrupts.stop();
    file?.close();
  }
}

/** Waits while a command drives a run of its own; refuses when another `tutti up` is there. */
async function openWhenFree(
  io: Io,
  options: UpOptions & { readonly log: EventLog | undefined; readonly isForPeople: boolean },
  signal: AbortSignal,
): Promise<Host | undefined> {
  const directory = dataDirectoryOf(io, options);
  const { connectOnly } = await import("@tutti/host");
  let isTold = false;
  while (!signal.aborted) {
    try {
      return await openHost({
        directory,
        drive: "all",
        retention: {
          ...keptOf("runsMs", options.keepRuns ?? io.environment["TUTTI_KEEP_RUNS"], "--keep-runs"),
          ...keptOf("logsMs", options.keepLogs ?? io.environment["TUTTI_KEEP_LOGS"], "--keep-logs"),
        },
        ...(options.metrics === undefined ? {} : { metrics: listenAddressOf(options.metrics) }),
        ...(options.traces === undefined ? {} : { traces: addressOf(options.traces, "--traces") }),
        ...(options.lifecycle === undefined ? {} : { lifecycle: addressOf(options.lifecycle, "--lifecycle") }),
        environment: io.environment,
        ...(options.log === undefined ? {} : { log: options.log }),
        report: (message, cause) => {
          // With a log on standard error the failure is a line of it.
          if (options.isForPeople) io.error(`${message}: ${cause instanceof Error ? cause.message : String(cause)}\n`);
        },
      });
    } catch (error) {
      if (!(error instanceof AppError) || error.code !== "store-in-use") throw error;
      const owner = await connectOnly(directory, io.environment);
      const hello = owner?.hello;
      owner?.close();
      if (hello?.drive === "all") {
        throw new AppError("store-in-use", `Process ${hello.pid} drives all runs of ${directory.path} already.`, {
          cause: error,
          details: { pid: hello.pid },
          hint: "Stop it first, or name another directory with --data.",
        });
      }
      if (!isTold && hello !== undefined) io.error(`Process ${hello.pid} drives a run; waiting until it is done.\n`);
      isTold = true;
      await pause(OWNER_LOOK_MS, signal);
    }
  }
  return undefined;
}

/** @throws AppError `file-unreadable`. */
function logFileOf(io: Io, options: UpOptions): LogFile | undefined {
  const path = options.logFile ?? (io.environment["TUTTI_LOG_FILE"] || undefined);
  return path === undefined ? undefined : new LogFile(resolve(io.currentDirectory, path), (message) => io.error(message));
}

/** The log that was asked for. @throws AppError `usage`. */
function eventLogOf(io: Io, options: UpOptions, file: LogFile | undefined): EventLog | undefined {
  const format = (options.logFormat ?? io.environment["TUTTI_LOG_FORMAT"]) || (file === undefined ? "" : "json");
  const wanted = options.logLevel ?? io.environment["TUTTI_LOG_LEVEL"] ?? "";
  const level = wanted === "" ? "info" : LOG_LEVELS.find((known) => known === wanted);
  if (level === undefined) throw new AppError("usage", `--log-level takes ${LOG_LEVELS.join(", ")}, and got \`${wanted}\`.`);
  if (format === "") return undefined;
  if (format !== "json" && format !== "text") throw new AppError("usage", `--log-format takes json or text, and got \`${format}\`.`);
  return new EventLog({ format, level, write: (line) => (file === undefined ? io.error(line) : file.write(line)), nowMs: () => io.now() });
}

/** @throws AppError `usage`. */
function listenAddressOf(text: string): ListenAddress {
  const address = parseListenAddress(text);
  if (address === undefined)
    throw new AppError("usage", `--metrics takes an address and a port such as 127.0.0.1:9464, and got \`${text}\`.`);
  return address;
}

/** @throws AppError `usage`. */
function addressOf(text: string, option: string): string {
  const problem = problemOfUrl(text);
  if (problem !== undefined) throw new AppError("usage", `${option} takes an address to send to: ${problem}.`);
  return text;
}

/** The setting under its name; nothing when nobody has said it. */
function keptOf<Name extends string>(name: Name, text: string | undefined, option: string): { readonly [Key in Name]?: number } {
  if (text === undefined || text === "") return {};
  const ms = text === "forever" ? Number.POSITIVE_INFINITY : parseDurationOption(text, option);
  // A computed key of a type parameter is widened to string.
  return { [name]: ms } as { readonly [Key in Name]: number };
}

async function untilIdle(host: Host, signal: AbortSignal): Promise<void> {
  while (!signal.aborted && !(await host.isIdle())) await pause(IDLE_LOOK_MS, signal);
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await setTimeout(ms, undefined, { signal }).catch(() => undefined);
}

function renderChange(change: RunChange, style: Style): string {
  const why = change.reason === undefined ? "" : `  ${style.dim(oneLine(change.reason))}`;
  return `${style.dim(formatClock(change.atMs))}  ${change.runId}  ${oneLine(change.workflow)}  ${paintRun(style, change.status)(change.status)}${why}`;
}

function changeJson(change: RunChange): object {
  return {
    at: new Date(change.atMs).toISOString(),
    runId: change.runId,
    workflow: change.workflow,
    status: change.status,
    inDoubt: change.inDoubt,
    reason: change.reason ?? null,
  };
}
