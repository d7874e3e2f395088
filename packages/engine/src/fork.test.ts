import { describe, expect, it } from "vitest";
import { HANG, TestRun, unknown } from "./test-run.ts";

const parts = {
  document: `
do:
  - both:
      fork:
        branches:
          - left: { call: a.a:1@t, export: { as: '$context + { left: . }' } }
          - right: { call: b.b:1@t, export: { as: '$context + { right: . }' } }
      output: { as: '{ got: . }' }
  - after: { set: { got: '\${ .got }', context: '\${ $context }' } }`,
  input: { base: true },
};

describe("fork", () => {
  it("sends all branches at once and gives their outputs in the order of declaration", () => {
    const run = new TestRun({ ...parts, functions: { "a.a:1@t": () => HANG, "b.b:1@t": () => HANG } });
    expect(run.sent.map((attempt) => attempt.path)).toEqual(["/do/both/fork/branches/left", "/do/both/fork/branches/right"]);
    run.end("/do/both/fork/branches/right", { kind: "completed", output: "R" });
    run.end("/do/both/fork/branches/left", { kind: "completed", output: "L" });
    expect(run.summary.output).toEqual({ got: ["L", "R"], context: { base: true, left: "L", right: "R" } });
  });

  it("compete: gives the winner's output and asks the losers to stop", () => {
    const document = parts.document.replace("fork:", "fork:\n        compete: true");
    const run = new TestRun({
      ...parts,
      document,
      functions: { "a.a:1@t": () => HANG, "b.b:1@t": () => HANG },
      effects: { "a.a:1@t": "unsafe" },
    });
    run.end("/do/both/fork/branches/right", { kind: "completed", output: "R" });
    expect(run.summary).toMatchObject({ status: "completed", inDoubt: 1, output: { got: "R", context: { base: true, right: "R" } } });
    expect(run.view.doubts).toMatchObject([{ path: "/do/both/fork/branches/left", settled: undefined }]);
    run.operate({ kind: "settle", task: run.view.doubts[0]?.task ?? 0, verdict: { kind: "done", output: null } });
    expect(run.summary.inDoubt).toBe(0);
  });

  it("compete: the losers are asked to stop when the race is decided, and not when the run is over", () => {
    const document = parts.document.replace("fork:", "fork:\n        compete: true").replace(/after: .*/, "after: { wait: PT1H }");
    const run = new TestRun({ ...parts, document, functions: { "a.a:1@t": () => HANG, "b.b:1@t": () => "R" } });
    expect(run.summary.status).not.toBe("completed");
    expect(run.commands.filter((command) => command.type === "abort-attempt")).toMatchObject([{ reason: "cancelled" }]);
  });

  it("a loser whose effect may be repeated leaves no doubt", () => {
    const document = parts.document.replace("fork:", "fork:\n        compete: true");
    const run = new TestRun({ ...parts, document, functions: { "a.a:1@t": () => HANG, "b.b:1@t": () => "R" } });
    expect(run.summary).toMatchObject({ status: "completed", inDoubt: 0 });
  });

  it("faults with its tree frozen when a branch fails; a resume starts the held branch again", () => {
    let failing = true;
    const run = new TestRun({
      ...parts,
      functions: {
        "a.a:1@t": (_input, attempt) => (attempt.number === 1 ? HANG : "L"),
        "b.b:1@t": () =>
          failing ? { kind: "failed", error: { type: "x", status: 500, title: "broken" }, began: true, retryable: false } : "R",
      },
    });
    expect(run.summary).toMatchObject({ status: "faulted", error: { title: "broken", instance: "/do/0/both/fork/branches/1/right" } });
    expect(run.view.waits.map((wait) => [wait.path, wait.kind])).toEqual([
      ["/do/both/fork/branches/left", "operator"],
      ["/do/both/fork/branches/right", "operator"],
    ]);
    failing = false;
    run.operate({ kind: "resume" });
    expect(run.summary).toMatchObject({ status: "completed", output: { got: ["L", "R"] } });
    expect(run.sent.filter((attempt) => attempt.path.endsWith("left")).map((attempt) => attempt.token).length).toBe(2);
    expect(new Set(run.sent.filter((attempt) => attempt.path.endsWith("left")).map((attempt) => attempt.token)).size).toBe(1);
  });

  it("`end` in a branch ends the workflow", () => {
    const run = new TestRun({
      functions: { "a.a:1@t": () => HANG },
      document: `
do:
  - both: { fork: { branches: [ { slow: { call: a.a:1@t } }, { quick: { set: { x: 1 }, then: end } } ] } }
  - never: { set: { y: 1 } }`,
    });
    expect(run.summary).toMatchObject({ status: "completed", output: { x: 1 } });
  });

  it("joins two thousand branches", () => {
    const branches = Array.from({ length: 2000 }, (_, index) => `{ b${index}: { set: { n: ${index} } } }`).join(", ");
    const run = new TestRun({ document: `do: [ { wide: { fork: { branches: [ ${branches} ] } , output: { as: 'length' } } } ]` });
    expect(run.summary.output).toBe(2000);
  });

  it("an unknown outcome of an unsafe branch holds only that branch", () => {
    const run = new TestRun({
      ...parts,
      effects: { "a.a:1@t": "unsafe" },
      functions: { "a.a:1@t": () => unknown("crash"), "b.b:1@t": () => "R" },
    });
    expect(run.summary).toMatchObject({ status: "waiting", inDoubt: 1 });
    const [wait] = run.view.waits;
    expect(wait).toMatchObject({ path: "/do/both/fork/branches/left", kind: "settle" });
    run.operate({ kind: "settle", task: wait?.task ?? 0, verdict: { kind: "done", output: "L" } });
    expect(run.summary).toMatchObject({ status: "completed", output: { got: ["L", "R"] } });
  });
});
