import { parentPort } from "node:worker_threads";
import { simulate, type SimulationResult } from "./simulation.ts";

/** Carries out seeds one at a time in a thread of its own; each hundredth one twice, and both must be the same. */

/** What a worker says of a seed. */
export interface WorkerAnswer {
  readonly result: SimulationResult;
  /** The hash of the second time. */
  readonly again: number | undefined;
}

const TWICE_EVERY = 100;
let seed = 0;

process.on("unhandledRejection", (error) => {
  // The thread ends with this; whoever started it names the seed.
  throw new Error(`seed ${seed}: a promise was rejected and nobody looked`, { cause: error });
});

parentPort?.on("message", (next: number) => {
  seed = next;
  void carryOut(next).then((answer) => parentPort?.postMessage(answer));
});

async function carryOut(next: number): Promise<WorkerAnswer> {
  const result = await simulate({ seed: next });
  const again = next % TWICE_EVERY === 0 ? (await simulate({ seed: next })).hash : undefined;
  return { result, again };
}
