import { mkdtempSync, rmSync } from "node:fs";
import { Session } from "node:inspector/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createNodeEnv, resolveDataDirectory } from "@tutti/host";
import { createRuntime, type Runtime } from "@tutti/runtime";
import { openSqliteStore } from "@tutti/store-sqlite";
import { createBank } from "@tutti/testkit";
import { type CpuShare, shareByArea } from "./cpu-profile.ts";

/** What `DESIGN.md`, performance, measures: a step is a call of the bank's idempotent no-op, with intent and result recorded and synced. */

const STEPS = 10;
const RUNS = 2000;
const IN_FLIGHT = 200;
const WARM_UP_RUNS = 100;
const ALONE_RUNS = 200;
const FAN_OUT = [1000, 10_000];

export interface EngineFigures {
  readonly throughput: {
    readonly runs: number;
    readonly stepsPerRun: number;
    readonly inFlight: number;
    readonly runsPerSecond: number;
    readonly stepsPerSecond: number;
    /** CPU of the whole process per step, and of its main thread. */
    readonly processCpuUsPerStep: number;
    readonly mainCpuUsPerStep: number;
  };
  readonly alone: { readonly runs: number; readonly p50Ms: number; readonly p99Ms: number };
  readonly fanOut: readonly { readonly width: number; readonly medianMs: number }[];
  readonly profile: readonly CpuShare[];
}

/** Runs all three parts on a fresh embedded store on this disk. With `profile` the throughput part is also sampled. */
export async function measureEngine(options: { readonly profile: boolean; readonly fanOut: boolean }): Promise<EngineFigures> {
  const directory = mkdtempSync(join(tmpdir(), "tutti-bench-"));
  const store = openSqliteStore({ directory });
  await store.start();
  const env = createNodeEnv({
    directory: resolveDataDirectory({ flag: directory, environment: {}, currentDirectory: "/" }),
    environment: {},
    report: (message, cause) => process.stderr.write(`${message}: ${String(cause)}\n`),
  });
  const runtime = createRuntime({ store, connectors: [createBank().connector], env, drive: "all", version: "bench" });
  try {
    await runtime.start();
    await runtime.publish({ text: sequence() });
    await many(runtime, WARM_UP_RUNS, IN_FLIGHT);
    const throughput = await measureThroughput(runtime);
    const alone = await measureAlone(runtime);
    const fanOut = options.fanOut ? await measureFanOut(runtime) : [];
    const profile = options.profile ? await profileThroughput(runtime) : [];
    return { throughput, alone, fanOut, profile };
  } finally {
    await runtime.stop();
    await store.stop();
    rmSync(directory, { recursive: true, force: true });
  }
}

async function measureThroughput(runtime: Runtime): Promise<EngineFigures["throughput"]> {
  const cpuBefore = process.cpuUsage();
  const threadBefore = process.threadCpuUsage();
  const startedAt = performance.now();
  await many(runtime, RUNS, IN_FLIGHT);
  const seconds = (performance.now() - startedAt) / 1000;
  const cpu = process.cpuUsage(cpuBefore);
  const thread = process.threadCpuUsage(threadBefore);
  const steps = RUNS * STEPS;
  return {
    runs: RUNS,
    stepsPerRun: STEPS,
    inFlight: IN_FLIGHT,
    runsPerSecond: RUNS / seconds,
    stepsPerSecond: steps / seconds,
    processCpuUsPerStep: (cpu.user + cpu.system) / steps,
    mainCpuUsPerStep: (thread.user + thread.system) / steps,
  };
}

async function measureAlone(runtime: Runtime): Promise<EngineFigures["alone"]> {
  const times: number[] = [];
  for (let run = 0; run < ALONE_RUNS; run++) {
    const startedAt = performance.now();
    await one(runtime, "sequence");
    times.push(performance.now() - startedAt);
  }
  times.sort((left, right) => left - right);
  return { runs: ALONE_RUNS, p50Ms: times[Math.floor(times.length / 2)] ?? 0, p99Ms: times[Math.floor(times.length * 0.99)] ?? 0 };
}

async function measureFanOut(runtime: Runtime): Promise<EngineFigures["fanOut"]> {
  const figures = [];
  for (const width of FAN_OUT) {
    await runtime.publish({ text: wide(width) });
    const times: number[] = [];
    for (let round = 0; round < 3; round++) {
      const startedAt = performance.now();
      await one(runtime, `wide-${width}`);
      times.push(performance.now() - startedAt);
    }
    figures.push({ width, medianMs: times.toSorted((left, right) => left - right)[1] ?? 0 });
  }
  return figures;
}

async function profileThroughput(runtime: Runtime): Promise<readonly CpuShare[]> {
  const session = new Session();
  session.connect();
  await session.post("Profiler.enable");
  await session.post("Profiler.setSamplingInterval", { interval: 200 });
  await session.post("Profiler.start");
  const threadBefore = process.threadCpuUsage();
  await many(runtime, RUNS, IN_FLIGHT);
  const thread = process.threadCpuUsage(threadBefore);
  const { profile } = await session.post("Profiler.stop");
  session.disconnect();
  return shareByArea(profile, (thread.user + thread.system) / (RUNS * STEPS));
}

async function many(runtime: Runtime, runs: number, inFlight: number): Promise<void> {
  let left = runs;
  await Promise.all(
    Array.from({ length: inFlight }, async () => {
      while (left-- > 0) await one(runtime, "sequence");
    }),
  );
}

async function one(runtime: Runtime, name: string): Promise<void> {
  const { runId } = await runtime.startRun({ namespace: "bench", name, version: "1.0.0", input: { n: 0 }, actor: "bench" });
  const row = await runtime.waitFor(runId, "rest", NEVER.signal);
  if (row.status !== "completed") throw new Error(`${runId} is ${row.status}: ${row.reason ?? ""}`);
}

const NEVER = new AbortController();

function sequence(): string {
  const steps = Array.from(
    { length: STEPS },
    (_, index) => `  - s${index}: { call: "step.run:1@bank", with: { value: "\${ .n + 1 }" }, output: { as: "{ n: .value }" } }`,
  );
  return `document: { dsl: 1.0.3, namespace: bench, name: sequence, version: 1.0.0 }\ndo:\n${steps.join("\n")}\n`;
}

function wide(width: number): string {
  const branches = Array.from(
    { length: width },
    (_, index) => `          - b${index}: { call: "step.run:1@bank", with: { value: ${index} } }`,
  );
  return `document: { dsl: 1.0.3, namespace: bench, name: wide-${width}, version: 1.0.0 }\ndo:\n  - all:\n      fork:\n        branches:\n${branches.join("\n")}\n`;
}
