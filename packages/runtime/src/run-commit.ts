import { ENGINE_VERSION, type RunSummary, serializeRecord, serializeState, summarize } from "@tutti/engine";
import { AppError, PAYLOAD_BYTES_MAX, PAYLOAD_INLINE_BYTES } from "@tutti/model";
import { encodeRecord, type RecordBody, type RunCommit, type RunRowChange } from "@tutti/store";
import { type LoadedRun, PendingCommit } from "./loaded-run.ts";

/** A shorter tail is replayed faster than a snapshot is read. */
const SNAPSHOT_TAIL_RECORDS = 256;
/** A record holds one value of at most PAYLOAD_BYTES_MAX and little else; more means that a check is missing, and must not reach the store. */
const RECORD_UNITS_MAX = PAYLOAD_BYTES_MAX * 2;

const NONE: readonly never[] = Object.freeze([]);

/** Takes everything that `run` has gathered into one commit; the run gathers anew from here on. `snapshotAfterRecords` is for tests. */
export function toRunCommit(run: LoadedRun, snapshotAfterRecords?: number): RunCommit {
  const { pending } = run;
  const records: RecordBody[] = [];
  let bytes = 0;
  for (const record of pending.records) {
    const body = encodeRecord(record, PAYLOAD_INLINE_BYTES, serializeRecord(record));
    if (body.text.length > RECORD_UNITS_MAX)
      throw new AppError("payload-too-large", `A record of run ${run.runId} has ${body.text.length} characters.`);
    bytes += body.text.length;
    records.push(body);
  }
  const row = rowChange(run);
  run.tailRecords += records.length;
  run.tailBytes += bytes;
  const snapshot = isSnapshotDue(run, row, snapshotAfterRecords) ? takeSnapshot(run) : undefined;
  pending.row = row;
  run.flying = pending;
  run.pending = new PendingCommit();
  return {
    runId: run.runId,
    epoch: run.lease.epoch,
    expectedSeq: run.seq,
    records,
    row,
    snapshot,
    events: pending.events ?? NONE,
    subscribe: pending.subscribe ?? NONE,
    unsubscribe: pending.unsubscribe ?? NONE,
    acquire: pending.acquire ?? NONE,
    release: pending.release ?? NONE,
    send: pending.send ?? NONE,
    take: pending.take ?? NONE,
  };
}

/** Whether the stored row says something else than the state: lists and restarts go by the row. */
export function isRowStale(run: LoadedRun): boolean {
  return run.needsRow || !isSameRow(run, summarize(run.state));
}

/** The new row when something that lists or a restart look at has changed; a step of a running run changes none of it. */
function rowChange(run: LoadedRun): RunRowChange | undefined {
  const summary = summarize(run.state);
  if (run.isRowStored && !run.needsRow && isSameRow(run, summary)) return undefined;
  run.needsRow = false;
  run.row = {
    ...run.row,
    status: summary.status,
    isOutstanding: summary.isOutstanding || run.hasUnreadBacklog,
    wakeAtMs: wakeAtOf(summary),
    inDoubt: summary.inDoubt,
    errorType: summary.errorType,
    reason: summary.reason,
    startedAtMs: summary.startedAtMs,
    endedAtMs: summary.endedAtMs,
    updatedAtMs: run.state.lastAtMs,
  };
  return run.row;
}

function isSameRow({ row, hasUnreadBacklog }: LoadedRun, summary: RunSummary): boolean {
  const isMoving = summary.status === "running" && row.status === "running";
  return (
    row.status === summary.status &&
    row.isOutstanding === (summary.isOutstanding || hasUnreadBacklog) &&
    row.wakeAtMs === wakeAtOf(summary) &&
    row.inDoubt === summary.inDoubt &&
    row.errorType === summary.errorType &&
    row.endedAtMs === summary.endedAtMs &&
    (isMoving || row.reason === summary.reason)
  );
}

/** Only a run that waits is woken by time; a faulted one keeps its timers for when it is resumed. */
function wakeAtOf(summary: RunSummary): number | undefined {
  return summary.isParked && (summary.status === "waiting" || summary.status === "suspended") ? summary.wakeAtMs : undefined;
}

/**
 * A snapshot costs the size of the state, so it is due when the tail is longer than 256 records and than the last snapshot: then its cost is
 * spread over at least as many bytes of records, and a load reads at most twice what it needs.
 */
function isSnapshotDue(run: LoadedRun, row: RunRowChange | undefined, afterRecords: number | undefined): boolean {
  if (afterRecords !== undefined) return run.tailRecords > afterRecords;
  const isFinal = row?.status === "completed" || row?.status === "cancelled";
  return !isFinal && run.tailRecords > SNAPSHOT_TAIL_RECORDS && run.tailBytes > run.snapshotBytes;
}

/** The state has seen exactly the records up to and including this commit. */
function takeSnapshot(run: LoadedRun): { readonly body: string; readonly engineVersion: number } {
  const body = serializeState(run.state);
  run.tailRecords = 0;
  run.tailBytes = 0;
  run.snapshotBytes = body.length;
  return { body, engineVersion: ENGINE_VERSION };
}
