import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createNodeEnv, resolveDataDirectory } from "@tutti/host";
import { createRuntime, type Runtime } from "@tutti/runtime";
import { openSqliteStore } from "@tutti/store-sqlite";
import { createBank } from "@tutti/testkit";
import { median } from "./report.ts";
import { seedRunId, seedRuns, seedWorkflow } from "./seed.ts";
import { many } from "./work.ts";

/**
 * Row 9 of the goals: a step costs the same however many runs there are, and however many steps a run has. The sizes take turns within each round,
 * so that whatever else the machine does meets all of them; CPU time is compared, not elapsed time.
 */

const RUN_COUNTS = [1_000, 10_000, 100_000, 1_000_000];
/** Steps of the runs that are measured in stores of different sizes. */
const STEPS = 10;
const IN_FLIGHT = 200;
const STEP_COUNTS = [10, 100, 1_000, 10_000];
/** Enough runs for group commit, so that the sync of a lonely step does not hide what the engine costs. */
const LONG_IN_FLIGHT = 8;
/** Steps per measurement, or more where one run has so many. */
const STEPS_MEASURED = 10_000;
/** Before a measurement in a process: what V8 compiles is not what a step costs. */
const STEPS_WARM_UP = 2_000;
/** A store that the measured runs would make larger by more than this share is filled anew in each round. */
const GROWN_SHARE_MAX = 0.1;
const NEVER = new AbortController();

export interface GrowthFigure {
  readonly what: "runs in the store" | "steps of the run";
  readonly size: number;
  readonly usPerStep: number;
  readonly cpuUsPerStep: number;
  readonly rounds: readonly Cost[];
}
interface Cost {
  readonly usPerStep: number;
  readonly cpuUsPerStep: number;
}

export async function measureGrowth(runsMax: number, rounds: number): Promise<readonly GrowthFigure[]> {
  const directory = mkdtempSync(join(tmpdir(), "tutti-bench-"));
  try {
    const sizes = RUN_COUNTS.filter((count) => count <= runsMax);
    const filled = new Set<string>();
    const inStores = await inTurns(sizes, rounds, async (size) => {
      const place = join(directory, `runs-${size}`);
      if ((STEPS_MEASURED + STEPS_WARM_UP) / STEPS > size * GROWN_SHARE_MAX) rmSync(place, { recursive: true, force: true });
      else if (filled.has(place)) return cost(place, STEPS, IN_FLIGHT);
      await fill(place, size);
      filled.add(place);
      return cost(place, STEPS, IN_FLIGHT);
    });
    for (const place of filled) rmSync(place, { recursive: true, force: true });
    const inRuns = await inTurns(STEP_COUNTS, rounds, (size) => cost(join(directory, "steps"), size, LONG_IN_FLIGHT));
    return [...figuresOf("runs in the store", inStores), ...figuresOf("steps of the run", inRuns)];
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

async function inTurns(sizes: readonly number[], rounds: number, measure: (size: number) => Promise<Cost>): Promise<Map<number, Cost[]>> {
  const costs = new Map<number, Cost[]>(sizes.map((size) => [size, []]));
  for (let round = 0; round < rounds; round++) for (const [size, own] of costs) own.push(await measure(size));
  return costs;
}

function figuresOf(what: GrowthFigure["what"], costs: ReadonlyMap<number, readonly Cost[]>): readonly GrowthFigure[] {
  return [...costs].map(([size, rounds]) => ({
    what,
    size,
    usPerStep: median(rounds.map((one) => one.usPerStep)),
    cpuUsPerStep: median(rounds.map((one) => one.cpuUsPerStep)),
    rounds,
  }));
}

async function fill(directory: string, runs: number): Promise<void> {
  const store = openSqliteStore({ directory });
  await store.start();
  try {
    const history = await seedWorkflow(store, sequence("history", 0));
    await seedRuns(store, runs, (index) => ({
      workflow: history,
      runId: seedRunId(index),
      startedAtMs: Date.now(),
      input: {},
      labels: { customer: `c${index % 1000}` },
    }));
  } finally {
    await store.stop();
  }
}

/** The cost of a step in runs of `steps` steps on the store of that directory. */
async function cost(directory: string, steps: number, inFlight: number): Promise<Cost> {
  const store = openSqliteStore({ directory });
  const env = createNodeEnv({
    directory: resolveDataDirectory({ flag: directory, environment: {}, currentDirectory: "/" }),
    environment: {},
    report: (message, cause) => process.stderr.write(`${message}: ${String(cause)}\n`),
  });
  await store.start();
  const runtime = createRuntime({ store, connectors: [createBank().connector], env, drive: "all", version: "bench" });
  try {
    await runtime.start();
    await runtime.publish({ text: sequence(`grow-${STEPS}`, STEPS) });
    await many(engineOf(runtime, STEPS), STEPS_WARM_UP / STEPS, IN_FLIGHT, "warm");
    await runtime.publish({ text: sequence(`grow-${steps}`, steps) });
    // Whole turns of all lanes: with fewer runs in flight at the end fewer share a commit.
    const runs = inFlight * Math.ceil(STEPS_MEASURED / steps / inFlight);
    const before = process.cpuUsage();
    const startedAt = performance.now();
    await many(engineOf(runtime, steps), runs, inFlight, "many");
    const used = process.cpuUsage(before);
    const elapsedMs = performance.now() - startedAt;
    return { usPerStep: (elapsedMs * 1000) / (runs * steps), cpuUsPerStep: (used.user + used.system) / (runs * steps) };
  } finally {
    await runtime.stop();
    await store.stop();
  }
}

function engineOf(runtime: Runtime, steps: number): { sequence: () => Promise<void> } {
  return {
    sequence: async () => {
      const { runId } = await runtime.startRun({
        namespace: "bench",
        name: `grow-${steps}`,
        version: "1.0.0",
        input: { n: 0 },
        actor: "bench",
      });
      const row = await runtime.waitFor(runId, "rest", NEVER.signal);
      if (row.status !== "completed") throw new Error(`${runId} is ${row.status}: ${row.reason ?? ""}`);
    },
  };
}

/** A loop for long runs: its document stays small, so that what grows is the run. */
function sequence(name: string, steps: number): string {
  const head = `document: { dsl: 1.0.3, namespace: bench, name: ${name}, version: 1.0.0 }\ndo:\n`;
  if (steps === 0) return `${head}  - a: { set: { x: 1 } }\n`;
  return `${head}  - all:\n      for: { in: "[range(${steps})]" }\n      do:\n        - step: { call: "step.run:1@bank", with: { value: "\${ $item }" } }\n`;
}

/** Compared with the cheapest of the smaller sizes: the first steps of a run also bear its start and its end. */
export function growthTable(figures: readonly GrowthFigure[]): readonly Record<string, string | number>[] {
  return figures.map(({ what, size, usPerStep, cpuUsPerStep }) => {
    const smaller = figures.filter((one) => one.what === what && one.size <= size).map((one) => one.cpuUsPerStep);
    const times = cpuUsPerStep / Math.min(...smaller);
    return {
      what,
      size,
      "µs a step": Number(usPerStep.toFixed(1)),
      "CPU µs a step": Number(cpuUsPerStep.toFixed(1)),
      "CPU × of the cheapest so far": Number(times.toFixed(2)),
      goal: times <= 1.3 ? "≤ 1.3" : "≤ 1.3, MISSED",
    };
  });
}
