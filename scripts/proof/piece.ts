import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Ended, runCommand } from "../check/run-command.ts";
import type { Goal } from "./goals.ts";
import type { Piece } from "./ledger.ts";

/** Somebody ended it from outside: that says nothing about what was tried. */
const CUT_BY: readonly NodeJS.Signals[] = ["SIGHUP", "SIGINT", "SIGKILL", "SIGTERM"];
const CUT_CODES: readonly number[] = [129, 130, 137, 143];
/** Enough of a log to see what was found; all of it stays in the logs of the piece. */
const FINDING_LENGTH_MAX = 2000;
const TAIL_LINES = 15;
const TELLING = /^\s*(?:FAILED|FAIL|REPRODUCE)\b|^--- |NOT caught/;

export type PieceResult =
  | { readonly kind: "counted"; readonly verdict: Piece["verdict"]; readonly counts: Piece["counts"]; readonly finding: string | undefined }
  /** It came to no end of its own: nothing of it counts, and its seeds are used again. */
  | { readonly kind: "cut-off"; readonly why: string }
  /** It ended well and counted nothing: this machine lacks something. */
  | { readonly kind: "skipped"; readonly why: string };

export interface PieceOptions {
  readonly root: string;
  readonly logFile: string;
  readonly signal: AbortSignal;
}

/**
 * Carries out one piece. What it counted is written into a folder of its own: a piece that dies leaves nothing to another. The logs of one that does not
 * pass stay beside the log file, in a folder of its name and seed: whoever explains it needs them.
 */
export async function carryOut(goal: Goal, seed: number, options: PieceOptions): Promise<PieceResult> {
  const folder = mkdtempSync(join(tmpdir(), "tutti-proof-"));
  const logs = join(dirname(options.logFile), `${goal.name}-${seed}`);
  mkdirSync(logs, { recursive: true });
  let isGood = false;
  try {
    const countsFile = join(folder, "counts");
    const ended = await runCommand(goal.command(seed), {
      ...options,
      environment: { TUTTI_COUNTS: countsFile, TUTTI_CHECK_LOGS: logs },
      minutesMax: goal.minutesMax,
    });
    if (options.signal.aborted) return { kind: "cut-off", why: "interrupted" };
    const result = judge(goal, ended, countsIn(countsFile, goal.name), readFileSync(options.logFile, "utf8"));
    isGood = result.kind !== "counted" || result.verdict === "passed";
    return result;
  } finally {
    if (isGood || options.signal.aborted) rmSync(logs, { recursive: true, force: true });
    else copyFileSync(options.logFile, join(logs, "piece.log"));
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What became of a piece whose program has ended like this, having written these counts and this log. */
export function judge(goal: Goal, ended: Ended, counts: Piece["counts"] | undefined, log: string): PieceResult {
  const isOverdue = ended.why.startsWith("took longer");
  const isCut = (ended.signal !== undefined && CUT_BY.includes(ended.signal)) || CUT_CODES.includes(ended.code);
  if (isCut && !isOverdue) return { kind: "cut-off", why: ended.why };
  if (ended.code === 0 && counts === undefined) return { kind: "skipped", why: log.trimEnd().split("\n").slice(-2).join(" ") };
  const violations = counts?.["violations"] ?? 0;
  if (ended.code === 0 && violations === 0) return { kind: "counted", verdict: "passed", counts: counts ?? {}, finding: undefined };
  const verdict = violations > 0 ? "violated" : "failed";
  return { kind: "counted", verdict, counts: counts ?? {}, finding: findingIn(log, `${goal.name}: ${ended.why}`) };
}

/** The tree's own directory, with a slash at its end. */
const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** The lines that tell what was found and how to repeat it; the end of the log when there are none. */
function findingIn(log: string, head: string): string {
  const lines = log.trimEnd().split("\n");
  // What failed stands on the line after its name; after the name of a layer of the whole check, what of it failed and why.
  let isUnderLayer = false;
  const telling = lines.filter((line, index) => {
    isUnderLayer = line.startsWith("--- ") || (isUnderLayer && line.startsWith("  "));
    return isUnderLayer || TELLING.test(line) || /^\s*FAILED\b/.test(lines[index - 1] ?? "");
  });
  const whole = [head, ...(telling.length > 0 ? telling : lines.slice(-TAIL_LINES))].join("\n");
  // Where the tree lay on that machine means nothing to others.
  const text = whole.replaceAll(`file://${ROOT}`, "").replaceAll(ROOT, "");
  return text.length > FINDING_LENGTH_MAX ? `${text.slice(0, FINDING_LENGTH_MAX)}…` : text;
}

/** The figures of the proof's own line. Programs that run others (the whole check) leave theirs in the same file. */
function countsIn(file: string, proof: string): Piece["counts"] | undefined {
  if (!existsSync(file)) return undefined;
  const lines = readFileSync(file, "utf8").trimEnd().split("\n");
  // Written by `writeCounts`.
  const own = lines.map((line) => JSON.parse(line) as Record<string, number | string>).filter((line) => line["proof"] === proof);
  if (own.length === 0) return undefined;
  const sums: Record<string, number> = {};
  for (const { proof: _, seed: __, ...figures } of own)
    for (const [name, value] of Object.entries(figures)) if (typeof value === "number") sums[name] = (sums[name] ?? 0) + value;
  return sums;
}
