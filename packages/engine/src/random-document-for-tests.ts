import type { Json, JsonObject } from "@tutti/model";
import fc from "fast-check";

/** Random documents over all kinds of tasks, for the property test. They shrink: fewer tasks, simpler ones first. */

const FAILING = '${ error("chosen") }';
/** Jumps back end: each round counts in the context, which nothing else exports. */
const ROUNDS_MAX = 3;

type Body = JsonObject;

/** A task list: names follow from the place, so that shrinking keeps them unique. */
function list(bodies: readonly Body[]): readonly JsonObject[] {
  return bodies.map((body, position) => ({ [`t${position}`]: body }));
}

const seldom = <T extends Json>(value: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(value, { nil: undefined, freq: 6 });

function compact(members: Readonly<Record<string, Json | undefined>>): Body {
  return Object.fromEntries(Object.entries(members).filter((entry): entry is [string, Json] => entry[1] !== undefined));
}

const timeout = seldom(fc.constantFrom(1, 5, 60).map((seconds) => ({ after: { seconds } })));
const slot = fc
  .constantFrom("queue", "reject", "replace")
  .map((onConflict) => ({ tutti: { concurrency: { key: '"k"', limit: 1, onConflict } } }));
const output = seldom(fc.constantFrom({ as: "." }, { as: "{ out: . }" }, { as: 'error("chosen")' }));
const then = seldom(fc.constantFrom("exit", "end"));

/** How a task is undone: seldom by something that fails. */
const compensation = fc.oneof(
  {
    weight: 8,
    arbitrary: fc
      .constantFrom("idempotent", "findable", "unsafe")
      .map((effect): Json => [{ undo: { call: `x.${effect}:1@t`, with: { value: "${ . }" } } }]),
  },
  { weight: 1, arbitrary: fc.constant<Json>("helper") },
  { weight: 1, arbitrary: fc.constant<Json>([{ look: { set: { x: 1 } } }, { over: { switch: [{ a: { then: "end" } }] } }]) },
  { weight: 1, arbitrary: fc.constant<Json>([{ broken: { raise: { error: { type: "https://x.test/e", status: 500 } } } }]) },
);
const saga = fc
  .record({
    on: seldom(fc.constantFrom(["faulted"], ["cancelled"], ["faulted", "cancelled"])),
    order: seldom(fc.constantFrom("reverse", "parallel")),
    onFailure: seldom(fc.constantFrom("stop", "continue")),
  })
  .map((one) => ({ tutti: { saga: compact(one) } }));

const call: fc.Arbitrary<Body> = fc
  .record({
    effect: fc.constantFrom("read", "idempotent", "findable", "unsafe", "listed"),
    timeout,
    output,
    then,
    isSlotted: fc.nat(7),
    compensate: fc.option(compensation, { nil: undefined, freq: 2 }),
  })
  .map(({ effect, isSlotted, compensate, ...more }) => {
    const operations = compact({
      effect: effect === "listed" ? { class: "findable", unique: true, find: [{ look: { call: "x.read:1@t" } }] } : undefined,
      concurrency: effect !== "listed" && isSlotted === 7 ? { key: '"k"', limit: 1, onConflict: "replace" } : undefined,
      compensate,
    });
    return compact({
      call: `x.${effect}:1@t`,
      with: { value: "${ . }" },
      ...more,
      metadata: Object.keys(operations).length === 0 ? undefined : { tutti: operations },
    });
  });

const simple: fc.Arbitrary<Body> = fc.oneof(
  { weight: 6, arbitrary: call },
  { weight: 2, arbitrary: fc.record({ set: fc.constantFrom<Json>({ x: 1 }, { x: "${ . }" }, { x: FAILING }), then, output }).map(compact) },
  { weight: 1, arbitrary: fc.constantFrom<Body>({ if: "false", set: { skipped: true } }, { if: 'error("chosen")', set: { x: 1 } }) },
  { weight: 1, arbitrary: fc.constantFrom("exit", "end", "continue").map((to): Body => ({ switch: [{ a: { then: to } }] })) },
  { weight: 1, arbitrary: fc.constantFrom(400, 503).map((status): Body => ({ raise: { error: { type: "https://x.test/e", status } } })) },
  { weight: 2, arbitrary: fc.record({ wait: fc.constantFrom(0, 2, 30).map((seconds) => ({ seconds })), timeout }).map(compact) },
  { weight: 1, arbitrary: fc.constant<Body>({ emit: { event: { with: { type: "said", data: "${ . }" } } } }) },
  {
    weight: 2,
    arbitrary: fc
      .record({
        to: fc.constantFrom<JsonObject>(
          { one: { with: { type: "a" } } },
          { all: [{ with: { type: "a" } }, { with: { type: "b" } }] },
          { any: [], until: "length > 1" },
          { any: [{ with: { type: "a" } }], until: { one: { with: { type: "b" } } } },
          { one: { with: { type: "a" }, correlate: { n: { from: ".data", expect: "${ 1 }" } } } },
        ),
        timeout,
      })
      .map(({ to, timeout: limit }) => compact({ listen: { to }, timeout: limit })),
  },
  {
    weight: 2,
    arbitrary: fc
      .record({ await: fc.constantFrom(true, true, false), timeout, output })
      .map(({ await: awaited, ...more }) =>
        compact({ run: { workflow: { namespace: "n", name: "child", version: "1.0.0" }, await: awaited }, ...more }),
      ),
  },
  { weight: 1, arbitrary: fc.constant<Body>({ call: "helper", with: { from: "${ . }" } }) },
);

const { bodies } = fc.letrec<{ task: Body; bodies: Body[] }>((tie) => {
  const inner = tie("bodies").map(list);
  const more = { timeout, output, then };
  return {
    task: fc.oneof(
      { depthSize: "small", withCrossShrink: true },
      { weight: 8, arbitrary: simple },
      { weight: 2, arbitrary: fc.record({ do: inner, ...more, metadata: seldom(slot) }).map(compact) },
      { weight: 1, arbitrary: fc.record({ do: inner, ...more, metadata: saga }).map(compact) },
      {
        weight: 2,
        arbitrary: fc
          .record({
            in: fc.constantFrom("[]", "[1]", "[1,2,3]"),
            while: seldom(fc.constantFrom("$index < 2", 'error("chosen")')),
            do: inner,
            ...more,
          })
          .map(({ in: items, ...rest }) => compact({ for: { in: items }, ...rest })),
      },
      {
        weight: 3,
        arbitrary: fc
          .record({ branches: inner, compete: fc.boolean(), ...more })
          .map(({ branches, compete, ...rest }) => compact({ fork: { branches, compete }, ...rest })),
      },
      {
        weight: 4,
        arbitrary: fc
          .record({
            try: inner,
            retry: fc.option(
              fc.record({
                delay: fc.constantFrom(0, 1).map((seconds) => ({ seconds })),
                limit: fc.constant({ attempt: { count: 2, duration: { seconds: 20 } } }),
              }),
              { nil: undefined },
            ),
            do: fc.option(inner, { nil: undefined }),
            ...more,
          })
          .map(({ try: tried, retry, do: handler, ...rest }) =>
            compact({ try: tried, catch: compact({ retry: retry as Json | undefined, do: handler }), ...rest }),
          ),
      },
      {
        weight: 1,
        arbitrary: fc.record({ do: inner, output }).map((foreach) =>
          compact({
            listen: { to: { any: [{ with: { type: "a" } }], until: { one: { with: { type: "b" } } } } },
            foreach: compact(foreach),
          }),
        ),
      },
      {
        weight: 1,
        arbitrary: tie("task").map((body): Body => ({
          do: [
            { again: body },
            { count: { set: { x: 1 }, export: { as: "{ rounds: ((($context | objects | .rounds) // 0) + 1) }" } } },
            {
              more: {
                switch: [
                  { a: { when: `(($context | objects | .rounds) // 0) < ${ROUNDS_MAX}`, then: "again" } },
                  { b: { then: "continue" } },
                ],
              },
            },
          ],
        })),
      },
    ),
    bodies: fc.array(tie("task"), { minLength: 1, maxLength: 3 }),
  };
});

/** One or two extensions around some of the tasks. */
const extensions = fc
  .array(
    fc
      .record({
        extend: fc.constantFrom("call", "composite", "for", "listen", "run", "set", "try", "wait", "all"),
        when: seldom(fc.constantFrom("false", '$task.name == "t0"', 'error("chosen")')),
        before: seldom(bodies.map(list)),
        after: seldom(bodies.map(list)),
      })
      .map(compact),
    { minLength: 1, maxLength: 2 },
  )
  .map((all) => all.map((body, position) => ({ [`e${position}`]: body })));

export const randomDocument: fc.Arbitrary<JsonObject> = fc
  .record({
    bodies,
    timeout: fc.oneof({ weight: 1, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: timeout }),
    isSlotted: fc.nat(9),
    whole: fc.oneof({ weight: 8, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: saga }),
    extensions: fc.option(extensions, { nil: undefined, freq: 3 }),
  })
  .map(({ bodies: tasks, timeout: limit, isSlotted, whole, extensions: around }) =>
    compact({
      document: compact({
        dsl: "1.0.3",
        namespace: "test",
        name: "random",
        version: "1.0.0",
        metadata: isSlotted === 9 ? { tutti: { concurrency: { key: '"r"', limit: 1, onConflict: "replace" } } } : whole,
      }),
      use: compact({ functions: { helper: { call: "x.unsafe:1@t", with: { value: "${ . }" } } }, extensions: around }),
      timeout: limit,
      do: list(tasks),
    }),
  );
