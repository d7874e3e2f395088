import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openSqliteStore } from "@tutti/store-sqlite";
import { seedRunId, seedRuns, seedWorkflow } from "./seed.ts";
import { TuttiUp } from "./tutti-up.ts";
import { percentile } from "./work.ts";

/** Row 7 of the goals: very many runs that wait for time cost no memory, and those that come due are on time. */

const DUE_PER_SECOND = 1000;
const DUE_SECONDS = 20;
/** From the end of filling to the first timer: the start of the process must not count as lateness. */
const LEAD_MS = 30_000;
const DAY_MS = 86_400_000;
const SETTLE_MS = 5000;
/** How long after the last timer the runs may still be on their way before the measurement ends without them. */
const PATIENCE_MS = 60_000;

export interface ParkedFigures {
  readonly parkedRuns: number;
  readonly seedSeconds: number;
  readonly readyMs: number;
  readonly pssMiB: number;
  readonly pssMiBAfter: number;
  readonly dueRuns: number;
  readonly endedRuns: number;
  /** Of the whole process, with all its threads. */
  readonly cpuUsPerTimer: number;
  readonly latenessMs: { readonly p50: number; readonly p99: number; readonly max: number };
}

export async function measureParked(parkedRuns: number): Promise<ParkedFigures> {
  const directory = mkdtempSync(join(tmpdir(), "tutti-bench-"));
  const store = openSqliteStore({ directory });
  const dueRuns = DUE_PER_SECOND * DUE_SECONDS;
  try {
    await store.start();
    const parked = [
      await seedWorkflow(store, document("parked", "wait: P3650D")),
      await seedWorkflow(store, document("approval", "listen: { to: { one: { with: { type: order.approved } } } }")),
    ] as const;
    const due = await seedWorkflow(store, document("due", "wait: P1D"));
    const startedAt = performance.now();
    const nowMs = Date.now();
    await seedRuns(store, parkedRuns, (index) => ({
      workflow: index % 2 === 0 ? parked[0] : parked[1],
      runId: seedRunId(index),
      startedAtMs: nowMs - index,
      input: { customer: index },
      labels: {},
    }));
    const seedSeconds = (performance.now() - startedAt) / 1000;
    const firstDueMs = Date.now() + LEAD_MS;
    const dueAtMs = (index: number): number => firstDueMs + (index * 1000) / DUE_PER_SECOND;
    await seedRuns(store, dueRuns, (index) => ({
      workflow: due,
      runId: seedRunId(parkedRuns + index),
      startedAtMs: dueAtMs(index) - DAY_MS,
      input: {},
      labels: {},
    }));
    await store.stop();

    const up = await TuttiUp.start(directory);
    await pause(SETTLE_MS);
    const pssMiB = up.pssBytes() / 2 ** 20;
    const cpuBeforeS = up.cpuSeconds();
    const lastDueMs = dueAtMs(dueRuns - 1);
    await pause(lastDueMs + SETTLE_MS - Date.now());
    const pssMiBAfter = up.pssBytes() / 2 ** 20;
    const cpuUsPerTimer = ((up.cpuSeconds() - cpuBeforeS) * 1e6) / dueRuns;
    await up.stop();

    await store.start();
    const lateness: number[] = [];
    const until = Date.now() + PATIENCE_MS;
    for (let cursor: string | undefined, isMore = true; isMore && Date.now() < until;) {
      const page = await store.listRuns({
        tenant: "default",
        name: "due",
        status: ["completed"],
        limit: 1000,
        ...(cursor === undefined ? {} : { cursor }),
      });
      for (const run of page.runs) lateness.push((run.endedAtMs ?? Number.NaN) - (run.startedAtMs + DAY_MS));
      cursor = page.next;
      isMore = cursor !== undefined;
    }
    const latenessMs = { p50: percentile(lateness, 50), p99: percentile(lateness, 99), max: percentile(lateness, 100) };
    return {
      parkedRuns,
      seedSeconds,
      readyMs: up.readyMs,
      pssMiB,
      pssMiBAfter,
      dueRuns,
      endedRuns: lateness.length,
      cpuUsPerTimer,
      latenessMs,
    };
  } finally {
    await store.stop();
    rmSync(directory, { recursive: true, force: true });
  }
}

export function parkedTable(figures: ParkedFigures): readonly Record<string, string | number>[] {
  const { parkedRuns, pssMiB, pssMiBAfter, dueRuns, endedRuns, cpuUsPerTimer, latenessMs } = figures;
  return [
    { what: `memory with ${parkedRuns} parked runs, MiB PSS`, figure: Math.round(pssMiB), goal: "≤ 400" },
    { what: `the same after ${dueRuns} timers at ${DUE_PER_SECOND}/s`, figure: Math.round(pssMiBAfter), goal: "≤ 400" },
    { what: "of these runs, ended", figure: endedRuns, goal: String(dueRuns) },
    { what: "CPU of the process for a timer, µs", figure: Math.round(cpuUsPerTimer), goal: "" },
    { what: "lateness of a timer, p50 ms", figure: Number(latenessMs.p50.toFixed(1)), goal: "" },
    { what: "lateness of a timer, p99 ms", figure: Number(latenessMs.p99.toFixed(1)), goal: "" },
    { what: "lateness of a timer, most, ms", figure: Number(latenessMs.max.toFixed(1)), goal: "≤ 1000" },
  ];
}

function document(name: string, task: string): string {
  return `document: { dsl: 1.0.3, namespace: bench, name: ${name}, version: 1.0.0 }\ndo:\n  - rest: { ${task} }\n`;
}

async function pause(ms: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, Math.max(0, ms)));
}
