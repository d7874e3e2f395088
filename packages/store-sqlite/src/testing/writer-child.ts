import { writeSync } from "node:fs";
import { commitOf, idOf, rowOf } from "@tutti/store/fixtures";
import { openSqliteStore } from "../sqlite-store.ts";

// A process that commits for as long as it lives and tells each acknowledgement on standard output as `run seq`: killed or starved by a test.
// `ack-first` acknowledges before it commits. It stands still between the two, once, so that the kill does not have to hit a moment.
//
//   node writer-child.ts DIRECTORY commit|ack-first main|worker|policy
const [directory, order, place] = process.argv.slice(2);
if (directory === undefined) throw new Error("usage: writer-child.ts DIRECTORY commit|ack-first main|worker|policy");

const RUNS_PER_BATCH = 3;
/** The round after whose early acknowledgement nothing more happens. */
const STILL_ROUND = 4;
const always = place === "main" || place === "worker" ? { choose: () => place, record: () => undefined } : undefined;
const store = openSqliteStore({ directory, commitPolicy: always });
await store.start();
tell("started");
try {
  // Far more batches than any test waits for.
  for (let round = 0; round < 20_000; round++) await commitRound(round);
} catch (error) {
  const code = error instanceof Error && "code" in error ? error.code : error;
  tell(`failed ${String(code)}`);
  const again = await store.acceptEvent({ tenant: "t", source: "s", id: "again", type: "t", acceptedAtMs: 0, body: "{}" }).then(
    () => "accepted",
    () => "refused",
  );
  tell(`then ${again}`);
  process.exit(3);
}

/** Each round goes on with three of ten runs; the rows change every fifth time. */
async function commitRound(round: number): Promise<void> {
  const runs = await Promise.all(
    Array.from({ length: RUNS_PER_BATCH }, async (_, index) => {
      const number = ((round * RUNS_PER_BATCH + index) % 10) + 1;
      const seq = (await store.loadRun(idOf(number)))?.seq ?? 0;
      const count = 1 + (round % 3);
      const row =
        seq === 0 || round % 5 === 0 ? rowOf({ status: "waiting", reason: `round ${round}`, labels: { round: `${round}` } }) : undefined;
      return { number, seq: seq + count, commit: commitOf(number, seq, { count, row }) };
    }),
  );
  const acknowledgement = runs.map((run) => `${run.number} ${run.seq}`).join("\n");
  if (order === "ack-first") {
    tell(acknowledgement);
    // A timer keeps the process alive until it is killed.
    if (round === STILL_ROUND) await new Promise((resolve) => setTimeout(resolve, 2 ** 31 - 1));
  }
  const { verdicts } = await store.commit({ runs: runs.map((run) => run.commit) });
  if (verdicts.some((one) => one.verdict !== "committed")) throw new Error(`A verdict was not committed: ${JSON.stringify(verdicts)}`);
  if (order !== "ack-first") tell(acknowledgement);
}

function tell(line: string): void {
  writeSync(1, `${line}\n`);
}
