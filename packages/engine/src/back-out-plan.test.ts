import { describe, expect, it } from "vitest";
import { captureBackOutPoint, planBackOut } from "./back-out-plan.ts";
import { DROP, fail, make, MAKE, world } from "./back-out-world-for-tests.ts";
import { HANG } from "./test-run.ts";

describe("a back-out that a person asks for", () => {
  const three = `do: [ { a: ${make("a")} }, { n: { set: { x: 1 } } }, { b: ${make("b")} }, { u: { call: '${MAKE}', with: { id: u } } }, { w: { wait: PT1H } } ]`;

  it("undoes all that the run did, needs no saga, and rests; a retry begins the run anew", () => {
    const { run, done, there } = world(three);
    expect(planBackOut(run.records, run.context)).toEqual({
      undo: [
        { task: 3, path: "/do/b", by: [DROP] },
        { task: 1, path: "/do/a", by: [DROP] },
      ],
      stays: [{ task: 4, path: "/do/u", function: MAKE, effect: "idempotent" }],
      inFlight: [],
      to: undefined,
    });
    run.operate({ kind: "backout" });
    expect(run.summary).toMatchObject({ status: "faulted", error: { title: "backed out by ana" } });
    expect(run.summary.errorType).toMatch(/backed-out$/);
    expect(done).toEqual(["make a", "make b", "make u", "drop b", "drop a"]);
    expect(there).toEqual(new Set(["u"]));
    expect(planBackOut(run.records, run.context).undo).toEqual([]);
    run.operate({ kind: "retry" });
    run.finish();
    expect(run.summary.status).toBe("completed");
    expect(done.slice(5)).toEqual(["make a", "make b", "make u"]);
    expect(() => run.operate({ kind: "backout" })).toThrow("final");
    expect(() => planBackOut(run.records, run.context)).toThrow("final");
  });

  it("to a task undoes what was done since the run came to it, and waits there", () => {
    const { run, done, status } = world(three);
    expect(planBackOut(run.records, run.context, "/do/b")).toMatchObject({
      undo: [{ path: "/do/b" }],
      stays: [{ path: "/do/u" }],
      to: "/do/b",
    });
    run.operate({ kind: "backout", to: captureBackOutPoint(run.records, "/do/b", run.context) });
    expect(run.summary.status).toBe("suspended");
    expect(done).toEqual(["make a", "make b", "make u", "drop b"]);
    expect(run.view.waits).toMatchObject([{ path: "/do/b", kind: "operator" }]);
    run.operate({ kind: "resume" });
    run.finish();
    expect(run.summary.status).toBe("completed");
    expect(status("/do/a")).toBe("completed");
    expect(done.slice(4)).toEqual(["make b", "make u"]);
    const tokens = run.sent.filter(({ path }) => path === "/do/b").map(({ token }) => token);
    expect(new Set(tokens).size).toBe(2);
  });

  it("of a run that failed, is suspended, or has an attempt under way", () => {
    const failed = world(`do: [ { a: ${make("a")} }, { c: ${fail} } ]`);
    failed.run.operate({ kind: "backout" });
    expect(failed.done).toEqual(["make a", "drop a"]);
    const suspended = world(three);
    suspended.run.operate({ kind: "pause" });
    suspended.run.operate({ kind: "backout" });
    expect(suspended.done.slice(3)).toEqual(["drop b", "drop a"]);
    const busy = world(`do: [ { a: ${make("a")} }, { b: ${make("b")} } ]`, {
      rule: (what, id) => (what === "make" && id === "b" ? HANG : undefined),
      ignoresAborts: true,
    });
    expect(planBackOut(busy.run.records, busy.run.context)).toMatchObject({
      undo: [{ path: "/do/a" }],
      inFlight: [{ path: "/do/b", function: MAKE }],
    });
    busy.run.operate({ kind: "backout" });
    expect(busy.run.summary.status).toBe("running");
    expect(() => busy.run.operate({ kind: "backout" })).toThrow("already");
    busy.run.end("/do/b", { kind: "completed", output: { made: "b" } });
    expect(busy.done).toEqual(["make a", "drop b", "drop a"]);
    expect(busy.run.summary.status).toBe("faulted");
  });

  it("is refused where it cannot end: in a branch of a fork, at a task that was never reached, in a run that is cancelled", () => {
    const { run } = world(`do: [ { f: { fork: { branches: [ { a: ${make("a")} }, { w: { wait: PT1H } } ] } } }, { z: ${make("z")} } ]`);
    expect(() => captureBackOutPoint(run.records, "/do/f/fork/branches/a", run.context)).toThrow("stands inside /do/f");
    expect(() => planBackOut(run.records, run.context, "/do/z")).toThrow("never came to /do/z");
    run.operate({ kind: "cancel" });
    expect(() => run.operate({ kind: "backout" })).toThrow("final");
  });
});
