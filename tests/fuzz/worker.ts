import { parentPort, workerData } from "node:worker_threads";
import type { Json } from "@tutti/model";
import { inputOf, judge, thrown } from "./judge.ts";
import { type OpenTarget, type Target, type Verdict, type Violation } from "./target.ts";
import { targetNamed } from "./targets.ts";

/** Judges pieces of a target's inputs in a thread of its own. Its place stands in shared memory: when it hangs or dies, that is the input. */

/** A piece of work: inputs `from` to `to - 1`. */
export interface Piece {
  readonly target: string;
  readonly seed: number;
  readonly from: number;
  readonly to: number;
  /** The control: the fault is planted, and the first violation is enough. */
  readonly isSabotaged: boolean;
}

export interface Found {
  readonly index: number;
  readonly violation: Violation;
}

export interface PieceAnswer {
  readonly judged: number;
  readonly found: readonly Found[];
  /** On the processor: what a busy machine does not change. */
  readonly cpuMs: number;
}

/** Inputs of a target that is asked for many at once. */
const BATCH = 100;

const place = new Int32Array(workerData as SharedArrayBuffer);
const opened = new Map<string, Promise<OpenTarget>>();
let stray: unknown;

process.on("unhandledRejection", (error) => {
  stray = error;
});

parentPort?.on("message", (piece: Piece | "end") => {
  void (piece === "end" ? close() : carryOut(piece).then((answer) => parentPort?.postMessage(answer), die));
});

/** A fault of a target itself, not of what it judges: its thread ends, and whoever waits for the answer is told. */
function die(error: unknown): void {
  setImmediate(() => {
    throw error;
  });
}

async function carryOut(piece: Piece): Promise<PieceAnswer> {
  const start = process.threadCpuUsage();
  const target = targetNamed(piece.target);
  const key = `${piece.target} ${String(piece.isSabotaged)}`;
  const opening = opened.get(key) ?? target.open(piece.isSabotaged);
  opened.set(key, opening);
  const open = await opening;
  const found: Found[] = [];
  const note = (index: number, verdict: Verdict): void => {
    if (verdict !== undefined) found.push({ index, violation: verdict });
    if (stray === undefined) return;
    found.push({ index, violation: { law: "stray rejection", message: thrown(stray)?.message ?? "" } });
    stray = undefined;
  };
  const judged = open.checkAll === undefined ? await oneByOne(piece, target, open, note) : await inBatches(piece, target, open, note);
  Atomics.store(place, 0, -1);
  const used = process.threadCpuUsage(start);
  return { judged, found, cpuMs: (used.user + used.system) / 1000 };

  function isEnough(): boolean {
    return piece.isSabotaged && found.length > 0;
  }

  async function oneByOne(
    piece: Piece,
    target: Target,
    open: OpenTarget,
    note: (index: number, verdict: Verdict) => void,
  ): Promise<number> {
    let next = piece.from;
    const lane = async (): Promise<void> => {
      while (next < piece.to && !isEnough()) {
        const index = next++;
        Atomics.store(place, 0, index);
        note(index, await judge(open, inputOf(target, piece.seed, index)));
      }
    };
    await Promise.all(Array.from({ length: open.concurrency ?? 1 }, lane));
    return next - piece.from;
  }

  async function inBatches(
    piece: Piece,
    target: Target,
    open: OpenTarget,
    note: (index: number, verdict: Verdict) => void,
  ): Promise<number> {
    let next = piece.from;
    while (next < piece.to && !isEnough()) {
      const first = next;
      next = Math.min(next + BATCH, piece.to);
      Atomics.store(place, 0, first);
      const inputs: Json[] = Array.from({ length: next - first }, (_, offset) => inputOf(target, piece.seed, first + offset));
      const verdicts = await open.checkAll?.(inputs);
      verdicts?.forEach((verdict, offset) => note(first + offset, verdict));
    }
    return next - piece.from;
  }
}

async function close(): Promise<void> {
  for (const opening of opened.values()) await (await opening).close?.();
  parentPort?.close();
}
