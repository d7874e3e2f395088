import type { CloudEvent, Json, JsonObject } from "@tutti/model";
import type { FaultDecision, MemoryDisk } from "@tutti/store";
import { expect, test } from "vitest";
import { World, type WorldOptions } from "./runtime-for-tests.ts";

const BY_ORDER: JsonObject = { with: { type: "decided" }, correlate: { order: { from: ".data.order", expect: "${ .order }" } } };
const BY_SUBJECT: JsonObject = { with: { type: "decided", subject: "${ .order }" } };

const hear = (filter: JsonObject): JsonObject => ({ hear: { listen: { to: { one: filter } } } });

function eventOf(order: string, data: JsonObject = {}): CloudEvent {
  return { specversion: "1.0", id: `e-${order}`, source: "/test", type: "decided", subject: order, data: { order, ...data } };
}

/** Runs that wait for the decision on one order each. */
async function waitingWorld(
  orders: readonly string[],
  filter: JsonObject,
  options: WorldOptions = {},
): Promise<{ world: World; runIds: string[] }> {
  const world = new World(options);
  await world.start();
  await world.publish([hear(filter)]);
  const runIds: string[] = [];
  for (const order of orders) runIds.push(await world.begin({ order }));
  await world.calm();
  return { world, runIds };
}

async function statusesOf(world: World, runIds: readonly string[]): Promise<readonly string[]> {
  return Promise.all(runIds.map(async (runId) => (await world.runtime.loadRow(runId)).status));
}

/** Notes the calls of the store; each is carried out. */
function counting(calls: string[]): FaultDecision {
  return ({ method }) => {
    calls.push(method);
    return { kind: "none" };
  };
}

/** As an earlier version has stored them. */
function forgetKeys(disk: MemoryDisk): void {
  for (const { subscriptions } of disk.runs.values())
    for (const [place, one] of subscriptions) subscriptions.set(place, { ...one, key: undefined });
}

const ORDERS = Array.from({ length: 30 }, (_, index) => `order-${index}`);

for (const [what, filter] of [
  ["an attribute", BY_SUBJECT],
  ["its correlation", BY_ORDER],
] as const) {
  test(`an event loads only the run whose filter it fits by ${what}, and every run of its type when nothing is known of their filters`, async () => {
    const calls: string[] = [];
    const { world, runIds } = await waitingWorld(ORDERS, filter, { faults: counting(calls) });
    await world.restart();
    await world.calm();
    calls.length = 0;
    await world.settle(world.runtime.acceptEvent(eventOf("order-7")));
    await world.calm();
    expect(await statusesOf(world, runIds)).toEqual(ORDERS.map((order) => (order === "order-7" ? "completed" : "waiting")));
    expect(calls.filter((method) => method === "loadRecords")).toHaveLength(1);

    await world.pass(60_000);
    forgetKeys(world.disk);
    calls.length = 0;
    await world.settle(world.runtime.acceptEvent(eventOf("order-8")));
    await world.calm();
    const done = new Set(["order-7", "order-8"]);
    expect(await statusesOf(world, runIds)).toEqual(ORDERS.map((order) => (done.has(order) ? "completed" : "waiting")));
    expect(calls.filter((method) => method === "loadRecords")).toHaveLength(ORDERS.length - 1);
  });
}

test.each([
  ["is empty", ""],
  ["is an object", { a: 1 }],
  ["is an object whose length cannot be compared", { length: { toString: 0 } }],
])("an event whose id %s is refused", async (_, id) => {
  const world = new World();
  await world.start();
  const given = { ...eventOf("x"), id } as unknown as CloudEvent;
  await expect(world.settle(world.runtime.acceptEvent(given))).rejects.toMatchObject({ code: "event-invalid" });
});

/** More than two pages of subscribers. */
const LISTENERS = 250;
const MANY = Array.from({ length: LISTENERS }, (_, index) => `order-${index}`);
const ANY_ORDER: JsonObject = { with: { type: "decided" } };

test("an event reaches every listener of its type, page by page, and others have their turn in between", async () => {
  let loads = 0;
  let turn = 0;
  const loadsByTurn = new Map<number, number>();
  const { world, runIds } = await waitingWorld(MANY, ANY_ORDER, {
    faults: ({ method }) => {
      if (method === "loadRecords") {
        loads += 1;
        loadsByTurn.set(turn, (loadsByTurn.get(turn) ?? 0) + 1);
      }
      return { kind: "none" };
    },
  });
  await world.restart();
  await world.calm();
  loads = 0;
  loadsByTurn.clear();
  let isCounting = true;
  const count = (): void => {
    turn += 1;
    if (isCounting) setImmediate(count);
  };
  count();
  await world.settle(world.runtime.acceptEvent(eventOf("any")));
  await world.calm();
  isCounting = false;
  expect(new Set(await statusesOf(world, runIds))).toEqual(new Set(["completed"]));
  expect(loads).toBe(LISTENERS);
  expect(Math.max(...loadsByTurn.values())).toBeLessThanOrEqual(100);
});

test("a process that dies between the pages of an event's listeners brings it to the others, and to nobody twice", async () => {
  for (const deadly of [1, 60, LISTENERS - 1]) {
    let commits = 0;
    let isArmed = false;
    const two = { hear: { listen: { to: { any: [ANY_ORDER], until: "length == 2" } } } };
    const world = new World({ crashAt: (name) => isArmed && name === "commit.after" && (commits += 1) === deadly });
    await world.start();
    await world.publish([two]);
    const runIds: string[] = [];
    for (const order of MANY) runIds.push(await world.begin({ order }));
    await world.calm();
    isArmed = true;
    await world.settle(world.runtime.acceptEvent(eventOf("first", { n: 1 }))).catch(() => undefined);
    await world.calm();
    expect(world.isAlive).toBe(false);
    isArmed = false;
    await world.restart();
    await world.calm();
    expect(new Set(await statusesOf(world, runIds))).toEqual(new Set(["waiting"]));
    await world.settle(world.runtime.acceptEvent(eventOf("second", { n: 2 })));
    await world.calm();
    expect(new Set(await statusesOf(world, runIds))).toEqual(new Set(["completed"]));
    for (const runId of runIds) {
      const view = await world.runtime.show(runId);
      expect((view.output as readonly { readonly n: Json }[]).map(({ n }) => n)).toEqual([1, 2]);
    }
  }
});

test("a run that waits under a key takes what came before it listened, and after a restart what comes then", async () => {
  const world = new World();
  await world.start();
  const fromContext = { with: { type: "decided", subject: "${ $context.order }" } };
  await world.publish([{ rest: { wait: { minutes: 1 } } }, hear(BY_ORDER), { again: { listen: { to: { one: fromContext } } } }]);
  const runId = await world.begin({ order: "a" });
  await world.calm();
  await world.settle(world.runtime.acceptEvent(eventOf("a", { n: 1 })));
  await world.pass(120_000);
  expect((await world.runtime.show(runId)).status).toBe("waiting");
  await world.restart();
  await world.calm();
  await world.settle(world.runtime.acceptEvent({ ...eventOf("b"), id: "other" }));
  await world.settle(world.runtime.acceptEvent({ ...eventOf("a", { n: 2 }), id: "second" }));
  await world.calm();
  expect(await world.runtime.show(runId)).toMatchObject({ status: "completed", output: [{ order: "a", n: 2 }] });
});
