import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { createRandom } from "@tutti/testkit";
import { type Findings, inspect, type Place } from "../crash/findings.ts";
import { WorkerProcess } from "../crash/worker-process.ts";
import { type Carrier, REGISTER } from "./child.ts";

/** Longest life of a worker after its first acknowledgement, as in the kill loop itself. */
const LIFE_MS_MAX = 500;

export interface KillsRun {
  readonly kills: number;
  /** What is not there, or twice; empty when all is well. Runs that are under way are no finding. */
  readonly found: readonly string[];
  readonly seconds: number;
}

/** Starts and kills the loaded process with the carrier's bug; after each kill a process without it compares promises with what is stored. */
export async function killLoop(carrier: Carrier, killsMax: number, seed: number): Promise<KillsRun> {
  const startedMs = performance.now();
  const random = createRandom(seed);
  const home = mkdtempSync(join(tmpdir(), "tutti-planted-kill-"));
  const seconds = (): number => (performance.now() - startedMs) / 1000;
  try {
    const place: Place = { directory: join(home, "data"), home };
    mkdirSync(place.directory, { mode: 0o700 });
    for (let kills = 1; kills <= killsMax; kills += 1) {
      const worker = new WorkerProcess(place, "load", { nodeOptions: REGISTER, environment: carrier.environment });
      await worker.firstAck();
      if (!worker.isAlive) throw new Error(`the worker ended by itself with ${worker.child.exitCode}`);
      await pause(random.integer(0, LIFE_MS_MAX));
      await worker.kill();
      const found = wrongIn(await inspect(place));
      if (found.length > 0) return { kills, found, seconds: seconds() };
    }
    return { kills: killsMax, found: [], seconds: seconds() };
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}

function wrongIn({ lost, doubled, quarantined }: Findings): readonly string[] {
  return [...lost, ...doubled, ...quarantined];
}
