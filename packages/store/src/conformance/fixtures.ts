import type { IncomingEvent, RunCommit, RunRow, RunRowChange, RunVerdict, Store, Subscriber, SubscriberQuery } from "../store.ts";

/** A started store on a place of its own. */
export interface StoreUnderTest {
  readonly store: Store;
  /** The store of a new process in the same place: as after kill -9, unless the old one was stopped. */
  readonly reopen: () => Promise<Store>;
  readonly close: () => Promise<void>;
  /** Damages one stored record of the run behind the store's back. */
  readonly damage: (runId: string) => Promise<void>;
}
export type OpenStore = () => Promise<StoreUnderTest>;
export type StoreTest = (name: string, body: (under: StoreUnderTest) => Promise<void>) => void;

export const TENANT = "default";
/** Some moment: the store never asks for the time. */
export const T0 = 1_760_000_000_000;

export function idOf(number: number): string {
  return `run_${number.toString(36).padStart(16, "0")}`;
}

export function rowOf(change: Partial<RunRowChange> = {}): RunRowChange {
  return {
    tenant: TENANT,
    status: "running",
    namespace: "ops",
    name: "deploy",
    version: "1.0.0",
    digest: "d1",
    labels: {},
    parentRunId: undefined,
    startedAtMs: T0,
    updatedAtMs: T0,
    endedAtMs: undefined,
    wakeAtMs: undefined,
    isOutstanding: false,
    inDoubt: 0,
    errorType: undefined,
    reason: undefined,
    ...change,
  };
}

/** The row that the store gives back for `rowOf(change)`. */
export function storedRow(number: number, seq: number, change: Partial<RunRowChange> = {}, startPosition = 0): RunRow {
  return { ...rowOf(change), runId: idOf(number), seq, startPosition };
}

export function textOf(number: number, seq: number): string {
  return JSON.stringify({ type: "fact", at: T0, run: number, seq });
}

/** A commit of `count` records on `expectedSeq`; a new run gets a row by itself. */
export function commitOf(number: number, expectedSeq: number, more: Partial<RunCommit> & { readonly count?: number } = {}): RunCommit {
  const { count = 1, ...rest } = more;
  return {
    runId: idOf(number),
    expectedSeq,
    records: Array.from({ length: count }, (_, index) => ({ type: "fact", atMs: T0, text: textOf(number, expectedSeq + index + 1) })),
    row: expectedSeq === 0 ? rowOf() : undefined,
    snapshot: undefined,
    events: [],
    subscribe: [],
    unsubscribe: [],
    acquire: [],
    release: [],
    send: [],
    take: [],
    ...rest,
  };
}

export function committed(more: Partial<RunVerdict> = {}): RunVerdict {
  return { verdict: "committed", slots: [], eventPositions: [], messages: [], ...more };
}
export const CONFLICT: RunVerdict = { verdict: "conflict", slots: [], eventPositions: [], messages: [] };

/** Commits one run and gives its verdict. */
export async function commitOne(store: Store, commit: RunCommit): Promise<RunVerdict> {
  const { verdicts } = await store.commit({ runs: [commit] });
  const verdict = verdicts[0];
  if (verdict === undefined) throw new Error("The store gave no verdict.");
  return verdict;
}

export function eventOf(id: string, more: Partial<IncomingEvent> = {}): IncomingEvent {
  return { tenant: TENANT, source: "/test", id, type: "alarm", acceptedAtMs: T0, body: JSON.stringify({ id }), ...more };
}

export async function recordTexts(store: Store, number: number): Promise<readonly string[]> {
  const { records } = await store.loadRecords(idOf(number), { withSnapshot: false });
  return records.map((record) => record.body);
}

/** Everyone whom an event may mean, in order of run, task and filter; read in pages of `limit`, of which none says anybody twice. */
export async function subscribersOf(
  store: Store,
  event: Pick<SubscriberQuery, "type" | "position"> & Partial<SubscriberQuery>,
): Promise<readonly Subscriber[]> {
  const found: Subscriber[] = [];
  let cursor: string | undefined;
  do {
    const page = await store.findSubscribers({ tenant: TENANT, keyValue: () => undefined, limit: 100, ...event, cursor });
    found.push(...page.subscribers);
    cursor = page.next;
  } while (cursor !== undefined);
  return found.toSorted((a, b) => (a.runId < b.runId ? -1 : a.runId > b.runId ? 1 : 0) || a.task - b.task || a.filter - b.filter);
}
