import type { MemoryDisk, MemoryRun } from "./memory-disk.ts";
import type { Subscriber, SubscriberPage, SubscriberQuery } from "./store.ts";

/** A page of the event's candidates. Looks at everything: this store holds what fits into memory, and is what others are compared with. */
export function findSubscribers(disk: MemoryDisk, query: SubscriberQuery): SubscriberPage {
  const found: Subscriber[] = [];
  const values = new Map<string, string | undefined>();
  const valueOf = (name: string): string | undefined => {
    if (!values.has(name)) values.set(name, query.keyValue(name));
    return values.get(name);
  };
  for (const run of disk.runs.values()) {
    for (const one of run.subscriptions.values()) {
      if (one.tenant !== query.tenant || (one.eventType !== undefined && one.eventType !== query.type)) continue;
      if (query.position <= countsAfter(run, one)) continue;
      if (one.key !== undefined && valueOf(one.key.name) !== one.key.value) continue;
      found.push({ runId: run.row.runId, task: one.task, filter: one.filter });
    }
  }
  const sorted = found.toSorted(compareSubscribers);
  const { cursor, limit } = query;
  const after = cursor === undefined ? undefined : (JSON.parse(cursor) as Subscriber);
  const from = after === undefined ? 0 : sorted.filter((one) => compareSubscribers(one, after) <= 0).length;
  const subscribers = sorted.slice(from, from + limit);
  return { subscribers, next: from + limit < sorted.length ? JSON.stringify(subscribers.at(-1)) : undefined };
}

export function listensAfter(disk: MemoryDisk, { runId, task, filter }: Subscriber): number | undefined {
  const run = disk.runs.get(runId);
  const subscription = run?.subscriptions.get(`${task}/${filter}`);
  return run === undefined || subscription === undefined ? undefined : countsAfter(run, subscription);
}

function countsAfter({ row }: MemoryRun, subscription: { readonly correlated: boolean; readonly createdAfter: number }): number {
  return subscription.correlated ? row.startPosition : subscription.createdAfter;
}

function compareSubscribers(a: Subscriber, b: Subscriber): number {
  return (a.runId < b.runId ? -1 : a.runId > b.runId ? 1 : 0) || a.task - b.task || a.filter - b.filter;
}
