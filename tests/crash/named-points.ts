import { CRASH_POINTS, type CrashPointName } from "@tutti/runtime";
import { openSqliteStore } from "@tutti/store-sqlite";
import type { Random } from "@tutti/testkit";
import { findLost, type Place } from "./findings.ts";
import { WorkerProcess } from "./worker-process.ts";

/** A named point that a loaded process does not reach in this time is reached by nothing. */
const REACHED_MS = 300_000;
/** Look-ups follow a lost answer, and there are few of them in one life; everything else happens hundreds of times a second. */
const HITS_MAX: Readonly<Partial<Record<CrashPointName, number>>> = { "look-up.before": 6 };
const HITS_MAX_DEFAULT = 40;
/** The load has no schedules. `packages/runtime/src/runtime-schedules.test.ts` kills at each of the first hits of these, for every policy. */
const SCHEDULE_POINTS: ReadonlySet<CrashPointName> = new Set(["schedule.before", "schedule.after"]);

export interface PointFindings {
  readonly kills: number;
  /** Points at which nobody died. */
  readonly unreached: readonly string[];
  readonly lost: readonly string[];
}

/** Kills a loaded process at each named point: when it is reached first, the second time, and at a random hit after that. */
export async function killAtNamedPoints(place: Place, random: Random): Promise<PointFindings> {
  const unreached: string[] = [];
  const lost: string[] = [];
  let kills = 0;
  for (const point of CRASH_POINTS.filter((one) => !SCHEDULE_POINTS.has(one))) {
    for (const hit of [1, 2, random.integer(3, HITS_MAX[point] ?? HITS_MAX_DEFAULT)]) {
      const worker = new WorkerProcess(place, "load", {
        environment: { TUTTI_CRASH_POINT: `${point}:${hit}`, ...(point === "look-up.before" ? { CRASH_LOSE_ANSWERS: "1" } : {}) },
      });
      const timer = setTimeout(() => void worker.child.kill("SIGTERM"), REACHED_MS);
      await worker.ended;
      clearTimeout(timer);
      // It kills itself with SIGKILL; the signal of our patience is another.
      if (worker.child.signalCode === "SIGKILL") kills += 1;
      else unreached.push(`${point}:${hit} (ended by ${worker.child.signalCode ?? `exit code ${worker.child.exitCode}`})`);
      lost.push(...(await lostAt(place)).map((one) => `${point}:${hit}: ${one}`));
    }
  }
  return { kills, unreached, lost };
}

async function lostAt(place: Place): Promise<readonly string[]> {
  const store = openSqliteStore({ directory: place.directory });
  await store.start();
  try {
    return await findLost(store, place.home);
  } finally {
    await store.abandon();
  }
}
