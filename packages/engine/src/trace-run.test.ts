import { expect, it } from "vitest";
import type { RunRecord } from "./record.ts";
import { answer, TestRun } from "./test-run.ts";
import { traceRun } from "./trace-run.ts";

const a = "x.a:1@t";

it("has a span for the run, for each activation and for each attempt, under each other and without values", () => {
  let calls = 0;
  const run = new TestRun({
    document: `do:
  - t: { try: [ { a: { call: ${a} } } ], catch: { retry: { delay: PT1S, limit: { attempt: { count: 3 } } } } }
  - no: { if: 'false', set: { x: 1 } }`,
    input: { secretive: "canary-1" },
    functions: { [a]: () => (calls++ === 0 ? answer(500, "canary-2") : "canary-3") },
  }).finish();
  const trace = traceRun(run.records, run.context);
  const token = run.sent[0]?.token ?? "";
  const told = trace.spans.map(({ kind, key, parentKey, name, outcome, attempt }) => [kind, key, parentKey, name, outcome, attempt]);
  expect(told).toEqual([
    ["attempt", `attempt:/do/t/try/a:${token}:1`, "task:2", a, "failed", 1],
    ["task", "task:2", "task:1", "a", "failed", undefined],
    ["attempt", `attempt:/do/t/try/a:${token}:2`, "task:3", a, "completed", 2],
    ["task", "task:3", "task:1", "a", "completed", undefined],
    ["task", "task:1", "run", "t", "completed", undefined],
    ["task", "task:4", "run", "no", "skipped", undefined],
    ["run", "run", undefined, "test/case", "completed", undefined],
  ]);
  expect(trace.spans.every((span) => span.endAtMs >= span.startAtMs)).toBe(true);
  expect(new Set(trace.spans.map((span) => span.key)).size).toBe(trace.spans.length);
  expect(JSON.stringify(trace.spans)).not.toContain("canary");
  // A process that replays them later, from the stored text, names the same.
  expect(traceRun(JSON.parse(JSON.stringify(run.records)) as RunRecord[], run.context)).toEqual(trace);
});

it("has no span of what is still going on", () => {
  const run = new TestRun({ document: "do: [ { s: { set: { x: 1 } } }, { w: { wait: PT1H } } ]" });
  expect(traceRun(run.records, run.context).spans.map((span) => span.key)).toEqual(["task:1"]);
});
