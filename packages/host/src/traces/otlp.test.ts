import type { RunTrace, TraceSpan } from "@tutti/engine";
import { expect, it } from "vitest";
import { toOtlp } from "./otlp.ts";
import { deriveSpanId, deriveTraceId } from "./trace-id.ts";

const none = {
  path: undefined,
  task: undefined,
  attempt: undefined,
  function: undefined,
  effect: undefined,
  childRunId: undefined,
  errorType: undefined,
};
const task: TraceSpan = {
  ...none,
  key: "task:1",
  parentKey: "run",
  kind: "task",
  name: "a",
  startAtMs: 1000,
  endAtMs: 2000,
  outcome: "failed",
  errorType: "e",
  path: "/do/a",
  task: 1,
};
const run: TraceSpan = {
  ...none,
  key: "run",
  parentKey: undefined,
  kind: "run",
  name: "n/w",
  startAtMs: 1000,
  endAtMs: 3000,
  outcome: "completed",
};
const trace: RunTrace = {
  runId: "run_1",
  workflow: { namespace: "n", name: "w", version: "1.0.0", digest: "d" },
  parent: { runId: "run_0", task: 4 },
  spans: [task, run],
  omitted: 0,
};

it("is the body of an OTLP request: hexadecimal ids, nanoseconds as text, a child linked to the task that started it", () => {
  const body = toOtlp(trace) as {
    readonly resourceSpans: readonly [{ readonly scopeSpans: readonly [{ readonly spans: readonly object[] }] }];
  };
  const [failed, whole] = body.resourceSpans[0].scopeSpans[0].spans;
  expect(failed).toMatchObject({
    traceId: expect.stringMatching(/^[0-9a-f]{32}$/),
    spanId: expect.stringMatching(/^[0-9a-f]{16}$/),
    parentSpanId: deriveSpanId("run_1", "run"),
    startTimeUnixNano: "1000000000",
    endTimeUnixNano: "2000000000",
    kind: 1,
    status: { code: 2 },
    attributes: expect.arrayContaining([
      { key: "tutti.task.number", value: { intValue: "1" } },
      { key: "error.type", value: { stringValue: "e" } },
    ]),
    links: [],
  });
  expect(whole).toMatchObject({
    spanId: deriveSpanId("run_1", "run"),
    status: { code: 1 },
    links: [{ traceId: deriveTraceId("run_0"), spanId: deriveSpanId("run_0", "task:4") }],
  });
  expect(whole).not.toHaveProperty("parentSpanId");
  expect(toOtlp(trace)).toEqual(body);
});
