import { expect } from "vitest";
import type { Store } from "../store.ts";
import { commitOf, commitOne, eventOf, idOf, type StoreTest, T0, TENANT, subscribersOf } from "./fixtures.ts";

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
      (await subscribersOf(next, { type: "alarm", position: position })).map((one) => one.filter);
    expect(await filters(1)).toEqual([]);
    expect(await filters(2)).toEqual([1]);
    expect(await filters(3)).toEqual([0, 1]);
  });

  test("an event of the same commit comes before its subscriptions", async ({ store }) => {
    const subscribe = [{ tenant: TENANT, task: 1, filter: 0, eventType: undefined, correlated: false }];
    const { eventPositions } = await commitOne(store, commitOf(1, 0, { events: [eventOf("1")], subscribe }));
    expect(await subscribersOf(store, { type: "alarm", position: eventPositions[0] ?? 0 })).toEqual([]);
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
    expect(await subscribersOf(store, { type: "alarm", position: 1 })).toEqual([
      { runId: idOf(1), task: 1, filter: 0 },
      { runId: idOf(3), task: 1, filter: 0 },
    ]);
    await commitOne(store, commitOf(3, 1, { count: 0, unsubscribe: [1] }));
    expect(await subscribersOf(store, { type: "alarm", position: 1 })).toEqual([{ runId: idOf(1), task: 1, filter: 0 }]);
    expect(await subscribersOf(store, { type: "push", position: 1 })).toHaveLength(2);
  });

  test("a subscription with a key is found by its value; one without by every event; those of any type as well", async ({
    store,
    reopen,
  }) => {
    const of = (filter: number, eventType: string | undefined, key?: readonly [name: string, value: string]) => ({
      tenant: TENANT,
      task: 1,
      filter,
      eventType,
      correlated: false,
      ...(key !== undefined && { key: { name: key[0], value: key[1] } }),
    });
    await commitOne(
      store,
      commitOf(1, 0, {
        subscribe: [
          of(0, "alarm"),
          of(1, "alarm", ["subject", "a"]),
          of(2, "alarm", ["subject", "b"]),
          of(3, "alarm", ["order", "a"]),
          of(4, undefined, ["subject", "a"]),
          of(5, undefined, ["subject", "b"]),
          of(6, undefined),
          of(7, "push", ["room", "a"]),
        ],
      }),
    );
    const filters = async (under: Store, values: Readonly<Record<string, string>>): Promise<readonly number[]> => {
      const asked: string[] = [];
      const keyValue = (name: string): string | undefined => {
        asked.push(name);
        return values[name];
      };
      const found = await subscribersOf(under, { type: "alarm", position: 1, keyValue });
      expect(new Set(asked)).toEqual(new Set(["order", "subject"]));
      return found.map(({ filter }) => filter);
    };
    expect(await filters(store, {})).toEqual([0, 6]);
    expect(await filters(store, { subject: "a" })).toEqual([0, 1, 4, 6]);
    const next = await reopen();
    expect(await filters(next, { subject: "a" })).toEqual([0, 1, 4, 6]);
    expect(await filters(next, { subject: "b", order: "a" })).toEqual([0, 2, 3, 5, 6]);
    expect(await filters(next, { subject: "c", order: "b", room: "a" })).toEqual([0, 6]);
  });

  test("subscribers come in pages: each once, those of a run together by task and filter", async ({ store }) => {
    const subscribe = [1, 2].flatMap((task) =>
      [0, 1, 2].map((filter) => ({
        tenant: TENANT,
        task,
        filter,
        eventType: filter === 1 ? undefined : "alarm",
        correlated: false,
        ...(filter === 2 && { key: { name: "subject", value: task === 1 ? "a" : "b" } }),
      })),
    );
    const numbers = [5, 2, 9, 1];
    const inOrder = [1, 2, 5, 9];
    for (const number of numbers) await commitOne(store, commitOf(number, 0, { subscribe }));
    const query = { type: "alarm", position: 1, keyValue: () => "a" };
    const wanted = inOrder.flatMap((number) =>
      [
        [1, 0],
        [1, 1],
        [1, 2],
        [2, 0],
        [2, 1],
      ].map(([task, filter]) => ({ runId: idOf(number), task, filter })),
    );
    for (const limit of [1, 2, 3, 7, 100]) expect(await subscribersOf(store, { ...query, limit })).toEqual(wanted);
    const first = await store.findSubscribers({ tenant: TENANT, ...query, limit: 7 });
    expect(first.subscribers).toHaveLength(7);
    const places = first.subscribers.map(({ runId, task, filter }) => [runId, task, filter].join("/"));
    expect(places.slice(0, 5)).toEqual(places.slice(0, 5).toSorted());
    expect(new Set(first.subscribers.map(({ runId }) => runId)).size).toBe(2);
  });

  test("what does not count yet takes no place from what does, whatever the page", async ({ store }) => {
    const subscribe = [{ tenant: TENANT, task: 1, filter: 0, eventType: "alarm", correlated: false }];
    await commitOne(store, commitOf(7, 0, { subscribe }));
    await store.acceptEvent(eventOf("1"));
    for (const number of [1, 2, 3, 8, 9]) await commitOne(store, commitOf(number, 0, { subscribe }));
    for (const limit of [1, 2, 100])
      expect(await subscribersOf(store, { type: "alarm", position: 1, limit })).toEqual([{ runId: idOf(7), task: 1, filter: 0 }]);
  });

  test("says after which event a subscription counts", async ({ store }) => {
    await store.acceptEvent(eventOf("1"));
    await commitOne(store, commitOf(1, 0));
    await store.acceptEvent(eventOf("2"));
    const subscribe = [true, false].map((correlated, filter) => ({ tenant: TENANT, task: 3, filter, eventType: "alarm", correlated }));
    await commitOne(store, commitOf(1, 1, { subscribe }));
    expect(await store.listensAfter({ runId: idOf(1), task: 3, filter: 0 })).toBe(1);
    expect(await store.listensAfter({ runId: idOf(1), task: 3, filter: 1 })).toBe(2);
    expect(await store.listensAfter({ runId: idOf(1), task: 3, filter: 2 })).toBeUndefined();
    expect(await store.listensAfter({ runId: idOf(1), task: 4, filter: 0 })).toBeUndefined();
    expect(await store.listensAfter({ runId: idOf(2), task: 3, filter: 0 })).toBeUndefined();
    await commitOne(store, commitOf(1, 2, { count: 0, unsubscribe: [3] }));
    expect(await store.listensAfter({ runId: idOf(1), task: 3, filter: 0 })).toBeUndefined();
  });

  test("a subscription that is made again has the key of the second time", async ({ store }) => {
    const of = (value: string | undefined) => [
      {
        tenant: TENANT,
        task: 1,
        filter: 0,
        eventType: "alarm",
        correlated: false,
        ...(value !== undefined && { key: { name: "subject", value } }),
      },
    ];
    const listensTo = async (value: string): Promise<boolean> =>
      (await subscribersOf(store, { type: "alarm", position: 1, keyValue: () => value })).length === 1;
    await commitOne(store, commitOf(1, 0, { subscribe: of("a") }));
    expect([await listensTo("a"), await listensTo("b")]).toEqual([true, false]);
    await commitOne(store, commitOf(1, 1, { subscribe: of("b") }));
    expect([await listensTo("a"), await listensTo("b")]).toEqual([false, true]);
    await commitOne(store, commitOf(1, 2, { subscribe: of(undefined) }));
    expect([await listensTo("a"), await listensTo("b")]).toEqual([true, true]);
  });

  test("the same subscription again starts anew", async ({ store }) => {
    const subscribe = [{ tenant: TENANT, task: 1, filter: 0, eventType: "alarm", correlated: false }];
    await commitOne(store, commitOf(1, 0, { subscribe }));
    await store.acceptEvent(eventOf("1"));
    await commitOne(store, commitOf(1, 1, { unsubscribe: [1], subscribe }));
    expect(await subscribersOf(store, { type: "alarm", position: 1 })).toEqual([]);
    expect(await subscribersOf(store, { type: "alarm", position: 2 })).toHaveLength(1);
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
