import { describe, expect, it } from "vitest";
import { TestRun } from "./test-run.ts";

const echo = { "echo.say:1@test": (input: Readonly<Record<string, unknown>>) => (input["value"] ?? null) as never };

describe("data flow", () => {
  it("passes each task's output to the next one as its input", () => {
    const run = new TestRun({
      document: `
do:
  - red: { set: { colors: '\${ .colors + ["red"] }' } }
  - green: { set: { colors: '\${ .colors + ["green"] }' } }`,
      input: {},
    });
    expect(run.summary).toMatchObject({ status: "completed", output: { colors: ["red", "green"] } });
  });

  it("evaluates every position on what the specification says", () => {
    const run = new TestRun({
      functions: echo,
      input: { raw: { id: 7 } },
      document: `
input: { from: .raw }
output: { as: '{ final: ., context: $context }' }
do:
  - first:
      input: { from: '{ id: (.id + 1), rawId: $task.input.id }' }
      call: echo.say:1@test
      with: { value: { seen: '\${ . }', input: '\${ $input }', name: '\${ $task.name }', ref: '\${ $task.reference }', given: '\${ $workflow.input.raw.id }' } }
      output: { as: '{ out: ., taskInput: $input.id, rawOut: $task.output.name }' }
      export: { as: '{ exported: .taskInput, same: ($output == .), before: $context }' }`,
    });
    expect(run.summary.output).toEqual({
      final: {
        out: { seen: { id: 8, rawId: 7 }, input: { id: 8, rawId: 7 }, name: "first", ref: "/do/0/first", given: 7 },
        taskInput: 8,
        rawOut: "first",
      },
      context: { exported: 8, same: true, before: { id: 7 } },
    });
  });

  it("takes the raw input as output of a task whose condition is false, and ignores its jump", () => {
    const run = new TestRun({
      input: { a: 1 },
      document: `
do:
  - skipped: { if: .a > 1, set: { b: 2 }, then: end }
  - last: { set: { c: '\${ .a }' } }`,
    });
    expect(run.summary.output).toEqual({ c: 1 });
    expect(run.view.tasks.map((task) => [task.name, task.status])).toEqual([
      ["skipped", "skipped"],
      ["last", "completed"],
    ]);
  });

  it.each([
    ["workflow input", "input: { schema: { document: { type: object, required: [x] } } }\ndo: [ { a: { set: { y: 1 } } } ]", "/"],
    ["task input", "do: [ { a: { input: { schema: { document: { type: object, required: [x] } } }, set: { y: 1 } } } ]", "/do/0/a"],
    ["task output", "do: [ { a: { set: { y: 1 }, output: { schema: { document: { type: object, required: [x] } } } } } ]", "/do/0/a"],
    [
      "exported context",
      "do: [ { a: { set: { y: 1 }, export: { as: ., schema: { document: { type: object, required: [x] } } } } } ]",
      "/do/0/a",
    ],
    ["workflow output", "output: { schema: { document: { type: object, required: [x] } } }\ndo: [ { a: { set: { y: 1 } } } ]", "/"],
  ])("faults with a validation error when the %s does not match its schema", (_what, document, instance) => {
    const run = new TestRun({ document, input: {} });
    expect(run.summary).toMatchObject({
      status: "faulted",
      error: { type: "https://open-workflow-specification.org/spec/1.0.0/errors/validation", status: 400, instance },
    });
  });

  it("names the expression that failed", () => {
    const run = new TestRun({ document: "do: [ { a: { set: { y: '${ .x | keys }' } } } ]", input: { x: 1 } });
    expect(run.summary.error).toMatchObject({ status: 400, instance: "/do/0/a", detail: "in the expression:  .x | keys " });
  });

  it("never takes data for an expression", () => {
    const run = new TestRun({
      document: "do: [ { a: { set: { y: '${ .x }' } } }, { b: { set: { z: '${ .y }' } } } ]",
      input: { x: "${ 1 + 1 }" },
    });
    expect(run.summary.output).toEqual({ z: "${ 1 + 1 }" });
  });
});

describe("flow directives", () => {
  it("follows jumps, exit and end within their scope", () => {
    const run = new TestRun({
      document: `
do:
  - a: { set: { trace: [a] }, then: c }
  - b: { set: { trace: '\${ .trace + ["b"] }' }, then: end }
  - c:
      do:
        - c1: { set: { trace: '\${ .trace + ["c1"] }' }, then: exit }
        - c2: { set: { trace: '\${ .trace + ["c2"] }' } }
      then: b
  - d: { set: { trace: '\${ .trace + ["d"] }' } }`,
    });
    expect(run.summary.output).toEqual({ trace: ["a", "c1", "b"] });
  });

  it("gives a task that control enters again a token of its own", () => {
    const tokens: string[] = [];
    const run = new TestRun({
      input: { n: 0 },
      functions: {
        "step.run:1@test": (_input, attempt) => {
          tokens.push(attempt.token);
          return null;
        },
      },
      document: `
do:
  - step: { call: step.run:1@test, output: { as: '{ n: ($input.n + 1) }' } }
  - again: { switch: [ { more: { when: .n < 3, then: step } }, { enough: { then: continue } } ] }`,
    });
    expect(run.summary).toMatchObject({ status: "completed", output: { n: 3 } });
    expect(new Set(tokens).size).toBe(3);
    expect(run.view.tasks.filter((task) => task.name === "step").map((task) => task.visit)).toEqual([1, 2, 3]);
  });

  it("takes the default case, or goes on when no case matches", () => {
    const document = (cases: string) => `
do:
  - choose: { switch: [ ${cases} ] }
  - one: { set: { at: one }, then: end }
  - two: { set: { at: two }, then: end }`;
    const at = (cases: string) => new TestRun({ document: document(cases), input: { x: 1 } }).summary.output;
    expect(at("{ a: { when: .x == 1, then: two } }, { b: { then: one } }")).toEqual({ at: "two" });
    expect(at("{ a: { when: .x == 2, then: one } }, { b: { then: two } }")).toEqual({ at: "two" });
    expect(at("{ a: { when: .x == 2, then: two } }")).toEqual({ at: "one" });
  });

  it("ends a loop of jumps that does nothing", () => {
    const run = new TestRun({ document: "do: [ { a: { set: { x: 1 }, then: b } }, { b: { set: { x: 2 }, then: a } } ]" });
    expect(run.summary).toMatchObject({ status: "faulted", error: { status: 500, detail: "Is there a loop of `then` jumps?" } });
  });
});

describe("loops", () => {
  it("feeds an iteration's output to the next, with item and index", () => {
    const run = new TestRun({
      input: { colors: ["red", "green"] },
      document: `
do:
  - loop:
      for: { each: color, in: .colors, at: i }
      do:
        - mark: { set: { done: '\${ .done + [{ c: $color, i: $i }] }' } }`,
    });
    expect(run.summary.output).toEqual({
      done: [
        { c: "red", i: 0 },
        { c: "green", i: 1 },
      ],
    });
  });

  it("stops when `while` is false, and takes an inline array", () => {
    const run = new TestRun({
      input: { sum: 0 },
      document: `
do:
  - loop:
      for: { in: [ { n: 1 }, { n: 2 }, { n: 4 } ] }
      while: .sum < 3
      do: [ { add: { set: { sum: '\${ .sum + $item.n }' } } } ]`,
    });
    expect(run.summary.output).toEqual({ sum: 3 });
  });

  it("gives its input when there is nothing to iterate, and refuses what is no array", () => {
    const document = "do: [ { loop: { for: { in: .items }, do: [ { a: { set: { b: 1 } } } ] } } ]";
    expect(new TestRun({ document, input: { items: [] } }).summary.output).toEqual({ items: [] });
    expect(new TestRun({ document, input: { items: 3 } }).summary.error?.title).toBe("for.in must be an array, not 3");
  });

  it("runs a hundred thousand iterations without growing its stack or its state", () => {
    const run = new TestRun({
      input: { n: 0 },
      document: "do: [ { loop: { for: { in: '[range(100000)]' }, do: [ { add: { set: { n: '${ .n + 1 }' } } } ] } } ]",
    });
    expect(run.summary.output).toEqual({ n: 100_000 });
    expect(run.state.tasks.size).toBe(1);
  });

  it("tokens differ per iteration and are the same in each run of the same id", () => {
    const tokens = () => {
      const seen: string[] = [];
      const document = "do: [ { loop: { for: { in: '[1,2]' }, do: [ { s: { call: 's.s:1@t' } } ] } } ]";
      new TestRun({ document, functions: { "s.s:1@t": (_input, attempt) => (seen.push(attempt.token), null) } });
      return seen;
    };
    expect(new Set(tokens()).size).toBe(2);
    expect(tokens()).toEqual(tokens());
  });
});

describe("functions of the document", () => {
  it("run their task with the arguments as input", () => {
    const run = new TestRun({
      functions: echo,
      input: { who: "Ana" },
      document: `
use:
  functions:
    greet: { call: echo.say:1@test, with: { value: '\${ "Hello \\(.name)" }' } }
do:
  - hello: { call: greet, with: { name: '\${ .who }' } }`,
    });
    expect(run.summary.output).toBe("Hello Ana");
  });
});

describe("names and places", () => {
  it("tells the place of a task as a JSON pointer, whatever its name", () => {
    const run = new TestRun({ document: `do: [ { "a/b~c": { raise: { error: { type: "https://x.test/e", status: 500 } } } } ]` });
    expect(run.summary.error).toMatchObject({ instance: "/do/0/a~1b~0c" });
  });

  it("expands what is missing or null in a URI template to nothing", () => {
    const run = new TestRun({
      document: `do: [ { get: { call: http, with: { method: get, endpoint: "https://x.test/{missing}/{none}/{id}" } } } ]`,
      input: { none: null, id: "a b" },
      functions: { http: (input) => input["endpoint"] ?? null },
    });
    expect(run.summary.output).toBe("https://x.test///a%20b");
  });

  it("encodes in a URI template all that RFC 6570 reserves, and half a surrogate pair too", () => {
    const run = new TestRun({
      document: `do: [ { get: { call: http, with: { method: get, endpoint: "https://x.test/{a}/{b}" } } } ]`,
      input: { a: "Hello World! (it's *)", b: "x\ud800" },
      functions: { http: (input) => input["endpoint"] ?? null },
    });
    expect(run.summary.output).toBe("https://x.test/Hello%20World%21%20%28it%27s%20%2A%29/x%EF%BF%BD");
  });
});
