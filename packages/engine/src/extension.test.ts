import { describe, expect, it } from "vitest";
import { answer, HANG, TestRun } from "./test-run.ts";
import { captureResumePoint } from "./view-run.ts";

const said = (run: TestRun): readonly unknown[] => run.emitted.map((event) => event.data);
const say = (name: string, data: string) => `{ ${name}: { emit: { event: { with: { type: said, data: ${data} } } } } }`;
/** An extension that says its name before and after. */
const around = (name: string, target = "set", more = "") =>
  `- ${name}: { extend: ${target}, ${more} before: [ ${say("say", `'before ${name}'`)} ], after: [ ${say("say", `'after ${name}'`)} ] }`;

describe("data around an extended task", () => {
  it("before it, `.` is the transformed input; after it, the transformed output; $task is the extended task", () => {
    const run = new TestRun({
      input: { n: 1 },
      document: `
use:
  extensions:
    - log:
        extend: set
        before: [ ${say("in", "'${ { dot: ., input: $input, name: $task.name, at: $task.reference, raw: $task.input, out: $task.output, set: $task.set } }'")} ]
        after: [ ${say("out", "'${ { dot: ., out: $task.output, context: $context } }'")} ]
do: [ { work: { input: { from: "{ m: .n }" }, set: { r: "\${ .m + 1 }" }, output: { as: "{ s: .r }" }, export: { as: "{ kept: .s }" } } } ]`,
    });
    expect(said(run)).toEqual([
      { dot: { m: 1 }, input: { m: 1 }, name: "work", at: "/do/0/work", raw: { n: 1 }, out: null, set: { r: "${ .m + 1 }" } },
      { dot: { s: 2 }, out: { r: 2 }, context: { kept: 2 } },
    ]);
    expect(run.summary.output).toEqual({ s: 2 });
  });

  it("what the lists give is dropped; what they export stays", () => {
    const run = new TestRun({
      document: `
use:
  extensions:
    - note:
        extend: call
        before: [ { a: { set: { lost: true }, export: { as: "{ seen: 1 }" } } } ]
        after: [ { b: { set: { lost: true }, export: { as: "$context + { then: 2 }" } } } ]
do: [ { act: { call: x.do:1@t, with: { seen: "\${ $context.seen }" } } }, { last: { input: { from: "{ got: ., c: $context }" }, do: [ { x: { wait: PT0S } } ] } } ]`,
      functions: { "x.do:1@t": (input) => input },
    }).finish();
    expect(run.summary.output).toEqual({ got: { seen: 1 }, c: { seen: 1, then: 2 } });
  });

  it("nothing around a task sees the variables of loops and catches", () => {
    const run = new TestRun({
      document: `
use: { extensions: [ { log: { extend: set, before: [ { l: { for: { each: x, in: "[7]" }, do: [ ${say("s", '"${ $x }"')} ] } } ] } } ] }
do: [ { loop: { for: { each: item, in: "[1,2]" }, do: [ { s: { set: { v: "\${ $item }" } } } ] } } ]`,
    });
    expect(said(run)).toEqual([7, 7]);
    expect(run.summary.output).toEqual({ v: 2 });
  });
});

describe("which extensions apply", () => {
  it("by kind, wherever the task stands, but never to tasks of extensions", () => {
    const run = new TestRun({
      document: `
use:
  functions: { f: { set: { f: 1 } } }
  extensions:
    ${around("sets")}
    ${around("composites", "composite")}
    - everything: { extend: all, when: '$task.name == "b"', before: [ { quiet: { call: f } } ] }
do: [ { a: { do: [ { b: { set: { x: 1 } } } ] } }, { c: { fork: { branches: [ { d: { call: f } } ] } } } ]`,
    });
    expect(said(run)).toEqual([
      "before composites",
      "before sets",
      "after sets",
      "after composites",
      "before composites",
      "before sets",
      "after sets",
      "after composites",
    ]);
    expect(run.summary.output).toEqual([{ f: 1 }]);
  });

  it("not around a task that `if` leaves out, nor around the tasks that look an effect up", () => {
    const run = new TestRun({
      document: `
use: { extensions: [ { log: { extend: all, before: [ ${say("s", "'${ $task.name }'")} ] } } ] }
do:
  - no: { if: "false", set: { x: 1 } }
  - act: { call: x.do:1@t, metadata: { tutti: { effect: { class: findable, unique: true, find: [ { look: { set: "\${ 7 }" } } ] } } } }`,
      functions: { "x.do:1@t": () => ({ kind: "unknown", reason: "crash", error: { type: "t", status: 500, title: "gone" } }) },
    });
    expect(said(run)).toEqual(["act"]);
    expect(run.summary.output).toBe(7);
  });

  it("`when` is asked on the way in, and decides about both lists", () => {
    const run = new TestRun({
      input: 1,
      document: `
use:
  extensions:
    ${around("odd", "set", "when: '. % 2 == 1',")}
do: [ { a: { set: "\${ . + 1 }" } }, { b: { set: "\${ . + 2 }" } } ]`,
    });
    expect(said(run)).toEqual(["before odd", "after odd"]);
  });

  it("a `when` that cannot be evaluated is the task's error, and is asked again by a resume", () => {
    const run = new TestRun({
      input: { n: 1 },
      document: `
use: { extensions: [ { first: { extend: call, before: [ { f: { call: x.pay:1@t } } ] } }, { check: { extend: call, when: '.n | startswith("a")', before: [ ${say("s", "'checked'")} ] } } ] }
do: [ { act: { call: x.do:1@t, with: { n: "\${ .n }" } } } ]`,
      effects: { "x.pay:1@t": "unsafe" },
      functions: { "x.do:1@t": (input) => input, "x.pay:1@t": () => null },
    });
    expect(run.summary).toMatchObject({ status: "faulted", error: { status: 400, instance: "/use/extensions/1/check/when" } });
    run.operate({ kind: "resume", setInput: { n: "abc" } });
    expect(run.summary).toMatchObject({ status: "completed", output: { n: "abc" } });
    // What the first extension did is not done again.
    expect(run.sent.map((attempt) => attempt.function)).toEqual(["x.pay:1@t", "x.do:1@t"]);
    expect(said(run)).toEqual(["checked"]);
  });
});

describe("the order of several extensions", () => {
  it("the first is the outermost", () => {
    const run = new TestRun({
      document: `use:\n  extensions:\n    ${around("one")}\n    ${around("two")}\ndo: [ { a: { set: { x: 1 } } } ]`,
    });
    expect(said(run)).toEqual(["before one", "before two", "after two", "after one"]);
  });

  it("`exit` before a task stands for the task and for what is further in; its output is transformed like the task's", () => {
    const run = new TestRun({
      document: `
use:
  extensions:
    ${around("outer", "call")}
    - mock: { extend: call, before: [ { answer: { set: { mocked: 1 }, then: exit } }, { never: { raise: { error: { type: e, status: 500 } } } } ], after: [ ${say("s", "'after mock'")} ] }
    ${around("inner", "call")}
do: [ { act: { call: x.do:1@t, output: { as: "{ got: .mocked }" }, export: { as: "." }, then: last } }, { skipped: { set: { x: 1 } } }, { last: { set: { got: "\${ .got }", context: "\${ $context }" } } } ]`,
      functions: { "x.do:1@t": () => "real" },
    });
    expect(run.sent).toEqual([]);
    expect(said(run)).toEqual(["before outer", "after outer"]);
    expect(run.summary.output).toEqual({ got: 1, context: { got: 1 } });
  });

  it("`exit` after a task ends the list; `end` ends the workflow", () => {
    const run = new TestRun({
      document: `
use:
  extensions:
    - one: { extend: set, after: [ { a: { wait: PT0S, then: exit } }, ${say("s", "'never'")} ] }
do: [ { a: { set: { x: 1 } } } ]`,
    }).finish();
    expect(said(run)).toEqual([]);
    expect(run.summary.output).toEqual({ x: 1 });
    const ended = new TestRun({
      document: `
use: { extensions: [ { one: { extend: set, before: [ { a: { wait: PT0S, then: end } } ] } } ] }
do: [ { a: { input: { from: "{ was: 1 }" }, set: { x: 1 } } } ]`,
    }).finish();
    expect(ended.summary).toMatchObject({ status: "completed", output: { was: 1 } });
  });
});

describe("errors, limits and operators", () => {
  const CHECKED = `
use: { extensions: [ { check: { extend: call, before: [ { ask: { call: x.ask:1@t } } ], after: [ { tell: { call: x.tell:1@t } } ] } } ] }
`;

  it("an error in a list is for the scopes around the task, never for its own catch", () => {
    const run = new TestRun({
      document: `
use: { extensions: [ { check: { extend: try, before: [ { boom: { raise: { error: { type: e, status: 418 } } } } ] } } ] }
do: [ { t: { try: [ { a: { set: { x: 1 } } } ], catch: { do: [ { own: { set: { own: true } } } ] } } } ]`,
    });
    expect(run.summary).toMatchObject({ status: "faulted", error: { status: 418, instance: "/use/extensions/0/check/before/0/boom" } });
    run.operate({ kind: "skip", task: 2 });
    expect(run.summary).toMatchObject({ status: "completed", output: { x: 1 } });
  });

  it("a task whose `after` failed is not made again: a resume goes on with the list", () => {
    let told = 0;
    const run = new TestRun({
      document: `${CHECKED}do: [ { act: { call: x.do:1@t } } ]`,
      functions: { "x.ask:1@t": () => 1, "x.do:1@t": () => "done", "x.tell:1@t": () => (++told === 1 ? answer(503) : 1) },
      effects: { "x.do:1@t": "unsafe" },
    });
    expect(run.summary.status).toBe("faulted");
    run.operate({ kind: "resume" });
    expect(run.summary).toMatchObject({ status: "completed", output: "done" });
    expect(run.sent.map((attempt) => attempt.function)).toEqual(["x.ask:1@t", "x.do:1@t", "x.tell:1@t", "x.tell:1@t"]);
  });

  it("a repeated block adopts an `unsafe` task whose `after` failed", () => {
    let told = 0;
    const run = new TestRun({
      document: `${CHECKED}do: [ { t: { try: [ { act: { call: x.do:1@t, output: { as: "{ was: . }" } } } ], catch: { retry: { limit: { attempt: { count: 3 } } } } } } ]`,
      functions: { "x.ask:1@t": () => 1, "x.do:1@t": () => "done", "x.tell:1@t": () => (++told === 1 ? answer(503) : 1) },
      effects: { "x.do:1@t": "unsafe" },
    }).finish();
    expect(run.summary).toMatchObject({ status: "completed", output: { was: "done" } });
    expect(run.sent.filter((attempt) => attempt.function === "x.do:1@t").length).toBe(1);
  });

  it("a resumed or repeated task does not run its `before` again; a new entry does, with tokens of its own", () => {
    let done = 0;
    const run = new TestRun({
      document: `${CHECKED}do: [ { act: { call: x.do:1@t } }, { again: { switch: [ { once: { when: '. < 3', then: act } }, { enough: { then: end } } ] } } ]`,
      functions: { "x.ask:1@t": () => 1, "x.do:1@t": () => (++done === 1 ? answer(503) : done), "x.tell:1@t": () => 1 },
    });
    expect(run.summary.status).toBe("faulted");
    run.operate({ kind: "resume" });
    expect(run.summary).toMatchObject({ status: "completed", output: 3 });
    const asked = run.sent.filter((attempt) => attempt.function === "x.ask:1@t");
    expect(asked.length).toBe(2);
    expect(new Set(asked.map((attempt) => attempt.token)).size).toBe(2);
  });

  it("the task's time limit and slot are for the task alone", () => {
    const run = new TestRun({
      document: `
use: { extensions: [ { slow: { extend: call, before: [ { w: { wait: PT10S } } ], after: [ { w: { wait: PT10S } } ] } } ] }
do: [ { act: { call: x.do:1@t, timeout: { after: PT5S } } } ]`,
      functions: { "x.do:1@t": () => "in time" },
    }).finish();
    expect(run.summary).toMatchObject({ status: "completed", output: "in time" });

    const late = new TestRun({
      document: `
use: { extensions: [ { slow: { extend: call, before: [ { w: { wait: PT1S } } ], after: [ ${say("s", "'never'")} ] } } ] }
do: [ { act: { call: x.do:1@t, timeout: { after: PT5S } } } ]`,
      functions: { "x.do:1@t": () => HANG },
    }).finish();
    expect(late.summary).toMatchObject({ status: "faulted", error: { status: 408 } });
    expect(said(late)).toEqual([]);
  });

  it("a skipped task is followed by what applies after it", () => {
    const run = new TestRun({
      document: `use:\n  extensions:\n    ${around("log", "raise")}\ndo: [ { boom: { raise: { error: { type: e, status: 500 } } } } ]`,
    });
    run.operate({ kind: "skip", task: 1, output: "by hand" });
    expect(run.summary.output).toBe("by hand");
    expect(said(run)).toEqual(["before log", "after log"]);
  });

  it("resume --from a task inside an extended block keeps what follows the block; from inside an extension it is refused", () => {
    const run = new TestRun({
      document: `use:\n  extensions:\n    ${around("log", "composite")}\ndo: [ { block: { do: [ { a: { set: { x: 1 } } }, { boom: { raise: { error: { type: e, status: 500 } } } } ] } } ]`,
    });
    run.operate({ kind: "resume", from: captureResumePoint(run.records, "/do/block/do/a", run.context) });
    expect(run.summary.status).toBe("faulted");
    const failed = [...run.state.tasks.values()].find((task) => task.phase === "failed");
    run.operate({ kind: "skip", task: failed?.id ?? -1 });
    expect(run.summary).toMatchObject({ status: "completed", output: { x: 1 } });
    expect(said(run)).toEqual(["before log", "after log"]);
    expect(() => captureResumePoint(run.records, "/do/block/before/log/say", run.context)).toThrow(/stands inside \/do\/block/);
  });

  it("shows in the view as tasks of their own under the task", () => {
    const run = new TestRun({ document: `use:\n  extensions:\n    ${around("log")}\ndo: [ { a: { set: { x: 1 } } } ]` });
    expect(run.view.tasks[0]?.children.map(({ path, extension, status }) => ({ path, extension, status }))).toEqual([
      { path: "/do/a/before/log/say", extension: { name: "log", stage: "before" }, status: "completed" },
      { path: "/do/a/after/log/say", extension: { name: "log", stage: "after" }, status: "completed" },
    ]);
  });
});
