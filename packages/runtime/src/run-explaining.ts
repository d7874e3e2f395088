import { explainEvents, explainTask, explainWaits, type EngineContext, type RunRecord, type TaskExplanation } from "@tutti/engine";
import { AppError, type CloudEvent, DEFAULT_TENANT } from "@tutti/model";
import type { RunRow, Store } from "@tutti/store";
import { findPath } from "./operations.ts";
import type { RunHistoryReader } from "./run-history.ts";
import type { ExplainedTask, RunExplanation, SlotExplanation } from "./runtime.ts";

/** Events of the inbox that are held against the filters: who waits for one looks at the latest. */
const EVENTS_LOOKED_AT = 100;
/** Events told of: those that nearly fit, or came last. */
const EVENTS_TOLD_MAX = 10;
/** Holders and waiters read of one key. */
const SLOTS_MAX = 10_000;
const HOLDERS_TOLD_MAX = 10;

export interface ExplainDeps {
  readonly store: Store;
  readonly history: RunHistoryReader;
}

/** What the records say of a task, with what lies outside of its run: slots, events, the run that it waits for. */
export async function explainRun({ store, history }: ExplainDeps, runId: string, task: string | undefined): Promise<RunExplanation> {
  const row = await history.row(runId);
  const context = await history.context(row);
  const records = await history.records(runId, row.seq);
  const explanations = task === undefined ? explainWaits(records, context) : [explainTask(records, context, targetOf(task, context))];
  const tasks = await Promise.all(explanations.map((one) => withSurroundings(store, { row, records, context }, one)));
  return { runId, status: row.status, reason: row.reason, seq: row.seq, tasks };
}

function targetOf(text: string, context: EngineContext): { readonly task: number } | { readonly path: string } {
  return /^#?\d{1,9}$/.test(text) ? { task: Number(text.replace("#", "")) } : { path: findPath(text, context) };
}

interface Told {
  readonly row: RunRow;
  readonly records: readonly RunRecord[];
  readonly context: EngineContext;
}

async function withSurroundings(store: Store, told: Told, explanation: TaskExplanation): Promise<ExplainedTask> {
  const { task, slotKey, childRunId, wait } = explanation;
  return {
    ...explanation,
    slot: slotKey === undefined || task === undefined ? undefined : await slotOf(store, { runId: told.row.runId, task, key: slotKey }),
    events: wait?.kind === "event" && task !== undefined ? await eventsOf(store, told, task) : [],
    child: childRunId === undefined || wait?.kind !== "child" ? undefined : await childOf(store, childRunId),
  };
}

async function slotOf(
  store: Store,
  { runId, task, key }: { readonly runId: string; readonly task: number; readonly key: string },
): Promise<SlotExplanation> {
  const entries = await store.listSlots(key, SLOTS_MAX);
  const queue = entries.filter((entry) => entry.state === "queued");
  const place = queue.findIndex((entry) => entry.runId === runId && entry.task === task);
  return {
    key,
    limit: entries[0]?.limit ?? 1,
    holders: entries
      .filter((entry) => entry.state === "held")
      .slice(0, HOLDERS_TOLD_MAX)
      .map((entry) => ({ runId: entry.runId, task: entry.task })),
    place: place < 0 ? undefined : place + 1,
    queued: queue.length,
  };
}

async function eventsOf(store: Store, { row, records, context }: Told, task: number): Promise<ExplainedTask["events"]> {
  const stored = await store.listEvents(DEFAULT_TENANT, EVENTS_LOOKED_AT);
  const offered = stored
    .filter((event) => event.position > row.startPosition)
    // Bodies are events that were checked when they were accepted.
    .map(({ position, acceptedAtMs, body }) => ({ position, acceptedAtMs, event: JSON.parse(body) as CloudEvent }));
  return explainEvents(records, context, task, offered).slice(0, EVENTS_TOLD_MAX);
}

async function childOf(store: Store, runId: string): Promise<ExplainedTask["child"]> {
  const row = await store.loadRun(runId);
  return { runId, status: row?.status, reason: row?.reason };
}

/** The last record of the run that was made until `atMs`. @throws AppError `usage` when the run began later. */
export function seqAt(records: readonly RunRecord[], runId: string, atMs: number): number {
  const seq = records.findLastIndex((record) => record.at <= atMs) + 1;
  if (seq > 0) return seq;
  const began = new Date(records[0]?.at ?? 0).toISOString();
  throw new AppError("usage", `The run ${runId} began at ${began}, after ${new Date(atMs).toISOString()}.`, { details: { runId, atMs } });
}
