import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Layer } from "./layers.ts";
import { readReport, type Report } from "./report.ts";
import { type Ended, runCommand } from "./run-command.ts";

export interface LayerResult {
  readonly passed: number;
  readonly failures: Report["failures"];
  readonly skips: Report["skips"];
  readonly elapsedMs: number;
  readonly cpuMs: number;
  readonly logFile: string;
}

const SUMMARY = /^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$/;
/** Enough of a log to see why a tool failed that names no single tests. */
const TAIL_LINES = 60;

/**
 * Runs one layer in a process group of its own, its output in a log file, and says what became of it.
 *
 * What the layer left running in its group is ended afterwards, so that one layer never disturbs the next.
 */
export async function runLayer(
  layer: Layer,
  options: { readonly root: string; readonly logDirectory: string; readonly signal: AbortSignal },
): Promise<LayerResult> {
  const startedAt = performance.now();
  const logFile = join(options.logDirectory, `${layer.name}.log`);
  const reportFile = join(options.logDirectory, `${layer.name}.json`);
  rmSync(reportFile, { force: true });
  const missing = layer.needs.filter((file) => !existsSync(join(options.root, file)));
  if (missing.length > 0) {
    const failures = missing.map((file) => ({ name: layer.name, message: `${file} does not exist` }));
    return { passed: 0, failures, skips: [], elapsedMs: 0, cpuMs: 0, logFile };
  }
  const ended = await runCommand(layer.command, {
    ...options,
    logFile,
    environment: { TUTTI_REPORT: reportFile },
    minutesMax: layer.minutesMax,
  });
  const log = readFileSync(logFile, "utf8");
  const result = judge(layer, ended, readReport(reportFile) ?? summaryOf(log), log);
  return { ...result, elapsedMs: performance.now() - startedAt, cpuMs: ended.cpuMs, logFile };
}

/** A runner that reports nothing single counts as one test; one that fails without naming a failure has failed all the same. */
function judge(layer: Layer, ended: Ended, report: Report | undefined, log: string): Omit<LayerResult, "elapsedMs" | "cpuMs" | "logFile"> {
  if (report === undefined && ended.code === 0) return { passed: 1, failures: [], skips: [] };
  const failures = [...(report?.failures ?? [])];
  if (ended.code !== 0 && failures.length === 0) {
    failures.push({ name: layer.name, message: `${ended.why}\n${log.trimEnd().split("\n").slice(-TAIL_LINES).join("\n")}` });
  }
  return { passed: report?.passed ?? 0, failures, skips: report?.skips ?? [] };
}

/** The last line `N passed, N failed, N skipped` of a runner that writes no report. */
function summaryOf(log: string): Report | undefined {
  const match = log
    .split("\n")
    .map((line) => SUMMARY.exec(line.trim()))
    .findLast((found) => found !== null);
  if (!match) return undefined;
  const [passed = 0, failed = 0, skipped = 0] = match.slice(1).map((text) => Number(text ?? 0));
  return {
    passed,
    failures: Array.from({ length: failed }, (_, index) => ({ name: `failure ${index + 1} of ${failed}`, message: "see the log" })),
    skips: Array.from({ length: skipped }, (_, index) => ({ name: `skip ${index + 1} of ${skipped}`, reason: "see the log" })),
  };
}
