// `npm run test:crash -- --kills N [--seed S]`: a loaded process is killed N times with kill -9 at random moments, and once more at every named
// crash point {first, second, random hit}; afterwards every acknowledged record is there, no result is doubled, no run is stuck, none is
// quarantined. The control acknowledges before it commits and must be caught.
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { parseArgs } from "node:util";
import { createRandom } from "@tutti/testkit";
import { writeCounts } from "../../scripts/check/counts.ts";
import { type Findings, inspect, joined, type Place, reportFindings, violationsOf } from "./findings.ts";
import { killAtNamedPoints } from "./named-points.ts";
import { finishAll, type WorkerMode, WorkerProcess } from "./worker-process.ts";

/** Longest life of a worker after its first acknowledgement, as in the kill loop of the trust reference. */
const LIFE_MS_MAX = 500;
const CONTROL_KILLS_MAX = 60;
/** Then the directory is looked through and a new one begun: each start reads all that was acknowledged before, so it would take ever longer. */
const KILLS_PER_PLACE = 25;
/** Loops at the same time, each on a directory of its own: one process's start uses one core. */
const LANES = 2;

const { values } = parseArgs({ options: { kills: { type: "string", default: "300" }, seed: { type: "string" } } });
const kills = Number(values.kills);
const seed = values.seed === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(values.seed);
const random = createRandom(seed);
process.stdout.write(`kill loop: ${kills} kills, seed ${seed}\n`);

const startedAt = performance.now();
const lanes = await Promise.all(Array.from({ length: LANES }, (_, lane) => killLoop(Math.ceil((kills - lane) / LANES), lane)));
const result = lanes.reduce(joined);
reportFindings("kill loop", result);
const [points, control] = await Promise.all([withPlace(namedPoints), withPlace(controlLoop)]);
reportFindings(`${points.kills} kills at named points`, points.findings);
for (const one of points.unreached) process.stdout.write(`  nobody died at ${one}\n`);
process.stdout.write(
  `control (acknowledge before commit): ${control.lost > 0 ? `caught after ${control.kills} kills, ${control.lost} records lost` : `NOT caught in ${control.kills} kills`}\n`,
);
process.stdout.write(`${((performance.now() - startedAt) / 1000).toFixed(1)} s\n`);
const checks = [violationsOf(result) === 0, violationsOf(points.findings) + points.unreached.length === 0, control.lost > 0];
writeCounts({
  proof: "crash",
  seed,
  kills,
  namedKills: points.kills,
  acknowledged: result.acknowledged + points.findings.acknowledged,
  runs: result.runs + points.findings.runs,
  violations: violationsOf(result) + violationsOf(points.findings) + points.unreached.length,
  controlCaught: control.lost > 0 ? 1 : 0,
});
const failed = checks.filter((isMet) => !isMet).length;
if (failed > 0) process.stdout.write(`REPRODUCE: npm run test:crash -- --kills ${kills} --seed ${seed}\n`);
process.stdout.write(`${checks.length - failed} passed, ${failed} failed\n`);
process.exitCode = failed === 0 ? 0 : 1;

async function withPlace<T>(use: (place: Place) => Promise<T>): Promise<T> {
  const home = mkdtempSync(join(tmpdir(), "tutti-crash-"));
  try {
    const directory = join(home, "data");
    mkdirSync(directory, { mode: 0o700 });
    return await use({ directory, home });
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}

async function killLoop(count: number, lane: number): Promise<Findings> {
  const rounds: Findings[] = [];
  for (let left = count; left > 0; left -= KILLS_PER_PLACE) {
    const findings = await withPlace(async (place) => {
      for (let kill = 1; kill <= Math.min(left, KILLS_PER_PLACE); kill++) await lifeAndDeath(place, "load");
      return finished(place);
    });
    rounds.push(findings);
    process.stdout.write(`  lane ${lane + 1}, round ${rounds.length}: ${findings.acknowledged} acknowledgements\n`);
  }
  return rounds.reduce(joined);
}

async function namedPoints(
  place: Place,
): Promise<{ readonly kills: number; readonly unreached: readonly string[]; readonly findings: Findings }> {
  const { kills: dead, unreached, lost } = await killAtNamedPoints(place, random.fork("points"));
  const findings = await finished(place);
  return { kills: dead, unreached, findings: { ...findings, lost: [...lost, ...findings.lost] } };
}

async function finished(place: Place): Promise<Findings> {
  const code = await finishAll(place);
  const findings = await inspect(place);
  return code === 0 ? findings : { ...findings, stuck: [...findings.stuck, `the last process ended with ${code}`] };
}

/** A few kills are enough to expose a process that promises before it has written; each round is checked on its own. */
async function controlLoop(place: Place): Promise<{ readonly kills: number; readonly lost: number }> {
  for (let kill = 1; kill <= CONTROL_KILLS_MAX; kill++) {
    await lifeAndDeath(place, "load-ack-early");
    const { lost } = await inspect(place);
    if (lost.length > 0) return { kills: kill, lost: lost.length };
  }
  return { kills: CONTROL_KILLS_MAX, lost: 0 };
}

/** One life: start, wait for the first acknowledgement, kill at a random moment. */
async function lifeAndDeath(place: Place, mode: WorkerMode): Promise<void> {
  const worker = new WorkerProcess(place, mode);
  await worker.firstAck();
  if (!worker.isAlive) throw new Error(`the worker ended by itself with ${worker.child.exitCode}`);
  await pause(random.integer(0, LIFE_MS_MAX));
  await worker.kill();
}
