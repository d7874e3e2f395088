import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { RunCommit, RunRowChange } from "@tutti/store";
import { openSqliteStore } from "@tutti/store-sqlite";

/** One line of figures: what a commit costs per run. */
export interface StoreFigure {
  readonly place: "main" | "worker";
  readonly runsPerBatch: number;
  readonly batches: number;
  /** CPU of the main thread per run, system time included. */
  readonly mainCpuUs: number;
  /** Time until the batch was acknowledged, per run. */
  readonly elapsedUs: number;
  /** Median time until a batch was acknowledged. */
  readonly medianBatchMs: number;
}

const BATCH_SIZES = [1, 20, 200];
/** Runs committed per measurement, at least this many batches. */
const RUNS_PER_MEASUREMENT = 60_000;
const BATCHES_MAX = 1500;
/** Commits of a run before a new one takes its place; creations are not measured. */
const STEPS_PER_RUN = 10;
const WARM_UP_BATCHES = 100;
/** Records of a step: an intent and a result, 400 bytes of text together, in one commit. */
const RECORD_TEXTS = [
  JSON.stringify({
    type: "attempt-ended",
    at: 1_760_000_000_000,
    task: 17,
    attempt: 1,
    outcome: { kind: "completed", output: { ok: true, n: 1234, note: "x".repeat(60) } },
  }),
  JSON.stringify({
    type: "attempt-intended",
    at: 1_760_000_000_001,
    task: 18,
    path: "/do/5/step",
    token: `tok_${"a".repeat(32)}`,
    attempt: 1,
    function: "bank.put:1@bank",
    effect: "idempotent",
  }),
];

/** Measures the embedded store's commit path on the main thread and in the writer worker. */
export async function measureStore(): Promise<readonly StoreFigure[]> {
  const figures: StoreFigure[] = [];
  for (const place of ["main", "worker"] as const) {
    for (const runsPerBatch of BATCH_SIZES) figures.push(await measure(place, runsPerBatch));
  }
  return figures;
}

async function measure(place: "main" | "worker", runsPerBatch: number): Promise<StoreFigure> {
  const directory = mkdtempSync(join(tmpdir(), "tutti-bench-"));
  const store = openSqliteStore({ directory, commitPolicy: { choose: () => place, record: () => undefined } });
  try {
    await store.start();
    const batches = Math.min(BATCHES_MAX, Math.ceil(RUNS_PER_MEASUREMENT / runsPerBatch));
    const durations: number[] = [];
    let cpuUs = 0;
    for (let batch = 0; batch < WARM_UP_BATCHES + batches; batch++) {
      const generation = Math.floor(batch / STEPS_PER_RUN);
      const runIds = Array.from(
        { length: runsPerBatch },
        (_, index) => `run_${(generation * runsPerBatch + index).toString(36).padStart(16, "0")}`,
      );
      if (batch % STEPS_PER_RUN === 0) await store.commit({ runs: runIds.map((runId) => commitOf(runId, 0, ROW)) });
      const prepared = { runs: runIds.map((runId) => commitOf(runId, (1 + (batch % STEPS_PER_RUN)) * RECORD_TEXTS.length, undefined)) };
      const cpu = process.threadCpuUsage();
      const startedAt = performance.now();
      await store.commit(prepared);
      const elapsedMs = performance.now() - startedAt;
      const used = process.threadCpuUsage(cpu);
      if (batch < WARM_UP_BATCHES) continue;
      durations.push(elapsedMs);
      cpuUs += used.user + used.system;
    }
    const runs = batches * runsPerBatch;
    return {
      place,
      runsPerBatch,
      batches,
      mainCpuUs: cpuUs / runs,
      elapsedUs: (durations.reduce((sum, one) => sum + one, 0) * 1000) / runs,
      medianBatchMs: durations.toSorted((a, b) => a - b)[Math.floor(durations.length / 2)] ?? 0,
    };
  } finally {
    await store.stop();
    rmSync(directory, { recursive: true });
  }
}

function commitOf(runId: string, expectedSeq: number, row: RunRowChange | undefined): RunCommit {
  return {
    runId,
    expectedSeq,
    records: RECORD_TEXTS.map((text) => ({ type: "fact", atMs: 0, text })),
    row,
    snapshot: undefined,
    events: [],
    subscribe: [],
    unsubscribe: [],
    acquire: [],
    release: [],
    send: [],
    take: [],
  };
}

const ROW: RunRowChange = {
  tenant: "default",
  status: "running",
  namespace: "bench",
  name: "steps",
  version: "1.0.0",
  digest: "d",
  labels: {},
  parentRunId: undefined,
  startedAtMs: 0,
  updatedAtMs: 0,
  endedAtMs: undefined,
  wakeAtMs: undefined,
  isOutstanding: false,
  inDoubt: 0,
  errorType: undefined,
  reason: undefined,
};

if (process.argv[1] === fileURLToPath(import.meta.url)) console.table(await measureStore());
