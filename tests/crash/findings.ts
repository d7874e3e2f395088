import { join } from "node:path";
import type { Json } from "@tutti/model";
import { openSqliteStore, type SqliteStore } from "@tutti/store-sqlite";
import { createBank } from "@tutti/testkit";
import { readAcks } from "./acks.ts";

/** What a comparison of promises with what is stored has found. */
export interface Findings {
  readonly acknowledged: number;
  readonly runs: number;
  readonly lost: readonly string[];
  readonly doubled: readonly string[];
  readonly stuck: readonly string[];
  readonly quarantined: readonly string[];
}

/** Where a loaded process keeps what: its data directory, and beside it, or elsewhere, its acknowledgements and the bank's books. */
export interface Place {
  readonly directory: string;
  readonly home: string;
}

/** Everything, after all runs have been brought to their end: acknowledged against stored, and the books of the bank against the results. */
export async function inspect(place: Place): Promise<Findings> {
  const acks = readAcks(join(place.home, "acks"));
  const bank = createBank({ path: join(place.home, "bank") });
  const store = openSqliteStore({ directory: place.directory });
  await store.start();
  const doubled: string[] = [];
  const stuck: string[] = [];
  const quarantined: string[] = [];
  try {
    const lost = await findLost(store, place.home);
    for (const runId of acks.committed.keys()) {
      const row = await store.loadRun(runId);
      if (row === undefined) continue;
      if (row.status === "quarantined") quarantined.push(runId);
      else if (row.status !== "completed") stuck.push(`${runId} is ${row.status}: ${row.reason ?? ""}`);
      const { records } = await store.loadRecords(runId, { withSnapshot: false });
      // Our own engine's records, as it stored them.
      doubled.push(
        ...doubledResults(
          runId,
          records.map((record) => JSON.parse(record.body) as Json),
        ),
      );
    }
    for (const [token, count] of bank.effects()) if (count > 1) doubled.push(`effect ${token} happened ${count} times`);
    return { acknowledged: acks.lines, runs: acks.committed.size, lost, doubled, stuck, quarantined };
  } finally {
    await store.stop();
    bank.close();
  }
}

/** Acknowledged and not stored: starts of runs, and records. */
export async function findLost(store: SqliteStore, home: string): Promise<readonly string[]> {
  const acks = readAcks(join(home, "acks"));
  const lost: string[] = [];
  for (const runId of acks.started)
    if (!acks.committed.has(runId) && (await store.loadRun(runId)) === undefined) lost.push(`start of ${runId}`);
  for (const [runId, seq] of acks.committed) {
    const row = await store.loadRun(runId);
    if (row === undefined || row.seq < seq) lost.push(`${runId}: acknowledged up to ${seq}, stored up to ${row?.seq ?? 0}`);
  }
  return lost;
}

/** A task's attempt ends once, and a token completes once. */
function doubledResults(runId: string, records: readonly Json[]): readonly string[] {
  const seen = new Set<string>();
  const tokens = new Map<number, string>();
  return records.flatMap((record) => {
    const { type, task, attempt, token } = record as { type: string; task: number; attempt: number; token: string };
    if (type === "attempt-intended") tokens.set(task, token);
    if (type !== "attempt-ended") return [];
    // A person's "not done, run" gives the task a new token, whose attempts count from 1 again.
    const key = `${task}/${tokens.get(task) ?? ""}/${attempt}`;
    const isDouble = seen.has(key);
    seen.add(key);
    // A read that is interrupted leaves no record; its attempt number is used again by design and ends once.
    return isDouble ? [`${runId}: attempt ${key} ended twice`] : [];
  });
}

export function joined(left: Findings, right: Findings): Findings {
  return {
    acknowledged: left.acknowledged + right.acknowledged,
    runs: left.runs + right.runs,
    lost: [...left.lost, ...right.lost],
    doubled: [...left.doubled, ...right.doubled],
    stuck: [...left.stuck, ...right.stuck],
    quarantined: [...left.quarantined, ...right.quarantined],
  };
}

export function violationsOf(findings: Findings): number {
  return findings.lost.length + findings.doubled.length + findings.stuck.length + findings.quarantined.length;
}

const SHOWN_MAX = 20;

export function reportFindings(name: string, findings: Findings): void {
  process.stdout.write(
    `${name}: ${findings.acknowledged} acknowledgements of ${findings.runs} runs; ${findings.lost.length} lost, ${findings.doubled.length} doubled, ${findings.stuck.length} stuck, ${findings.quarantined.length} quarantined\n`,
  );
  for (const finding of [...findings.lost, ...findings.doubled, ...findings.stuck, ...findings.quarantined].slice(0, SHOWN_MAX))
    process.stdout.write(`  ${finding}\n`);
}
