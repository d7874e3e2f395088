import { describe, expect, it } from "vitest";
import { answer, TestRun } from "./test-run.ts";

const SUB = "run: { workflow: { namespace: n, name: child, version: 1.0.0 } }";
const started = (run: TestRun) => run.commands.filter((command) => command.type === "start-child");
const cancelled = (run: TestRun) => run.commands.filter((command) => command.type === "cancel-child");

describe("children of a repeated block", () => {
  it("one that faulted is resumed, not cancelled, and its end finds the new activation", () => {
    const run = new TestRun({
      document: `do: [ { t: { try: [ { sub: { ${SUB} } } ], catch: { retry: { limit: { attempt: { count: 2 } } } } } } ]`,
    });
    const runId = started(run)[0]?.runId ?? "";
    const error = { type: "x", status: 500, title: "broke" };
    run.feed({ type: "child-ended", at: run.nowMs, task: 2, runId, outcome: { kind: "faulted", error } });
    expect(cancelled(run)).toEqual([]);
    expect(started(run)).toMatchObject([{ resume: false }, { runId, resume: true }]);
    // The child knows the task that started it first.
    run.feed({ type: "child-ended", at: run.nowMs, task: 2, runId, outcome: { kind: "completed", output: "done" } });
    expect(run.summary.output).toBe("done");
  });

  const beside = (more: string) => `
do:
  - t:
      try: [ { both: { fork: { branches: [ { sub: { ${SUB} } }, { boom: { call: x.boom:1@t } } ] } } } ]
      catch: { retry: { delay: PT1S, limit: { attempt: { count: 2 } } }${more} }`;

  it("one that still runs is adopted by the next pass", () => {
    let booms = 0;
    const run = new TestRun({ document: beside(""), functions: { "x.boom:1@t": () => (++booms === 1 ? answer(503) : "fine") } }).finish();
    expect(cancelled(run)).toEqual([]);
    const [first, second] = started(run);
    expect(second).toMatchObject({ runId: first?.runId, resume: true });
    run.feed({
      type: "child-ended",
      at: run.nowMs,
      task: first?.task ?? 0,
      runId: first?.runId ?? "",
      outcome: { kind: "completed", output: 1 },
    });
    expect(run.summary.output).toEqual([1, "fine"]);
  });

  it("one that no later pass comes to is cancelled when the block is given up", () => {
    const run = new TestRun({ document: beside(", do: [ { w: { wait: PT1H } } ]"), functions: { "x.boom:1@t": () => answer(503) } });
    run.tick();
    run.tick();
    expect(started(run).length).toBe(3);
    expect(cancelled(run)).toMatchObject([{ how: "cancel" }]);
    const waiting = new TestRun({ document: beside(""), functions: { "x.boom:1@t": () => answer(503) } });
    waiting.operate({ kind: "cancel" });
    expect(cancelled(waiting).length).toBe(1);
  });

  it("counts the passes of every block around it", () => {
    let checks = 0;
    const run = new TestRun({
      document: `
do:
  - outer:
      try:
        - inner: { try: [ { sub: { ${SUB} } } ], catch: { errors: { with: { status: 1 } }, retry: { delay: PT1S } } }
        - check: { call: x.check:1@t }
      catch: { retry: { limit: { attempt: { count: 2 } } } }`,
      functions: { "x.check:1@t": () => (++checks === 1 ? answer(503) : "fine") },
    });
    const runId = started(run)[0]?.runId ?? "";
    run.feed({ type: "child-ended", at: run.nowMs, task: 3, runId, outcome: { kind: "completed", output: 1 } });
    expect(started(run)).toMatchObject([{ resume: false }, { runId, resume: true }]);
  });
});
