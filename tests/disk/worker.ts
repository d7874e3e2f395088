// The process whose disk fails: `worker.ts DIRECTORY honest|ack-first|ack-errors COMMITS main|worker`. It owns a store and commits until it has
// COMMITS of them or the store takes no more, and tells on standard output what was acknowledged and what failed. The controls are saboteurs:
// `ack-first` acknowledges before the commit, `ack-errors` takes an error for a success.
import { readFileSync, writeSync } from "node:fs";
import { AppError } from "@tutti/model";
import { openSqliteStore, type SqliteStore } from "@tutti/store-sqlite";
import { commitOf, idOf, rowOf } from "@tutti/store/fixtures";

const RUNS = 10;
/** What a commit that was refused for want of space waits before it is tried again. */
const FULL_PAUSE_MS = 2;
/** A record of some pages now and then, so that a commit has several writes that can fail. */
const LONG_TEXT_EVERY = 7;

const [directory = "", order = "honest", commits = "0", place = "main"] = process.argv.slice(2);
let tellings = 0;
const store = openSqliteStore({
  directory,
  commitPolicy: { choose: () => (place === "worker" ? "worker" : "main"), record: () => undefined },
});
process.exitCode = await live(store);

async function live(target: SqliteStore): Promise<number> {
  try {
    await target.start();
  } catch (error) {
    // A start that fails is a clean error as long as it is one of the catalogue.
    tell(`start-failed ${codeOf(error)}`);
    return 4;
  }
  tell("started");
  const end = await commitAll(target);
  tell(`operations ${operations()}`);
  return end;
}

async function commitAll(target: SqliteStore): Promise<number> {
  const seqs = new Map<number, number>();
  try {
    for (let number = 1; number <= RUNS; number++) seqs.set(number, (await target.loadRun(idOf(number)))?.seq ?? 0);
  } catch (error) {
    // The disk may fail between the start and the first look.
    tell(`start-failed ${codeOf(error)}`);
    await target.abandon().catch((cause: unknown) => tell(`stop-failed ${codeOf(cause)}`));
    return 4;
  }
  for (let done = 0; done < Number(commits);) {
    const number = (done % RUNS) + 1;
    const seq = seqs.get(number) ?? 0;
    if (order === "ack-first") tell(`ack ${number} ${seq + 1}`);
    try {
      const { verdicts } = await target.commit({ runs: [commitAt(number, seq)] });
      if (verdicts[0]?.verdict !== "committed") throw new Error(`The verdict was ${verdicts[0]?.verdict}.`);
    } catch (error) {
      tell(`failed ${codeOf(error)}`);
      if (order === "ack-errors") {
        // It believes that all is well, and ends before it could find out.
        tell(`ack ${number} ${seq + 1}`);
        return 0;
      }
      if (codeOf(error) === "store-full") {
        await new Promise((resolve) => setTimeout(resolve, FULL_PAUSE_MS));
        continue;
      }
      return refusesAll(target);
    }
    if (order !== "ack-first") tell(`ack ${number} ${seq + 1}`);
    seqs.set(number, seq + 1);
    done += 1;
  }
  await target.stop().catch((error: unknown) => tell(`stop-failed ${codeOf(error)}`));
  return 0;
}

/** After a write that the disk did not keep nothing may be written or read as if nothing had happened. */
async function refusesAll(target: SqliteStore): Promise<number> {
  for (const attempt of [1, 2, 3]) {
    const answer = await target
      .acceptEvent({ tenant: "t", source: "s", id: `again-${attempt}`, type: "t", acceptedAtMs: 0, body: "{}" })
      .then(
        () => "accepted",
        () => "refused",
      );
    tell(`then ${answer}`);
  }
  await target.abandon().catch((error: unknown) => tell(`stop-failed ${codeOf(error)}`));
  return 3;
}

function commitAt(number: number, seq: number) {
  const text = JSON.stringify({
    type: "fact",
    at: 0,
    run: number,
    seq: seq + 1,
    more: seq % LONG_TEXT_EVERY === 0 ? "x".repeat(20_000) : "",
  });
  return commitOf(number, seq, {
    records: [{ type: "fact", atMs: 0, text }],
    row: seq === 0 || seq % 5 === 0 ? rowOf({ reason: `at ${seq}` }) : undefined,
  });
}

function codeOf(error: unknown): string {
  return error instanceof AppError
    ? error.code
    : `unexpected ${error instanceof Error ? error.message.replaceAll("\n", " ") : String(error)}`;
}

function tell(line: string): void {
  tellings += 1;
  writeSync(1, `${line}\n`);
}

/** Writes that reached the kernel, without our own lines; those that failed by injection come on top and are not counted. */
function operations(): number {
  const match = /^syscw: (\d+)$/m.exec(readFileSync("/proc/self/io", "utf8"));
  return Math.max(0, Number(match?.[1] ?? 0) - tellings);
}
