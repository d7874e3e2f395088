import { expect } from "vitest";
import { encodeRecord } from "../record-body.ts";
import {
  commitOf,
  commitOne,
  committed,
  CONFLICT,
  idOf,
  recordTexts,
  rowOf,
  storedRow,
  subscribersOf,
  type StoreTest,
  T0,
  textOf,
} from "./fixtures.ts";

/** What a batch promises: verdict per run, no gap, no double, there after a crash. */
export function describeCommits(test: StoreTest): void {
  test("a batch commits several runs and answers in their order", async ({ store }) => {
    const { verdicts } = await store.commit({ runs: [commitOf(2, 0, { count: 2 }), commitOf(1, 0)] });
    expect(verdicts).toEqual([committed(), committed()]);
    expect(await store.loadRun(idOf(2))).toEqual(storedRow(2, 2));
    expect(await store.loadRun(idOf(1))).toEqual(storedRow(1, 1));
    expect(await store.loadRun(idOf(3))).toBeUndefined();
  });

  test("a conflict leaves the other runs of the batch committed", async ({ store }) => {
    await store.commit({ runs: [commitOf(1, 0), commitOf(2, 0)] });
    const { verdicts } = await store.commit({ runs: [commitOf(1, 5), commitOf(2, 1), commitOf(3, 1), commitOf(1 + 3, 0)] });
    expect(verdicts).toEqual([CONFLICT, committed(), CONFLICT, committed()]);
    expect(await recordTexts(store, 1)).toEqual([textOf(1, 1)]);
    expect(await recordTexts(store, 2)).toEqual([textOf(2, 1), textOf(2, 2)]);
    expect(await store.loadRun(idOf(3))).toBeUndefined();
  });

  test("nothing of a conflicting run is written", async ({ store }) => {
    await store.commit({ runs: [commitOf(1, 0)] });
    const loser = commitOf(1, 0, {
      row: rowOf({ status: "cancelled", labels: { a: "b" } }),
      snapshot: { body: "{}", engineVersion: 1 },
      events: [{ tenant: "default", source: "s", id: "1", type: "t", acceptedAtMs: T0, body: "{}" }],
      subscribe: [{ tenant: "default", task: 1, filter: 0, eventType: undefined, correlated: true }],
      acquire: [{ key: "k", task: 1, limit: 1, onConflict: "queue" }],
      send: [{ toRunId: idOf(1), body: { type: "x" } }],
    });
    expect(await commitOne(store, loser)).toEqual(CONFLICT);
    expect(await store.loadRun(idOf(1))).toEqual(storedRow(1, 1));
    expect((await store.loadRecords(idOf(1), { withSnapshot: true })).snapshot).toBeUndefined();
    expect(await store.listEvents("default", 10)).toEqual([]);
    expect(await subscribersOf(store, { type: "t", position: 99 })).toEqual([]);
    expect(await store.readMessages(0, 10)).toEqual([]);
    const winner = await commitOne(store, commitOf(2, 0, { acquire: [{ key: "k", task: 1, limit: 1, onConflict: "reject" }] }));
    expect(winner.slots.map((slot) => slot.verdict)).toEqual(["granted"]);
  });

  test("the same commit sent twice is a conflict the second time", async ({ store }) => {
    await commitOne(store, commitOf(1, 0));
    expect(await commitOne(store, commitOf(1, 1))).toEqual(committed());
    expect(await commitOne(store, commitOf(1, 1))).toEqual(CONFLICT);
    expect(await recordTexts(store, 1)).toEqual([textOf(1, 1), textOf(1, 2)]);
  });

  test("concurrent commits on the same sequence: exactly one wins", async ({ store }) => {
    await commitOne(store, commitOf(1, 0));
    const verdicts = await Promise.all(Array.from({ length: 5 }, () => commitOne(store, commitOf(1, 1))));
    expect(verdicts.filter((one) => one.verdict === "committed")).toHaveLength(1);
    expect(await recordTexts(store, 1)).toHaveLength(2);
  });

  test("a commit without records changes the row and keeps the sequence", async ({ store }) => {
    await commitOne(store, commitOf(1, 0));
    await commitOne(store, commitOf(1, 1, { count: 0, row: rowOf({ status: "waiting", wakeAtMs: T0 + 5, reason: "timer" }) }));
    expect(await store.loadRun(idOf(1))).toEqual(storedRow(1, 1, { status: "waiting", wakeAtMs: T0 + 5, reason: "timer" }));
    expect(await commitOne(store, commitOf(1, 1))).toEqual(committed());
  });

  test("a commit without a row keeps the row and moves the sequence", async ({ store }) => {
    await commitOne(store, commitOf(1, 0, { row: rowOf({ labels: { team: "net" } }) }));
    await commitOne(store, commitOf(1, 1, { count: 3 }));
    expect(await store.loadRun(idOf(1))).toEqual(storedRow(1, 4, { labels: { team: "net" } }));
  });

  test("tenant, name, parent and start are fixed at creation; version and labels are not", async ({ store }) => {
    await commitOne(store, commitOf(1, 0));
    const other = {
      tenant: "x",
      namespace: "x",
      name: "x",
      parentRunId: "x",
      startedAtMs: 1,
      version: "2.0.0",
      digest: "d2",
      labels: { a: "b" },
    };
    await commitOne(store, commitOf(1, 1, { row: rowOf(other) }));
    expect(await store.loadRun(idOf(1))).toEqual(storedRow(1, 2, { version: "2.0.0", digest: "d2", labels: { a: "b" } }));
  });

  test("every member of a row comes back", async ({ store }) => {
    const full = {
      status: "faulted",
      labels: { a: "1", "b c": "ü", constructor: "x" },
      parentRunId: idOf(9),
      endedAtMs: T0 + 9,
      updatedAtMs: T0 + 8,
      wakeAtMs: T0 + 7,
      isOutstanding: true,
      inDoubt: 2,
      errorType: "https://example.org/e",
      reason: "it broke",
    } as const;
    await commitOne(store, commitOf(1, 0, { row: rowOf(full) }));
    expect(await store.loadRun(idOf(1))).toEqual(storedRow(1, 1, full));
  });

  test("what was acknowledged is there after a crash", async ({ store, reopen }) => {
    await store.commit({ runs: [commitOf(1, 0), commitOf(2, 0, { count: 3 })] });
    await store.commit({ runs: [commitOf(1, 1, { row: rowOf({ status: "completed", endedAtMs: T0 + 1 }) })] });
    const next = await reopen();
    expect(await next.loadRun(idOf(1))).toEqual(storedRow(1, 2, { status: "completed", endedAtMs: T0 + 1 }));
    expect(await recordTexts(next, 2)).toEqual([textOf(2, 1), textOf(2, 2), textOf(2, 3)]);
    expect(await commitOne(next, commitOf(1, 1))).toEqual(CONFLICT);
    expect(await commitOne(next, commitOf(1, 2))).toEqual(committed());
  });

  test("records are read from any place, with a limit", async ({ store }) => {
    await commitOne(store, commitOf(1, 0, { count: 3 }));
    await commitOne(store, commitOf(1, 3, { count: 4 }));
    const read = await store.readRecords(idOf(1), 3, 3);
    expect(read).toEqual([3, 4, 5].map((seq) => ({ seq, body: textOf(1, seq) })));
    expect(await store.readRecords(idOf(1), 8, 3)).toEqual([]);
    await expect(store.readRecords(idOf(7), 1, 3)).rejects.toMatchObject({ code: "run-not-found" });
    await expect(store.loadRecords(idOf(7), { withSnapshot: true })).rejects.toMatchObject({ code: "run-not-found" });
  });

  test("texts come back as they were, whatever they hold", async ({ store, reopen }) => {
    const values = [
      "line\nbreak",
      "\u2028\u001e\u0000",
      "\ud800 lone",
      "😀",
      '{"$payload":"abc"}',
      { $payload: "f".repeat(64) },
      [],
      {},
      null,
      1e300,
    ];
    const records = values.map((value) => ({ type: "fact", at: T0, value })).map((record) => encodeRecord(record));
    await commitOne(store, commitOf(1, 0, { records }));
    const pretty = JSON.stringify({ spread: [1, 2] }, undefined, 2);
    await commitOne(store, commitOf(1, values.length, { records: [{ type: "fact", atMs: T0, text: pretty }] }));
    const texts = await recordTexts(await reopen(), 1);
    expect(texts.slice(0, -1)).toEqual(records.map((record) => record.text));
    expect(JSON.parse(texts.at(-1) ?? "")).toEqual({ spread: [1, 2] });
  });

  test("a snapshot replaces the older one and shortens what is loaded", async ({ store, reopen }) => {
    await commitOne(store, commitOf(1, 0, { count: 2, snapshot: { body: '{"a":1}', engineVersion: 1 } }));
    await commitOne(store, commitOf(1, 2, { count: 2, snapshot: { body: '{"a":2}', engineVersion: 2 } }));
    await commitOne(store, commitOf(1, 4));
    const next = await reopen();
    const history = await next.loadRecords(idOf(1), { withSnapshot: true });
    expect(history).toEqual({
      row: storedRow(1, 5),
      snapshot: { seq: 4, body: '{"a":2}', engineVersion: 2 },
      records: [{ seq: 5, body: textOf(1, 5) }],
    });
    const whole = await next.loadRecords(idOf(1), { withSnapshot: false });
    expect(whole.snapshot).toBeUndefined();
    expect(whole.records.map((record) => record.seq)).toEqual([1, 2, 3, 4, 5]);
  });

  test("large values lie beside the record and are put back on load", async ({ store, reopen }) => {
    const large = { list: Array.from({ length: 20 }, (_, index) => `item ${index} ${"x".repeat(50)}`), fake: { $payload: "f".repeat(64) } };
    const record = { type: "fact", at: T0, output: large, again: { deep: [large] }, small: 1 };
    const body = encodeRecord(record, 200);
    expect(body.payloads).toHaveLength(2);
    expect(new Set(body.payloads?.map((payload) => payload.hash)).size).toBe(1);
    await commitOne(store, commitOf(1, 0, { records: [body] }));
    await commitOne(store, commitOf(2, 0, { records: [{ type: "fact", atMs: T0, text: '{"a":1}' }, body] }));
    const next = await reopen();
    expect(await recordTexts(next, 1)).toEqual([JSON.stringify(record)]);
    expect(await recordTexts(next, 2)).toEqual(['{"a":1}', JSON.stringify(record)]);
  });

  test("a damaged record is found when the run is read, and by a check that names the run", async ({ store, damage }) => {
    await store.commit({ runs: [commitOf(1, 0, { count: 2 }), commitOf(2, 0)] });
    expect(await store.check()).toMatchObject({ runs: 2, records: 3, damage: [] });
    await damage(idOf(1));
    await expect(store.loadRecords(idOf(1), { withSnapshot: true })).rejects.toMatchObject({
      code: "store-damaged",
      details: { runId: idOf(1) },
    });
    expect(await recordTexts(store, 2)).toEqual([textOf(2, 1)]);
    const report = await store.check();
    expect(report.damage.map((one) => one.runId)).toEqual([idOf(1)]);
  });
}
