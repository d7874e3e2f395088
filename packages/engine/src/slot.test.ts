import { describe, expect, it } from "vitest";
import { answer, HANG, TestRun } from "./test-run.ts";
import { captureResumePoint } from "./view-run.ts";

const SLOT = "metadata: { tutti: { concurrency: { key: '\"k\"', limit: 1, onConflict: replace } } }";
const decide = (run: TestRun, task: number, verdict: "granted" | "rejected" | "replaced") =>
  run.feed({ type: "slot-decided", at: run.nowMs, task, verdict, fence: 1 });
const acquired = (run: TestRun) => run.commands.filter((command) => command.type === "acquire-slot").length;
const released = (run: TestRun) => run.commands.filter((command) => command.type === "release-slot").length;

describe("a holder that is replaced", () => {
  it("stops its attempt first; the repetition waits for a slot and never runs beside it", () => {
    const run = new TestRun({
      document: `do: [ { act: { call: x.do:1@t, ${SLOT} } } ]`,
      functions: { "x.do:1@t": () => HANG },
      ignoresAborts: true,
    });
    decide(run, 1, "granted");
    decide(run, 1, "replaced");
    expect(run.commands.at(-1)).toMatchObject({ type: "abort-attempt" });
    expect(run.summary.status).toBe("running");
    run.end("/do/act", { kind: "failed", error: { type: "x", status: 500, title: "stopped" }, began: true, retryable: false });
    expect(run.summary).toMatchObject({ status: "faulted", error: { status: 409 } });
    run.operate({ kind: "resume" });
    expect(acquired(run)).toBe(2);
    expect(run.sent.length).toBe(1);
    decide(run, 1, "granted");
    expect(run.sent.length).toBe(2);
  });

  it("a block stands still with what is inside, and goes on when it has a slot again", () => {
    const run = new TestRun({
      document: `do: [ { block: { do: [ { a: { call: x.a:1@t } }, { b: { call: x.b:1@t } } ], ${SLOT} } } ]`,
      effects: { "x.a:1@t": "unsafe" },
      functions: { "x.a:1@t": () => "a", "x.b:1@t": (_i, attempt) => (attempt.number === 1 ? HANG : "b") },
    });
    decide(run, 1, "granted");
    decide(run, 1, "replaced");
    expect(run.summary).toMatchObject({ status: "faulted", error: { status: 409 } });
    run.operate({ kind: "resume" });
    expect(run.sent.length).toBe(2);
    decide(run, 1, "granted");
    expect(run.summary).toMatchObject({ status: "completed", output: "b" });
    expect(run.sent.map((attempt) => attempt.function)).toEqual(["x.a:1@t", "x.b:1@t", "x.b:1@t"]);
    expect(released(run)).toBe(1);
  });

  it("a run asks for its slot again before it goes on", () => {
    const run = new TestRun({
      document: `
document: { dsl: 1.0.3, namespace: test, name: case, version: 1.0.0, ${SLOT} }
do: [ { act: { call: x.do:1@t } } ]`,
      functions: { "x.do:1@t": (_i, attempt) => (attempt.number === 1 ? HANG : "ok") },
    });
    decide(run, 0, "granted");
    decide(run, 0, "replaced");
    run.operate({ kind: "resume" });
    expect(acquired(run)).toBe(2);
    expect(run.sent.length).toBe(1);
    decide(run, 0, "granted");
    expect(run.summary.output).toBe("ok");
  });
});

describe("slots of scopes", () => {
  it("a task that fails in the queue leaves the queue, and queues again when it is resumed", () => {
    const run = new TestRun({
      document: `do: [ { act: { call: x.do:1@t, timeout: { after: PT1S }, ${SLOT} } } ]`,
      functions: { "x.do:1@t": () => "ok" },
    });
    run.tick();
    expect(run.summary.status).toBe("faulted");
    expect(released(run)).toBe(1);
    run.operate({ kind: "resume" });
    expect(acquired(run)).toBe(2);
    expect(run.sent.length).toBe(0);
    decide(run, 1, "granted");
    expect(run.summary.output).toBe("ok");
  });

  it.each(["cancel", "kill"] as const)("of composite tasks are let go by %s", (kind) => {
    const run = new TestRun({ document: `do: [ { block: { do: [ { w: { wait: PT1H } } ], ${SLOT} } } ]` });
    decide(run, 1, "granted");
    run.operate({ kind });
    expect(released(run)).toBe(1);
  });

  it("are asked for again when a run is resumed from a task inside", () => {
    const run = new TestRun({
      document: `do: [ { block: { do: [ { a: { call: x.a:1@t } }, { b: { call: x.b:1@t } } ], ${SLOT} } } ]`,
      functions: { "x.a:1@t": () => "a", "x.b:1@t": () => answer(500) },
    });
    decide(run, 1, "granted");
    run.operate({ kind: "resume", from: captureResumePoint(run.records, "/do/block/do/a", run.context) });
    expect(acquired(run)).toBe(2);
    expect(run.sent.length).toBe(2);
    decide(run, [...run.state.tasks.keys()][1] ?? 0, "granted");
    expect(run.sent.length).toBe(4);
  });
});
