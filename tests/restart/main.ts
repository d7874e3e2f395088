// `npm run test:restart -- --workflows N [--seed S]`: random workflows over all kinds of tasks, each played undisturbed and on five paths of dying
// and coming back: in memory and on SQLite with a death at every step, from records, from snapshots, from a backup restored elsewhere, and at random
// moments between the steps. Workflow number i has the seed S + i. Where nothing is left to chance a restart may change nothing that can be
// seen: statuses, outputs, errors, contexts, tasks, effects, events. Of the others the laws must hold. Time is virtual.
//
// The control comes back from a backup that is one death old, and must be caught. Real processes are killed in tests/crash.
import { parseArgs } from "node:util";
import { Worker } from "node:worker_threads";
import { writeCounts } from "../../scripts/check/counts.ts";
import { writeReport } from "../../scripts/check/report.ts";
import { RESTART_PATHS } from "./paths.ts";
import type { RandomResult } from "./random.ts";
import type { Answer, Task } from "./worker.ts";

const WORKFLOWS_DEFAULT = 100;
const THREADS = 2;
/** A saboteur that loses what was acknowledged shows itself in the first workflows with an effect; of some seeds those come late. */
const CONTROL_WORKFLOWS_MAX = 400;
const SHOWN_MAX = 5;

const { values } = parseArgs({
  options: { workflows: { type: "string", default: String(WORKFLOWS_DEFAULT) }, seed: { type: "string", default: "1" } },
});
const workflows = Number(values.workflows);
const seed = Number(values.seed);

const startedAt = performance.now();
const results: RandomResult[] = [];
let next = 0;
await inThreads(
  () => (next < workflows ? { kind: "workflow", seed: seed + next++ } : undefined),
  (answer) => {
    if ("result" in answer) results.push(answer.result);
  },
);
let tried = 0;
let isCaught = false;
await inThreads(
  () => (tried < CONTROL_WORKFLOWS_MAX && !isCaught ? { kind: "control", seed: seed + tried++ } : undefined),
  (answer) => {
    if ("isCaught" in answer && answer.isCaught) isCaught = true;
  },
);
const bad = results.filter((one) => one.violations.length > 0).toSorted((left, right) => left.seed - right.seed);
const sum = (of: (one: RandomResult) => number): number => results.reduce((total, one) => total + of(one), 0);
const determined = sum((one) => (one.isDetermined ? 1 : 0));
const deaths = sum((one) => one.deaths);
const disturbed = sum((one) => one.disturbed);
process.stdout.write(
  `${workflows} random workflows × ${RESTART_PATHS.length} paths, seeds ${seed} to ${seed + workflows - 1}: ${deaths} deaths, ${disturbed} plays disturbed, ${determined} workflows compared in full, ${((performance.now() - startedAt) / 1000).toFixed(1)} s\n`,
);
process.stdout.write(`control (a backup that is one death old): ${isCaught ? `caught within ${tried} workflows` : "NOT caught"}\n`);
const failures = bad.map((one) => ({
  name: `workflow ${one.seed}`,
  message: `${one.violations.slice(0, SHOWN_MAX).join("\n")}\nREPRODUCE: npm run test:restart -- --workflows 1 --seed ${one.seed}`,
}));
if (!isCaught)
  failures.push({ name: "control", message: "a process that comes back from the past was not noticed: this test proves nothing" });
for (const failure of failures) process.stdout.write(`FAILED ${failure.name}\n${failure.message}\n`);
writeCounts({
  proof: "restart",
  seed,
  workflows,
  cases: workflows * RESTART_PATHS.length,
  disturbed,
  comparedInFull: determined,
  deaths,
  violations: bad.length,
  controlsCaught: isCaught ? 1 : 0,
});
const passed = results.length - bad.length + (isCaught ? 1 : 0);
writeReport({ passed, failures, skips: [] });
process.stdout.write(`${passed} passed, ${failures.length} failed\n`);
// Watchers of requests that a dead process had sent would keep this one for half a minute.
process.exit(failures.length === 0 ? 0 : 1);

/** Hands tasks out, one at a time, until there are none. */
async function inThreads(give: () => Task | undefined, answered: (answer: Answer) => void): Promise<void> {
  const thread = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const worker = new Worker(new URL("worker.ts", import.meta.url));
      const go = (): void => {
        const task = give();
        if (task === undefined) void worker.terminate().then(() => resolve());
        else worker.postMessage(task);
      };
      worker.on("message", (answer: Answer) => {
        answered(answer);
        go();
      });
      worker.on("error", reject);
      go();
    });
  await Promise.all(Array.from({ length: THREADS }, thread));
}
