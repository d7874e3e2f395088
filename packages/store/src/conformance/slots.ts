import { expect } from "vitest";
import type { RunVerdict, SlotRequest } from "../store.ts";
import { commitOf, commitOne, idOf, type StoreTest } from "./fixtures.ts";

/** What slots promise: the limit holds, waiters in order, a grant is a message in the same commit, fences grow. */
export function describeSlots(test: StoreTest): void {
  test("the limit holds; a waiter gets the slot of the one who lets go, in order", async ({ store, reopen }) => {
    expect(states(await commitOne(store, commitOf(1, 0, { acquire: [want()] })))).toEqual(["granted 1"]);
    expect(states(await commitOne(store, commitOf(2, 0, { acquire: [want()] })))).toEqual(["queued 0"]);
    expect(states(await commitOne(store, commitOf(3, 0, { acquire: [want()] })))).toEqual(["queued 0"]);
    const next = await reopen();
    const asked = { task: 1, limit: 1 };
    const queue = [
      { runId: idOf(1), state: "held", ...asked },
      { runId: idOf(2), state: "queued", ...asked },
      { runId: idOf(3), state: "queued", ...asked },
    ];
    expect(await next.listSlots("k", 10)).toEqual(queue);
    expect(await next.listSlots("k", 2)).toEqual(queue.slice(0, 2));
    expect(await next.listSlots("other", 10)).toEqual([]);
    const release = await commitOne(next, commitOf(1, 1, { release: [{ key: "k", task: 1 }] }));
    const granted = { position: 1, toRunId: idOf(2), body: { type: "slot-granted", key: "k", task: 1, fence: 2 } };
    expect(release.messages).toEqual([granted]);
    expect(await (await reopen()).readMessages(0, 10)).toEqual([granted]);
  });

  test("a limit of two lets two in; a newcomer never overtakes", async ({ store }) => {
    for (const [run, expected] of [
      [1, "granted 1"],
      [2, "granted 2"],
      [3, "queued 0"],
      [4, "queued 0"],
    ] as const) {
      expect(states(await commitOne(store, commitOf(run, 0, { acquire: [want({ limit: 2 })] })))).toEqual([expected]);
    }
    const first = await commitOne(store, commitOf(2, 1, { release: [{ key: "k", task: 1 }] }));
    expect(first.messages.map((message) => message.toRunId)).toEqual([idOf(3)]);
    expect(states(await commitOne(store, commitOf(5, 0, { acquire: [want({ limit: 2 })] })))).toEqual(["queued 0"]);
    const both = await store.commit({
      runs: [commitOf(1, 1, { release: [{ key: "k", task: 1 }] }), commitOf(3, 1, { release: [{ key: "k", task: 1 }] })],
    });
    expect(both.verdicts.flatMap((one) => one.messages.map((message) => message.toRunId))).toEqual([idOf(4), idOf(5)]);
  });

  test("keys do not touch each other, and a holder is a task of a run", async ({ store }) => {
    const first = await commitOne(store, commitOf(1, 0, { acquire: [want(), want({ task: 2 }), want({ key: "other", task: 2 })] }));
    expect(states(first)).toEqual(["granted 1", "queued 0", "granted 2"]);
    expect(first.slots.map((slot) => [slot.key, slot.task])).toEqual([
      ["k", 1],
      ["k", 2],
      ["other", 2],
    ]);
    const second = await commitOne(store, commitOf(1, 1, { release: [{ key: "k", task: 1 }] }));
    expect(second.messages.map((message) => message.body)).toEqual([{ type: "slot-granted", key: "k", task: 2, fence: 3 }]);
  });

  test("asking again with the same holder tells the present state", async ({ store }) => {
    await commitOne(store, commitOf(1, 0, { acquire: [want()] }));
    await commitOne(store, commitOf(2, 0, { acquire: [want()] }));
    expect(states(await commitOne(store, commitOf(1, 1, { acquire: [want()] })))).toEqual(["granted 1"]);
    expect(states(await commitOne(store, commitOf(2, 1, { acquire: [want()] })))).toEqual(["queued 0"]);
    await commitOne(store, commitOf(1, 2, { release: [{ key: "k", task: 1 }] }));
    expect(states(await commitOne(store, commitOf(2, 2, { acquire: [want()] })))).toEqual(["granted 2"]);
    expect((await commitOne(store, commitOf(2, 3, { release: [{ key: "k", task: 1 }] }))).messages).toEqual([]);
  });

  test("reject says no and does not wait", async ({ store }) => {
    await commitOne(store, commitOf(1, 0, { acquire: [want()] }));
    expect(states(await commitOne(store, commitOf(2, 0, { acquire: [want({ onConflict: "reject" })] })))).toEqual(["rejected 0"]);
    expect((await commitOne(store, commitOf(1, 1, { release: [{ key: "k", task: 1 }] }))).messages).toEqual([]);
    expect(states(await commitOne(store, commitOf(2, 1, { acquire: [want({ onConflict: "reject" })] })))).toEqual(["granted 2"]);
  });

  test("replace takes the slot of the oldest holder and tells its run", async ({ store }) => {
    await commitOne(store, commitOf(1, 0, { acquire: [want({ limit: 2 })] }));
    await commitOne(store, commitOf(2, 0, { acquire: [want({ limit: 2 })] }));
    const verdict = await commitOne(store, commitOf(3, 0, { acquire: [want({ limit: 2, onConflict: "replace", task: 7 })] }));
    expect(verdict.slots).toEqual([{ key: "k", task: 7, verdict: "granted", fence: 3, replaced: { runId: idOf(1), key: "k", task: 1 } }]);
    expect(verdict.messages).toEqual([{ position: 1, toRunId: idOf(1), body: { type: "slot-replaced", key: "k", task: 1, fence: 1 } }]);
    expect((await commitOne(store, commitOf(1, 1, { release: [{ key: "k", task: 1 }] }))).messages).toEqual([]);
    expect(states(await commitOne(store, commitOf(4, 0, { acquire: [want({ limit: 2 })] })))).toEqual(["queued 0"]);
  });

  test("a waiter that gives up leaves the queue", async ({ store }) => {
    for (const run of [1, 2, 3]) await commitOne(store, commitOf(run, 0, { acquire: [want()] }));
    await commitOne(store, commitOf(2, 1, { release: [{ key: "k", task: 1 }] }));
    const release = await commitOne(store, commitOf(1, 1, { release: [{ key: "k", task: 1 }] }));
    expect(release.messages.map((message) => message.toRunId)).toEqual([idOf(3)]);
  });

  test("one commit may let go and ask: the release comes first", async ({ store }) => {
    await commitOne(store, commitOf(1, 0, { acquire: [want()] }));
    const swap = await commitOne(store, commitOf(1, 1, { release: [{ key: "k", task: 1 }], acquire: [want({ task: 2 })] }));
    expect(states(swap)).toEqual(["granted 2"]);
  });
}

function want(more: Partial<SlotRequest> = {}): SlotRequest {
  return { key: "k", task: 1, limit: 1, onConflict: "queue", ...more };
}

function states(verdict: RunVerdict): readonly string[] {
  return verdict.slots.map((slot) => `${slot.verdict} ${slot.fence}`);
}
