import { AppError } from "@tutti/model";
import {
  compareNewestFirst,
  decodeCursor,
  pageOf,
  RUN_STATUSES,
  type RunCounts,
  type RunPage,
  type RunStatus,
  type RunPlace,
  type RunQuery,
} from "@tutti/store";
import type { Connection } from "./connection.ts";
import { RUN_COLUMNS, runRowOf } from "./run-row.ts";

type Value = string | number;

/**
 * Lists runs, newest first.
 *
 * The most selective filter chooses the index, the others are compared on its rows: which one that is, is counted up to a bound. Where the index
 * has the status before the start time, each status is asked for alone and the short lists are merged here, so that SQLite walks every index in
 * order and stops at the page's end.
 */
export function listRuns(connection: Connection, query: RunQuery, { driver }: ListPlan = planList(connection, query)): RunPage {
  const place = query.cursor === undefined ? undefined : decodeCursor(query.cursor);
  const statuses = query.status === undefined ? RUN_STATUSES : [...new Set(query.status)];
  const lists = driver.hasStatus ? statuses.map((status) => [status]) : [query.status === undefined ? [] : statuses];
  const places = lists.flatMap((wanted) => select(connection, query, { driver, statuses: wanted, place })).toSorted(compareNewestFirst);
  // Only the rows of this page are read whole; one more tells whether there is a next page.
  const rows = places.slice(0, query.limit + 1).map(({ runKey }) => runRowOf(readRow(connection, runKey)));
  return pageOf(rows, query.limit);
}

/** Reads the whole index of statuses, a tenth of a second for a million runs: for a thread of its own. */
export function countRuns(connection: Connection, tenant: string): RunCounts {
  const byStatus = Object.fromEntries(RUN_STATUSES.map((status) => [status, 0])) as Record<RunStatus, number>;
  for (const row of connection.sql("select status, count(*) as runs from run where tenant = ? group by status").all(tenant))
    // Only statuses of this list are ever written.
    byStatus[String(row["status"]) as RunStatus] = Number(row["runs"]);
  const doubts = connection.sql("select coalesce(sum(in_doubt), 0) as doubts from run where tenant = ? and in_doubt > 0").get(tenant);
  return { byStatus, inDoubt: Number(doubts?.["doubts"] ?? 0) };
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
/** An index that a filter of the query can walk, with the condition that selects its part of it. */
interface Candidate extends Driver {
  readonly condition: string;
  readonly values: readonly Value[];
}

/** Entries of an index that are counted to see how selective a filter is: about a millisecond each. From here on a filter is not selective. */
const COUNTED_MAX = 20_000;

const LABELS = "run_label cross join run using (run_key)";

/** How a list is to be made. */
export interface ListPlan {
  readonly driver: Driver;
  /**
   * Each of several filters selects many runs. Mostly the page is full soon; when hardly any run passes all of them, the whole part of the index is
   * walked: half a second for a quarter of a million runs.
   */
  readonly mayWalkFar: boolean;
}

/** Chooses the index whose part is the smallest; among those that are all large, the first. */
export function planList(connection: Connection, query: RunQuery): ListPlan {
  const candidates = candidatesOf(query);
  const [first, ...others] = candidates;
  if (first === undefined) return { driver: { from: "run indexed by run_by_status", hasStatus: true }, mayWalkFar: false };
  if (others.length === 0) return { driver: first, mayWalkFar: false };
  const sizes = candidates.map((candidate) => countOf(connection, query, candidate));
  const smallest = Math.min(...sizes);
  return { driver: candidates[sizes.indexOf(smallest)] ?? first, mayWalkFar: smallest >= COUNTED_MAX };
}

/** Where all are large, those come first that hold other columns to compare: passing over a run is cheapest there. */
function candidatesOf({ parentRunId, label, inDoubt, errorType, name, namespace, status }: RunQuery): readonly Candidate[] {
  const candidates: Candidate[] = [];
  const add = (index: string, condition: string, values: readonly Value[], hasStatus = false): void => {
    candidates.push({ from: `run indexed by ${index}`, hasStatus, condition, values });
  };
  if (parentRunId !== undefined) add("run_by_parent", "parent_run_id = ?", [parentRunId]);
  if (inDoubt === true) add("run_by_doubt", "in_doubt > 0", []);
  if (errorType !== undefined) add("run_by_error", "error_type = ?", [errorType]);
  if (name !== undefined) add("run_by_name", "name = ?", [name], true);
  // With a name, the index of names has the status, too.
  if (status !== undefined && name === undefined) add("run_by_status", "true", [], true);
  if (namespace !== undefined) add("run_by_namespace", "namespace = ?", [namespace]);
  if (label !== undefined)
    candidates.push({
      from: LABELS,
      hasStatus: false,
      condition: "run_label.key = ? and run_label.value = ?",
      values: [label.key, label.value],
    });
  return candidates;
}

/** Entries that a list would walk in the index when none of its other filters let a run pass. */
function countOf(connection: Connection, query: RunQuery, { from, hasStatus, condition, values }: Candidate): number {
  const { tenant, startedAfterMs, startedBeforeMs } = query;
  const table = from === LABELS ? "run_label" : "run";
  const statuses = hasStatus ? (query.status ?? RUN_STATUSES) : [];
  const conditions = [`${table}.tenant = ?`, condition];
  if (hasStatus) conditions.push(`status in (${statuses.map(() => "?").join(", ")})`);
  if (startedAfterMs !== undefined) conditions.push(`${table}.started_at > ?`);
  if (startedBeforeMs !== undefined) conditions.push(`${table}.started_at < ?`);
  const range = [startedAfterMs, startedBeforeMs].filter((bound) => bound !== undefined);
  const text = `select count(*) as size from (select 1 from ${table === "run" ? from : table} where ${conditions.join(" and ")} limit ?)`;
  return Number(connection.sql(text).get(tenant, ...values, ...statuses, ...range, COUNTED_MAX)?.["size"]);
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
  const table = how.driver.from === LABELS ? "run_label" : "run";
  where(`${table}.tenant = ?`, query.tenant);
  if (query.label !== undefined) {
    if (table === "run_label") where("run_label.key = ? and run_label.value = ?", query.label.key, query.label.value);
    else
      where(
        `exists (select 1 from run_label where run_label.tenant = run.tenant and key = ? and value = ? and run_label.started_at = run.started_at
          and run_label.run_id = run.run_id)`,
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
