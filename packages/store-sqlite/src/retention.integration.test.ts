import { statSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { encodeRecord } from "@tutti/store";
import { commitOf, idOf, recordTexts, rowOf, T0 } from "@tutti/store/fixtures";
import { expect, test } from "vitest";
import { DATABASE_FILE, openSqliteStore, type SqliteStore } from "./sqlite-store.ts";
import { withDirectory } from "./testing/directory.ts";

const RUNS = 300;
const KEPT = 20;
const RECORD_TEXT = JSON.stringify({ type: "fact", at: T0, text: "x".repeat(10_000) });
const MIB = 1024 * 1024;

test("deleting runs makes the file shorter, to what the others need", async () => {
  await withDirectory(async (directory) => {
    const store = await startStore(directory);
    const empty = await fileBytes(store, directory);
    await fill(store);
    const full = await fileBytes(store, directory);
    await prune(store, RUNS - KEPT);
    const pruned = await fileBytes(store, directory);
    expect(full - empty).toBeGreaterThan(2 * MIB);
    // What stays is about its share; a page table and half-filled pages come on top.
    expect(pruned - empty).toBeLessThan(((full - empty) * KEPT) / RUNS + MIB / 2);
    expect(await recordTexts(store, RUNS)).toEqual([RECORD_TEXT]);
    expect((await store.check()).damage).toEqual([]);
    await store.stop();
    expect(statSync(join(directory, DATABASE_FILE)).size).toBeLessThanOrEqual(pruned);
  });
});

test("control: without giving back the file keeps its size, and the space is used again", async () => {
  await withDirectory(async (directory) => {
    const store = await startStore(directory);
    await fill(store);
    const full = await fileBytes(store, directory);
    await store.condemnRuns(Array.from({ length: RUNS }, (_, index) => idOf(index + 1)));
    for (let left = await store.listCondemned(50); left.length > 0; left = await store.listCondemned(50)) await store.sweepRuns(left);
    expect(await fileBytes(store, directory)).toBeGreaterThanOrEqual(full);
    await fill(store);
    expect(await fileBytes(store, directory)).toBeLessThan(full + MIB / 2);
    await store.stop();
  });
});

test("a database of the version before learns to give space back, with everything in it", async () => {
  await withDirectory(async (directory) => {
    const payload = "p".repeat(200_000);
    await writeOldStore(directory, payload);
    const before = statSync(join(directory, DATABASE_FILE)).size;
    const store = await startStore(directory);
    expect((await store.check()).damage).toEqual([]);
    expect((await recordTexts(store, 1)).map((text) => (JSON.parse(text) as { text: string }).text)).toEqual([payload]);
    await store.condemnRuns([idOf(1)]);
    while (!(await store.sweepRuns([idOf(1)])));
    expect((await recordTexts(store, 2)).map((text) => (JSON.parse(text) as { text: string }).text)).toEqual([payload]);
    await store.condemnRuns([idOf(2)]);
    while (!(await store.sweepRuns([idOf(2)])));
    while (!(await store.giveBackSpace(0)).isDone);
    expect(await fileBytes(store, directory)).toBeLessThan(before - payload.length / 2);
    await store.stop();
  });
});

test("commits get their turn between the slices of a deletion", async () => {
  await withDirectory(async (directory) => {
    const store = await startStore(directory);
    await store.commit({ runs: [commitOf(1, 0, { row: rowOf({ status: "completed", endedAtMs: T0 }) })] });
    for (let seq = 1; seq < 2000; seq += 50)
      await Promise.all(Array.from({ length: 50 }, (_, index) => store.commit({ runs: [commitOf(1, seq + index)] })));
    await store.condemnRuns([idOf(1)]);
    let slices = 0;
    let seq = 0;
    for (let isDone = false; !isDone;) {
      const sweeping = store.sweepRuns([idOf(1)]);
      const { verdicts } = await store.commit({ runs: [commitOf(2, seq++)] });
      expect(verdicts[0]?.verdict).toBe("committed");
      isDone = await sweeping;
      slices += 1;
    }
    expect(slices).toBeGreaterThan(5);
    expect(await recordTexts(store, 2)).toHaveLength(slices);
    await store.stop();
  });
});

async function startStore(directory: string): Promise<SqliteStore> {
  const store = openSqliteStore({ directory });
  await store.start();
  return store;
}

async function fill(store: SqliteStore): Promise<void> {
  for (let first = 1; first <= RUNS; first += 50) {
    const runs = Array.from({ length: 50 }, (_, index) =>
      commitOf(first + index, 0, {
        records: [{ type: "fact", atMs: T0, text: RECORD_TEXT }],
        row: rowOf({ status: "completed", endedAtMs: T0 + first + index }),
      }),
    );
    await store.commit({ runs });
  }
}

async function prune(store: SqliteStore, count: number): Promise<void> {
  const { runs } = await store.listFinished({ digest: "d1", endedBeforeMs: T0 * 2, onlyWholeTrees: true, limit: count });
  expect(runs).toHaveLength(count);
  await store.condemnRuns(runs.map((run) => run.runId));
  for (let left = await store.listCondemned(50); left.length > 0; left = await store.listCondemned(50)) await store.sweepRuns(left);
  while (!(await store.giveBackSpace(0)).isDone);
}

/** Size of the file with everything written back. */
async function fileBytes(store: SqliteStore, directory: string): Promise<number> {
  await store.giveBackSpace(Number.MAX_SAFE_INTEGER);
  return statSync(join(directory, DATABASE_FILE)).size;
}

/** Two runs that share a payload, in a database as the version before retention left it. */
async function writeOldStore(directory: string, payload: string): Promise<void> {
  const store = await startStore(directory);
  const record = encodeRecord({ type: "fact", at: T0, text: payload } as { type: string; at: number });
  const row = rowOf({ status: "completed", endedAtMs: T0 });
  await store.commit({ runs: [1, 2].map((number) => commitOf(number, 0, { records: [record], row })) });
  await store.stop();
  const database = new DatabaseSync(join(directory, DATABASE_FILE));
  database.exec(`drop table payload_use; drop table condemned; drop table provider; drop index run_by_end; drop index message_by_run;
    alter table definition drop column pinned;
    drop index subscription_by_key; alter table subscription drop column key_name; alter table subscription drop column key_value;
    create index subscription_by_type on subscription (tenant, event_type);
    delete from migration where number > 2; pragma auto_vacuum = none; vacuum;`);
  expect(database.prepare("pragma auto_vacuum").get()).toEqual({ auto_vacuum: 0 });
  database.close();
}
