// `npm run test:power -- --cuts N [--seed S]`: the disk of a loaded process loses its power N times; so do first starts and migrations.
//
// Each cut takes the power of an ext4 image behind a loop device away at a random moment: what was not synced is gone. Then kill -9, unmount,
// mount, start; acknowledgements and the bank's books are kept on another disk and compared. The controls commit without a sync (`normal`,
// `off`) and must lose. Not covered: caches of a real disk that lie about a sync, and sectors torn in two.
import { mkdirSync, mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { createRandom } from "@tutti/testkit";
import { writeCounts } from "../../scripts/check/counts.ts";
import { writeReport } from "../../scripts/check/report.ts";
import { type Findings, joined, reportFindings, violationsOf } from "../crash/findings.ts";
import { clearLeftovers, PowerSwitch, whyNoDisks } from "./disk.ts";
import { Lane } from "./lane.ts";
import { runWithOwnMounts } from "./own-namespace.ts";

/** One lane's process starts while the other's waits for its disk. */
const LANES = 2;
/** Of all cuts, one in six falls into a first start, and one in six into a migration. */
const SHARE_OF_STARTS = 6;
/** Without a sync nearly every cut loses something. */
const CONTROL_CUTS_MAX = 40;
/**
 * After a cut the store is open again in this time; a start takes a twentieth of it. The machine that judges it may itself stand still for seconds, or
 * its disk: that hits some of the starts. A store that needs longer needs it each time, so the one in the middle is looked at; the slowest is shown.
 */
const START_MS_MAX = 5_000;
const PREFIX = join(tmpdir(), "tutti-power-");
const WEAK = ["--import", join(import.meta.dirname, "weak-sync.ts")];

const elsewhere = await runWithOwnMounts();
if (elsewhere !== undefined) process.exit(elsewhere);

const { values } = parseArgs({ options: { cuts: { type: "string", default: "30" }, seed: { type: "string" } } });
const cuts = Number(values.cuts);
const seed = values.seed === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(values.seed);
const random = createRandom(seed);
const lanes: Lane[] = [];
const failures: { name: string; message: string }[] = [];
const skips: { name: string; reason: string }[] = [];
const reproduce = `REPRODUCE: npm run test:power -- --cuts ${cuts} --seed ${seed}`;
let passed = 0;

clearLeftovers(PREFIX);
const home = mkdtempSync(`${PREFIX}${process.pid}-`);
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => endAtOnce(signal));
try {
  mkdirSync(join(home, "probe"));
  const reason = await whyNoDisks(join(home, "probe"));
  if (reason !== undefined) skips.push({ name: "power cuts", reason });
  else await all();
} catch (error) {
  failures.push({ name: "power cuts", message: error instanceof Error ? (error.stack ?? error.message) : String(error) });
  for (const lane of lanes) process.stdout.write(`  ${lane.stderrTail()}\n`);
} finally {
  for (const lane of lanes) {
    await lane.disk.unmount().catch((error: unknown) => failures.push({ name: "unmount", message: String(error) }));
    lane.close();
  }
  rmSync(home, { recursive: true, force: true });
}
for (const skip of skips) process.stdout.write(`skipped: ${skip.name}: ${skip.reason}\n`);
for (const failure of failures) process.stdout.write(`FAILED ${failure.name}: ${failure.message}\n`);
if (failures.length > 0) process.stdout.write(`${reproduce}\n`);
process.stdout.write(`${passed} passed, ${failures.length} failed, ${skips.length} skipped\n`);
writeReport({ passed, failures: failures.map((one) => ({ ...one, message: `${one.message}\n${reproduce}` })), skips });
process.exitCode = failures.length === 0 ? 0 : 1;

async function all(): Promise<void> {
  process.stdout.write(`power cuts: ${cuts}, seed ${seed}\n`);
  const startedAt = performance.now();
  const starts = Math.max(1, Math.floor(cuts / SHARE_OF_STARTS));
  const loaded = Math.max(LANES, cuts - 2 * starts);
  const shares = Array.from({ length: LANES }, (_, index) => Math.ceil((loaded - index) / LANES));
  await guardRefuses(lane("guard"));
  const [left, right] = await both(
    sideOne(lane("load-1"), lane("starts"), shares[0] ?? 1, starts),
    sideTwo(lane("load-2"), lane("migrations"), shares[1] ?? 1, starts),
  );
  const findings: Findings = joined(left.findings, right.findings);
  reportFindings(`${loaded} cuts under load`, findings);
  judge(`${loaded} cuts under load`, [...findings.lost, ...findings.doubled, ...findings.stuck, ...findings.quarantined]);
  judge(`${starts} cuts of a first start`, left.wrong);
  judge(`${starts} cuts of a migration`, right.wrong);
  const midway = lanes.reduce((sum, one) => sum + one.midway, 0);
  judge("cuts fall into first starts and migrations", midway > 0 ? [] : ["every one of them was over before the cut"]);
  const startsMs = lanes.flatMap((one) => one.startsMs).toSorted((left, right) => left - right);
  const usual = startsMs[Math.floor(startsMs.length / 2)] ?? Number.POSITIVE_INFINITY;
  const slowest = startsMs.at(-1) ?? usual;
  judge(`a start after a cut takes at most ${START_MS_MAX} ms`, usual <= START_MS_MAX ? [] : [`half of them took ${usual} ms and more`]);
  const controls = await both(control("normal", lane("control-normal")), control("off", lane("control-off")));
  const sum = lanes.reduce((total, one) => total + one.cuts, 0);
  process.stdout.write(`${sum} cuts in all, slowest start ${slowest} ms, ${((performance.now() - startedAt) / 1000).toFixed(1)} s\n`);
  writeCounts({
    proof: "power",
    seed,
    cuts,
    firstStartCuts: starts,
    migrationCuts: starts,
    midwayCuts: midway,
    acknowledged: findings.acknowledged,
    runs: findings.runs,
    slowestStartMs: slowest,
    violations: violationsOf(findings) + left.wrong.length + right.wrong.length,
    controlsCaught: controls.filter((isCaught) => isCaught).length,
  });
}

/** Both to their end, also when one fails: disks are unmounted only when nobody uses them. */
async function both<T>(left: Promise<T>, right: Promise<T>): Promise<readonly [T, T]> {
  await Promise.allSettled([left, right]);
  return [await left, await right];
}

interface Side {
  readonly findings: Findings;
  readonly wrong: readonly string[];
}

async function sideOne(load: Lane, starting: Lane, count: number, starts: number): Promise<Side> {
  const wrong: string[] = [];
  for (let start = 0; start < starts; start++) wrong.push(...(await starting.firstStart()));
  return { findings: await load.load(count), wrong };
}

async function sideTwo(load: Lane, migrating: Lane, count: number, migrations: number): Promise<Side> {
  const wrong: string[] = [];
  for (let migration = 0; migration < migrations; migration++) wrong.push(...(await migrating.migration()));
  return { findings: await load.load(count), wrong };
}

/** A process that does not sync its commits must be caught by the same comparison. */
async function control(setting: "normal" | "off", one: Lane): Promise<boolean> {
  const { cuts: needed, lost } = await one.loadUntilLost(CONTROL_CUTS_MAX, {
    nodeOptions: WEAK,
    environment: { TUTTI_TEST_SYNCHRONOUS: setting },
  });
  const isCaught = lost.length > 0;
  process.stdout.write(
    `control (synchronous=${setting}): ${isCaught ? `caught after ${needed} cuts, ${lost.length} findings` : "NOT caught"}\n`,
  );
  judge(`control: synchronous=${setting} loses`, isCaught ? [] : [`nothing was lost in ${needed} cuts`]);
  return isCaught;
}

/** The switch must not turn off any other disk than the one it was made for; asked only, never pressed. */
async function guardRefuses(one: Lane): Promise<void> {
  one.disk.format();
  const root = await PowerSwitch.ready("/", statSync("/").dev);
  const other = await PowerSwitch.ready(home, 0);
  const right = await one.disk.switch();
  const answers = [await root.press("check"), await other.press("check"), await right.press("check")];
  await one.disk.unmount();
  judge("the switch refuses other disks", answers.join() === "refused,refused,off" ? [] : [answers.join()]);
}

function lane(name: string): Lane {
  const made = new Lane(join(home, name), random.fork(name));
  lanes.push(made);
  return made;
}

function judge(name: string, wrong: readonly string[]): void {
  if (wrong.length === 0) passed += 1;
  else failures.push({ name, message: wrong.slice(0, 20).join("\n") });
}

function endAtOnce(signal: NodeJS.Signals): never {
  for (const one of lanes) one.disk.unmountNow();
  process.exit(signal === "SIGINT" ? 130 : 143);
}
