import type { CloudEvent, Json, JsonObject } from "@tutti/model";
import { expect, test } from "vitest";
import type { SubscriptionFilter } from "./command.ts";
import { eventKeyValue } from "./event-key.ts";
import { TestRun } from "./test-run.ts";

/** The subscriptions that a run has asked for, in order. */
function subscriptionsOf(run: TestRun): readonly SubscriptionFilter[] {
  return run.commands.flatMap((command) => (command.type === "subscribe" ? command.filters : []));
}

/** The key that a filter gets when a run with this input listens by it. */
function keyOf(filter: string, input: Json = {}, more = ""): SubscriptionFilter["key"] {
  return subscriptionsOf(new TestRun({ document: `do: [ { hear: { listen: { to: { one: ${filter} } }${more} } } ]`, input }))[0]?.key;
}

function eventOf(more: JsonObject): CloudEvent {
  return { specversion: "1.0", id: "1", source: "/s", type: "t", ...more };
}

const DATA_ORDER = '[["data","order"]]';
const byOrder = (expect: string) => `{ with: { type: t }, correlate: { order: { from: .data.order, expect: ${expect} } } }`;

test("attributes and correlations with a fixed value are the key, in one order", () => {
  const key = keyOf(
    `{ with: { type: t, subject: a, room: "\${ .room }", source: "https://s.test/{room}" }, correlate: { n: { from: '.data["order"].id', expect: "\${ .n }" } } }`,
    { room: "7", n: 5 },
  );
  expect(key?.name).toBe('[["data","order","id"],["room"],["source"],["subject"]]');
  const fitting = { subject: "a", room: "7", source: "https://s.test/7", data: { order: { id: 5 } } };
  expect(eventKeyValue(eventOf(fitting), key?.name ?? "")).toBe(key?.value);
  for (const other of [{ subject: "b" }, { room: 7 }, { source: "https://s.test/8" }, { data: { order: { id: "5" } } }])
    expect(eventKeyValue(eventOf({ ...fitting, ...other }), key?.name ?? "")).not.toBe(key?.value);
});

test("an event that lacks a member of a key, or has an object or null there, has nothing under its name", () => {
  const others: readonly Json[] = [null, "order", [], {}, { order: null }, { order: {} }, { order: [1] }];
  for (const data of others) expect(eventKeyValue(eventOf({ data }), DATA_ORDER)).toBeUndefined();
  expect(eventKeyValue(eventOf({}), DATA_ORDER)).toBeUndefined();
  for (const order of ["", 0, false]) expect(eventKeyValue(eventOf({ data: { order } }), DATA_ORDER)).toMatch(/^[0-9a-f]{32}$/);
});

test("patterns, conditions on the data, composed values, null and what fails are no part of a key", () => {
  const keys = [
    "{ with: { type: t } }",
    "{ with: { type: t, subject: ^a } }",
    "{ with: { type: t, data: '${ .n > 1 }' } }",
    "{ with: { type: t, data: { n: 1 } } }",
    "{ with: { type: t, subject: '${ .missing }' } }",
    `{ with: { type: t, subject: '\${ error("no") }' } }`,
    "{ with: { type: t }, correlate: { a: { from: .data.order } } }",
    "{ with: { type: t }, correlate: { a: { from: '.data.items[0]', expect: a } } }",
    "{ with: { type: t }, correlate: { a: { from: '.data.order // .id', expect: a } } }",
    "{ with: { type: t }, correlate: { a: { from: '[\"subject\"]', expect: a } } }",
  ].map((filter) => [filter, keyOf(filter)]);
  expect(keys.filter(([, key]) => key !== undefined)).toEqual([]);
});

test("a literal type is no part of a key, any other is", () => {
  expect(keyOf("{ with: { type: t, subject: a } }")?.name).toBe('[["subject"]]');
  expect(keyOf("{ with: { type: '${ .t }', subject: a } }", { t: "x" })?.name).toBe('[["subject"],["type"]]');
});

test("only values that stay the same while the task listens are in a key", () => {
  const isKeyed = (expected: string): boolean => keyOf(byOrder(`'${expected}'`), { a: 1 })?.name === DATA_ORDER;
  const fixed = ["${ .a }", "${ $input.a }", "${ $context.a }", "${ $workflow.id }", "${ $workflow.definition.document.name }"];
  expect(fixed.filter((expected) => !isKeyed(expected))).toEqual([]);
  const moving = ["${ now | tostring }", "${ $task.token }", "${ $workflow.input.a }", "${ $workflow | tostring }", "${ $runtime.name }"];
  expect(moving.filter(isKeyed)).toEqual([]);
});

test("a listening that exports while it listens is not found by its context, but by the rest", () => {
  const run = (expected: string): TestRun =>
    new TestRun({
      input: { a: "x" },
      document: `
do:
  - hear:
      listen: { to: { any: [ ${byOrder(expected)} ], until: 'length > 1' } }
      foreach: { do: [ { step: { set: { a: y } } } ], export: { as: . } }`,
    });
  const moving = run("'${ $context.a }'");
  expect(subscriptionsOf(moving)[0]?.key).toBeUndefined();
  // It does move: what is expected of the second event is what the first one's iteration has exported.
  expect(["x", "x", "y"].map((order) => moving.send("t", { order }))).toEqual([1, 0, 1]);
  expect(subscriptionsOf(run("'${ .a }'"))[0]?.key?.name).toBe(DATA_ORDER);
});

test("what a branch beside a listening exports is not in its context", () => {
  const run = new TestRun({
    input: { a: "x" },
    document: `
do:
  - both:
      fork:
        branches:
          - hear: { listen: { to: { one: ${byOrder("'${ $context.a }'")} } } }
          - other: { do: [ { step: { set: { a: y }, export: { as: . } } }, { rest: { wait: PT1H } } ] }`,
  });
  expect(subscriptionsOf(run)[0]?.key?.value).toBe(eventKeyValue(eventOf({ data: { order: "x" } }), DATA_ORDER));
  expect(["y", "x"].map((order) => run.send("t", { order }))).toEqual([0, 1]);
});

test("whoever listens again is given a new key", () => {
  const run = new TestRun({
    input: { orders: ["a", "b"] },
    document: `do: [ { loop: { for: { each: order, in: .orders }, do: [ { hear: { listen: { to: { one: ${byOrder("'${ $order }'")} } }, output: { as: $input } } } ] } } ]`,
  });
  expect(run.send("t", { order: "a" })).toBe(1);
  const [first, second] = subscriptionsOf(run).map(({ key }) => key?.value);
  expect(first).toBe(eventKeyValue(eventOf({ data: { order: "a" } }), DATA_ORDER));
  expect(second).toBe(eventKeyValue(eventOf({ data: { order: "b" } }), DATA_ORDER));
});
