import type { Json } from "@tutti/model";
import { encodeRecord, type RunCommit, type RunRowChange, type RunStatus } from "@tutti/store";

const INLINE_BYTES = 65_536;

/** A run's row of the sample workflow at event time 9. */
export function rowOf(status: RunStatus): RunRowChange {
  return {
    tenant: "default",
    status,
    namespace: "test",
    name: "sample",
    version: "1.0.0",
    digest: "d",
    labels: {},
    parentRunId: undefined,
    startedAtMs: 1,
    updatedAtMs: 9,
    endedAtMs: undefined,
    wakeAtMs: undefined,
    isOutstanding: false,
    inDoubt: 0,
    errorType: status === "faulted" ? "e" : undefined,
    reason: undefined,
  };
}

/** A commit of a run that does nothing but append records. */
export function commitOf(
  runId: string,
  expectedSeq: number,
  records: readonly ({ readonly type: string; readonly at: number } & { readonly [member: string]: Json })[],
  row?: RunRowChange,
): RunCommit {
  const none: readonly never[] = [];
  return {
    runId,
    expectedSeq,
    records: records.map((record) => encodeRecord(record, INLINE_BYTES, JSON.stringify(record))),
    row,
    snapshot: undefined,
    events: none,
    subscribe: none,
    unsubscribe: none,
    acquire: none,
    release: none,
    send: none,
    take: none,
  };
}
