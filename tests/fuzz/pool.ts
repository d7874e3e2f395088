import { Worker } from "node:worker_threads";
import type { Found, Piece, PieceAnswer } from "./worker.ts";

/** One input may not hold a thread up longer than this: thousands of times what any may take, so that a busy machine is no violation. */
const HANG_MS = 240_000;
const WATCH_EVERY_MS = 5_000;
/** Of a thread's old objects: whoever takes more than this for an input of a few kilobytes has taken too much. */
const HEAP_MAX_MIB = 512;
/** A target whose inputs end threads is given up after so many. */
const DEATHS_MAX = 5;

/** Carries out pieces in threads; an input that hangs or kills its thread is a violation of its own, and the piece goes on behind it. */
export async function carryOut(
  pieces: readonly Piece[],
  threads: number,
  answered: (piece: Piece, answer: PieceAnswer) => void,
): Promise<void> {
  const queue = [...pieces];
  const deaths = new Map<string, number>();
  const lane = async (): Promise<void> => {
    let thread = new Thread();
    for (let piece = queue.shift(); piece !== undefined; piece = queue.shift()) {
      const end = await thread.carryOut(piece);
      if (end.kind === "answer") {
        answered(piece, end.answer);
        continue;
      }
      thread = new Thread();
      const { index } = end;
      const found: Found = { index, violation: { law: end.law, message: end.message } };
      answered(piece, { judged: index + 1 - piece.from, found: [found], cpuMs: 0 });
      const died = (deaths.get(piece.target) ?? 0) + 1;
      deaths.set(piece.target, died);
      if (index + 1 < piece.to && died < DEATHS_MAX) queue.unshift({ ...piece, from: index + 1 });
    }
    await thread.end();
  };
  await Promise.all(Array.from({ length: threads }, lane));
}

type End =
  | { readonly kind: "answer"; readonly answer: PieceAnswer }
  | { readonly kind: "death"; readonly law: string; readonly message: string; readonly index: number };

class Thread {
  readonly #place = new Int32Array(new SharedArrayBuffer(4));
  readonly #worker: Worker;

  constructor() {
    this.#place[0] = -1;
    this.#worker = new Worker(new URL("worker.ts", import.meta.url), {
      workerData: this.#place.buffer,
      resourceLimits: { maxOldGenerationSizeMb: HEAP_MAX_MIB },
    });
    // Its death is told to whoever waits for an answer.
    this.#worker.on("error", () => {});
  }

  carryOut(piece: Piece): Promise<End> {
    return new Promise((resolve) => {
      let lastIndex = -1;
      let sinceMs = performance.now();
      const index = (): number => Math.max(piece.from, Atomics.load(this.#place, 0));
      const done = (end: End): void => {
        clearInterval(watch);
        this.#worker.removeAllListeners("message").removeAllListeners("exit").removeListener("error", died);
        resolve(end);
      };
      const died = (error: unknown): void =>
        done({
          kind: "death",
          law: "ends the thread",
          message: error instanceof Error ? (error.stack ?? "") : String(error),
          index: index(),
        });
      const watch = setInterval(() => {
        if (index() !== lastIndex) {
          lastIndex = index();
          sinceMs = performance.now();
        } else if (performance.now() - sinceMs > HANG_MS) {
          void this.#worker.terminate();
          done({ kind: "death", law: "hangs", message: `no end after ${HANG_MS / 1000} s`, index: index() });
        }
      }, WATCH_EVERY_MS);
      this.#worker.once("message", (answer: PieceAnswer) => done({ kind: "answer", answer }));
      this.#worker.once("error", died);
      this.#worker.once("exit", (code) => died(`the thread ended with code ${code}`));
      this.#worker.postMessage(piece);
    });
  }

  async end(): Promise<void> {
    const ended = new Promise((resolve) => this.#worker.once("exit", resolve));
    this.#worker.postMessage("end");
    await ended;
  }
}
