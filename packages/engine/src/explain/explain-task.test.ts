import { describe, expect, it } from "vitest";
import { answer, HANG, TestRun, unknown } from "../test-run.ts";
import { explainTask, explainWaits } from "./explain-task.ts";
import type { TaskExplanation } from "./explanation.ts";

const explain = (run: TestRun, path: string): TaskExplanation => explainTask(run.records, run.context, { path });
const texts = (explanation: TaskExplanation): readonly string[] => explanation.reasons.map((reason) => reason.text);
const a = "x.a:1@t";

describe("a task that ran", () => {
  it("was the next of its list, with its attempts and its end", () => {
    const run = new TestRun({ document: `do: [ { s: { set: { x: 1 } } }, { a: { call: ${a} } } ]`, functions: { [a]: () => "done" } });
    expect(explain(run, "/do/a")).toMatchObject({
      status: "completed",
      activations: 1,
      reasons: [{ kind: "reached", text: "It is the next after /do/s.", because: { path: "/do/s", task: 1 } }, { kind: "ended" }],
      attempts: [{ attempt: 1, kind: "attempt", outcome: "completed", startedAtMs: run.nowMs }],
    });
    expect(texts(explain(run, "/do/s"))).toEqual(["It is the first of its list.", "It completed."]);
  });

  it("was reached by the case of a switch, whose condition is told with what it read then", () => {
    const run = new TestRun({
      document: `do:
  - pick: { switch: [ { big: { when: ".total > $workflow.input.limit", then: large } }, { rest: { then: small } } ] }
  - small: { set: { s: 1 }, then: exit }
  - large: { set: { total: 0 } }`,
      input: { total: 70, limit: 50 },
    });
    const [reached] = explain(run, "/do/large").reasons;
    expect(reached).toMatchObject({
      text: "The switch /do/pick took the case big (`.total > $workflow.input.limit` held); control went on by a jump to /do/large.",
      condition: {
        of: "case big",
        holds: true,
        reads: [
          { from: ".total", value: 70, isCut: false },
          { from: "$workflow.input.limit", value: 50, isCut: false },
        ],
      },
    });
    expect(explain(run, "/do/pick").reasons).toMatchObject([
      {},
      { kind: "condition" },
      { kind: "decided", text: "It took the case big." },
      {},
    ]);
    expect(explain(run, "/do/small")).toMatchObject({
      status: "not-reached",
      task: undefined,
      reasons: [
        {
          kind: "passed-by",
          text: "Control went past it. The switch /do/pick took the case big (`.total > $workflow.input.limit` held); control went on by a jump to /do/large.",
          because: { path: "/do/pick", task: 1 },
        },
      ],
    });
  });

  it("stands in an iteration, a branch, a catch or an extension, which is said", () => {
    const run = new TestRun({
      document: `use:
  extensions:
    - note: { extend: set, when: '.loud == true', before: [ { hear: { wait: PT0S } } ] }
do:
  - loop: { for: { each: i, in: '[1, 2]' }, while: '$i < 3', do: [ { inner: { wait: PT0S } } ] }
  - fork: { fork: { branches: [ { left: { wait: PT0S } }, { right: { wait: PT0S } } ] } }
  - risky: { try: [ { boom: { raise: { error: { type: 'https://x/y', status: 500, title: Boom } } } } ], catch: { do: [ { mend: { wait: PT0S } } ] } }
  - loud: { input: { from: '{ loud: true }' }, set: { x: 1 } }`,
    }).finish();
    expect(run.summary.status).toBe("completed");
    expect(explain(run, "/do/loop/do/inner")).toMatchObject({ activations: 2 });
    expect(texts(explain(run, "/do/loop/do/inner"))[0]).toBe("It begins iteration 2 of the loop around it.");
    expect(texts(explain(run, "/do/fork/fork/branches/left"))[0]).toBe(
      "It is a branch of the fork around it; all branches begin together.",
    );
    expect(texts(explain(run, "/do/risky/catch/do/mend"))[0]).toBe(
      "It belongs to the catch that took the error of /do/risky/try/boom: Boom.",
    );
    expect(explain(run, "/do/risky/try/boom")).toMatchObject({ status: "failed", error: { title: "Boom" } });
    expect(texts(explain(run, "/do/risky/try/boom"))).toContain("The try /do/risky took the error, to go on with its catch.");
    const hear = run.context.program.nodes.find((node) => node.name === "hear")?.path ?? "";
    const [reached] = explain(run, hear).reasons;
    expect(reached).toMatchObject({ text: "The extension note puts it before the task it stands at.", condition: { holds: true } });
  });

  it("counts jumps back and the retries of its block", () => {
    let calls = 0;
    const run = new TestRun({
      document: `do:
  - t: { try: [ { a: { call: ${a} } } ], catch: { retry: { delay: PT1S, limit: { attempt: { count: 3 } } } } }
  - again: { switch: [ { more: { when: '$context == null', then: mark } }, { done: { then: end } } ] }
  - mark: { set: { x: 1 }, export: { as: '{ seen: true }' }, then: t }`,
      functions: { [a]: () => (calls++ === 0 ? answer(500, "not now") : 1) },
      input: null,
    }).finish();
    expect(run.summary.status).toBe("completed");
    const explanation = explain(run, "/do/t");
    expect(explanation).toMatchObject({ activations: 2 });
    expect(texts(explanation)).toContain("Control came here for the 2nd time, by a jump.");
    const first = explainTask(run.records, run.context, { task: 2 });
    expect(first).toMatchObject({ status: "failed", attempts: [{ outcome: "failed", error: { title: "not now" } }] });
    expect(texts(first)).toContain("The try /do/t took the error, to run its block again after 1000 ms.");
    expect(texts(explainTask(run.records, run.context, { task: 3 }))).toContain("Its block is run again: retry 1.");
  });
});

describe("a task that did not run", () => {
  it("was skipped by its `if`, and what is inside it was not reached", () => {
    const run = new TestRun({
      document: `do: [ { block: { if: '.go', do: [ { inside: { set: { x: 1 } } } ] } } ]`,
      input: { go: false },
    });
    expect(explain(run, "/do/block")).toMatchObject({ status: "skipped" });
    expect(texts(explain(run, "/do/block"))).toEqual([
      "It is the first of its list.",
      "if `.go` was false: .go was false.",
      "It was skipped, since its `if` was false.",
    ]);
    expect(texts(explain(run, "/do/block/do/inside"))).toEqual(["/do/block was skipped: if `.go` was false: .go was false."]);
  });

  it("stands behind a `then: exit`, a `then: end`, an empty loop, a catch without error", () => {
    const run = new TestRun({
      document: `do:
  - block: { do: [ { out: { set: { x: 1 }, then: exit } }, { unseen: { set: { y: 1 } } } ] }
  - none: { for: { each: i, in: '[]' }, do: [ { never: { set: { x: 1 } } } ] }
  - calm: { try: [ { fine: { set: { x: 1 } } } ], catch: { do: [ { unneeded: { set: { x: 2 } } } ] } }
  - inner: { do: [ { last: { set: { x: 1 }, then: end } } ] }
  - after: { set: { x: 3 } }`,
    });
    expect(run.summary.status).toBe("completed");
    expect(texts(explain(run, "/do/block/do/unseen"))).toEqual([
      "Control went past it. Control left /do/block/do/out by `then: exit`, out of its list.",
    ]);
    expect(texts(explain(run, "/do/none/do/never"))).toEqual(["The loop /do/none had no items."]);
    expect(texts(explain(run, "/do/calm/catch/do/unneeded"))).toEqual(["The catch of /do/calm had no error to take."]);
    expect(texts(explain(run, "/do/after"))).toEqual(["/do/inner/do/last ended the run before control came to it (`then: end`)."]);
  });

  it("waits behind a task that failed, with the error and who did not take it", () => {
    const run = new TestRun({
      document: `do:
  - t: { try: [ { a: { call: ${a} } } ], catch: { errors: { with: { status: 404 } } } }
  - b: { set: { x: 1 } }`,
      functions: { [a]: () => answer(500, "broken") },
    });
    expect(run.summary.status).toBe("faulted");
    expect(texts(explain(run, "/do/t/try/a"))).toEqual([
      "It is the first of its list.",
      "It failed: broken.",
      "The try /do/t did not take the error: its filter means other errors.",
      "It failed: broken; resume, retry or skip.",
    ]);
    expect(explain(run, "/do/b")).toMatchObject({ status: "not-reached", reasons: [{ kind: "not-yet" }, { kind: "at-rest" }] });
    expect(texts(explain(run, "/do/b"))[0]).toBe("Control has come to /do/t/try/a, which failed: broken.");
  });

  it("was cancelled: lost race, error beside it, a person's word", () => {
    const race = new TestRun({
      document: `do: [ { race: { fork: { compete: true, branches: [ { slow: { wait: PT1H } }, { quick: { wait: PT1S } } ] } } } ]`,
    }).finish();
    expect(texts(explain(race, "/do/race/fork/branches/slow")).at(-1)).toBe(
      "It was cancelled since /do/race/fork/branches/quick was first.",
    );
    const error = new TestRun({
      document: `do: [ { t: { try: [ { f: { fork: { branches: [ { slow: { wait: PT1H } }, { bad: { raise: { error: { type: 'https://x/y', status: 500, title: Boom } } } } ] } } } ], catch: { do: [ { ok: { set: { x: 1 } } } ] } } } ]`,
    });
    expect(texts(explain(error, "/do/t/try/f/fork/branches/slow")).at(-1)).toBe(
      "It was cancelled since /do/t/try/f/fork/branches/bad failed: Boom.",
    );
    const word = new TestRun({ document: "do: [ { w: { wait: PT1H } }, { b: { set: { x: 1 } } } ]" });
    word.operate({ kind: "cancel" });
    expect(texts(explain(word, "/do/w")).at(-1)).toBe("It was cancelled when ana asked for cancel.");
    expect(texts(explain(word, "/do/b"))).toContain("The run was ended by ana (cancel).");
  });
});

describe("a task that waits", () => {
  it.each([
    ["a timer", "wait: PT1H", "timer"],
    ["events", "listen: { to: { one: { with: { type: order } } } }", "event"],
    ["an attempt", `call: ${a}`, "attempt"],
    ["another run", "run: { workflow: { namespace: test, name: other, version: 1.0.0 } }", "child"],
  ])("says that it waits for %s", (_what, task, kind) => {
    const run = new TestRun({ document: `do: [ { t: { ${task} } }, { next: { set: { x: 1 } } } ]`, functions: { [a]: () => HANG } });
    const [explanation] = explainWaits(run.records, run.context);
    expect(explanation).toMatchObject({ path: "/do/t", wait: { kind } });
    expect(explanation?.reasons.at(-1)?.kind).toBe("waits");
    expect(texts(explain(run, "/do/next"))[0]).toMatch(/^Control has come to \/do\/t, which /);
  });

  it("is in doubt, and what a person said about it stays in its story", () => {
    const run = new TestRun({
      document: `do: [ { a: { call: ${a} } } ]`,
      functions: { [a]: () => unknown() },
      effects: { [a]: "unsafe" },
    });
    expect(explain(run, "/do/a")).toMatchObject({ status: "in-doubt", wait: { kind: "settle" }, attempts: [{ outcome: "unknown" }] });
    run.operate({ kind: "settle", task: 1, verdict: { kind: "done", output: 1 } });
    expect(texts(explain(run, "/do/a"))).toEqual(["It is the first of its list.", "ana asked for settle as done.", "It completed."]);
  });

  it("is queued for a slot, held while the run is suspended, set aside with the run", () => {
    const queued = new TestRun({
      document: `do: [ { a: { call: ${a}, metadata: { tutti: { concurrency: { key: '"k"', limit: 1 } } } } } ]`,
      functions: { [a]: () => 1 },
    });
    expect(explain(queued, "/do/a")).toMatchObject({ status: "waiting", slotKey: "k", wait: { kind: "slot" } });
    const held = new TestRun({ document: `do: [ { w: { wait: PT1S } }, { a: { call: ${a} } } ]`, functions: { [a]: () => 1 } });
    held.operate({ kind: "pause" });
    held.finish();
    expect(explain(held, "/do/a")).toMatchObject({ status: "held" });
    expect(texts(explain(held, "/do/a")).at(-1)).toBe("The run is suspended by ana.");
    held.operate({ kind: "quarantine" });
    expect(texts(explain(held, "/do/a")).at(-1)).toBe("The run is quarantined.");
  });
});

it("names what it does not know", () => {
  const run = new TestRun({ document: "do: [ { w: { wait: PT1H } } ]" });
  expect(() => explain(run, "/do/x")).toThrow(/no task/);
  expect(() => explainTask(run.records, run.context, { task: 9 })).toThrow(/no activation/);
});

it("shows the beginning of a large value only, and nothing of secrets", () => {
  const run = new TestRun({
    document: `use: { secrets: [ pass ] }
do: [ { a: { if: '(.big | length) > 5 and $secrets.pass == null', set: { x: 1 } } } ]`,
    input: { big: "x".repeat(5000) },
  });
  const reads = explain(run, "/do/a").reasons.flatMap((reason) => reason.condition?.reads ?? []);
  expect(reads.map((read) => [read.from, read.isCut])).toContainEqual([".big", true]);
  expect(JSON.stringify(reads)).not.toContain("secrets");
});
