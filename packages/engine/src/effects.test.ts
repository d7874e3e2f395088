import { describe, expect, it } from "vitest";
import { answer, HANG, TestRun, unknown } from "./test-run.ts";
import { deriveToken } from "./token.ts";

const CALL = "do: [ { act: { call: x.do:1@t } } ]";
const catching = (more: string) => `
do:
  - guarded:
      try: [ { act: { call: x.do:1@t${more} } } ]
      catch: { do: [ { note: { set: { caught: '\${ $error }' } } } ] }`;

describe("unknown outcomes", () => {
  it.each(["crash", "connection"] as const)("read: runs again after %s", (reason) => {
    const run = new TestRun({
      document: CALL,
      effects: { "x.do:1@t": "read" },
      functions: { "x.do:1@t": (_i, a) => (a.number === 1 ? unknown(reason) : "ok") },
    }).finish();
    expect(run.summary.output).toBe("ok");
    expect(run.records.filter((record) => record.type === "attempt-intended")).toEqual([]);
  });

  it("idempotent: runs again with the same token, and records each intent before it", () => {
    const run = new TestRun({ document: CALL, functions: { "x.do:1@t": (_i, a) => (a.number < 3 ? unknown("crash") : "ok") } });
    expect(run.summary.output).toBe("ok");
    expect(run.records.map((record) => record.type)).toEqual([
      "run-started",
      "attempt-intended",
      "attempt-ended",
      "attempt-intended",
      "attempt-ended",
      "attempt-intended",
      "attempt-ended",
    ]);
    expect(new Set(run.sent.map((attempt) => attempt.token)).size).toBe(1);
  });

  it("idempotent: arguments that name the task's token are sent with the token of the attempt, also under a key of the author's", () => {
    const run = new TestRun({
      document: `
do:
  - act:
      call: x.do:1@t
      with: { token: '\${ $task.token }' }
      metadata: { tutti: { idempotencyKey: '"key"' } }`,
      functions: { "x.do:1@t": (input) => input },
    });
    expect(run.sent[0]?.token).not.toBe(deriveToken(run.state.runId, "/act", 0));
    expect(run.summary.output).toEqual({ token: run.sent[0]?.token });
  });

  it("idempotent: gives its error to the workflow when the connection stays lost", () => {
    const run = new TestRun({ document: catching(""), functions: { "x.do:1@t": () => unknown() } }).finish();
    expect(run.sent.length).toBe(4);
    expect(run.summary.output).toMatchObject({ caught: { title: "the connection was lost" } });
  });

  it("idempotent: the end of an earlier attempt changes nothing while the next one is under way", () => {
    const run = new TestRun({ document: CALL, functions: { "x.do:1@t": (_i, a) => (a.number === 1 ? unknown("crash") : HANG) } });
    const [first] = run.sent;
    const outcome = { kind: "completed", output: "of the first attempt" } as const;
    expect(run.feed({ type: "attempt-ended", at: run.nowMs, task: first?.task ?? 0, attempt: 1, outcome })).toBe(0);
    expect(run.summary.status).toBe("running");
    run.end("/do/act", { kind: "completed", output: "of the second attempt" });
    expect(run.summary.output).toBe("of the second attempt");
  });

  it("findable: adopts what the look-up finds", () => {
    const run = new TestRun({
      document: CALL,
      effects: { "x.do:1@t": "findable" },
      functions: { "x.do:1@t": () => unknown("crash") },
      finds: { "x.do:1@t": (token) => ({ found: token }) },
    });
    expect(run.sent.length).toBe(1);
    expect(run.summary.output).toEqual({ found: run.sent[0]?.token });
  });

  it("findable: absent counts at once where the target enforces uniqueness", () => {
    const run = new TestRun({
      document: CALL,
      effects: { "x.do:1@t": "findable" },
      functions: { "x.do:1@t": (_i, a) => (a.number === 1 ? unknown("crash") : "made") },
      finds: { "x.do:1@t": () => undefined },
    });
    expect(run.summary.output).toBe("made");
  });

  it("findable: elsewhere absent counts only after the effect can have settled", () => {
    const looked: number[] = [];
    const run: TestRun = new TestRun({
      document: CALL,
      effects: { "x.do:1@t": "findable" },
      functions: { "x.do:1@t": (_i, a) => (a.number === 1 ? unknown("crash") : "made") },
      finds: { "x.do:1@t": () => (looked.push(1), undefined) },
      settleMs: 5000,
    });
    expect(run.summary).toMatchObject({ status: "waiting" });
    expect(run.sent.length).toBe(1);
    run.finish();
    expect(looked.length).toBe(2);
    expect(run.summary.output).toBe("made");
    expect(run.nowMs - run.state.startedAtMs).toBe(5000);
  });

  it("findable by the author's own tasks, which see the token they look for", () => {
    const made: string[] = [];
    const run = new TestRun({
      document: `
do:
  - act:
      call: x.do:1@t
      metadata: { tutti: { effect: { class: findable, unique: true, find: [ { look: { call: x.list:1@t, with: { token: '\${ $task.token }' } } } ] } } }`,
      effects: { "x.do:1@t": "unsafe", "x.list:1@t": "read" },
      functions: {
        "x.do:1@t": (_i, a) => (made.push(a.token), unknown("crash")),
        "x.list:1@t": (input, a) =>
          made.some((token) => token === input["token"]) && a.token === input["token"] ? { adopted: true } : null,
      },
    });
    expect(run.summary).toMatchObject({ status: "completed", output: { adopted: true } });
    expect(made.length).toBe(1);
  });

  it("tasks of a look-up are reads unless they say otherwise, whatever the function's class", () => {
    const run = new TestRun({
      document: `
do:
  - act:
      call: x.do:1@t
      metadata: { tutti: { effect: { class: findable, unique: true, find: [ { look: { call: x.search:1@t } } ] } } }`,
      effects: { "x.do:1@t": "unsafe", "x.search:1@t": "unsafe" },
      functions: { "x.do:1@t": () => unknown("crash"), "x.search:1@t": (_i, a) => (a.number === 1 ? unknown("crash") : { adopted: true }) },
    });
    expect(run.summary).toMatchObject({ status: "completed", output: { adopted: true } });
    expect(run.records.filter((record) => record.type === "attempt-intended").length).toBe(1);
  });

  it("findable: look-ups that keep failing end in doubt", () => {
    const run = new TestRun({
      document: `
do:
  - act:
      call: x.do:1@t
      metadata: { tutti: { effect: { class: findable, find: [ { look: { call: x.list:1@t } } ] } } }`,
      effects: { "x.list:1@t": "read" },
      functions: { "x.do:1@t": () => unknown("crash"), "x.list:1@t": () => answer(503) },
    }).finish();
    expect(run.summary).toMatchObject({ status: "waiting", inDoubt: 1 });
    expect(run.sent.filter((attempt) => attempt.path.includes("/find/")).length).toBe(5);
  });

  it("unsafe: waits in doubt after a crash, and is settled", () => {
    const make = () =>
      new TestRun({
        document: CALL,
        effects: { "x.do:1@t": "unsafe" },
        functions: { "x.do:1@t": (_i, a) => (a.number === 1 && made++ === 0 ? unknown("crash") : "again") },
      });
    let made = 0;
    const done = make();
    expect(done.summary).toMatchObject({ status: "waiting", inDoubt: 1 });
    done.operate({ kind: "settle", task: 1, verdict: { kind: "done", output: "it was" } });
    expect(done.summary.output).toBe("it was");

    made = 0;
    const again = make();
    again.operate({ kind: "settle", task: 1, verdict: { kind: "not-done", then: "run" } });
    expect(again.summary.output).toBe("again");
    expect(new Set(again.sent.map((attempt) => attempt.token)).size).toBe(2);

    made = 0;
    const failed = make();
    failed.operate({ kind: "settle", task: 1, verdict: { kind: "not-done", then: "fail" } });
    expect(failed.summary.status).toBe("faulted");
  });

  it("unsafe: a lost connection goes to a matching catch, without retry, with the effect named as unknown", () => {
    const run = new TestRun({ document: catching(""), effects: { "x.do:1@t": "unsafe" }, functions: { "x.do:1@t": () => unknown() } });
    expect(run.summary.output).toMatchObject({ caught: { effect: "unknown", title: "the connection was lost" } });

    const retrying = catching("")
      .replace("catch: {", "catch: { retry: { delay: { seconds: 1 } },")
      .replace(/ do: \[.*/, "}");
    const held = new TestRun({
      document: retrying,
      effects: { "x.do:1@t": "unsafe" },
      functions: { "x.do:1@t": () => unknown() },
    }).finish();
    expect(held.sent.length).toBe(1);
    expect(held.summary.inDoubt).toBe(1);
  });

  it("an answer is a known outcome, whatever it says", () => {
    const run = new TestRun({
      document: catching(""),
      effects: { "x.do:1@t": "unsafe" },
      functions: { "x.do:1@t": () => answer(503, "busy") },
    });
    expect(run.summary.output).toMatchObject({ caught: { status: 503, title: "busy" } });
    expect(run.summary.inDoubt).toBe(0);
  });
});

describe("a findable attempt that was sent long after its intent", () => {
  const SENT_AFTER_MS = 60_000;
  const FORK = `
do:
  - guarded:
      try: [ { both: { fork: { branches: [ { act: { call: x.do:1@t } }, { fails: { do: [ { pause: { wait: PT30S } }, { stop: { raise: { error: { type: https://x.test/e, status: 500 } } } } ] } } ] } } } ]
      catch: { retry: { delay: PT31S, limit: { attempt: { count: 2 } } } }`;
  const RETRIED = catching("").replace("catch: {", "catch: { retry: { delay: PT1S, limit: { attempt: { count: 2 } } },");

  it.each([
    ["whose process died", CALL, unknown("crash")],
    ["whose connection was lost", CALL, unknown("connection")],
    ["that was answered by an error and is tried again", RETRIED, answer(503)],
    ["of a block that failed meanwhile and is repeated", FORK, { kind: "completed", output: "unused" } as const],
    ["of a block that failed meanwhile, whose process died", FORK, unknown("crash")],
    ["for whose end the repeated block waits", FORK.replace("PT31S", "PT1S"), unknown("crash")],
    ["for whose answer the repeated block waits", FORK.replace("PT31S", "PT1S"), answer(503)],
  ])("%s: is found before it is believed absent, and not made again", (_, document, outcome) => {
    let made = 0;
    let visibleAtMs = Number.POSITIVE_INFINITY;
    const run: TestRun = new TestRun({
      document,
      effects: { "x.do:1@t": "findable" },
      functions: { "x.do:1@t": () => ((made += 1), made === 1 ? HANG : "made again") },
      finds: { "x.do:1@t": () => (run.nowMs >= visibleAtMs ? "found" : undefined) },
      settleMs: 5000,
      ignoresAborts: true,
    });
    const startMs = run.nowMs;
    // What fails first, and where it comes to it the repetition.
    if (document !== CALL && document !== RETRIED) run.tick();
    if (document.includes("PT1S") && document !== RETRIED) run.tick();
    run.nowMs = startMs + SENT_AFTER_MS;
    visibleAtMs = run.nowMs + 4000;
    const [open] = run.open.values();
    run.end(open?.path ?? "", outcome);
    for (let timers = 0; timers < 20 && run.tick(); timers += 1)
      if (run.summary.status === "completed" || run.summary.status === "faulted") break;
    expect(made).toBe(1);
    expect(JSON.stringify(run.records)).toContain('"found"');
  });
});

describe("timeouts", () => {
  it("a task that does not end in time is stopped; the error can be caught", () => {
    const run = new TestRun({ document: catching(", timeout: { after: PT5S }"), functions: { "x.do:1@t": () => HANG } }).finish();
    expect(run.summary.output).toMatchObject({ caught: { type: expect.stringContaining("timeout") as string, status: 408 } });
    expect(run.commands.filter((command) => command.type === "abort-attempt")).toMatchObject([{ reason: "timeout" }]);
  });

  it("an attempt that succeeded while it was stopped has succeeded", () => {
    const run = new TestRun({ document: catching(", timeout: { after: PT5S }"), functions: { "x.do:1@t": () => HANG } });
    const [open] = run.open.values();
    run.open.clear();
    run.tick();
    run.feed({ type: "attempt-ended", at: run.nowMs, task: open?.task ?? 0, attempt: 1, outcome: { kind: "completed", output: "late" } });
    expect(run.summary.output).toBe("late");
  });

  it("an unsafe task that nobody catches is in doubt", () => {
    const document = "do: [ { act: { call: x.do:1@t, timeout: { after: { seconds: 5 } } } } ]";
    const run = new TestRun({ document, effects: { "x.do:1@t": "unsafe" }, functions: { "x.do:1@t": () => HANG } }).finish();
    expect(run.summary).toMatchObject({ status: "waiting", inDoubt: 1 });
  });

  it("a block that does not end in time takes its tasks down", () => {
    const run = new TestRun({
      functions: { "x.do:1@t": () => HANG },
      document: `
do:
  - guarded:
      try: [ { block: { timeout: { after: PT1S }, do: [ { act: { call: x.do:1@t } } ] } } ]
      catch: { do: [ { note: { set: { at: '\${ $error.instance }' } } } ] }`,
    }).finish();
    expect(run.summary.output).toEqual({ at: "/do/0/guarded/try/0/block" });
  });

  it("a workflow that does not end in time faults, and goes on when it is resumed", () => {
    const run = new TestRun({
      functions: { "x.do:1@t": (_i, a) => (a.number === 1 ? HANG : "ok") },
      document: "timeout: { after: PT1M }\ndo: [ { act: { call: x.do:1@t } } ]",
    }).finish();
    expect(run.summary).toMatchObject({ status: "faulted", error: { status: 408, instance: "/" } });
    run.operate({ kind: "resume" });
    expect(run.summary.output).toBe("ok");
  });
});
