import { AppError } from "@tutti/model";
import { payloadHash, restoreText, type RunHistory, type RunRow, type StoredRecord } from "@tutti/store";
import { recordChecksum, rowChecksum } from "./checksum.ts";
import type { Connection } from "./connection.ts";
import { RUN_COLUMNS, runRowOf } from "./run-row.ts";

export function loadRun(connection: Connection, runId: string): RunRow | undefined {
  const row = connection.sql(`select ${RUN_COLUMNS} from run where run_id = ?`).get(runId);
  return row === undefined ? undefined : runRowOf(row);
}

export function loadHistory(connection: Connection, runId: string, withSnapshot: boolean): RunHistory {
  const row = connection.sql(`select ${RUN_COLUMNS} from run where run_id = ?`).get(runId);
  if (row === undefined) throw new AppError("run-not-found", `There is no run ${runId}.`, { details: { runId } });
  const runKey = Number(row["run_key"]);
  const snapshot = withSnapshot ? readSnapshot(connection, runKey) : undefined;
  const rows = connection.sql(`${SELECT_RECORDS} where run_key = ? and seq_first > ? order by seq_first`).all(runKey, snapshot?.seq ?? 0);
  const run = runRowOf(row);
  const records = recordsOf(connection, { runId, runKey, seqBefore: snapshot?.seq ?? 0 }, rows);
  // A row whose place was changed to one before the beginning is not among those that were asked for.
  const seq = records.at(-1)?.seq ?? snapshot?.seq ?? 0;
  if (seq !== run.seq) throw damaged(runId, `records end at ${seq} instead of ${run.seq}`);
  return { row: run, snapshot, records };
}

export function readRecords(connection: Connection, runId: string, fromSeq: number, limit: number): readonly StoredRecord[] {
  const run = connection.sql("select run_key from run where run_id = ?").get(runId);
  if (run === undefined) throw new AppError("run-not-found", `There is no run ${runId}.`, { details: { runId } });
  const runKey = Number(run["run_key"]);
  // A row may begin before the place asked for, and holds at least one record: `limit` rows are enough.
  const first = connection.sql("select max(seq_first) as seq from record where run_key = ? and seq_first <= ?").get(runKey, fromSeq)?.[
    "seq"
  ];
  const rowFrom = Number(first ?? 1);
  const rows = connection
    .sql(`${SELECT_RECORDS} where run_key = ? and seq_first >= ? order by seq_first limit ?`)
    .all(runKey, rowFrom, limit);
  return recordsOf(connection, { runId, runKey, seqBefore: rowFrom - 1 }, rows)
    .filter((record) => record.seq >= fromSeq)
    .slice(0, limit);
}

const SELECT_RECORDS = "select run_key, seq_first, seq_last, crc, body, payload_places from record";

/**
 * Takes rows apart into records. Every row must match its checksum and go on where the one before ended.
 *
 * @throws AppError `store-damaged` naming the run.
 */
export function recordsOf(
  connection: Connection,
  run: { readonly runId: string; readonly runKey: number; readonly seqBefore: number },
  rows: readonly Record<string, unknown>[],
): readonly StoredRecord[] {
  const records: StoredRecord[] = [];
  let seq = run.seqBefore;
  for (const row of rows) {
    const body = String(row["body"]);
    // An empty text has the checksum of none, and means the same.
    const places = typeof row["payload_places"] === "string" && row["payload_places"] !== "" ? row["payload_places"] : null;
    const seqFirst = Number(row["seq_first"]);
    if (seqFirst !== seq + 1) throw damaged(run.runId, `records ${seq + 1} to ${seqFirst - 1} are missing`);
    if (recordChecksum(run.runKey, seqFirst, body, places) !== row["crc"])
      throw damaged(run.runId, `records from ${seqFirst} on do not match their checksum`);
    const lines = body.split("\n");
    const placesOfLine = placesByLine(places);
    for (const [index, line] of lines.entries()) {
      seq += 1;
      const wanted = placesOfLine.get(index);
      records.push({
        seq,
        body: wanted === undefined ? line : restoreText(line, wanted, (hash) => readPayload(connection, run.runId, hash)),
      });
    }
    if (seq !== Number(row["seq_last"]))
      throw damaged(run.runId, `the records from ${seqFirst} on do not end at ${String(row["seq_last"])}`);
  }
  return records;
}

/** A snapshot is a cache: one that is damaged is as good as none. */
function readSnapshot(connection: Connection, runKey: number): RunHistory["snapshot"] {
  const row = connection.sql("select seq, engine_version, crc, body from snapshot where run_key = ?").get(runKey);
  if (row === undefined) return undefined;
  const snapshot = { seq: Number(row["seq"]), engineVersion: Number(row["engine_version"]), body: String(row["body"]) };
  const isWhole = rowChecksum([runKey, snapshot.seq, snapshot.engineVersion, snapshot.body]) === row["crc"];
  return isWhole ? snapshot : undefined;
}

function placesByLine(places: string | null): ReadonlyMap<number, readonly { readonly offset: number; readonly hash: string }[]> {
  const byLine = new Map<number, { offset: number; hash: string }[]>();
  if (places === null) return byLine;
  // Written by `planCommit`; the checksum was compared before.
  for (const [line, offset, hash] of JSON.parse(places) as [number, number, string][]) {
    const known = byLine.get(line);
    if (known === undefined) byLine.set(line, [{ offset, hash }]);
    else known.push({ offset, hash });
  }
  return byLine;
}

function readPayload(connection: Connection, runId: string, hash: string): string {
  const text = connection.sql("select body from payload where hash = ?").get(hash)?.["body"];
  if (typeof text !== "string" || payloadHash(text) !== hash) throw damaged(runId, `payload ${hash} is missing or does not match its hash`);
  return text;
}

function damaged(runId: string, what: string): AppError {
  return new AppError("store-damaged", `The history of run ${runId} is damaged: ${what}.`, { details: { runId } });
}
