import { describe, expect, it } from "vitest";
import { taskError } from "@tutti/model";
import { doubtOf } from "./operate.ts";
import { captureResumePoint } from "./view-run.ts";
import { answer, HANG, TestRun } from "./test-run.ts";

const three = "do: [ { a: { call: x.a:1@t } }, { b: { call: x.b:1@t } }, { c: { call: x.c:1@t } } ]";

describe("pause and resume", () => {
  it("lets attempts in flight end and sends nothing new until it is resumed", () => {
    const run = new TestRun({ document: three, functions: { "x.a:1@t": () => HANG, "x.b:1@t": () => "b", "x.c:1@t": () => "c" } });
    run.operate({ kind: "pause" });
    run.end("/do/a", { kind: "completed", output: "a" });
    expect(run.summary).toMatchObject({ status: "suspended" });
    expect(run.sent.length).toBe(1);
    run.operate({ kind: "resume" });
    expect(run.summary).toMatchObject({ status: "completed", output: "c" });
  });

  it("holds tasks that only compute, too", () => {
    const document = "do: [ { w: { wait: PT1H } }, { a: { set: { a: 1 } } }, { b: { set: { b: 2 } } } ]";
    const run = new TestRun({ document });
    run.operate({ kind: "pause" });
    run.tick();
    expect(run.summary).toMatchObject({ status: "suspended", reason: "1 held" });
    expect(run.view.tasks.map((task) => [task.name, task.status])).toEqual([
      ["w", "completed"],
      ["a", "held"],
    ]);
    run.operate({ kind: "resume" });
    expect(run.summary).toMatchObject({ status: "completed", output: { b: 2 } });
  });

  it("does not complete before it is resumed, and says so", () => {
    const make = (): TestRun => {
      const run = new TestRun({ document: "do: [ { a: { call: x.a:1@t } } ]", functions: { "x.a:1@t": () => HANG } });
      run.operate({ kind: "pause" });
      run.end("/do/a", { kind: "completed", output: "a" });
      return run;
    };
    const run = make();
    expect(run.summary.status).toBe("suspended");
    expect(run.view.waits).toMatchObject([{ path: "/", kind: "operator", reason: "is suspended: resume" }]);
    run.operate({ kind: "resume" });
    expect(run.summary).toMatchObject({ status: "completed", output: "a" });
    // From an earlier task it runs again, whatever it had come to.
    const again = make();
    again.operate({ kind: "resume", from: captureResumePoint(again.records, "/do/a", again.context) });
    expect(again.summary.status).toBe("running");
    again.end("/do/a", { kind: "completed", output: "again" });
    expect(again.summary).toMatchObject({ status: "completed", output: "again" });
  });

  it("a task skipped while the run is suspended leaves it suspended", () => {
    const run = new TestRun({ document: "do: [ { w: { wait: PT1H } }, { a: { call: x.a:1@t } } ]", functions: { "x.a:1@t": () => "a" } });
    run.operate({ kind: "pause" });
    run.operate({ kind: "skip", task: 1, output: "skipped" });
    expect(run.summary.status).toBe("suspended");
    expect(run.sent).toEqual([]);
    run.operate({ kind: "resume" });
    expect(run.summary).toMatchObject({ status: "completed", output: "a" });
  });

  it("refuses what the state does not allow, and changes nothing", () => {
    const run = new TestRun({ document: three, functions: { "x.a:1@t": () => HANG } });
    const before = run.records.length;
    for (const action of [
      { kind: "resume" },
      { kind: "retry" },
      { kind: "settle", task: 1, verdict: { kind: "not-done", then: "run" } },
      { kind: "skip", task: 9 },
    ] as const)
      expect(() => run.operate(action)).toThrow(/is not possible/);
    run.operate({ kind: "kill" });
    expect(() => run.operate({ kind: "resume" })).toThrow(/final; replay starts a new run/);
    expect(run.records.length).toBe(before + 1);
  });
});

describe("what people see of tasks that did not complete", () => {
  it("a task whose error was caught has failed; what ended beside it is cancelled", () => {
    const run = new TestRun({
      document:
        "do: [ { t: { try: [ { f: { fork: { branches: [ { bad: { call: x.bad:1@t } }, { slow: { wait: PT1H } } ] } } } ], catch: { do: [ { c: { set: { caught: true } } } ] } } } ]",
      functions: { "x.bad:1@t": () => answer(500, "broken") },
    });
    const [tried] = run.view.tasks;
    const [fork] = tried?.children ?? [];
    expect(tried?.status).toBe("completed");
    expect(fork?.children.map((task) => [task.name, task.status, task.error?.title])).toEqual([
      ["bad", "failed", "broken"],
      ["slow", "cancelled", undefined],
    ]);
  });
});

describe("a faulted run", () => {
  const make = () => {
    let broken = true;
    const run = new TestRun({
      document: three,
      input: { from: "start" },
      functions: { "x.a:1@t": () => "a", "x.b:1@t": () => (broken ? answer(500, "broken") : "b"), "x.c:1@t": () => "c" },
    });
    return { run, mend: () => (broken = false) };
  };

  it("is resumed at the failed task", () => {
    const { run, mend } = make();
    expect(run.summary).toMatchObject({ status: "faulted", errorType: expect.stringContaining("communication") as string });
    mend();
    run.operate({ kind: "resume" });
    expect(run.summary.output).toBe("c");
    expect(run.sent.map((attempt) => attempt.path)).toEqual(["/do/a", "/do/b", "/do/b", "/do/c"]);
  });

  it("retry tries the failed task again, with the next attempt of the same token", () => {
    const { run, mend } = make();
    mend();
    run.operate({ kind: "retry", task: 2 });
    expect(run.summary.status).toBe("completed");
    const attempts = run.sent.filter((attempt) => attempt.path === "/do/b");
    expect(attempts.map((attempt) => attempt.attempt)).toEqual([1, 2]);
    expect(attempts[0]?.token).toBe(attempts[1]?.token);
  });

  it("skip goes on without it, with the output given or its input", () => {
    const given = make().run;
    given.operate({ kind: "skip", task: 2, output: { by: "hand" } });
    expect(given.summary.status).toBe("completed");
    const plain = make().run;
    plain.operate({ kind: "skip", task: 2 });
    expect(plain.view.tasks.map((task) => [task.name, task.status, task.output])).toEqual([
      ["a", "completed", "a"],
      ["b", "skipped", "a"],
      ["c", "completed", "c"],
    ]);
  });

  it("resume --from runs again from an earlier task, as new effects, with the data of that time", () => {
    const { run, mend } = make();
    mend();
    const from = captureResumePoint(run.records, "/do/a", run.context);
    run.operate({ kind: "resume", from });
    expect(run.summary).toMatchObject({ status: "completed", output: "c" });
    const attempts = run.sent.filter((attempt) => attempt.path === "/do/a");
    expect(attempts.map((attempt) => attempt.taskInput)).toEqual([{ from: "start" }, { from: "start" }]);
    expect(attempts[0]?.token).not.toBe(attempts[1]?.token);
  });

  it("resume with an edited input or output", () => {
    const edited = make();
    edited.mend();
    edited.run.operate({ kind: "resume", setInput: "other" });
    expect(edited.run.sent.at(-2)?.taskInput).toBe("other");
    const output = make();
    output.run.operate({ kind: "resume", outputs: { "/do/b": "by hand" } });
    expect(output.run.sent.at(-1)?.taskInput).toBe("by hand");
  });

  it("resume --from goes on in the middle of a loop, in the iteration that came to the task last", () => {
    const run = new TestRun({
      document: `
do:
  - l:
      for: { each: x, in: "[1, 2, 3]" }
      do: [ { a: { call: x.do:1@t, with: { x: "\${ $x }", was: "\${ . }" } } }, { b: { if: '.x == 2 and .was != "mended"', raise: { error: { type: e, status: 500 } } } } ]
  - last: { set: { got: "\${ . }" } }`,
      functions: { "x.do:1@t": (input) => input },
    });
    expect(run.summary.status).toBe("faulted");
    run.operate({ kind: "resume", from: captureResumePoint(run.records, "/do/l/do/a", run.context), setInput: "mended" });
    expect(run.summary).toMatchObject({ status: "completed", output: { got: { x: 3, was: { x: 2, was: "mended" } } } });
    expect(run.sent.map((attempt) => attempt.renderInput({})["x"])).toEqual([1, 2, 2, 3]);
    expect(new Set(run.sent.map((attempt) => attempt.token)).size).toBe(4);
  });

  it("resume --from goes on inside a catch, with the error that it handles, and inside a try with its retries anew", () => {
    let asked = 0;
    const run = new TestRun({
      document: `
do:
  - t:
      try: [ { a: { call: x.do:1@t } } ]
      catch: { as: problem, retry: { when: "false" }, do: [ { note: { set: { status: "\${ $problem.status }" } } }, { tell: { call: x.tell:1@t, with: { was: "\${ $problem.status }" } } } ] }`,
      functions: { "x.do:1@t": () => answer(404), "x.tell:1@t": (input) => (++asked === 1 ? answer(503) : input) },
    });
    expect(run.summary.status).toBe("faulted");
    run.operate({ kind: "resume", from: captureResumePoint(run.records, "/do/t/catch/do/note", run.context) });
    expect(run.summary).toMatchObject({ status: "completed", output: { was: 404 } });
    expect(run.sent.map((attempt) => attempt.function)).toEqual(["x.do:1@t", "x.tell:1@t", "x.tell:1@t"]);
  });

  it("is not resumed from inside a fork", () => {
    const run = new TestRun({
      document: "do: [ { l: { fork: { branches: [ { a: { do: [ { b: { raise: { error: { type: e, status: 500 } } } } ] } } ] } } } ]",
    });
    expect(() => captureResumePoint(run.records, "/do/l/fork/branches/a/do/b", run.context)).toThrow(/stands inside \/do\/l/);
  });
});

describe("cancel and kill", () => {
  it("cancel waits for attempts in flight to end and starts nothing", () => {
    const run = new TestRun({ document: three, functions: { "x.a:1@t": () => HANG } });
    run.open.clear(); // The abort does not end it by itself.
    run.operate({ kind: "cancel" });
    expect(run.summary).toMatchObject({ status: "running", isParked: false });
    run.feed({ type: "attempt-ended", at: run.nowMs, task: 1, attempt: 1, outcome: { kind: "completed", output: "late" } });
    expect(run.summary).toMatchObject({ status: "cancelled", inDoubt: 0 });
    expect(run.sent.length).toBe(1);
  });

  it("kill ends at once and keeps what was in flight as doubts that settling only records", () => {
    const run = new TestRun({ document: three, functions: { "x.a:1@t": () => HANG }, effects: { "x.a:1@t": "unsafe" } });
    run.open.clear();
    run.operate({ kind: "kill" });
    expect(run.summary).toMatchObject({ status: "cancelled", inDoubt: 1, isParked: true });
    run.operate({ kind: "settle", task: 1, verdict: { kind: "not-done", then: "fail" } });
    expect(run.summary).toMatchObject({ status: "cancelled", inDoubt: 0 });
  });

  it("a word about one attempt is refused when a later one is in doubt, however late it comes", () => {
    const run = new TestRun({ document: three, functions: { "x.a:1@t": () => HANG }, effects: { "x.a:1@t": "unsafe" } });
    const lose = (): void => run.end("/do/a", { kind: "unknown", reason: "crash", error: taskError("runtime", "gone") });
    lose();
    const doubt = doubtOf(run.state, 1) ?? expect.fail("it is in doubt");
    const word = { kind: "settle", task: 1, doubt, verdict: { kind: "not-done", then: "run" } } as const;
    run.operate(word);
    lose();
    expect(run.summary.inDoubt).toBe(1);
    const before = run.records.length;
    expect(() => run.operate(word)).toThrow(/a later one is in doubt/);
    expect(run.records.length).toBe(before);
    run.operate({ ...word, doubt: doubtOf(run.state, 1) ?? doubt });
    expect(run.sent.length).toBe(3);
  });

  it("cancel of a waiting run ends it at once", () => {
    const run = new TestRun({ document: "do: [ { w: { wait: PT1H } } ]" });
    run.operate({ kind: "cancel" });
    expect(run.summary.status).toBe("cancelled");
    expect(run.state.timers.size).toBe(0);
  });
});

describe("concurrency", () => {
  const document = "do: [ { a: { call: x.a:1@t, metadata: { tutti: { concurrency: { key: '.host', limit: 1, onConflict: queue } } } } } ]";

  it("waits for its slot, and lets it go at the end", () => {
    const run = new TestRun({ document, input: { host: "h1" }, functions: { "x.a:1@t": () => "a" } });
    expect(run.commands).toMatchObject([{ type: "acquire-slot", task: 1, key: "h1", limit: 1, onConflict: "queue" }]);
    expect(run.summary).toMatchObject({ status: "waiting", isOutstanding: true });
    run.feed({ type: "slot-decided", at: run.nowMs, task: 1, verdict: "granted", fence: 1 });
    expect(run.summary.output).toBe("a");
    expect(run.commands.at(-2)).toMatchObject({ type: "release-slot", task: 1, key: "h1" });
  });

  it("fails when it is rejected", () => {
    const run = new TestRun({ document, input: { host: "h1" }, functions: { "x.a:1@t": () => "a" } });
    run.feed({ type: "slot-decided", at: run.nowMs, task: 1, verdict: "rejected", fence: 0 });
    expect(run.summary).toMatchObject({ status: "faulted", error: { status: 409 } });
  });
});

describe("run.workflow", () => {
  const document = "do: [ { sub: { run: { workflow: { namespace: n, name: child, version: 1.0.0, input: { x: '${ .y }' } } } } } ]";

  it("starts a child under an id of its own and takes its output", () => {
    const run = new TestRun({ document, input: { y: 1 } });
    const [start] = run.commands;
    expect(start).toMatchObject({ type: "start-child", input: { x: 1 }, depth: 1, await: true, resume: false });
    const runId = start?.type === "start-child" ? start.runId : "";
    expect(runId).toMatch(/^run_[0-9a-z]{16}$/);
    run.feed({ type: "child-ended", at: run.nowMs, task: 1, runId, outcome: { kind: "completed", output: "done" } });
    expect(run.summary.output).toBe("done");
  });

  it("a resume of the parent resumes the same child", () => {
    const run = new TestRun({ document, input: { y: 1 } });
    const runId = run.commands[0]?.type === "start-child" ? run.commands[0].runId : "";
    run.feed({
      type: "child-ended",
      at: run.nowMs,
      task: 1,
      runId,
      outcome: { kind: "faulted", error: { type: "x", status: 500, title: "child broke" } },
    });
    expect(run.summary).toMatchObject({ status: "faulted", error: { title: "child broke", instance: "/do/0/sub", childRunId: runId } });
    run.operate({ kind: "resume" });
    expect(run.commands.at(-1)).toMatchObject({ type: "start-child", runId, resume: true });
  });

  it("without await goes on with its input", () => {
    const run = new TestRun({ document: document.replace("run: {", "run: { await: false,"), input: { y: 1 } });
    expect(run.summary.output).toEqual({ y: 1 });
  });
});
