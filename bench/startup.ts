import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { median } from "./report.ts";
import { TuttiUp } from "./tutti-up.ts";

/** Row 5 and 6 of the goals: memory of an idle `tutti up`, and the time from the start of its process until it drives. */

/** Until the garbage of the start is collected and the workers have ended theirs. */
const IDLE_MS = 5000;

export interface StartupRound {
  /** With a compile cache that no start has filled yet. */
  readonly firstMs: number;
  readonly secondMs: number;
  readonly idlePssMiB: number;
}

export async function measureStartup(rounds: number): Promise<readonly StartupRound[]> {
  const results: StartupRound[] = [];
  for (let round = 0; round < rounds; round++) {
    const directory = mkdtempSync(join(tmpdir(), "tutti-bench-"));
    const environment = { NODE_COMPILE_CACHE: join(directory, "compile-cache") };
    try {
      const first = await TuttiUp.start(join(directory, "data"), environment);
      await first.stop();
      const second = await TuttiUp.start(join(directory, "data"), environment);
      await new Promise((resolve) => setTimeout(resolve, IDLE_MS));
      const idlePssMiB = second.pssBytes() / 2 ** 20;
      await second.stop();
      results.push({ firstMs: first.readyMs, secondMs: second.readyMs, idlePssMiB });
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  }
  return results;
}

export function startupTable(rounds: readonly StartupRound[]): readonly Record<string, string | number>[] {
  const of = (pick: (round: StartupRound) => number): number => Math.round(median(rounds.map(pick)));
  return [
    { what: "first start of the version, ms", median: of((one) => one.firstMs), goal: "" },
    { what: "second start, ms", median: of((one) => one.secondMs), goal: "≤ 500" },
    { what: "memory when idle, MiB PSS", median: of((one) => one.idlePssMiB), goal: "≤ 100" },
  ];
}
