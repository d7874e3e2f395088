import { hash } from "node:crypto";

/** Hexadecimal digits of a trace id: 16 bytes (W3C Trace Context). */
const TRACE_ID_LENGTH = 32;

/** The trace of a run: derived from its id, so that every process names the same at any time. */
export function deriveTraceId(runId: string): string {
  return hash("sha256", `tutti trace ${runId}`, "hex").slice(0, TRACE_ID_LENGTH);
}
