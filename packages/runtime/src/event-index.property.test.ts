import { compileWorkflow, parseDocument } from "@tutti/definition";
import { advance, createRun, eventKeyValue, type Subscribe, wantsEvent } from "@tutti/engine";
import { type CloudEvent, type Json, type JsonObject } from "@tutti/model";
import { createMemoryStore, type RunCommit } from "@tutti/store";
import { commitOf, rowOf } from "@tutti/store/fixtures";
import fc from "fast-check";
import { expect, test } from "vitest";

/** Few values, so that filters and events often meet. */
const scalar = fc.oneof(
  { weight: 3, arbitrary: fc.constant<Json>("a") },
  { weight: 2, arbitrary: fc.constantFrom<Json>(1, "b", "1", 2, true, -0, 0, "") },
);
const anyJson: fc.Arbitrary<Json> = fc.oneof(
  { weight: 8, arbitrary: scalar },
  { weight: 1, arbitrary: fc.constantFrom<Json>(null, [], {}, ["a"], { order: "a" }) },
);

const input = fc.record({ a: anyJson, b: anyJson }, { requiredKeys: ["a"] });
const fixed = fc.constantFrom("a", "a", "b", "1", "", "${ .a }", "${ .a }", "${ .b }", "${ $input.a }", "${ $context.a }");
const other = fc.constantFrom("${ $workflow.input.a }", "${ $workflow.id }", "${ .a | tostring }", "${ now }", "${ $runtime.name }");
const failing = fc.constantFrom('${ error("no") }', "${ .a.b }", "${ [.a] }");
const expected = fc.oneof({ weight: 6, arbitrary: fixed }, { weight: 2, arbitrary: other }, { weight: 1, arbitrary: failing });
const attribute = fc
  .record({
    name: fc.constantFrom("subject", "subject", "room", "source", "data"),
    value: fc.oneof({ weight: 5, arbitrary: expected }, { weight: 1, arbitrary: fc.constantFrom("^a", "a$", "{a}") }),
  })
  .map(({ name, value }): JsonObject => ({ with: { [name]: value } }));
const correlation = fc
  .record(
    {
      from: fc.constantFrom(".data.order", ".data.order", '.data["order"]', ".subject", ".data", ".data.list[0]", ".room // .subject", "."),
      expect: expected,
    },
    { requiredKeys: ["from"] },
  )
  .map((entry): JsonObject => ({ correlate: { [`${entry.from}`]: entry } }));
const filter = fc
  .record({
    type: fc.constantFrom("t", "t", "t", "^t", "u"),
    conditions: fc.array(fc.oneof(attribute, correlation), { minLength: 1, maxLength: 2 }),
  })
  .map(({ type, conditions }): JsonObject => ({
    with: Object.assign({ type }, ...conditions.map((one) => one["with"])) as JsonObject,
    correlate: Object.assign({}, ...conditions.map((one) => one["correlate"])) as JsonObject,
  }));
const event = fc
  .record(
    {
      type: fc.constantFrom("t", "t", "t", "u"),
      source: fc.constantFrom("a", "a", "b", "1"),
      subject: anyJson,
      room: anyJson,
      data: fc.oneof(
        { weight: 3, arbitrary: fc.record({ order: anyJson, list: fc.constant(["a"]) }, { requiredKeys: ["order"] }) },
        { weight: 1, arbitrary: anyJson },
      ),
    },
    { requiredKeys: ["type", "source", "data"] },
  )
  // The members of a CloudEvent, all JSON values.
  .map((members) => ({ specversion: "1.0", id: "1", ...(members as JsonObject) }) as CloudEvent);

const RUN_ID = "run_0000000000000001";

test("an event is brought to every filter that it fits, whatever these are found by", async () => {
  let fits = 0;
  let keyedFits = 0;
  let passedOver = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.record({
        input,
        filters: fc.array(filter, { minLength: 1, maxLength: 6 }),
        events: fc.array(event, { minLength: 8, maxLength: 16 }),
      }),
      async ({ input: given, filters, events }) => {
        const { state, context, subscribe } = listening(given, filters);
        const store = createMemoryStore();
        await store.start();
        await store.commit({ runs: [commitListening(subscribe)] });
        for (const one of events) {
          const found = await store.findSubscribers({
            tenant: "default",
            type: one.type,
            position: 1,
            keyValue: (name) => eventKeyValue(one, name),
            limit: 100,
          });
          for (const { index, eventType, key } of subscribe.filters) {
            const isFound = found.subscribers.some((subscriber) => subscriber.filter === index);
            const isWanted =
              (eventType === undefined || eventType === one.type) && wantsEvent(state, subscribe.task, index, 1, one, context);
            if (isWanted) expect(isFound, `filter ${index} is found`).toBe(true);
            if (isWanted) fits += 1;
            if (isWanted && key !== undefined) keyedFits += 1;
            if (!isFound && key !== undefined) passedOver += 1;
          }
        }
      },
    ),
    { seed: 1, numRuns: 300 },
  );
  // Else it would hold of an index that finds everything, or of filters that fit nothing.
  expect(fits).toBeGreaterThan(500);
  expect(keyedFits).toBeGreaterThan(200);
  expect(passedOver).toBeGreaterThan(2000);
});

/** A run that listens by these filters, an hour after it has begun to. */
function listening(given: Json, filters: readonly JsonObject[]) {
  const document = {
    document: { dsl: "1.0.3", namespace: "test", name: "case", version: "1.0.0" },
    do: [{ both: { fork: { branches: [{ hear: { listen: { to: { any: filters, until: "false" } } } }, { rest: { wait: "PT1H" } }] } } }],
  };
  const { json, findings } = parseDocument(JSON.stringify(document));
  if (json === undefined) throw new Error(findings.map(({ message }) => message).join("\n"));
  const context = { program: compileWorkflow(json), functions: { describe: () => undefined }, runtime: { name: "a" } };
  const { state, commands } = createRun(
    {
      type: "run-started",
      at: 0,
      runId: RUN_ID,
      tenant: "default",
      workflow: { namespace: "test", name: "case", version: "1.0.0", digest: "d" },
      input: given,
      labels: {},
      actor: "test",
      flags: [],
    },
    context,
  );
  const subscribe = commands.find((command): command is Subscribe => command.type === "subscribe");
  const timer = [...state.timers.keys()][0];
  if (subscribe === undefined || timer === undefined) throw new Error("The run listens, and a branch beside it waits.");
  advance(state, { type: "timer-fired", at: 3_600_000, timer }, context);
  return { state, context, subscribe };
}

function commitListening(subscribe: Subscribe): RunCommit {
  return commitOf(1, 0, {
    runId: RUN_ID,
    row: rowOf({ status: "waiting" }),
    subscribe: subscribe.filters.map(({ index, ...one }) => ({ tenant: "default", task: subscribe.task, filter: index, ...one })),
  });
}
