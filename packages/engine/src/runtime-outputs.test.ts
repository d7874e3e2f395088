import { describe, expect, it } from "vitest";
import { TestRun } from "./test-run.ts";

describe("$runtime.metadata.outputs", () => {
  it("has the latest transformed output of each completed task, and nothing of a skipped one", () => {
    const run = new TestRun({
      document: `
do:
  - first: { set: { a: 1 }, output: { as: .a } }
  - no: { if: "false", set: { a: 1 } }
  - loop: { for: { in: "[1,2]" }, do: [ { inner: { set: { n: "\${ $item }" } } } ] }
  - last: { set: "\${ [$runtime.metadata.outputs.first, $runtime.metadata.outputs.no, $runtime.metadata.outputs.inner.n, $runtime.metadata.outputs.last] }" }`,
    });
    expect(run.summary.output).toEqual([1, null, 2, null]);
    expect(run.state.outputs).toEqual({ first: 1, inner: { n: 2 }, last: [1, null, 2, null] });
  });

  it("has all of them when an expression does not say which", () => {
    const run = new TestRun({
      document: `do: [ { a: { set: '"x"' } }, { b: { set: '"y"' } }, { c: { set: "\${ $runtime as $r | $r.metadata.outputs | keys }" } } ]`,
    });
    expect(run.summary.output).toEqual(["a", "b"]);
  });

  it("keeps nothing in the state of a run whose document does not ask for it", () => {
    const run = new TestRun({ document: `do: [ { a: { set: "\${ $runtime.name }" } }, { b: { set: "\${ $runtime.metadata.other }" } } ]` });
    expect(run.state.outputs).toBe(undefined);
    expect(run.summary.output).toBe(null);
  });

  it("is the output that a person gave for a skipped task, and not that of extensions", () => {
    const run = new TestRun({
      document: `
use: { extensions: [ { log: { extend: set, after: [ { bad: { set: '"extension"' } } ] } } ] }
do: [ { bad: { raise: { error: { type: e, status: 500 } } } }, { b: { set: "\${ $runtime.metadata.outputs.bad }" } } ]`,
    });
    run.operate({ kind: "skip", task: 1, output: "by hand" });
    expect(run.summary.output).toBe("by hand");
    expect(run.state.outputs).toEqual({ bad: "by hand" });
  });
});
