import type { Subscriber, SubscriberPage, SubscriberQuery } from "@tutti/store";
import type { Connection } from "./connection.ts";

/** Where a subscription stands in its group, and a page ends. */
interface Place {
  readonly runKey: number;
  readonly task: number;
  readonly filter: number;
}
interface Row extends Place {
  readonly runId: string;
  readonly afterPosition: number;
}
/** Subscriptions that are neighbours in `subscription_by_key`, in the order of their places. */
interface Group {
  readonly eventType: string | null;
  readonly keyName: string | null;
  readonly keyValue: string | null;
}

/** The first row of the index after a name; `is`, unlike `=`, finds the null of those who listen to any type, and uses the index as well. */
const NEXT_NAME = `select key_name from subscription indexed by subscription_by_key
  where tenant = ? and event_type is ? and key_name > ? order by key_name limit 1`;
const GROUP_ROWS = `select run_key, task, filter, after_position, (select run_id from run where run.run_key = subscription.run_key) as run_id
  from subscription indexed by subscription_by_key
  where tenant = ? and event_type is ? and key_name is ? and key_value is ? and (run_key, task, filter) > (?, ?, ?)
  order by run_key, task, filter limit ?`;

/**
 * A page of the event's candidates: of each group the next rows, and of all these the first by their places. `limit` bounds what is read of a group,
 * also where nothing of it counts yet; there are few groups, since names of keys come from documents.
 */
export function findSubscribers(connection: Connection, query: SubscriberQuery): SubscriberPage {
  const after = query.cursor === undefined ? { runKey: -1, task: -1, filter: -1 } : (JSON.parse(query.cursor) as Place);
  const rows = groupsOf(connection, query).flatMap((group) => readGroup(connection, query, { group, after }));
  const page = rows.toSorted(comparePlaces).slice(0, query.limit);
  const last = page.at(-1);
  const next =
    rows.length < query.limit || last === undefined
      ? undefined
      : JSON.stringify({ runKey: last.runKey, task: last.task, filter: last.filter } satisfies Place);
  const subscribers = page
    .filter(({ afterPosition }) => afterPosition < query.position)
    .map(({ runId, task, filter }) => ({ runId, task, filter }));
  return { subscribers, next };
}

export function listensAfter(connection: Connection, { runId, task, filter }: Subscriber): number | undefined {
  const row = connection
    .sql(
      `select after_position from subscription
       where run_key = (select run_key from run where run_id = ?) and task = ? and filter = ?`,
    )
    .get(runId, task, filter);
  return row === undefined ? undefined : Number(row["after_position"]);
}

function groupsOf(connection: Connection, query: SubscriberQuery): readonly Group[] {
  const groups: Group[] = [];
  const values = new Map<string, string | undefined>();
  for (const eventType of [query.type, null]) {
    groups.push({ eventType, keyName: null, keyValue: null });
    for (let name = nextName(connection, query.tenant, { eventType, after: "" }); name !== undefined;) {
      if (!values.has(name)) values.set(name, query.keyValue(name));
      const keyValue = values.get(name);
      if (keyValue !== undefined) groups.push({ eventType, keyName: name, keyValue });
      name = nextName(connection, query.tenant, { eventType, after: name });
    }
  }
  return groups;
}

function nextName(
  connection: Connection,
  tenant: string,
  { eventType, after }: { readonly eventType: string | null; readonly after: string },
): string | undefined {
  const row = connection.sql(NEXT_NAME).get(tenant, eventType, after);
  return row === undefined ? undefined : String(row["key_name"]);
}

function readGroup(
  connection: Connection,
  { tenant, limit }: SubscriberQuery,
  { group, after }: { readonly group: Group; readonly after: Place },
): readonly Row[] {
  const { eventType, keyName, keyValue } = group;
  return connection
    .sql(GROUP_ROWS)
    .all(tenant, eventType, keyName, keyValue, after.runKey, after.task, after.filter, limit)
    .map((row) => ({
      runKey: Number(row["run_key"]),
      task: Number(row["task"]),
      filter: Number(row["filter"]),
      runId: String(row["run_id"]),
      afterPosition: Number(row["after_position"]),
    }));
}

function comparePlaces(a: Place, b: Place): number {
  return a.runKey - b.runKey || a.task - b.task || a.filter - b.filter;
}
