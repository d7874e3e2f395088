import { hash } from "node:crypto";

/** Hexadecimal digits of a trace id: 16 bytes (W3C Trace Context). */
const TRACE_ID_LENGTH = 32;

/** The trace of a run: derived from its id, so that every process names the same at any time. */
export function deriveTraceId(runId: string): string {
  return hash("sha256", `tutti trace ${runId}`, "hex").slice(0, TRACE_ID_LENGTH);
}

/** Version 00, sampled: every run has its trace, which may be fetched or sent at any time. */
export function traceparentOf(runId: string, spanKey: string): string {
  return `00-${deriveTraceId(runId)}-${deriveSpanId(runId, spanKey)}-01`;
}

/** Hexadecimal digits of a span id: 8 bytes. */
const SPAN_ID_LENGTH = 16;

/** The span of a run that `key` names; derived like its trace. */
export function deriveSpanId(runId: string, key: string): string {
  return hash("sha256", `tutti span ${runId} ${key}`, "hex").slice(0, SPAN_ID_LENGTH);
}
