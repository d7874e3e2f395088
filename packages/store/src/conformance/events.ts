import { expect } from "vitest";
import { commitOf, commitOne, eventOf, idOf, type StoreTest, T0, TENANT } from "./fixtures.ts";

/** What the inbox promises: once per source and id, growing positions, the right candidates; and messages from run to run. */
export function describeEvents(test: StoreTest): void {
  test("an event is accepted once per tenant, source and id", async ({ store, reopen }) => {
    expect(await store.acceptEvent(eventOf("1"))).toEqual({ position: 1, duplicate: false });
    expect(await store.acceptEvent(eventOf("1", { body: "{}" }))).toEqual({ position: 1, duplicate: true });
    expect(await store.acceptEvent(eventOf("1", { source: "/other" }))).toEqual({ position: 2, duplicate: false });
    expect(await store.acceptEvent(eventOf("1", { tenant: "other" }))).toEqual({ position: 3, duplicate: false });
    const next = await reopen();
    expect(await next.acceptEvent(eventOf("1"))).toEqual({ position: 1, duplicate: true });
    expect(await next.readEvents(TENANT, { afterPosition: 0, type: undefined, limit: 10 })).toEqual([
      { ...eventOf("1"), position: 1 },
      { ...eventOf("1", { source: "/other" }), position: 2 },
    ]);
  });

  test("events accepted at once get different positions", async ({ store }) => {
    const accepted = await Promise.all(Array.from({ length: 20 }, (_, index) => store.acceptEvent(eventOf(`${index % 10}`))));
    expect(new Set(accepted.map((one) => one.position)).size).toBe(10);
    expect(accepted.filter((one) => one.duplicate)).toHaveLength(10);
  });

  test("events are read in order, after a position, by type, with a limit; listed newest first", async ({ store }) => {
    for (const [id, type] of [
      ["1", "a"],
      ["2", "b"],
      ["3", "a"],
      ["4", "a"],
    ] as const)
      await store.acceptEvent(eventOf(id, { type }));
    await store.acceptEvent(eventOf("5", { tenant: "other" }));
    const positions = async (afterPosition: number, type: string | undefined, limit = 10): Promise<readonly number[]> =>
      (await store.readEvents(TENANT, { afterPosition, type, limit })).map((event) => event.position);
    expect(await positions(0, undefined)).toEqual([1, 2, 3, 4]);
    expect(await positions(1, "a")).toEqual([3, 4]);
    expect(await positions(0, "a", 2)).toEqual([1, 3]);
    expect(await positions(0, "none")).toEqual([]);
    expect((await store.listEvents(TENANT, 2)).map((event) => event.position)).toEqual([4, 3]);
  });

  test("events of a run are accepted with its commit, and once", async ({ store }) => {
    await store.acceptEvent(eventOf("0"));
    const first = await commitOne(store, commitOf(1, 0, { events: [eventOf("1"), eventOf("2")] }));
    expect(first.eventPositions).toEqual([2, 3]);
    const second = await commitOne(store, commitOf(1, 1, { events: [eventOf("2"), eventOf("3")] }));
    expect(second.eventPositions).toEqual([3, 4]);
  });

  test("without correlation only events after the subscription count; with it those since the run's start", async ({ store, reopen }) => {
    await store.acceptEvent(eventOf("before"));
    await commitOne(store, commitOf(1, 0));
    expect((await store.loadRun(idOf(1)))?.startPosition).toBe(1);
    await store.acceptEvent(eventOf("between"));
    const subscription = { tenant: TENANT, eventType: "alarm" };
    await commitOne(
      store,
      commitOf(1, 1, {
        subscribe: [
          { ...subscription, task: 4, filter: 0, correlated: false },
          { ...subscription, task: 4, filter: 1, correlated: true },
        ],
      }),
    );
    await store.acceptEvent(eventOf("after"));
    const next = await reopen();
    const filters = async (position: number): Promise<readonly number[]> =>
      (await next.findSubscribers(TENANT, "alarm", position)).map((one) => one.filter);
    expect(await filters(1)).toEqual([]);
    expect(await filters(2)).toEqual([1]);
    expect(await filters(3)).toEqual([0, 1]);
  });

  test("an event of the same commit comes before its subscriptions", async ({ store }) => {
    const subscribe = [{ tenant: TENANT, task: 1, filter: 0, eventType: undefined, correlated: false }];
    const { eventPositions } = await commitOne(store, commitOf(1, 0, { events: [eventOf("1")], subscribe }));
    expect(await store.findSubscribers(TENANT, "alarm", eventPositions[0] ?? 0)).toEqual([]);
  });

  test("subscribers are found by type or any type, by tenant, in order of run; and end with their task", async ({ store }) => {
    const of = (task: number, eventType: string | undefined, tenant = TENANT) => ({
      tenant,
      task,
      filter: 0,
      eventType,
      correlated: false,
    });
    await store.commit({
      runs: [
        commitOf(3, 0, { subscribe: [of(1, "alarm"), of(2, "push")] }),
        commitOf(1, 0, { subscribe: [of(1, undefined)] }),
        commitOf(2, 0, { subscribe: [of(1, "alarm", "other")] }),
      ],
    });
    expect(await store.findSubscribers(TENANT, "alarm", 1)).toEqual([
      { runId: idOf(1), task: 1, filter: 0 },
      { runId: idOf(3), task: 1, filter: 0 },
    ]);
    await commitOne(store, commitOf(3, 1, { count: 0, unsubscribe: [1] }));
    expect(await store.findSubscribers(TENANT, "alarm", 1)).toEqual([{ runId: idOf(1), task: 1, filter: 0 }]);
    expect(await store.findSubscribers(TENANT, "push", 1)).toHaveLength(2);
  });

  test("the same subscription again starts anew", async ({ store }) => {
    const subscribe = [{ tenant: TENANT, task: 1, filter: 0, eventType: "alarm", correlated: false }];
    await commitOne(store, commitOf(1, 0, { subscribe }));
    await store.acceptEvent(eventOf("1"));
    await commitOne(store, commitOf(1, 1, { unsubscribe: [1], subscribe }));
    expect(await store.findSubscribers(TENANT, "alarm", 1)).toEqual([]);
    expect(await store.findSubscribers(TENANT, "alarm", 2)).toHaveLength(1);
  });

  test("the dispatch cursor is kept; what it has not passed is never deleted", async ({ store, reopen }) => {
    expect(await store.readDispatchCursor()).toBe(0);
    for (const id of ["1", "2", "3"]) await store.acceptEvent(eventOf(id, { acceptedAtMs: T0 + Number(id) }));
    expect(await store.deleteEventsBefore(T0 + 100)).toBe(0);
    await store.writeDispatchCursor(2);
    expect(await store.deleteEventsBefore(T0 + 2)).toBe(1);
    expect(await store.deleteEventsBefore(T0 + 100)).toBe(1);
    const next = await reopen();
    expect(await next.readDispatchCursor()).toBe(2);
    expect((await next.listEvents(TENANT, 10)).map((event) => event.id)).toEqual(["3"]);
    await next.writeDispatchCursor(3);
    await next.deleteEventsBefore(T0 + 100);
    expect(await next.acceptEvent(eventOf("1"))).toEqual({ position: 4, duplicate: false });
  });

  test("messages wait for their run until it takes them", async ({ store, reopen }) => {
    const sent = await commitOne(
      store,
      commitOf(1, 0, {
        send: [
          { toRunId: idOf(2), body: { type: "child-ended", n: [1, null, "ü"] } },
          { toRunId: idOf(3), body: 5 },
        ],
      }),
    );
    expect(sent.messages).toEqual([
      { position: 1, toRunId: idOf(2), body: { type: "child-ended", n: [1, null, "ü"] } },
      { position: 2, toRunId: idOf(3), body: 5 },
    ]);
    const next = await reopen();
    expect(await next.readMessages(0, 10)).toEqual(sent.messages);
    expect(await next.readMessages(1, 10)).toEqual(sent.messages.slice(1));
    expect(await next.readMessages(0, 1)).toEqual(sent.messages.slice(0, 1));
    await commitOne(next, commitOf(2, 0, { take: [1] }));
    expect(await next.readMessages(0, 10)).toEqual(sent.messages.slice(1));
    await commitOne(next, commitOf(3, 0, { take: [2] }));
    const later = await commitOne(await reopen(), commitOf(1, 1, { send: [{ toRunId: idOf(2), body: 1 }] }));
    expect(later.messages.map((message) => message.position)).toEqual([3]);
  });

  test("a message taken by a commit that conflicts stays", async ({ store }) => {
    await commitOne(store, commitOf(1, 0, { send: [{ toRunId: idOf(1), body: 1 }] }));
    await commitOne(store, commitOf(1, 7, { take: [1] }));
    expect(await store.readMessages(0, 10)).toHaveLength(1);
  });
}
