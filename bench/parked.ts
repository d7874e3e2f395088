import { mkdtempSync, rmSync } from "node:fs";
import { loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { openSqliteStore, type SqliteStore } from "@tutti/store-sqlite";
import { median } from "./report.ts";
import { seedRunId, seedRuns, seedWorkflow } from "./seed.ts";
import { TuttiUp } from "./tutti-up.ts";
import { percentile } from "./work.ts";

/** Row 7 of the goals: very many runs that wait for time cost no memory, and those that come due are on time. */

const DUE_PER_SECOND = 1000;
const DUE_SECONDS = 20;
const DUE_RUNS = DUE_PER_SECOND * DUE_SECONDS;
/** From the end of filling to the first timer: the start of the process must not count as lateness. */
const LEAD_MS = 30_000;
const DAY_MS = 86_400_000;
const SETTLE_MS = 5000;

export interface ParkedFigures {
  readonly parkedRuns: number;
  readonly seedSeconds: number;
  readonly dueRuns: number;
  readonly rounds: readonly ParkedRound[];
}
export interface ParkedRound {
  readonly readyMs: number;
  readonly pssMiB: number;
  readonly pssMiBAfter: number;
  readonly endedRuns: number;
  /** Of the whole process, with all its threads. */
  readonly cpuUsPerTimer: number;
  /** From the moment a timer was due to the moment that the run's next record bears. */
  readonly latenessMs: { readonly p50: number; readonly p99: number; readonly max: number };
  /** Processes that waited for a core, averaged over the last minute. */
  readonly load: number;
}

export async function measureParked(parkedRuns: number, rounds: number): Promise<ParkedFigures> {
  const directory = mkdtempSync(join(tmpdir(), "tutti-bench-"));
  const store = openSqliteStore({ directory });
  try {
    await store.start();
    const parked = [
      await seedWorkflow(store, document("parked", "wait: P3650D")),
      await seedWorkflow(store, document("approval", "listen: { to: { one: { with: { type: order.approved } } } }")),
    ] as const;
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
    const measured: ParkedRound[] = [];
    for (let round = 0; round < rounds; round++)
      measured.push(await measureRound(store, directory, { name: `due-${round}`, firstRun: parkedRuns + round * DUE_RUNS }));
    return { parkedRuns, seedSeconds, dueRuns: DUE_RUNS, rounds: measured };
  } finally {
    await store.stop();
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Adds runs that come due, and lets a process of its own drive all of them. The store is open before and after. */
async function measureRound(
  store: SqliteStore,
  directory: string,
  due: { readonly name: string; readonly firstRun: number },
): Promise<ParkedRound> {
  const workflow = await seedWorkflow(store, document(due.name, "wait: P1D"));
  const firstDueMs = Date.now() + LEAD_MS;
  const dueAtMs = (index: number): number => firstDueMs + (index * 1000) / DUE_PER_SECOND;
  await seedRuns(store, DUE_RUNS, (index) => ({
    workflow,
    runId: seedRunId(due.firstRun + index),
    startedAtMs: dueAtMs(index) - DAY_MS,
    input: {},
    labels: {},
  }));
  await store.stop();

  const up = await TuttiUp.start(directory);
  await pause(SETTLE_MS);
  const pssMiB = up.pssBytes() / 2 ** 20;
  const cpuBeforeS = up.cpuSeconds();
  await pause(dueAtMs(DUE_RUNS - 1) + SETTLE_MS - Date.now());
  const pssMiBAfter = up.pssBytes() / 2 ** 20;
  const cpuUsPerTimer = ((up.cpuSeconds() - cpuBeforeS) * 1e6) / DUE_RUNS;
  const load = loadavg()[0] ?? Number.NaN;
  await up.stop();

  await store.start();
  const lateness = await latenessOf(store, due.name);
  const latenessMs = { p50: percentile(lateness, 50), p99: percentile(lateness, 99), max: percentile(lateness, 100) };
  return { readyMs: up.readyMs, pssMiB, pssMiBAfter, endedRuns: lateness.length, cpuUsPerTimer, latenessMs, load };
}

async function latenessOf(store: SqliteStore, name: string): Promise<readonly number[]> {
  const lateness: number[] = [];
  for (let cursor: string | undefined, isMore = true; isMore;) {
    const page = await store.listRuns({
      tenant: "default",
      name,
      status: ["completed"],
      limit: 1000,
      ...(cursor === undefined ? {} : { cursor }),
    });
    for (const run of page.runs) lateness.push((run.endedAtMs ?? Number.NaN) - (run.startedAtMs + DAY_MS));
    cursor = page.next;
    isMore = cursor !== undefined;
  }
  return lateness;
}

export function parkedTable({ parkedRuns, dueRuns, rounds }: ParkedFigures): readonly Record<string, string | number>[] {
  const row = (what: string, goal: string, pick: (round: ParkedRound) => number): Record<string, string | number> => ({
    what,
    median: Number(median(rounds.map(pick)).toFixed(1)),
    least: Number(Math.min(...rounds.map(pick)).toFixed(1)),
    most: Number(Math.max(...rounds.map(pick)).toFixed(1)),
    goal,
  });
  return [
    row(`memory with ${parkedRuns} parked runs, MiB PSS`, "≤ 400", (one) => one.pssMiB),
    row(`the same after ${dueRuns} timers at ${DUE_PER_SECOND}/s`, "≤ 400", (one) => one.pssMiBAfter),
    row("of these runs, ended", String(dueRuns), (one) => one.endedRuns),
    row("CPU of the process for a timer, µs", "", (one) => one.cpuUsPerTimer),
    row("lateness of a timer, p50 ms", "", (one) => one.latenessMs.p50),
    row("lateness of a timer, p99 ms", "", (one) => one.latenessMs.p99),
    row("lateness of a timer, most, ms", "≤ 1000", (one) => one.latenessMs.max),
    row("load of the machine meanwhile", "", (one) => one.load),
  ];
}

function document(name: string, task: string): string {
  return `document: { dsl: 1.0.3, namespace: bench, name: ${name}, version: 1.0.0 }\ndo:\n  - rest: { ${task} }\n`;
}

async function pause(ms: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, Math.max(0, ms)));
}
