// Deterministic simulation: the real engine and runtime on virtual time, with seeded faults.
//
//   npm run test:sim -- --seeds 300               seeds 1 to 300, then the controls
//   npm run test:sim -- --seeds 300 --from 301    the next ones
//   npm run test:sim -- --seed 17                 one seed, with its trace
//   ... --json FILE     leaves the sums as JSON     --workers N   threads, 2 without it
//
// A violation prints the command that repeats its smallest case; the options it uses narrow one seed down.
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { Worker } from "node:worker_threads";
import { writeCounts } from "../../scripts/check/counts.ts";
import { type Report, writeReport } from "../../scripts/check/report.ts";
import { CONTROL_SEEDS_MAX, CONTROLS, runControl } from "./controls.ts";
import { FAULT_KINDS, type FaultKind } from "./faults.ts";
import { commandOf, shrink } from "./shrink.ts";
import { simulate, type SimulationOptions, type SimulationResult } from "./simulation.ts";
import { type Summary, Tally } from "./summary.ts";
import type { WorkerAnswer } from "./worker.ts";

const SEEDS_DEFAULT = 300;
/** More would say the same. */
const SHRUNK_MAX = 3;

const { values } = parseArgs({
  options: {
    seeds: { type: "string", default: String(SEEDS_DEFAULT) },
    from: { type: "string", default: "1" },
    workers: { type: "string", default: "2" },
    json: { type: "string" },
    seed: { type: "string" },
    mode: { type: "string" },
    nodes: { type: "string" },
    faults: { type: "string" },
    runs: { type: "string" },
    events: { type: "string" },
    drop: { type: "string" },
  },
});

process.exitCode = values.seed === undefined ? await manySeeds() : await oneSeed(Number(values.seed));

async function oneSeed(seed: number): Promise<number> {
  const options: SimulationOptions = {
    seed,
    ...(values.mode === "safety" || values.mode === "liveness" ? { mode: values.mode } : {}),
    ...(values.nodes === undefined ? {} : { nodes: Number(values.nodes) }),
    ...(values.faults === undefined ? {} : { faults: kindsIn(values.faults) }),
    reductions: {
      ...(values.runs === undefined ? {} : { runs: numbersIn(values.runs) }),
      ...(values.drop === undefined ? {} : { drop: numbersIn(values.drop) }),
      ...(values.events === undefined ? {} : { events: Number(values.events) }),
    },
    trace: (line) => process.stdout.write(`${line}\n`),
  };
  const result = await simulate(options);
  process.stdout.write(
    `seed ${seed} (${result.mode}, ${result.nodes === 1 ? "one node" : `${result.nodes} nodes`}): ${result.steps} steps, ${result.crashes} crashes, trace hash ${result.hash}\n`,
  );
  process.stdout.write(`${result.violation?.message ?? "no violation"}\n`);
  return result.violation === undefined ? 0 : 1;
}

async function manySeeds(): Promise<number> {
  const from = Number(values.from);
  const to = from + Number(values.seeds) - 1;
  const startedAt = performance.now();
  const tally = new Tally();
  const failed: SimulationResult[] = [];
  const failures: { name: string; message: string }[] = [];
  await inWorkers(from, to, ({ result, again }) => {
    tally.add(result, again !== undefined);
    if (result.violation !== undefined) {
      failed.push(result);
      // At once: making the smallest case of it takes minutes.
      process.stdout.write(`seed ${result.seed} violates: ${result.violation.law}\n`);
    }
    if (again !== undefined && again !== result.hash)
      failures.push({ name: `seed ${result.seed}`, message: `The same seed gave the hashes ${result.hash} and ${again}.` });
  });
  const seconds = (performance.now() - startedAt) / 1000;
  const summary = tally.summary(from, to);
  print(summary, seconds);
  for (const [index, result] of failed.toSorted((left, right) => left.seed - right.seed).entries())
    failures.push({ name: `seed ${result.seed}: ${result.violation?.law ?? ""}`, message: await describe(result, index < SHRUNK_MAX) });
  const violations = failures.length;
  let caught = 0;
  for (const control of CONTROLS) {
    const found = await runControl(control);
    process.stdout.write(
      `control: ${control.name}: ${found === undefined ? `NOT caught in ${CONTROL_SEEDS_MAX} seeds` : `caught at seed ${found.seed} (${found.violation?.law ?? ""})`}\n`,
    );
    if (found === undefined) failures.push({ name: `control: ${control.name}`, message: `not caught in ${CONTROL_SEEDS_MAX} seeds` });
    else caught += 1;
  }
  if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(summary, undefined, 2)}\n`);
  writeCounts({
    proof: "sim",
    seed: from,
    seeds: summary.seeds,
    steps: summary.steps,
    crashes: summary.crashes,
    runs: summary.runs,
    judgedByOracle: summary.judgedByOracle,
    commits: summary.commits,
    statesCompared: summary.statesCompared,
    violations,
    controlsCaught: caught,
  });
  const report: Report = { passed: summary.seeds - failed.length + caught, failures, skips: [] };
  writeReport(report);
  for (const failure of failures) process.stdout.write(`FAILED ${failure.name}\n${failure.message}\n`);
  process.stdout.write(`${report.passed} passed, ${failures.length} failed\n`);
  return failures.length === 0 ? 0 : 1;
}

async function describe(result: SimulationResult, isShrunk: boolean): Promise<string> {
  const command = `npm run test:sim -- --seed ${result.seed}`;
  if (!isShrunk) return `${result.violation?.message ?? ""}\nREPRODUCE: ${command}`;
  const { options, result: small, tries } = await shrink(result);
  return `${small.violation?.message ?? ""}\nsmallest case after ${tries} tries: ${small.steps} steps\nREPRODUCE: ${commandOf(options)}`;
}

/** Hands the seeds out, one at a time, to threads: a long one holds up nobody. */
async function inWorkers(from: number, to: number, answered: (answer: WorkerAnswer) => void): Promise<void> {
  let next = from;
  const thread = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const worker = new Worker(new URL("worker.ts", import.meta.url));
      const give = (): void => {
        if (next > to) void worker.terminate().then(() => resolve());
        else worker.postMessage(next++);
      };
      worker.on("message", (answer: WorkerAnswer) => {
        answered(answer);
        give();
      });
      worker.on("error", reject);
      give();
    });
  await Promise.all(Array.from({ length: Math.max(1, Number(values.workers)) }, thread));
}

function print(summary: Summary, seconds: number): void {
  const rate = Math.round(summary.steps / seconds);
  process.stdout.write(
    [
      `seeds ${summary.from} to ${summary.to}: ${summary.steps} steps in ${seconds.toFixed(1)} s (${rate}/s), ${summary.virtualHours} virtual hours`,
      `${summary.liveness} liveness, ${summary.safety} safety, ${summary.repeated} carried out twice`,
      `${summary.runs} runs, ${summary.judgedByOracle} judged by the oracle, ${summary.commits} commits, ${summary.statesCompared} states compared with replay, ${summary.crashes} crashes`,
      `faults: ${Object.entries(summary.faults)
        .map(([kind, count]) => `${kind} ${count}`)
        .join(", ")}`,
      `${summary.severalNodes} with several nodes: ${summary.claims} shards claimed, ${summary.takeovers} of them from nodes that had not handed them over, ${summary.fenced} commits fenced, ${summary.ticks} ticks of schedules`,
      `operations × faults: ${Object.keys(summary.coverage).length} pairs`,
      `violations: ${summary.violations}`,
      "",
    ].join("\n"),
  );
}

function kindsIn(text: string): readonly FaultKind[] {
  if (text === "none") return [];
  return text.split(",").map((name) => {
    const kind = FAULT_KINDS.find((one) => one === name);
    if (kind === undefined) throw new Error(`There is no fault "${name}"; there are: ${FAULT_KINDS.join(", ")}.`);
    return kind;
  });
}

function numbersIn(text: string): readonly number[] {
  return text === "none" ? [] : text.split(",").map(Number);
}
