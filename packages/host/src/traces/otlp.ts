import type { RunTrace, TraceSpan } from "@tutti/engine";
import { TUTTI_VERSION } from "../version.ts";
import { deriveSpanId, deriveTraceId } from "./trace-id.ts";

/** https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding: ids in hexadecimal, times in nanoseconds as text, enums as numbers. */
const KIND_INTERNAL = 1;
const KIND_CLIENT = 3;
const STATUS_OK = 1;
const STATUS_ERROR = 2;
const NANOSECONDS = "000000";

/** A run's trace as the body of an OTLP/HTTP request (`POST /v1/traces`, JSON). */
export function toOtlp(trace: RunTrace): object {
  return otlpRequest(otlpSpans(trace));
}

/** The spans of a run as OTLP has them; those of several runs may share a request. */
export function otlpSpans(trace: RunTrace): readonly object[] {
  return trace.spans.map((span) => spanOf(trace, span));
}

export function otlpRequest(spans: readonly object[]): object {
  return {
    resourceSpans: [
      {
        resource: { attributes: attributesOf({ "service.name": "tutti", "service.version": TUTTI_VERSION }) },
        scopeSpans: [{ scope: { name: "tutti", version: TUTTI_VERSION }, spans }],
      },
    ],
  };
}

function spanOf(trace: RunTrace, span: TraceSpan): object {
  const { runId, workflow, parent } = trace;
  const isError = span.errorType !== undefined || span.outcome === "failed" || span.outcome === "unknown";
  return {
    traceId: deriveTraceId(runId),
    spanId: deriveSpanId(runId, span.key),
    ...(span.parentKey === undefined ? {} : { parentSpanId: deriveSpanId(runId, span.parentKey) }),
    name: span.name,
    kind: span.kind === "attempt" ? KIND_CLIENT : KIND_INTERNAL,
    startTimeUnixNano: `${span.startAtMs}${NANOSECONDS}`,
    endTimeUnixNano: `${span.endAtMs}${NANOSECONDS}`,
    attributes: attributesOf({
      "tutti.run.id": runId,
      "tutti.workflow": `${workflow.namespace}/${workflow.name}:${workflow.version}`,
      "tutti.task.path": span.path,
      "tutti.task.number": span.task,
      "tutti.attempt": span.attempt,
      "tutti.function": span.function,
      "tutti.effect": span.effect,
      "tutti.outcome": span.outcome,
      "tutti.child_run.id": span.childRunId,
      "tutti.spans_omitted": span.kind === "run" && trace.omitted > 0 ? trace.omitted : undefined,
      "error.type": span.errorType,
    }),
    // A child has a trace of its own: one run, one trace.
    links:
      span.kind === "run" && parent !== undefined
        ? [{ traceId: deriveTraceId(parent.runId), spanId: deriveSpanId(parent.runId, `task:${parent.task}`) }]
        : [],
    status: { code: isError ? STATUS_ERROR : STATUS_OK },
  };
}

function attributesOf(values: Readonly<Record<string, string | number | undefined>>): readonly object[] {
  return Object.entries(values).flatMap(([key, value]) => {
    if (value === undefined) return [];
    // 64-bit integers are texts in this encoding.
    return [{ key, value: typeof value === "string" ? { stringValue: value } : { intValue: String(value) } }];
  });
}
