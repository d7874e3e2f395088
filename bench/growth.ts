import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createNodeEnv, resolveDataDirectory } from "@tutti/host";
import { createRuntime, type Runtime } from "@tutti/runtime";
import { openSqliteStore, type SqliteStore } from "@tutti/store-sqlite";
import { createBank } from "@tutti/testkit";
import { median } from "./report.ts";
import { seedRunId, seedRuns, seedWorkflow } from "./seed.ts";
import { many } from "./work.ts";

/** Row 9 of the goals: a step costs the same however many runs there are, and however many steps a run has. */

const RUN_COUNTS = [1_000, 10_000, 100_000, 1_000_000];
const STEP_COUNTS = [10, 100, 1_000, 10_000];
const STEPS = 10;
const IN_FLIGHT = 200;
/** Steps per measurement; the median of several measurements is taken. */
const STEPS_MEASURED = 10_000;
const REPEATS = 3;
const NEVER = new AbortController();

export interface GrowthFigure {
  readonly what: "runs in the store" | "steps of the run";
  readonly size: number;
  readonly usPerStep: number;
  readonly cpuUsPerStep: number;
}

export async function measureGrowth(runsMax: number): Promise<readonly GrowthFigure[]> {
  const figures: GrowthFigure[] = [];
  const directory = mkdtempSync(join(tmpdir(), "tutti-bench-"));
  const store = openSqliteStore({ directory });
  try {
    await store.start();
    const history = await seedWorkflow(store, sequence("history", 0));
    let stored = 0;
    for (const size of RUN_COUNTS.filter((count) => count <= runsMax)) {
      const from = stored;
      await seedRuns(store, size - from, (index) => ({
        workflow: history,
        runId: seedRunId(from + index),
        startedAtMs: Date.now(),
        input: {},
        labels: { customer: `c${index % 1000}` },
      }));
      stored = size;
      figures.push({
        what: "runs in the store",
        size,
        ...(await withRuntime(store, directory, (runtime) => cost(runtime, STEPS, IN_FLIGHT))),
      });
    }
    for (const size of STEP_COUNTS)
      figures.push({ what: "steps of the run", size, ...(await withRuntime(store, directory, (runtime) => cost(runtime, size, 1))) });
    return figures;
  } finally {
    await store.stop();
    rmSync(directory, { recursive: true, force: true });
  }
}

async function withRuntime<T>(store: SqliteStore, directory: string, use: (runtime: Runtime) => Promise<T>): Promise<T> {
  const env = createNodeEnv({
    directory: resolveDataDirectory({ flag: directory, environment: {}, currentDirectory: "/" }),
    environment: {},
    report: (message, cause) => process.stderr.write(`${message}: ${String(cause)}\n`),
  });
  await store.start();
  const runtime = createRuntime({ store, connectors: [createBank().connector], env, drive: "all", version: "bench" });
  try {
    await runtime.start();
    return await use(runtime);
  } finally {
    await runtime.stop();
    await store.start();
  }
}

/** The same number of steps each time, in runs of `steps` steps. */
async function cost(runtime: Runtime, steps: number, inFlight: number): Promise<Pick<GrowthFigure, "usPerStep" | "cpuUsPerStep">> {
  const name = `grow-${steps}`;
  await runtime.publish({ text: sequence(name, steps) });
  const runs = Math.max(1, STEPS_MEASURED / steps);
  const engine = {
    sequence: async (): Promise<void> => {
      const { runId } = await runtime.startRun({ namespace: "bench", name, version: "1.0.0", input: { n: 0 }, actor: "bench" });
      const row = await runtime.waitFor(runId, "rest", NEVER.signal);
      if (row.status !== "completed") throw new Error(`${runId} is ${row.status}: ${row.reason ?? ""}`);
    },
  };
  const elapsed: number[] = [];
  const cpu: number[] = [];
  for (let repeat = 0; repeat < REPEATS; repeat++) {
    const before = process.cpuUsage();
    const startedAt = performance.now();
    await many(engine, runs, inFlight, String(repeat));
    const used = process.cpuUsage(before);
    elapsed.push(((performance.now() - startedAt) * 1000) / (runs * steps));
    cpu.push((used.user + used.system) / (runs * steps));
  }
  return { usPerStep: median(elapsed), cpuUsPerStep: median(cpu) };
}

/** A loop for long runs: its document stays small, so that what grows is the run. */
function sequence(name: string, steps: number): string {
  const head = `document: { dsl: 1.0.3, namespace: bench, name: ${name}, version: 1.0.0 }\ndo:\n`;
  if (steps === 0) return `${head}  - a: { set: { x: 1 } }\n`;
  return `${head}  - all:\n      for: { in: "[range(${steps})]" }\n      do:\n        - step: { call: "step.run:1@bank", with: { value: "\${ $item }" } }\n`;
}

export function growthTable(figures: readonly GrowthFigure[]): readonly Record<string, string | number>[] {
  return figures.map(({ what, size, usPerStep, cpuUsPerStep }) => {
    const first = figures.find((one) => one.what === what);
    return {
      what,
      size,
      "µs a step": Number(usPerStep.toFixed(1)),
      "CPU µs a step": Number(cpuUsPerStep.toFixed(1)),
      "CPU × of the smallest": Number((cpuUsPerStep / (first?.cpuUsPerStep ?? cpuUsPerStep)).toFixed(2)),
      goal: "≤ 1.3",
    };
  });
}
