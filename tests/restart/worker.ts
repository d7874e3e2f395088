import { parentPort } from "node:worker_threads";
import { controlIsCaught, type RandomResult, tryWorkflow } from "./random.ts";

/** Tries workflows one at a time in a thread of its own. */

export type Task = { readonly kind: "workflow" | "control"; readonly seed: number };
export type Answer = { readonly result: RandomResult } | { readonly isCaught: boolean };

parentPort?.on("message", (task: Task) => void carryOut(task).then((answer) => parentPort?.postMessage(answer)));

async function carryOut({ kind, seed }: Task): Promise<Answer> {
  if (kind === "control") return { isCaught: await controlIsCaught(seed) };
  try {
    return { result: await tryWorkflow(seed) };
  } catch (error) {
    const violations = [error instanceof Error ? (error.stack ?? error.message) : String(error)];
    return { result: { seed, isDetermined: false, deaths: 0, disturbed: 0, violations } };
  }
}
