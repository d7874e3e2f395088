import { getHeapStatistics } from "node:v8";
import type { Json } from "@tutti/model";
import { createRandom } from "@tutti/testkit";
import { broken, type OpenTarget, type Target, type Verdict } from "./target.ts";

/** R15: nothing that others wrote may hold the thread that drives everybody's runs longer than this. Milliseconds on the processor. */
export const ELAPSED_MAX_MS = 100;
/** R15: nor take more memory than this. */
export const GROWN_MAX_BYTES = 64 * 1024 * 1024;
/** Once may be a garbage collection, a first compilation or a neighbour on the same core: slow, or large, is what is so each time. */
const MEASURED_AGAIN = 8;

/** The input with number `index` of a seed. Each has a source of chance of its own, so that one can be had without those before it. */
export function inputOf<Input extends Json>(target: Target<Input>, seed: number, index: number): Input {
  return target.make(createRandom(`${seed}/${target.name}/${index}`));
}

/** What the check says of the input, with what it threw, took and kept. */
export async function judge<Input extends Json>(target: OpenTarget<Input>, input: Input): Promise<Verdict> {
  const startedAt = performance.now();
  const before = heapBytes();
  const verdict = await attempt(target, input);
  if (verdict !== undefined) return verdict;
  // Inputs that wait for others share the thread with them: their own time cannot be told.
  if ((target.concurrency ?? 1) > 1) return undefined;
  if (performance.now() - startedAt > ELAPSED_MAX_MS) return slowness(target, input);
  if (heapBytes() - before > GROWN_MAX_BYTES) return growth(target, input);
  return undefined;
}

async function attempt<Input extends Json>(target: OpenTarget<Input>, input: Input): Promise<Verdict> {
  try {
    return await target.check(input);
  } catch (error) {
    return thrown(error);
  }
}

/** What a check threw: nothing may throw what is not documented, and what is documented its check has caught. */
export function thrown(error: unknown): Verdict {
  const name = error instanceof Error ? error.name : typeof error;
  const where = error instanceof Error ? (error.stack?.split("\n").slice(0, 6).join("\n") ?? error.message) : String(error);
  return broken(`throws ${name}`, where);
}

async function slowness<Input extends Json>(target: OpenTarget<Input>, input: Input): Promise<Verdict> {
  const times: number[] = [];
  for (let again = 0; again < MEASURED_AGAIN; again++) {
    const start = process.threadCpuUsage();
    await attempt(target, input);
    const used = process.threadCpuUsage(start);
    times.push((used.user + used.system) / 1000);
  }
  return times.every((ms) => ms > ELAPSED_MAX_MS)
    ? broken("slow", `took ${times.map((ms) => `${Math.round(ms)} ms`).join(" and ")} on the processor; at most ${ELAPSED_MAX_MS} ms`)
    : undefined;
}

async function growth<Input extends Json>(target: OpenTarget<Input>, input: Input): Promise<Verdict> {
  let least = Number.POSITIVE_INFINITY;
  for (let again = 0; again < MEASURED_AGAIN; again++) {
    const before = heapBytes();
    await attempt(target, input);
    least = Math.min(least, heapBytes() - before);
  }
  return least > GROWN_MAX_BYTES ? broken("large", `took ${Math.round(least / 1024 / 1024)} MiB each time`) : undefined;
}

function heapBytes(): number {
  const { used_heap_size: used, external_memory: external } = getHeapStatistics();
  return used + external;
}
