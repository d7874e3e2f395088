import { assert } from "@tutti/model";
import type { RunMessage, RunRowChange } from "@tutti/store";
import { recordChecksum, rowChecksum } from "./checksum.ts";
import type { Connection } from "./connection.ts";
import { acceptEvent, lastEventPosition } from "./events.ts";
import { writeMessage } from "./messages.ts";
import { acquireSlot, releaseSlot, type SlotNotice } from "./slots.ts";
import { type CommittedRun, NOTHING_MORE, type PlannedExtras, type PlannedRun } from "./write-job.ts";

/**
 * One insert per run and commit. Measured in batches of 200 runs with 400 bytes each: 2.4 to 3.4 µs with the checksum; writing the pages and the
 * sync cost 4 to 6 µs of CPU more. Locks: none but the write lock of the transaction; needs `record_by_run`.
 */
const INSERT_RECORD = "insert into record (run_key, seq_first, seq_last, crc, body, payload_places) values (?, ?, ?, ?, ?, ?)";

/** Writes a run's part of a batch, inside the batch's transaction. */
export function commitRun(connection: Connection, run: PlannedRun): CommittedRun {
  if (run.payloads !== undefined) {
    for (const payload of run.payloads) {
      connection.sql("insert or ignore into payload (hash, body) values (?, ?)").run(payload.hash, payload.text);
      connection
        .sql("insert or ignore into payload_use (run_key, payload_key) select ?, payload_key from payload where hash = ?")
        .run(run.runKey, payload.hash);
    }
  }
  if (run.seqLast >= run.seqFirst) {
    const places = run.payloadPlaces ?? null;
    connection
      .sql(INSERT_RECORD)
      .run(run.runKey, run.seqFirst, run.seqLast, recordChecksum(run.runKey, run.seqFirst, run.body, places), run.body, places);
  }
  if (run.row !== undefined) {
    if (run.isNew) insertRow(connection, run, run.row);
    else updateRow(connection, run, run.row);
  }
  return run.extras === undefined ? NOTHING_MORE : writeExtras(connection, run, run.extras);
}

function insertRow(connection: Connection, run: PlannedRun, row: RunRowChange): void {
  const fixed = {
    runId: run.runId,
    tenant: row.tenant,
    namespace: row.namespace,
    name: row.name,
    parentRunId: row.parentRunId ?? null,
    startedAt: row.startedAtMs,
    startPosition: lastEventPosition(connection),
  };
  connection
    .sql(
      `insert into run (run_key, run_id, tenant, namespace, name, parent_run_id, started_at, start_position, version, digest, labels, status, updated_at,
         ended_at, wake_at, is_outstanding, in_doubt, error_type, reason, crc) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    )
    .run(run.runKey, ...Object.values(fixed), ...changingValues(row), runChecksum(fixed, row));
  insertLabels(connection, run, row, row.startedAtMs, row.tenant);
}

/** Touches only the columns that may change: SQLite rewrites every index that names a column of `set`, changed or not. */
function updateRow(connection: Connection, run: PlannedRun, row: RunRowChange): void {
  const stored = connection
    .sql("select tenant, namespace, name, parent_run_id, started_at, start_position, labels from run where run_key = ?")
    .get(run.runKey);
  assert(stored !== undefined, "a run that has a sequence has a row");
  const fixed: FixedValues = {
    runId: run.runId,
    tenant: String(stored["tenant"]),
    namespace: String(stored["namespace"]),
    name: String(stored["name"]),
    parentRunId: stored["parent_run_id"] === null ? null : String(stored["parent_run_id"]),
    startedAt: Number(stored["started_at"]),
    startPosition: Number(stored["start_position"]),
  };
  connection
    .sql(
      `update run set version = ?, digest = ?, labels = ?, status = ?, updated_at = ?, ended_at = ?, wake_at = ?, is_outstanding = ?, in_doubt = ?,
         error_type = ?, reason = ?, crc = ? where run_key = ?`,
    )
    .run(...changingValues(row), runChecksum(fixed, row), run.runKey);
  if (stored["labels"] !== JSON.stringify(row.labels)) {
    connection.sql("delete from run_label where run_key = ?").run(run.runKey);
    insertLabels(connection, run, row, fixed.startedAt, fixed.tenant);
  }
}

/** The columns that never change, in the order of the checksum and of the insert. */
export interface FixedValues {
  readonly runId: string;
  readonly tenant: string;
  readonly namespace: string;
  readonly name: string;
  readonly parentRunId: string | null;
  readonly startedAt: number;
  readonly startPosition: number;
}

/** The checksum of a run's row. */
export function runChecksum(fixed: FixedValues, row: RunRowChange): number {
  return rowChecksum([...Object.values(fixed), ...changingValues(row)]);
}

function changingValues(row: RunRowChange): (string | number | null)[] {
  return [
    row.version,
    row.digest,
    JSON.stringify(row.labels),
    row.status,
    row.updatedAtMs,
    row.endedAtMs ?? null,
    row.wakeAtMs ?? null,
    row.isOutstanding ? 1 : 0,
    row.inDoubt,
    row.errorType ?? null,
    row.reason ?? null,
  ];
}

function insertLabels(connection: Connection, run: PlannedRun, row: RunRowChange, startedAt: number, tenant: string): void {
  for (const [key, value] of Object.entries(row.labels)) {
    connection
      .sql("insert into run_label (tenant, key, value, started_at, run_id, run_key) values (?, ?, ?, ?, ?, ?)")
      .run(tenant, key, value, startedAt, run.runId, run.runKey);
  }
}

/** Events come before subscriptions and releases before requests: see the port. */
function writeExtras(connection: Connection, run: PlannedRun, extras: PlannedExtras): CommittedRun {
  if (extras.snapshot !== undefined) writeSnapshot(connection, run, extras.snapshot);
  const eventPositions = extras.events.map((event) => acceptEvent(connection, event).position);
  for (const task of extras.unsubscribe) connection.sql("delete from subscription where run_key = ? and task = ?").run(run.runKey, task);
  for (const one of extras.subscribe) {
    const after = one.correlated ? startPositionOf(connection, run.runKey) : lastEventPosition(connection);
    connection
      .sql(
        `insert or replace into subscription (run_key, task, filter, tenant, event_type, after_position, key_name, key_value)
         values (?, ?, ?, ?, ?, ?, ?, ?)`,
      )
      .run(run.runKey, one.task, one.filter, one.tenant, one.eventType ?? null, after, one.key?.name ?? null, one.key?.value ?? null);
  }
  for (const position of extras.take) connection.sql("delete from message where position = ?").run(position);
  const notices: SlotNotice[] = extras.release.flatMap((holder) => releaseSlot(connection, run.runId, holder));
  const acquired = extras.acquire.map((request) => acquireSlot(connection, run.runId, request));
  notices.push(...acquired.flatMap((one) => one.notices));
  const messages = [...extras.send, ...notices].map((message): RunMessage => writeMessage(connection, message.toRunId, message.body));
  return { slots: acquired.map((one) => one.verdict), eventPositions, messages };
}

function writeSnapshot(connection: Connection, run: PlannedRun, snapshot: { readonly body: string; readonly engineVersion: number }): void {
  connection
    .sql("insert or replace into snapshot (run_key, seq, engine_version, crc, body) values (?, ?, ?, ?, ?)")
    .run(
      run.runKey,
      run.seqLast,
      snapshot.engineVersion,
      rowChecksum([run.runKey, run.seqLast, snapshot.engineVersion, snapshot.body]),
      snapshot.body,
    );
}

function startPositionOf(connection: Connection, runKey: number): number {
  return Number(connection.sql("select start_position from run where run_key = ?").get(runKey)?.["start_position"]);
}
