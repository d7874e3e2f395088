import { isJsonObject, type Json, jsonEqual, type JsonObject, UNKNOWN_MEMBER, unknownOf } from "@tutti/model";
import fc from "fast-check";
import { expect, test } from "vitest";
import type { TestFunction } from "../test-run.ts";
import { outlook } from "./preview-world-for-tests.ts";

const CASES = Number(process.env["ENGINE_CASES"] ?? 300);

/** Expressions over what calls give, and over what is known. */
const condition = fc.constantFrom(
  "${ .flag }",
  "${ .n > 1 }",
  "${ $context.last.flag == true }",
  "${ $context.known == 2 }",
  "${ (.flag // false) and ($context.known > 1) }",
  "${ [.list[]?] | length > 0 }",
);
const id = fc.constantFrom(
  "fixed",
  "${ $context.known | tostring }",
  '${ "x-\\(.n)" }',
  '${ .id // "none" }',
  "${ $context.last.id // $context.known }",
  '${ if .flag then "a" else "b" end }',
  "${ {known: $context.known, last: $context.last.n, all: [$context.known, .n]} }",
);

type Task = JsonObject;
const list = (tasks: readonly Task[]): Json => tasks.map((task, position) => ({ [`t${position}`]: task }));
const exported = { as: "${ {known: 2, last: .} }" };

const leaf: fc.Arbitrary<Task> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc
      .record({ id, if: fc.option(condition, { nil: undefined }) })
      .map(({ id: given, if: when }): Task => ({ call: "thing.make:1@t", with: { id: given }, ...(when !== undefined && { if: when }) })),
  },
  {
    weight: 3,
    arbitrary: fc
      .boolean()
      .map((isExported): Task => ({ call: "thing.shout:1@t", with: { of: "${ .n }" }, ...(isExported && { export: exported }) })),
  },
  { weight: 1, arbitrary: fc.constant<Task>({ call: "thing.look:1@t", with: {} }) },
  {
    weight: 1,
    arbitrary: fc.constantFrom<Task>(
      { set: { flag: true, n: 5 } },
      { set: { n: "${ .n }", flag: "${ .flag }" } },
      { wait: { seconds: 5 } },
    ),
  },
  {
    weight: 2,
    arbitrary: fc
      .record({ when: condition, then: fc.constantFrom("exit", "end", "continue") })
      .map(({ when, then }): Task => ({ switch: [{ a: { when, then } }, { b: { then: "continue" } }] })),
  },
);
const { task } = fc.letrec<{ task: Task }>((tie) => ({
  task: fc.oneof(
    { maxDepth: 2, depthSize: "small" },
    leaf,
    fc.array(tie("task"), { minLength: 1, maxLength: 3 }).map((tasks): Task => ({ do: list(tasks) })),
    fc
      .array(tie("task"), { minLength: 1, maxLength: 3 })
      .map((tasks): Task => ({ for: { in: "${ [.list[]?] }", each: "one" }, do: list(tasks) })),
    fc
      .array(tie("task"), { minLength: 1, maxLength: 2 })
      .map((tasks): Task => ({ for: { in: "${ [1, 2] }", each: "one" }, do: list(tasks) })),
    fc.tuple(tie("task"), tie("task")).map(([a, b]): Task => ({ fork: { branches: [{ a }, { b }] }, output: { as: "${ {n: 1} }" } })),
    fc
      .array(tie("task"), { minLength: 1, maxLength: 2 })
      .map((tasks): Task => ({ try: list(tasks), catch: { do: [{ c: { call: "thing.make:1@t", with: { id: "caught" } } }] } })),
  ),
}));

const answers = fc.array(
  fc.record({ flag: fc.boolean(), n: fc.nat(3), id: fc.constantFrom("p", "q"), list: fc.array(fc.nat(2), { maxLength: 1 }) }),
  {
    minLength: 1,
    maxLength: 6,
  },
);

test(
  "what a run does was foreseen: each of its calls, with what was known of their arguments; and all that was certain",
  async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(task, { minLength: 1, maxLength: 5 }), answers, async (tasks, given) => {
        let count = 0;
        const sent = new Map<string, JsonObject>();
        const shout: TestFunction = (input, { token }) => (sent.set(token, input), given[count++ % given.length] as Json);
        const make: TestFunction = (input, { token }) => (
          sent.set(token, input),
          { ...given[count++ % given.length], id: input["id"] ?? null }
        );
        const { outlook: seen, run } = await outlook(`do: ${JSON.stringify(list(tasks))}`, {
          input: { known: 2 },
          functions: { "thing.shout:1@t": shout, "thing.make:1@t": make },
        });
        while (run.summary.status === "waiting") run.tick();
        const foreseen = new Map(seen.calls.map((call) => [call.token, call]));
        for (const [token, input] of sent) {
          const call = foreseen.get(token);
          if (call === undefined) expect(seen.isComplete, `a call with ${JSON.stringify(input)} was foreseen`).toBe(false);
          // What differs from path to path is shown as it is on one of them.
          else if (call.effects !== undefined || call.reason?.startsWith("depends") === true)
            expect(agrees(call.with, input), `${JSON.stringify(call.with)} foretells ${JSON.stringify(input)}`).toBe(true);
        }
        if (run.summary.status !== "completed") return;
        for (const call of seen.calls)
          if (call.certainty.kind === "certain" && call.class !== "read") expect(sent.has(call.token), `${call.path} happened`).toBe(true);
      }),
      { numRuns: CASES, seed: Number(process.env["SEED"] ?? 20_261_123) },
    );
  },
  60_000 + CASES * 200,
);

/** Whether the value is what was said of it, wherever something was said. */
function agrees(said: Json, value: Json | undefined): boolean {
  if (unknownOf(said) !== undefined) {
    const known = Object.entries(said as JsonObject).filter(([key]) => key !== UNKNOWN_MEMBER);
    return known.every(([key, part]) => isJsonObject(value) && agrees(part, value[key]));
  }
  if (Array.isArray(said))
    return Array.isArray(value) && said.length === value.length && said.every((item: Json, index) => agrees(item, value[index] as Json));
  if (!isJsonObject(said)) return jsonEqual(said, value);
  return (
    isJsonObject(value) &&
    Object.keys(value).length === Object.keys(said).length &&
    Object.entries(said).every(([key, part]) => agrees(part, value[key]))
  );
}
