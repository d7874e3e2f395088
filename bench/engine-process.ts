// One measurement of Tutti's engine in a process of its own: the work of `work.ts` on a fresh embedded store on this disk. Prints one line, as
// the peers do.
import { mkdtempSync, rmSync } from "node:fs";
import { Session } from "node:inspector/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createNodeEnv, resolveDataDirectory } from "@tutti/host";
import { createRuntime, type Runtime } from "@tutti/runtime";
import { openSqliteStore } from "@tutti/store-sqlite";
import { createBank } from "@tutti/testkit";
import { type CpuShare, shareByArea } from "./cpu-profile.ts";
import { type Engine, many, measure, WORK, type Work } from "./work.ts";

/** A step is a call of the bank's idempotent no-op, with intent and result recorded and synced. */
const CALL = "step.run:1@bank";
const NEVER = new AbortController();

const [given, ...flags] = process.argv.slice(2);
// Given by engine.ts.
const work = given === undefined ? WORK : (JSON.parse(given) as Work);
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
  await runtime.publish({ text: sequence(work.steps) });
  for (const width of work.fanOut) await runtime.publish({ text: wide(width) });
  const engine = { sequence: () => one(runtime, "sequence"), fanOut: (width: number) => one(runtime, `wide-${width}`) };
  const figures = await measure(engine, work);
  const cpu = await cpuPerStep(engine);
  const profile = flags.includes("--profile") ? await profiled(engine, cpu.mainCpuUsPerStep) : [];
  process.stdout.write(`RESULT ${JSON.stringify({ ...figures, ...cpu, profile })}\n`);
} finally {
  await runtime.stop();
  await store.stop();
  rmSync(directory, { recursive: true, force: true });
}

/** CPU in microseconds per step, of the whole process and of its main thread: starting and ending the runs is part of it. */
async function cpuPerStep(
  engine: Pick<Engine, "sequence">,
): Promise<{ readonly processCpuUsPerStep: number; readonly mainCpuUsPerStep: number }> {
  const processBefore = process.cpuUsage();
  const threadBefore = process.threadCpuUsage();
  await many(engine, work.runs, work.inFlight, "cpu");
  const whole = process.cpuUsage(processBefore);
  const thread = process.threadCpuUsage(threadBefore);
  const steps = work.runs * work.steps;
  return { processCpuUsPerStep: (whole.user + whole.system) / steps, mainCpuUsPerStep: (thread.user + thread.system) / steps };
}

/** Where the main thread's time goes. Sampling costs time of its own, so it is done apart, and gives shares of what was used without it. */
async function profiled(engine: Pick<Engine, "sequence">, mainCpuUsPerStep: number): Promise<readonly CpuShare[]> {
  const session = new Session();
  session.connect();
  await session.post("Profiler.enable");
  await session.post("Profiler.setSamplingInterval", { interval: 200 });
  await session.post("Profiler.start");
  await many(engine, work.runs, work.inFlight, "profile");
  const { profile } = await session.post("Profiler.stop");
  session.disconnect();
  return shareByArea(profile, mainCpuUsPerStep);
}

async function one(on: Runtime, name: string): Promise<void> {
  const { runId } = await on.startRun({ namespace: "bench", name, version: "1.0.0", input: { n: 0 }, actor: "bench" });
  const row = await on.waitFor(runId, "rest", NEVER.signal);
  if (row.status !== "completed") throw new Error(`${runId} is ${row.status}: ${row.reason ?? ""}`);
}

function sequence(steps: number): string {
  const tasks = Array.from(
    { length: steps },
    (_, index) => `  - s${index}: { call: "${CALL}", with: { value: "\${ .n + 1 }" }, output: { as: "{ n: .value }" } }`,
  );
  return `document: { dsl: 1.0.3, namespace: bench, name: sequence, version: 1.0.0 }\ndo:\n${tasks.join("\n")}\n`;
}

function wide(width: number): string {
  const branches = Array.from({ length: width }, (_, index) => `          - b${index}: { call: "${CALL}", with: { value: ${index} } }`);
  return `document: { dsl: 1.0.3, namespace: bench, name: wide-${width}, version: 1.0.0 }\ndo:\n  - all:\n      fork:\n        branches:\n${branches.join("\n")}\n`;
}
