import { AppError } from "@tutti/model";
import { compareNewestFirst, decodeCursor, pageOf, RUN_STATUSES, type RunPage, type RunPlace, type RunQuery } from "@tutti/store";
import type { Connection } from "./connection.ts";
import { RUN_COLUMNS, runRowOf } from "./run-row.ts";

type Value = string | number;

/**
 * Lists runs, newest first.
 *
 * The most selective filter chooses the index, the others are compared on its rows. Where the index has the status before the start time, each
 * status is asked for alone and the short lists are merged here, so that SQLite walks every index in order and stops at the page's end.
 */
export function listRuns(connection: Connection, query: RunQuery): RunPage {
  const place = query.cursor === undefined ? undefined : decodeCursor(query.cursor);
  const driver = driverOf(query);
  const statuses = query.status === undefined ? RUN_STATUSES : [...new Set(query.status)];
  const lists = driver.hasStatus ? statuses.map((status) => [status]) : [query.status === undefined ? [] : statuses];
  const places = lists.flatMap((wanted) => select(connection, query, { driver, statuses: wanted, place })).toSorted(compareNewestFirst);
  // Only the rows of this page are read whole; one more tells whether there is a next page.
  const rows = places.slice(0, query.limit + 1).map(({ runKey }) => runRowOf(readRow(connection, runKey)));
  return pageOf(rows, query.limit);
}

function readRow(connection: Connection, runKey: number): Record<string, unknown> {
  const row = connection.sql(`select ${RUN_COLUMNS} from run where run_key = ?`).get(runKey);
  if (row === undefined) throw new AppError("store-damaged", `An index names the run with key ${runKey}, which is not there.`);
  return row;
}

/** How a list is driven: from which index, and whether that has the status in it. */
interface Driver {
  readonly from: string;
  readonly hasStatus: boolean;
}

function driverOf(query: RunQuery): Driver {
  if (query.parentRunId !== undefined) return { from: "run indexed by run_by_parent", hasStatus: false };
  if (query.label !== undefined) return { from: "run_label cross join run using (run_key)", hasStatus: false };
  if (query.inDoubt === true) return { from: "run indexed by run_by_doubt", hasStatus: false };
  if (query.errorType !== undefined) return { from: "run indexed by run_by_error", hasStatus: false };
  if (query.name !== undefined) return { from: "run indexed by run_by_name", hasStatus: true };
  if (query.namespace !== undefined) return { from: "run indexed by run_by_namespace", hasStatus: false };
  return { from: "run indexed by run_by_status", hasStatus: true };
}

function select(
  connection: Connection,
  query: RunQuery,
  how: { readonly driver: Driver; readonly statuses: readonly string[]; readonly place: RunPlace | undefined },
): readonly (RunPlace & { readonly runKey: number })[] {
  const conditions: string[] = [];
  const values: Value[] = [];
  const where = (condition: string, ...given: readonly Value[]): void => {
    conditions.push(condition);
    values.push(...given);
  };
  const table = query.label === undefined || query.parentRunId !== undefined ? "run" : "run_label";
  where(`${table}.tenant = ?`, query.tenant);
  if (query.label !== undefined) {
    if (table === "run_label") where("run_label.key = ? and run_label.value = ?", query.label.key, query.label.value);
    else
      where(
        "exists (select 1 from run_label where run_label.run_key = run.run_key and key = ? and value = ?)",
        query.label.key,
        query.label.value,
      );
  }
  if (query.parentRunId !== undefined) where("parent_run_id = ?", query.parentRunId);
  if (query.inDoubt !== undefined) where(query.inDoubt ? "in_doubt > 0" : "in_doubt = 0");
  if (query.errorType !== undefined) where("error_type = ?", query.errorType);
  if (query.name !== undefined) where("name = ?", query.name);
  if (query.namespace !== undefined) where("namespace = ?", query.namespace);
  if (how.statuses.length > 0) where(`status in (${how.statuses.map(() => "?").join(", ")})`, ...how.statuses);
  if (query.startedAfterMs !== undefined) where(`${table}.started_at > ?`, query.startedAfterMs);
  if (query.startedBeforeMs !== undefined) where(`${table}.started_at < ?`, query.startedBeforeMs);
  if (how.place !== undefined) where(`(${table}.started_at, ${table}.run_id) < (?, ?)`, how.place.startedAtMs, how.place.runId);
  const text = `select run.run_key as run_key, ${table}.started_at as started_at, ${table}.run_id as run_id
    from ${how.driver.from} where ${conditions.join(" and ")} order by ${table}.started_at desc, ${table}.run_id desc limit ?`;
  return connection
    .sql(text)
    .all(...values, query.limit + 1)
    .map((row) => ({ runKey: Number(row["run_key"]), startedAtMs: Number(row["started_at"]), runId: String(row["run_id"]) }));
}

export function findRunIds(connection: Connection, prefix: string, limit: number): readonly string[] {
  // The highest code point ends the range: no id has it.
  return connection
    .sql("select run_id from run where run_id >= ? and run_id < ? order by run_id limit ?")
    .all(prefix, `${prefix}\u{10FFFF}`, limit)
    .map((row) => String(row["run_id"]));
}

export function listRunnable(connection: Connection, afterRunId: string | undefined, limit: number): readonly string[] {
  return connection
    .sql(
      "select run_id from run indexed by run_to_load where (status = 'running' or is_outstanding = 1) and run_id > ? order by run_id limit ?",
    )
    .all(afterRunId ?? "", limit)
    .map((row) => String(row["run_id"]));
}

export function listDue(
  connection: Connection,
  nowMs: number,
  limit: number,
): readonly { readonly runId: string; readonly wakeAtMs: number }[] {
  return connection
    .sql("select run_id, wake_at from run where wake_at <= ? order by wake_at, run_id limit ?")
    .all(nowMs, limit)
    .map((row) => ({ runId: String(row["run_id"]), wakeAtMs: Number(row["wake_at"]) }));
}

export function nextWakeAt(connection: Connection): number | undefined {
  const wakeAt = connection.sql("select min(wake_at) as wake_at from run where wake_at is not null").get()?.["wake_at"];
  return typeof wakeAt === "number" ? wakeAt : undefined;
}
