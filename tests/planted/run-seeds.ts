import { join } from "node:path";
import type { FaultKind } from "../sim/faults.ts";
import { type Carrier, type Ended, REGISTER, runNode } from "./child.ts";

export interface SeedRange {
  readonly from: number;
  readonly to: number;
  readonly faults?: readonly FaultKind[];
}

/** The first law that was broken, and where; undefined when none was. */
export type SeedsFound = { readonly seed: number; readonly law: string; readonly message: string } | undefined;

export interface SeedsRun {
  readonly found: SeedsFound;
  readonly seconds: number;
}

/** Simulates the seeds with the carrier's bug. The ended process instead when it has told nothing. */
export async function runSeeds(carrier: Carrier, ranges: readonly SeedRange[], limitMs: number): Promise<SeedsRun | Ended> {
  const script = join(import.meta.dirname, "sim-seeds.ts");
  const ended = await runNode([...process.execArgv, ...REGISTER, script, JSON.stringify(ranges)], {
    environment: carrier.environment,
    limitMs,
  });
  if (ended.code !== 0 || !ended.stdout.startsWith("{")) return ended;
  // Written by `sim-seeds.ts`.
  const told = JSON.parse(ended.stdout) as { readonly found: SeedsFound | null; readonly seconds: number };
  return { found: told.found ?? undefined, seconds: told.seconds };
}
