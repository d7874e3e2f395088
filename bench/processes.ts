import { type ConnectorFunction, attemptForTests } from "@tutti/connector-kit";
import { processConnector, ProcessStarter } from "@tutti/connector-process";
import { median } from "./report.ts";

/** What a start of a small process costs as Tutti's own process grows: started by itself, and by its starter. */

const MIB = 2 ** 20;
/** Sizes that a server grows to: it begins at some 80 MiB. */
const SIZES_MIB = [0, 128, 256, 512];
const CALLS = 30;

export interface ProcessesRound {
  /** Of all of this process, when the calls were made. */
  readonly rssMiB: number;
  readonly by: "itself" | "starter";
  /** From the call to its answer. */
  readonly elapsedMs: number;
  /** How long this process's main thread could do nothing else. */
  readonly busyMs: number;
}

/** One call after the other; the two ways take turns. */
export async function measureProcesses(rounds: number): Promise<readonly ProcessesRound[]> {
  const ballast: Buffer[] = [];
  const starter = new ProcessStarter({ fromBytes: 0 });
  const ways = [
    ["itself", functionOf(new ProcessStarter({ fromBytes: Infinity }))],
    ["starter", functionOf(starter)],
  ] as const;
  const results: ProcessesRound[] = [];
  for (const [, run] of ways) await call(run);
  for (const size of SIZES_MIB) {
    for (let filled = ballast.length; filled < size; filled += 1) ballast.push(Buffer.alloc(MIB, 1));
    for (let round = 0; round < rounds; round += 1) {
      for (const [by, run] of ways) {
        const elapsed: number[] = [];
        const before = performance.eventLoopUtilization();
        for (let index = 0; index < CALLS; index += 1) elapsed.push(await call(run));
        const { active } = performance.eventLoopUtilization(before);
        const rssMiB = Math.round(process.memoryUsage.rss() / MIB);
        results.push({ rssMiB, by, elapsedMs: median(elapsed), busyMs: active / CALLS });
        // A process that works writes to its memory; what was shared with a child is copied then.
        for (const block of ballast) for (let at = 0; at < MIB; at += 4096) block[at] = round & 0xff;
      }
    }
  }
  starter.stop();
  return results;
}

export function processesTable(rounds: readonly ProcessesRound[]): readonly Record<string, string | number>[] {
  const size = rounds.length / SIZES_MIB.length;
  return SIZES_MIB.map((_, index) => {
    const part = rounds.slice(index * size, (index + 1) * size);
    const of = (by: ProcessesRound["by"], pick: (one: ProcessesRound) => number): string =>
      median(part.filter((one) => one.by === by).map(pick)).toFixed(1);
    return {
      "size of Tutti, MiB": Math.round(median(part.map((one) => one.rssMiB))),
      "itself, ms": of("itself", (one) => one.elapsedMs),
      "itself, main thread busy, ms": of("itself", (one) => one.busyMs),
      "starter, ms": of("starter", (one) => one.elapsedMs),
      "starter, main thread busy, ms": of("starter", (one) => one.busyMs),
    };
  });
}

function functionOf(starter: ProcessStarter): ConnectorFunction {
  return processConnector({ starter }).functions["run.shell"] as ConnectorFunction;
}

async function call(run: ConnectorFunction): Promise<number> {
  const startedAt = performance.now();
  await run.run({ shell: { command: "true" } }, attemptForTests());
  return performance.now() - startedAt;
}
