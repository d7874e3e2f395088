// `npm run test:disk -- [--operations N] [--seed S]`: a store whose disk fails. Processes commit while libfiu lets writes, syncs, truncations and
// renames fail at random (no space, I/O error, short writes), or strace every call from the k-th on. After each life the store is started on a
// sound disk: everything acknowledged is there, nothing is damaged, and no process did anything but refuse cleanly or stop. Then a disk that is
// really full and is freed again. The controls acknowledge too early or take errors for successes and must be caught.
// Flipped bits are in packages/store-sqlite/src/bit-flips.integration.test.ts. Not covered: a disk that lies about a sync (see tests/power).
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { createRandom } from "@tutti/testkit";
import { writeCounts } from "../../scripts/check/counts.ts";
import { writeReport } from "../../scripts/check/report.ts";
import { type Acks, lossesIn, misbehaviourOf, noteAcks } from "./inspect.ts";
import { type Faults, type Life, live, type LifeOptions } from "./life.ts";
import { withSmallDisk } from "./small-disk.ts";

const EIO = 5;
const ENOSPC = 28;
/** Commits of a life in which only space is short; one with I/O errors ends at the first of them. */
const COMMITS = 400;
/** Whatever the random choice: each kind of fault has its turn in these. */
const LIVES_MIN = 16;
/** A life without a single operation is a start that failed; so many in all mean that nothing is tested. */
const LIVES_MAX_PER_OPERATION = 1 / 20;
/** One life in three or more shows them, by chance: so many never all miss. */
const CONTROL_LIVES_MAX = 60;
const BALLAST_MIB = 6;

const { values } = parseArgs({ options: { operations: { type: "string", default: "20000" }, seed: { type: "string" } } });
const wanted = Number(values.operations);
const seed = values.seed === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(values.seed);
const random = createRandom(seed);
const home = mkdtempSync(join(tmpdir(), "tutti-disk-test-"));
const failures: { name: string; message: string }[] = [];
const skips: { name: string; reason: string }[] = [];
const sums = { operations: 0, lives: 0, errors: 0, acknowledged: 0, failStops: 0, refusedStarts: 0 };
const reproduce = `REPRODUCE: npm run test:disk -- --operations ${wanted} --seed ${seed}`;
let passed = 0;
/** Kinds of lives, in turn. */
const KINDS: readonly (() => Faults)[] = [
  () => noSpace(random.pick([0.01, 0.02, 0.03])),
  () => ioErrors(random.pick([0.01, 0.02, 0.05])),
  () => noSpace(0.01),
  // Short writes: SQLite writes the rest; nobody may notice.
  () => ({ by: "fiu", points: [{ name: "posix/io/rw/pwrite/reduce", probability: 0.05, errno: EIO }] }),
  () => ({ by: "strace", calls: "fsync,fdatasync", errno: "EIO", from: random.integer(8, 60) }),
  () => noSpace(0.01),
  () => syncErrors(random.pick([0.01, 0.05])),
  () => ({ by: "strace", calls: "pwrite64", errno: "EIO", from: random.integer(60, 400) }),
];

try {
  if (isThere("fiu-run", ["-h"]) && isThere("strace", ["-V"])) await all();
  else skips.push({ name: "disk errors", reason: "fiu-run (Debian: fiu-utils) and strace are needed" });
} catch (error) {
  failures.push({ name: "disk errors", message: error instanceof Error ? (error.stack ?? error.message) : String(error) });
} finally {
  rmSync(home, { recursive: true, force: true });
}
for (const skip of skips) process.stdout.write(`skipped: ${skip.name}: ${skip.reason}\n`);
for (const failure of failures) process.stdout.write(`FAILED ${failure.name}: ${failure.message}\n`);
if (failures.length > 0) process.stdout.write(`${reproduce}\n`);
process.stdout.write(`${passed} passed, ${failures.length} failed, ${skips.length} skipped\n`);
writeReport({ passed, failures: failures.map((one) => ({ ...one, message: `${one.message}\n${reproduce}` })), skips });
process.exitCode = failures.length === 0 ? 0 : 1;

async function all(): Promise<void> {
  process.stdout.write(`disk errors: ${wanted} operations, seed ${seed}\n`);
  const startedAt = performance.now();
  const wrong = await faultyLives();
  judge("no acknowledged commit is lost, whatever fails", wrong.lost);
  judge("every failure is a clean error or a stop", wrong.misbehaved);
  judge("faults did happen: errors, stops of a process, refused commits", [
    ...(sums.errors > wanted / 1000 ? [] : [`only ${sums.errors} errors`]),
    ...(sums.failStops > 0 ? [] : ["no process stopped"]),
    ...(sums.acknowledged > 0 ? [] : ["nothing was acknowledged"]),
  ]);
  await fullDisk();
  const controls = [await control("ack-first", () => ioErrors(0.03)), await control("ack-errors", () => noSpace(0.05))];
  process.stdout.write(
    `${sums.lives} lives, at least ${sums.operations} disk operations, ${sums.errors} errors seen, ${sums.failStops} stops, ${sums.refusedStarts} refused starts, ${sums.acknowledged} acknowledgements, ${((performance.now() - startedAt) / 1000).toFixed(1)} s\n`,
  );
  const controlsCaught = controls.filter((isCaught) => isCaught).length;
  writeCounts({ proof: "disk", seed, ...sums, violations: wrong.lost.length + wrong.misbehaved.length, controlsCaught });
}

interface Wrong {
  readonly lost: string[];
  readonly misbehaved: string[];
}

/** Lives on one directory after the other until there are as many operations as were asked for. */
async function faultyLives(): Promise<Wrong> {
  const wrong: Wrong = { lost: [], misbehaved: [] };
  const directory = join(home, "data");
  const acks: Acks = new Map();
  await oneLife({ directory, order: "honest", commits: 20, place: "main", faults: { by: "none" } }, acks, wrong);
  for (let index = 0; index < LIVES_MIN || sums.operations < wanted; index++) {
    if (index > LIVES_MIN + wanted * LIVES_MAX_PER_OPERATION) throw new Error(`${index} lives made only ${sums.operations} operations`);
    const faults = KINDS[index % KINDS.length]?.() ?? { by: "none" };
    await oneLife({ directory, order: "honest", commits: COMMITS, place: index % 3 === 2 ? "worker" : "main", faults }, acks, wrong);
  }
  return wrong;
}

function noSpace(probability: number): Faults {
  return {
    by: "fiu",
    points: ["rw/pwrite", "rw/ftruncate", "dir/rename"].map((name) => ({ name: `posix/io/${name}`, probability, errno: ENOSPC })),
  };
}

function ioErrors(probability: number): Faults {
  const names = ["rw/pwrite", "sync/fsync", "sync/fdatasync", "rw/ftruncate", "dir/rename"];
  return { by: "fiu", points: names.map((name) => ({ name: `posix/io/${name}`, probability, errno: EIO })) };
}

function syncErrors(probability: number): Faults {
  return { by: "fiu", points: ["fsync", "fdatasync"].map((name) => ({ name: `posix/io/sync/${name}`, probability, errno: EIO })) };
}

async function oneLife(options: LifeOptions, acks: Acks, wrong: Wrong): Promise<void> {
  const life = await live(options);
  count(life);
  sums.acknowledged += noteAcks(acks, life);
  const what = JSON.stringify(options.faults);
  wrong.misbehaved.push(...misbehaviourOf(life).map((found) => `${found} (${what})`));
  wrong.lost.push(...(await lossesIn(options.directory, acks)).map((found) => `${found} (after ${what})`));
  if (wrong.misbehaved.length + wrong.lost.length > 0) throw new Error([...wrong.misbehaved, ...wrong.lost].join("\n"));
}

function count(life: Life): void {
  sums.lives += 1;
  sums.errors += life.lines.filter((line) => /^(failed|start-failed|stop-failed) /.test(line)).length;
  if (life.code === 3) sums.failStops += 1;
  if (life.code === 4) sums.refusedStarts += 1;
  const operations = life.lines.map((line) => /^operations (\d+)$/.exec(line)?.[1]).find((found) => found !== undefined);
  sums.operations += Number(operations ?? 0);
}

/** A full disk refuses, loses nothing, and goes on by itself when there is space again. */
async function fullDisk(): Promise<void> {
  const name = "a full disk refuses commits, and they go on by themselves when it is freed";
  const found = await withSmallDisk(async (disk) => {
    const ballast = join(disk, "ballast");
    writeFileSync(ballast, Buffer.alloc(BALLAST_MIB * 1024 * 1024));
    const seen = { refusals: 0, acksAfter: 0 };
    const directory = join(disk, "data");
    const life = await live({
      directory,
      order: "honest",
      // More than fits beside the ballast, and a part of what fits without it.
      commits: 500,
      place: "main",
      faults: { by: "none" },
      onLine: (line) => {
        if (line === "failed store-full" && (seen.refusals += 1) === 1) rmSync(ballast);
        if (seen.refusals > 0 && line.startsWith("ack ")) seen.acksAfter += 1;
      },
    });
    const acks: Acks = new Map();
    noteAcks(acks, life);
    const problems = [...misbehaviourOf(life), ...(await lossesIn(directory, acks))];
    if (seen.refusals === 0) problems.push("the disk never became full");
    if (seen.acksAfter === 0 || life.code !== 0) problems.push(`it did not go on: ${life.lines.at(-1) ?? ""}`);
    return problems;
  });
  if (found === undefined) skips.push({ name, reason: "this account cannot mount a small disk" });
  else judge(name, found);
}

/** A saboteur whose acknowledgements are worth nothing must be caught; gives whether it was. */
async function control(order: "ack-first" | "ack-errors", faults: () => Faults): Promise<boolean> {
  for (let index = 0; index < CONTROL_LIVES_MAX; index++) {
    const directory = join(home, `${order}-${index}`);
    await live({ directory, order: "honest", commits: 20, place: "main", faults: { by: "none" } });
    const acks: Acks = new Map();
    noteAcks(acks, await live({ directory, order, commits: COMMITS, place: "main", faults: faults() }));
    const lost = await lossesIn(directory, acks);
    if (lost.length > 0) {
      process.stdout.write(`control ${order}: caught: ${lost[0]}\n`);
      passed += 1;
      return true;
    }
  }
  failures.push({
    name: `control ${order}`,
    message: "a store that acknowledges what it has not stored was not caught: this test proves nothing",
  });
  return false;
}

function judge(name: string, found: readonly string[]): void {
  if (found.length === 0) passed += 1;
  else failures.push({ name, message: found.slice(0, 20).join("\n") });
  process.stdout.write(`${found.length === 0 ? "ok  " : "FAIL"} ${name}\n`);
}

function isThere(command: string, words: readonly string[]): boolean {
  return spawnSync(command, words, { stdio: "ignore" }).error === undefined;
}
