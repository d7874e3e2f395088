import { expect } from "vitest";
import { encodeRecord } from "../record-body.ts";
import type { FinishedQuery, RunRowChange, Store } from "../store.ts";
import {
  commitOf,
  commitOne,
  eventOf,
  idOf,
  recordTexts,
  rowOf,
  storedRow,
  subscribersOf,
  T0,
  TENANT,
  textOf,
  type StoreTest,
} from "./fixtures.ts";

const DAY_MS = 86_400_000;
/** More than any slice takes. */
const MANY_RECORDS = 1000;
const CHILDREN = 100;
/** A deletion in slices ends; more of them mean that it does not. */
const SLICES_MAX = 10_000;

/** Finished runs are found by document and end, and deleted whole. */
export function describeRetention(test: StoreTest): void {
  test("documents with ended runs are listed with their earliest end", async ({ store }) => {
    expect(await store.listFinishedDigests()).toEqual([]);
    await finish(store, 1, { endedAtMs: T0 + 2, digest: "a" });
    await finish(store, 2, { endedAtMs: T0 + 1, digest: "a" });
    await finish(store, 3, { endedAtMs: T0 + 3, digest: "b" });
    await commitOne(store, commitOf(4, 0, { row: rowOf({ digest: "c" }) }));
    expect(await store.listFinishedDigests()).toEqual([
      { digest: "a", firstEndedAtMs: T0 + 1 },
      { digest: "b", firstEndedAtMs: T0 + 3 },
    ]);
  });

  test("completed and cancelled runs that ended before a moment are listed in that order, page by page", async ({ store }) => {
    for (let number = 1; number <= 5; number++)
      await finish(store, number, { endedAtMs: T0 + 10 - number, status: number % 2 === 0 ? "cancelled" : "completed" });
    await finish(store, 6, { endedAtMs: T0 + 1, status: "faulted" });
    await finish(store, 7, { endedAtMs: T0 + 1, digest: "other" });
    await finish(store, 8, { endedAtMs: T0 + DAY_MS });
    const first = await store.listFinished(query({ limit: 3 }));
    expect(first.runs).toEqual([5, 4, 3].map((number) => ended(number, T0 + 10 - number)));
    const second = await store.listFinished(query({ limit: 3, ...(first.next === undefined ? {} : { after: first.next }) }));
    expect(second).toEqual({ runs: [ended(2, T0 + 8), ended(1, T0 + 9)], next: undefined });
  });

  test("a run is listed as a whole tree only when everything below it is over, and is no child itself", async ({ store }) => {
    const below = (parent: number, more: Partial<RunRowChange> = {}) => ({ parentRunId: idOf(parent), ...more });
    await finish(store, 1);
    await finish(store, 2, below(1));
    await finish(store, 3, below(2, { status: "faulted", endedAtMs: undefined }));
    await finish(store, 4);
    await finish(store, 5, below(4));
    await commitOne(store, commitOf(6, 0, { row: rowOf(below(5)) }));
    await finish(store, 7);
    await finish(store, 8, below(7, { endedAtMs: T0 + DAY_MS }));
    await finish(store, 9, { inDoubt: 1, status: "cancelled" });
    await finish(store, 10);
    await finish(store, 11, below(10, { inDoubt: 1, status: "cancelled" }));
    await finish(store, 12);
    await commitOne(store, commitOf(13, 0, { send: [{ toRunId: idOf(12), body: { type: "child-ended" } }] }));
    const listed = async (onlyWholeTrees: boolean): Promise<readonly string[]> =>
      (await store.listFinished(query({ onlyWholeTrees }))).runs.map((run) => run.runId);
    expect(await listed(true)).toEqual([idOf(1)]);
    expect(await listed(false)).toEqual([1, 2, 4, 5, 7, 9, 10, 11, 12].map(idOf));
    await commitOne(store, commitOf(12, 1, { take: [1] }));
    expect(await listed(true)).toEqual([1, 12].map(idOf));
  });

  test("a condemned run is gone from every look-up at once, others are not touched", async ({ store }) => {
    await finish(store, 1, { labels: { team: "a" } });
    await finish(store, 2, { labels: { team: "a" } });
    await commitOne(store, commitOf(1, 1, { subscribe: [{ tenant: TENANT, task: 1, filter: 0, eventType: "alarm", correlated: true }] }));
    await commitOne(store, commitOf(2, 1, { send: [{ toRunId: idOf(1), body: { type: "note" } }] }));
    const { position } = await store.acceptEvent(eventOf("e"));
    expect(await subscribersOf(store, { type: "alarm", position })).toHaveLength(1);
    expect(await store.condemnRuns([idOf(1), idOf(3)])).toBe(1);
    expect(await store.loadRun(idOf(1))).toBeUndefined();
    await expect(store.loadRecords(idOf(1), { withSnapshot: true })).rejects.toMatchObject({ code: "run-not-found" });
    expect((await store.listRuns({ tenant: TENANT, limit: 10 })).runs).toEqual([storedRow(2, 2, { ...FINISHED, labels: { team: "a" } })]);
    expect((await store.listRuns({ tenant: TENANT, limit: 10, label: { key: "team", value: "a" } })).runs).toHaveLength(1);
    expect(await store.findRunIds("run_", 10)).toEqual([idOf(2)]);
    expect(await subscribersOf(store, { type: "alarm", position })).toEqual([]);
    expect(await store.readMessages(0, 10)).toEqual([]);
    expect(await store.listFinished(query())).toMatchObject({ runs: [{ runId: idOf(2) }] });
    expect((await store.check()).damage).toEqual([]);
  });

  test("runs that are not over are never condemned", async ({ store }) => {
    for (const [number, status] of (["running", "waiting", "suspended", "faulted", "quarantined"] as const).entries())
      await commitOne(store, commitOf(number + 1, 0, { row: rowOf({ status, endedAtMs: T0 }) }));
    expect(await store.condemnRuns([1, 2, 3, 4, 5].map(idOf))).toBe(0);
    expect(await recordTexts(store, 4)).toEqual([textOf(4, 1)]);
    expect(await store.listCondemned(10)).toEqual([]);
  });

  test("what is left of a condemned run goes slice by slice, and a crash in between loses nothing of that", async ({ store, reopen }) => {
    await commitOne(store, commitOf(1, 0, { count: MANY_RECORDS, row: rowOf(FINISHED) }));
    for (let seq = MANY_RECORDS; seq < MANY_RECORDS * 2; seq++) await commitOne(store, commitOf(1, seq));
    await store.condemnRuns([idOf(1)]);
    expect(await store.sweepRuns([idOf(1)])).toBe(false);
    const next = await reopen();
    expect(await next.listCondemned(10)).toEqual([idOf(1)]);
    expect((await next.check()).damage).toEqual([]);
    await sweepAll(next);
    expect(await next.check()).toMatchObject({ runs: 0, records: 0, damage: [] });
  });

  test("runs below a condemned run go with it", async ({ store }) => {
    await finish(store, 1);
    for (let number = 2; number < 2 + CHILDREN; number++)
      await finish(store, number, { parentRunId: idOf(number <= 50 ? 1 : number - 49) });
    await finish(store, 200);
    await store.condemnRuns([idOf(1)]);
    await sweepAll(store);
    expect(await store.findRunIds("run_", 1000)).toEqual([idOf(200)]);
    expect(await store.check()).toMatchObject({ runs: 1, records: 1, damage: [] });
  });

  test("an id that was deleted starts anew, also while its old records are still there", async ({ store }) => {
    await commitOne(store, commitOf(1, 0, { count: MANY_RECORDS, row: rowOf(FINISHED) }));
    await store.condemnRuns([idOf(1)]);
    expect(await commitOne(store, commitOf(1, MANY_RECORDS))).toMatchObject({ verdict: "conflict" });
    await sweepAll(store);
    expect(await commitOne(store, commitOf(1, 0))).toMatchObject({ verdict: "committed" });
    expect(await recordTexts(store, 1)).toEqual([textOf(1, 1)]);
  });

  test("a payload goes with the last run that holds it", async ({ store }) => {
    const shared = "s".repeat(500);
    const own = "o".repeat(500);
    const put = (number: number, text: string, seq = 0) =>
      commitOne(
        store,
        commitOf(number, seq, {
          records: [encodeRecord({ type: "fact", at: T0, text } as { type: string; at: number }, 100)],
          row: rowOf(FINISHED),
        }),
      );
    await put(1, shared);
    await put(1, own, 1);
    await put(2, shared);
    await put(2, shared, 1);
    await store.condemnRuns([idOf(1)]);
    await sweepAll(store);
    expect((await recordTexts(store, 2)).map((text) => JSON.parse(text) as unknown)).toEqual(
      [0, 1].map(() => ({ type: "fact", at: T0, text: shared })),
    );
    expect((await store.check()).damage).toEqual([]);
    // The one that nobody held any more is stored anew.
    await put(3, own);
    await store.condemnRuns([idOf(2)]);
    await sweepAll(store);
    expect((await recordTexts(store, 3)).map((text) => JSON.parse(text) as unknown)).toEqual([{ type: "fact", at: T0, text: own }]);
    expect((await store.check()).damage).toEqual([]);
  });

  test("space is given back until it is said to be done", async ({ store }) => {
    await finish(store, 1);
    await store.condemnRuns([idOf(1)]);
    await sweepAll(store);
    let slices = 0;
    while (!(await store.giveBackSpace(0)).isDone) expect(++slices).toBeLessThan(SLICES_MAX);
    expect((await store.check()).damage).toEqual([]);
  });
}

const FINISHED: Partial<RunRowChange> = { status: "completed", endedAtMs: T0 + 1 };

async function finish(store: Store, number: number, more: Partial<RunRowChange> = {}): Promise<void> {
  await commitOne(store, commitOf(number, 0, { row: rowOf({ ...FINISHED, ...more }) }));
}

function query(more: Partial<FinishedQuery> = {}): FinishedQuery {
  return { digest: rowOf().digest, endedBeforeMs: T0 + DAY_MS, onlyWholeTrees: false, limit: 100, ...more };
}

function ended(number: number, endedAtMs: number) {
  return { runId: idOf(number), endedAtMs, namespace: "ops", name: "deploy" };
}

async function sweepAll(store: Store): Promise<void> {
  let slices = 0;
  for (;;) {
    const condemned = await store.listCondemned(10);
    if (condemned.length === 0) return;
    while (!(await store.sweepRuns(condemned))) expect(++slices).toBeLessThan(SLICES_MAX);
  }
}
