import type { FinishedPage, FinishedQuery } from "@tutti/store";
import type { Connection } from "./connection.ts";
import { deleteRecordRow } from "./feed.ts";

/**
 * One slice of a deletion: commits wait for it, so it is to end after a few milliseconds. Estimated from the cost of a commit's rows, not measured.
 */
const SLICE_ROWS_MAX = 300;
const SLICE_BYTES_MAX = 1024 * 1024;
/** Rows that a condemned run counts as: its own, its place in up to ten indexes, its labels. */
const ROWS_PER_RUN = 10;
/** Pages (4 KiB) moved and cut off in one slice of giving space back: 256 of them took 0.9 ms. */
const SLICE_PAGES = 512;

/** Digests of documents with runs that have ended, and when the first of each did. Jumps from digest to digest: `run_by_end` is not walked. */
export function listFinishedDigests(connection: Connection): readonly { readonly digest: string; readonly firstEndedAtMs: number }[] {
  const first = "select min(digest) from run indexed by run_by_end where ended_at is not null";
  return connection
    .sql(
      `with recursive found (digest) as (
         select (${first}) union all select (${first} and digest > found.digest) from found where found.digest is not null
       )
       select digest, (select min(ended_at) from run indexed by run_by_end where run.digest = found.digest and ended_at is not null) as ended_at
       from found where digest is not null`,
    )
    .all()
    .map((row) => ({ digest: String(row["digest"]), firstEndedAtMs: Number(row["ended_at"]) }));
}

/** A page of finished runs. Looks through whole trees of runs, so it belongs into a worker. */
export function listFinished(connection: Connection, query: FinishedQuery): FinishedPage {
  const after = query.after ?? { endedAtMs: Number.MIN_SAFE_INTEGER, runId: "" };
  const which = query.onlyWholeTrees ? "parent_run_id is null and in_doubt = 0" : "true";
  const rows = connection
    .sql(
      `select run_id, ended_at, namespace, name from run indexed by run_by_end
       where digest = ? and ended_at < ? and (ended_at, run_id) > (?, ?) and status in ('completed', 'cancelled') and ${which}
       order by ended_at, run_id limit ?`,
    )
    .all(query.digest, query.endedBeforeMs, after.endedAtMs, after.runId, query.limit);
  const found = rows.map((row) => ({
    runId: String(row["run_id"]),
    endedAtMs: Number(row["ended_at"]),
    namespace: String(row["namespace"]),
    name: String(row["name"]),
  }));
  const last = found.at(-1);
  const next = found.length < query.limit || last === undefined ? undefined : { endedAtMs: last.endedAtMs, runId: last.runId };
  const runs = query.onlyWholeTrees ? found.filter(({ runId }) => isTreeFinished(connection, runId, query.endedBeforeMs)) : found;
  return { runs, next };
}

/** Whether everything below the run is over, too, and no message is on its way to any of them. See the port for what counts as over. */
function isTreeFinished(connection: Connection, runId: string, endedBeforeMs: number): boolean {
  const open = connection
    .sql(
      `with recursive tree (run_id) as (
         values (?1) union all select run.run_id from tree join run indexed by run_by_parent on run.parent_run_id = tree.run_id
       )
       select 1 from tree join run using (run_id)
       where status not in ('completed', 'cancelled', 'faulted') or in_doubt > 0 or coalesce(ended_at, updated_at) >= ?2
         or exists (select 1 from message where to_run_id = run.run_id)
       limit 1`,
    )
    .get(runId, endedBeforeMs);
  return open === undefined;
}

/** Takes finished runs out of every list; their rows go with `sweepRuns`. @returns the ids that were there. */
export function condemnRuns(connection: Connection, runIds: readonly string[]): readonly string[] {
  return runIds.filter((runId) => {
    const run = connection.sql("select run_key from run where run_id = ? and status in ('completed', 'cancelled')").get(runId);
    if (run === undefined) return false;
    condemn(connection, Number(run["run_key"]), runId);
    return true;
  });
}

export function listCondemned(connection: Connection, limit: number): readonly string[] {
  return connection
    .sql("select run_id from condemned order by run_key limit ?")
    .all(limit)
    .map((row) => String(row["run_id"]));
}

/** One slice. `condemned`: runs below them whose turn has come. */
export function sweepRuns(
  connection: Connection,
  runIds: readonly string[],
): { readonly isDone: boolean; readonly condemned: readonly string[] } {
  const slice = { rows: SLICE_ROWS_MAX, bytes: SLICE_BYTES_MAX };
  const condemned: string[] = [];
  for (const runId of runIds) {
    const run = connection.sql("select run_key from condemned where run_id = ?").get(runId);
    if (run === undefined) continue;
    const runKey = Number(run["run_key"]);
    condemned.push(...condemnChildren(connection, runId, slice));
    deleteRecords(connection, runKey, slice);
    deletePayloads(connection, runKey, slice);
    if (slice.rows <= 0 || slice.bytes <= 0) return { isDone: false, condemned };
    connection.sql("delete from snapshot where run_key = ?").run(runKey);
    // Last: as long as the row is there, the rest is found again after a crash.
    connection.sql("delete from condemned where run_key = ?").run(runKey);
  }
  return { isDone: true, condemned };
}

interface Slice {
  rows: number;
  bytes: number;
}

function condemn(connection: Connection, runKey: number, runId: string): void {
  connection.sql("insert into condemned (run_key, run_id) values (?, ?)").run(runKey, runId);
  connection.sql("delete from run where run_key = ?").run(runKey);
  connection.sql("delete from run_label where run_key = ?").run(runKey);
  connection.sql("delete from subscription where run_key = ?").run(runKey);
  connection.sql("delete from message where to_run_id = ?").run(runId);
}

function condemnChildren(connection: Connection, runId: string, slice: Slice): readonly string[] {
  if (slice.rows <= 0) return [];
  // A page that is not full had the last of them; a full one uses the slice up.
  const children = connection
    .sql("select run_key, run_id from run indexed by run_by_parent where parent_run_id = ? limit ?")
    .all(runId, Math.ceil(slice.rows / ROWS_PER_RUN));
  for (const child of children) condemn(connection, Number(child["run_key"]), String(child["run_id"]));
  slice.rows -= children.length * ROWS_PER_RUN;
  return children.map((child) => String(child["run_id"]));
}

function deleteRecords(connection: Connection, runKey: number, slice: Slice): void {
  if (slice.rows <= 0) return;
  // The length in bytes stands in the row's header; `length` would read the text.
  const rows = connection
    .sql("select record_key, octet_length(body) as bytes from record indexed by record_by_run where run_key = ? order by seq_first limit ?")
    .all(runKey, slice.rows);
  for (const row of rows) {
    if (slice.bytes <= 0) return;
    deleteRecordRow(connection, Number(row["record_key"]));
    slice.rows -= 1;
    slice.bytes -= Number(row["bytes"]);
  }
}

/** A payload goes with the last run that holds it. */
function deletePayloads(connection: Connection, runKey: number, slice: Slice): void {
  if (slice.rows <= 0 || slice.bytes <= 0) return;
  const rows = connection.sql("select payload_key from payload_use where run_key = ? limit ?").all(runKey, slice.rows);
  for (const row of rows) {
    if (slice.bytes <= 0) return;
    const payloadKey = Number(row["payload_key"]);
    connection.sql("delete from payload_use where run_key = ? and payload_key = ?").run(runKey, payloadKey);
    slice.rows -= 1;
    if (connection.sql("select 1 from payload_use where payload_key = ? limit 1").get(payloadKey) !== undefined) continue;
    const bytes = connection.sql("select octet_length(body) as bytes from payload where payload_key = ?").get(payloadKey)?.["bytes"];
    connection.sql("delete from payload where payload_key = ?").run(payloadKey);
    slice.bytes -= Number(bytes ?? 0);
  }
}

/**
 * Moves pages from the end of the file to free places before it; the file itself becomes shorter with the next checkpoint.
 *
 * A database without `auto_vacuum` (see `migrations.ts`) keeps its size; its free pages are used again.
 */
export function giveBackSpace(connection: Connection, keepBytes: number): { readonly isDone: boolean; readonly bytes: number } {
  const { freePages, pageBytes } = readSpace(connection);
  const surplus = freePages - Math.floor(keepBytes / pageBytes);
  // A pragma takes no parameters; the number is ours.
  if (surplus > 0) connection.database.prepare(`pragma incremental_vacuum(${Math.min(surplus, SLICE_PAGES)})`).all();
  const after = readSpace(connection);
  return { isDone: surplus <= SLICE_PAGES || after.freePages === freePages, bytes: after.pages * pageBytes };
}

function readSpace(connection: Connection): { readonly freePages: number; readonly pages: number; readonly pageBytes: number } {
  const row = connection
    .sql(
      "select freelist_count as free, page_count as pages, page_size as bytes from pragma_freelist_count(), pragma_page_count(), pragma_page_size()",
    )
    .get();
  return { freePages: Number(row?.["free"]), pages: Number(row?.["pages"]), pageBytes: Number(row?.["bytes"]) };
}
