import { describe, expect, it } from "vitest";
import { answer, HANG, TestRun, unknown } from "./test-run.ts";
import { captureResumePoint } from "./view-run.ts";

const BAD_OUTPUT = "output: { as: 'if $context.mended then . else error(\"unusable\") end' }";

describe("an effect that happened and whose output could not be used", () => {
  it("unsafe: is not made again by a resume, nor by a retry of its block", () => {
    const resumed = new TestRun({
      document: `do: [ { act: { call: x.do:1@t, ${BAD_OUTPUT} } } ]`,
      effects: { "x.do:1@t": "unsafe" },
      functions: { "x.do:1@t": () => "made" },
    });
    expect(resumed.summary.status).toBe("faulted");
    resumed.operate({ kind: "resume" });
    expect(resumed.summary.status).toBe("faulted");
    expect(resumed.sent.length).toBe(1);
    resumed.operate({ kind: "resume", outputs: { "/do/act": "by hand" } });
    expect(resumed.summary.output).toBe("by hand");

    const retried = new TestRun({
      document: `do: [ { t: { try: [ { act: { call: x.do:1@t, ${BAD_OUTPUT} } } ], catch: { retry: { limit: { attempt: { count: 3 } } } } } } ]`,
      effects: { "x.do:1@t": "unsafe" },
      functions: { "x.do:1@t": () => "made" },
    }).finish();
    expect(retried.summary.status).toBe("faulted");
    expect(retried.sent.length).toBe(1);
  });

  it("findable: is looked up before anything is sent again", () => {
    const run = new TestRun({
      document: `do: [ { act: { call: x.do:1@t, ${BAD_OUTPUT} } } ]`,
      effects: { "x.do:1@t": "findable" },
      functions: { "x.do:1@t": () => "made" },
      finds: { "x.do:1@t": () => "found" },
    });
    run.operate({ kind: "resume" });
    expect(run.sent.length).toBe(1);
  });

  it("a block goes on with the output it had, and does nothing inside it again", () => {
    const run = new TestRun({
      document: `do: [ { block: { do: [ { act: { call: x.do:1@t } } ], ${BAD_OUTPUT} } } ]`,
      effects: { "x.do:1@t": "unsafe" },
      functions: { "x.do:1@t": () => "made" },
    });
    run.operate({ kind: "resume" });
    expect(run.summary.status).toBe("faulted");
    expect(run.sent.length).toBe(1);
  });

  it("is made anew, under a new token, when a person gives another input", () => {
    const run = new TestRun({
      document: "do: [ { act: { call: x.do:1@t, with: { n: '${ . }' }, output: { as: 'if . > 1 then . else error(\"small\") end' } } } ]",
      input: 1,
      effects: { "x.do:1@t": "unsafe" },
      functions: { "x.do:1@t": (input) => input["n"] ?? null },
    });
    run.operate({ kind: "resume", setInput: 2 });
    expect(run.summary.output).toBe(2);
    expect(new Set(run.sent.map((attempt) => attempt.token)).size).toBe(2);
  });
});

describe("unsafe effects of a repeated block", () => {
  it("whose outcome nobody knows are in doubt, also when a catch inside the block took their error", () => {
    let checks = 0;
    const run = new TestRun({
      document: `
do:
  - outer:
      try:
        - inner: { try: [ { act: { call: x.do:1@t } } ], catch: { do: [ { note: { set: { told: true } } } ] } }
        - check: { call: x.check:1@t }
      catch: { retry: { limit: { attempt: { count: 3 } } } }`,
      effects: { "x.do:1@t": "unsafe" },
      functions: { "x.do:1@t": () => unknown(), "x.check:1@t": () => (++checks === 1 ? answer(503) : "fine") },
    }).finish();
    expect(run.sent.filter((attempt) => attempt.function === "x.do:1@t").length).toBe(1);
    expect(run.summary).toMatchObject({ status: "waiting", inDoubt: 1 });
  });
});

describe("a failed task", () => {
  it("is not moved by the timer it waited for", () => {
    const run = new TestRun({ document: "do: [ { w: { wait: PT10S, timeout: { after: PT1S } } } ]" });
    run.tick();
    expect(run.summary).toMatchObject({ status: "faulted", error: { status: 408 } });
    expect(run.state.timers.size).toBe(0);
    run.operate({ kind: "resume" });
    expect(run.state.timers.size).toBe(2);
    run.tick();
    expect(run.summary.status).toBe("faulted");
  });

  it("takes no events, and listens again when it is resumed", () => {
    const run = new TestRun({ document: "do: [ { hear: { listen: { to: { one: { with: { type: t } } } }, timeout: { after: PT1S } } } ]" });
    run.tick();
    expect(run.summary.status).toBe("faulted");
    expect(run.commands.at(-2)).toMatchObject({ type: "unsubscribe" });
    expect(run.send("t", 1)).toBe(0);
    run.operate({ kind: "resume" });
    expect(run.send("t", 2)).toBe(1);
    expect(run.summary.output).toEqual([2]);
  });

  it("a try that timed out between two passes repeats its block once", () => {
    const run = new TestRun({
      functions: { "x.do:1@t": (_i, attempt) => (attempt.number === 1 ? answer(503) : HANG) },
      document:
        "do: [ { t: { timeout: { after: PT1S }, try: [ { act: { call: x.do:1@t } } ], catch: { retry: { delay: PT10S, limit: { attempt: { count: 3 } } } } } } ]",
    });
    run.tick();
    expect(run.summary.status).toBe("faulted");
    run.operate({ kind: "resume" });
    run.operate({ kind: "pause" });
    expect(run.state.tasks.size).toBe(3);
    expect([...run.state.timers.values()].map((timer) => timer.purpose)).toEqual(["task-timeout"]);
  });

  it("skipped with its inner tasks leaves none of them behind", () => {
    const run = new TestRun({
      document: "do: [ { block: { timeout: { after: PT1S }, do: [ { act: { call: x.do:1@t } } ] } }, { w: { wait: PT5S } } ]",
      functions: { "x.do:1@t": () => HANG },
    });
    run.tick();
    run.operate({ kind: "skip", task: 1, output: null });
    expect([...run.state.tasks.values()].map((task) => task.id)).toEqual([0, 3]);
    expect(run.state.tasks.get(3)?.rawInput).toBe(null);
    run.finish();
    expect(run.summary.status).toBe("completed");
  });

  it("skip takes a given null for the output", () => {
    const run = new TestRun({ document: "do: [ { a: { raise: { error: { type: x, status: 500 } } } } ]", input: { was: 1 } });
    run.operate({ kind: "skip", task: 1, output: null });
    expect(run.summary.output).toBe(null);
  });
});

describe("conditions that fail in the middle", () => {
  it("a loop's `while` is the loop's error, and is asked again by a resume", () => {
    const run = new TestRun({
      input: { n: 0 },
      document:
        "do: [ { l: { for: { in: '[1,2,3]' }, while: 'if .n == 1 then error(\"odd\") else true end', do: [ { s: { set: { n: '${ .n + 1 }' } } } ] } } ]",
    });
    expect(run.summary).toMatchObject({ status: "faulted", error: { status: 400, instance: "/do/0/l" } });
    run.operate({ kind: "resume" });
    expect(run.summary.status).toBe("faulted");
    run.operate({ kind: "skip", task: 1 });
    expect(run.summary.status).toBe("completed");
  });

  it("an iteration's output that cannot be transformed does not lose the iteration", () => {
    const run = new TestRun({
      document: `
do:
  - hear:
      listen: { to: { one: { with: { type: t } } } }
      foreach: { item: e, do: [ { s: { set: { x: 1 } } } ], output: { as: 'error("no")' } }`,
    });
    run.send("t", 1);
    expect(run.summary.status).toBe("faulted");
    run.operate({ kind: "resume" });
    expect(run.summary.status).toBe("faulted");
  });

  it("a computation without end stops where it has come to, whatever catch is around it", () => {
    const run = new TestRun({
      document: `
do:
  - t:
      try: [ { a: { set: { x: 1 }, then: b } }, { b: { set: { x: 2 }, then: a } } ]
      catch: { do: [ { c: { set: { caught: true } } } ] }`,
    });
    expect(run.summary).toMatchObject({ status: "faulted", error: { status: 500 } });
    expect([...run.state.tasks.values()].map((task) => task.phase)).toEqual(["active", "active", "failed"]);
  });
});

describe("the run itself", () => {
  it("takes an edited input when its own was refused", () => {
    const run = new TestRun({
      document:
        "input: { schema: { document: { type: object, required: [x] } } }\ndo: [ { a: { set: { y: '${ .x + $workflow.input.x }' } } } ]",
      input: {},
    });
    expect(run.summary.status).toBe("faulted");
    run.operate({ kind: "resume", setInput: { x: 2 } });
    expect(run.summary.output).toEqual({ y: 4 });
  });

  it("takes a supplied output as it is", () => {
    const run = new TestRun({ document: "output: { as: 'error(\"no\")' }\ndo: [ { a: { set: { y: 1 } } } ]" });
    expect(run.summary.status).toBe("faulted");
    run.operate({ kind: "resume", outputs: { "/": "by hand" } });
    expect(run.summary.output).toBe("by hand");
  });

  it("has its time limit again when it is resumed from a task", () => {
    const run = new TestRun({
      document: "timeout: { after: PT1M }\ndo: [ { a: { wait: PT10S } }, { b: { raise: { error: { type: x, status: 500 } } } } ]",
    }).finish();
    expect(run.summary.status).toBe("faulted");
    run.operate({ kind: "resume", from: captureResumePoint(run.records, "/do/a", run.context) });
    expect([...run.state.timers.values()].map((timer) => timer.purpose).toSorted()).toEqual(["run-timeout", "wait"]);
  });

  it("is as it was after a refused word", () => {
    const run = new TestRun({ document: "do: [ { a: { wait: PT10S } } ]" });
    const before = run.state.lastAtMs;
    run.nowMs += 5000;
    expect(() => run.operate({ kind: "retry" })).toThrow(/not possible/);
    expect(run.state.lastAtMs).toBe(before);
  });
});

describe("look-ups by tasks", () => {
  const document = (find: string) => `
do:
  - act:
      call: x.do:1@t
      metadata: { tutti: { effect: { class: findable, unique: true, find: ${find} } } }
  - after: { set: { got: '\${ . }' } }`;

  it("`end` inside them ends the look-up, not the workflow", () => {
    const run = new TestRun({
      document: document("[ { block: { do: [ { look: { set: { found: 1 }, then: end } }, { no: { set: { x: 1 } } } ] } } ]"),
      functions: { "x.do:1@t": () => unknown("crash") },
    });
    expect(run.summary.output).toEqual({ got: { found: 1 } });
  });

  it("inside a function see the variables of the loop around them", () => {
    const run = new TestRun({
      document: `
use:
  functions:
    all:
      for: { each: name, in: .names }
      do:
        - act:
            call: x.do:1@t
            metadata: { tutti: { effect: { class: findable, unique: true, find: [ { look: { set: { found: '\${ $name }' } } } ] } } }
do: [ { go: { call: all, with: { names: [ana] } } } ]`,
      functions: { "x.do:1@t": () => unknown("crash") },
    });
    expect(run.summary.output).toEqual({ found: "ana" });
  });
});

describe("found by random workflows", () => {
  it("an unsafe effect of an inner repeatable block is remembered by the outer one", () => {
    const run = new TestRun({
      document: `
do:
  - outer:
      try:
        - inner:
            try: [ { act: { call: x.do:1@t } } ]
            catch: { retry: { limit: { attempt: { count: 1 } } } }
            output: { as: 'error("unusable")' }
      catch: { retry: { limit: { attempt: { count: 2 } } } }`,
      effects: { "x.do:1@t": "unsafe" },
      functions: { "x.do:1@t": () => "made" },
    }).finish();
    expect(run.sent.length).toBe(1);
    expect(run.summary.status).toBe("faulted");
  });

  it("an attempt that was asked to stop for a rest and never began is sent when the run goes on already", () => {
    const run = new TestRun({
      document:
        "do: [ { both: { fork: { branches: [ { slow: { call: x.slow:1@t } }, { boom: { raise: { error: { type: x, status: 500 } } } } ] } } } ]",
      functions: { "x.slow:1@t": (_i, attempt) => (attempt.number === 1 ? HANG : "ok") },
      ignoresAborts: true,
    });
    run.operate({ kind: "skip", task: 3, output: 1 });
    run.end("/do/both/fork/branches/slow", {
      kind: "failed",
      error: { type: "x", status: 1, title: "stopped" },
      began: false,
      retryable: true,
    });
    expect(run.summary.output).toEqual(["ok", 1]);
  });

  it("a loop with an edited input begins anew", () => {
    const run = new TestRun({
      document:
        "do: [ { l: { for: { in: . }, do: [ { s: { set: { n: '${ $item }' } } } ], output: { as: 'if .n == 2 then . else error(\"no\") end' } } } ]",
      input: [1],
    });
    run.operate({ kind: "resume", setInput: [2] });
    expect(run.summary.output).toEqual({ n: 2 });
  });

  it("a cancelled run that was quarantined on its way still ends as cancelled", () => {
    const run = new TestRun({
      document: "do: [ { act: { call: x.do:1@t } } ]",
      functions: { "x.do:1@t": () => HANG },
      ignoresAborts: true,
    });
    run.operate({ kind: "cancel" });
    run.operate({ kind: "quarantine" });
    run.operate({ kind: "resume" });
    run.end("/do/act", { kind: "completed", output: 1 });
    expect(run.summary.status).toBe("cancelled");
  });

  it("tasks that look an effect up are not taken for the effect when both are still ending", () => {
    let looks = 0;
    const run = new TestRun({
      document: `
do:
  - t:
      try:
        - both:
            fork:
              branches:
                - act: { call: x.do:1@t, metadata: { tutti: { effect: { class: findable, unique: true, find: [ { look: { call: x.list:1@t } } ] } } } }
                - boom: { call: x.boom:1@t }
      catch: { retry: { limit: { attempt: { count: 3 } } } }`,
      effects: { "x.list:1@t": "read" },
      functions: {
        "x.do:1@t": () => unknown("crash"),
        "x.list:1@t": () => (looks++, HANG),
        "x.boom:1@t": (_i, attempt) => (attempt.number === 1 ? HANG : "fine"),
      },
      ignoresAborts: true,
    });
    run.end("/do/t/try/both/fork/branches/boom", answer(503));
    expect(looks).toBe(1);
    run.end("/do/t/try/both/fork/branches/act/find/look", { kind: "completed", output: "found" });
    expect(run.summary.output).toEqual(["found", "fine"]);
  });
});

describe("doubts", () => {
  it("a cancelled findable effect that was held before its look-up is one", () => {
    const run = new TestRun({
      document: "do: [ { act: { call: x.do:1@t } } ]",
      effects: { "x.do:1@t": "findable" },
      functions: { "x.do:1@t": () => HANG },
      finds: { "x.do:1@t": () => undefined },
    });
    run.operate({ kind: "pause" });
    run.end("/do/act", unknown("crash"));
    run.operate({ kind: "cancel" });
    expect(run.summary).toMatchObject({ status: "cancelled", inDoubt: 1 });
  });

  it("a cancelled effect that may be repeated is none", () => {
    const run = new TestRun({ document: "do: [ { act: { call: x.do:1@t } } ]", functions: { "x.do:1@t": () => unknown() } });
    expect(run.summary.status).toBe("waiting");
    run.operate({ kind: "cancel" });
    expect(run.summary).toMatchObject({ status: "cancelled", inDoubt: 0 });
  });

  const inDoubtInside = (more: string, flags?: readonly number[]): TestRun =>
    new TestRun({
      ...(flags !== undefined && { flags }),
      document: `do: [ { t: { try: [ { act: { call: x.do:1@t${more} } } ], catch: { do: [ { after: { set: { is: caught } } } ] } } } ]`,
      effects: { "x.do:1@t": "unsafe" },
      functions: { "x.do:1@t": () => unknown("crash") },
    });

  it("settled as done is none, also when its output cannot be used", () => {
    const run = inDoubtInside(", output: { as: '${ error(\"no\") }' }");
    expect(run.summary).toMatchObject({ status: "waiting", inDoubt: 1 });
    run.operate({ kind: "settle", task: 2, verdict: { kind: "done", output: null } });
    expect(run.summary).toMatchObject({ status: "completed", inDoubt: 0, output: { is: "caught" } });
    expect(run.view.doubts).toEqual([]);
  });

  it("settled as not done is none when its failure is caught", () => {
    const run = inDoubtInside("");
    run.operate({ kind: "settle", task: 2, verdict: { kind: "not-done", then: "fail" } });
    expect(run.summary).toMatchObject({ status: "completed", inDoubt: 0, output: { is: "caught" } });
    expect(run.view.doubts).toEqual([]);
  });

  it("a run of before keeps the doubt that its records speak of", () => {
    const run = inDoubtInside("", [1, 2, 3, 4]);
    run.operate({ kind: "settle", task: 2, verdict: { kind: "not-done", then: "fail" } });
    expect(run.summary).toMatchObject({ status: "completed", inDoubt: 1 });
  });

  it("settled as not done runs under its time limit again", () => {
    const run = new TestRun({
      document: "do: [ { act: { call: x.do:1@t, timeout: { after: PT1S } } } ]",
      effects: { "x.do:1@t": "unsafe" },
      functions: { "x.do:1@t": () => HANG },
    }).finish();
    run.operate({ kind: "settle", task: 1, verdict: { kind: "not-done", then: "run" } });
    expect(run.state.timers.size).toBe(1);
  });
});
