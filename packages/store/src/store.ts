import type { Json } from "@tutti/model";
import type { Leases, Receivers } from "./leases.ts";

/**
 * The port below the runtime: everything durable. One suite (`conformance.ts`) says what an implementation promises.
 *
 * A method that resolves has synced what it wrote. `store-full` means that nothing was written. `commit-outcome-unknown` means that the caller
 * must load every run of the batch again. Nothing here interprets a record: bodies are JSON texts of the engine's.
 */
export interface Store {
  start(): Promise<void>;
  /**
   * May be called twice, or before `start`. With `leavesSuspects` the stop is orderly, and yet `stoppedCleanly` will be false: runs that were under
   * way when a process before this one died have not been tried since.
   */
  stop(how?: { readonly leavesSuspects: boolean }): Promise<void>;

  /**
   * Commits the batch with one sync. Verdicts come in the order of `batch.runs`. A run whose `expectedSeq` is not the stored one is `conflict`:
   * nothing of it is written, the others are committed. So is one whose shard is not owned under its `epoch` any more: `fenced`.
   */
  commit(batch: CommitBatch): Promise<CommitResult>;

  /** How nodes share the store; undefined when whoever has started it owns everything, and no epoch matters. */
  readonly leases: Leases | undefined;

  /** The run's row, or undefined. */
  loadRun(runId: string): Promise<RunRow | undefined>;
  /** The latest snapshot (unless `withSnapshot` is false) and all records after it, in order. Payload references are resolved. Damage throws `store-damaged`. */
  loadRecords(runId: string, options: { readonly withSnapshot: boolean }): Promise<RunHistory>;
  /** Records from `fromSeq` on, for views; at most `limit`. */
  readRecords(runId: string, fromSeq: number, limit: number): Promise<readonly StoredRecord[]>;

  /**
   * What was committed after a position, in the order of the commits: one entry for the records that one commit brought of one run. Positions grow,
   * and none is given twice, also when what stood there was deleted.
   */
  readFeed(afterPosition: number, limit: number): Promise<readonly FeedEntry[]>;
  /** The position of the last entry there has been, 0 before the first. */
  feedEnd(): Promise<number>;

  listRuns(query: RunQuery): Promise<RunPage>;
  /** How many runs there are by status, and how many tasks of all runs are in doubt. */
  countRuns(tenant: string): Promise<RunCounts>;
  /** Ids that begin with `prefix`, at most `limit`. */
  findRunIds(prefix: string, limit: number): Promise<readonly string[]>;
  /**
   * Runs that a restarted owner has to load: status `running`, or marked as having work outstanding. Paged by run id. With `shards`, here and
   * below, only runs in these.
   */
  listRunnable(afterRunId: string | undefined, limit: number, shards?: ReadonlySet<number>): Promise<readonly string[]>;
  /** Parked runs whose wake time is at or before `nowMs`, earliest first. */
  listDue(
    nowMs: number,
    limit: number,
    shards?: ReadonlySet<number>,
  ): Promise<readonly { readonly runId: string; readonly wakeAtMs: number }[]>;
  /** The earliest wake time of any parked run. */
  nextWakeAt(shards?: ReadonlySet<number>): Promise<number | undefined>;

  /** Publishes a workflow version. The same text again is fine (`unchanged`); another text under the version is `conflict`. */
  putDefinition(definition: DefinitionRow): Promise<"created" | "unchanged" | "conflict">;
  loadDefinition(key: DefinitionKey): Promise<DefinitionRow | undefined>;
  loadDefinitionByDigest(digest: string): Promise<DefinitionRow | undefined>;
  listDefinitions(): Promise<readonly Omit<DefinitionRow, "text">[]>;

  /** Accepts an event once per (tenant, source, id). `duplicate` gives the position of the first. */
  acceptEvent(event: IncomingEvent): Promise<{ readonly position: number; readonly duplicate: boolean }>;
  /** Events after `afterPosition`, of the type if given, in order. */
  readEvents(
    tenant: string,
    query: { readonly afterPosition: number; readonly type: string | undefined; readonly limit: number },
  ): Promise<readonly StoredEvent[]>;
  listEvents(tenant: string, limit: number): Promise<readonly StoredEvent[]>;
  /**
   * A page of the subscriptions that an event is a candidate for: of its type or of any, without a key or with one that has the event's value, and
   * created before it, or correlated and the run started before it. Costs as much as there are of these, however many others wait.
   */
  findSubscribers(query: SubscriberQuery): Promise<SubscriberPage>;
  /** Events after this position count for a subscription; undefined when there is none. */
  listensAfter(subscriber: Subscriber): Promise<number | undefined>;
  /** Every event up to here has reached all its subscribers; what lies after is dispatched again on start. */
  readDispatchCursor(): Promise<number>;
  writeDispatchCursor(position: number): Promise<void>;
  /** Deletes what was accepted before, has reached its subscribers, and has been read for every schedule; the ids may then be accepted again. */
  deleteEventsBefore(acceptedAtMs: number): Promise<number>;

  /** Messages that were committed with another run's batch and not yet taken: run ended, slot granted. In order of position; those of `receivers` only. */
  readMessages(afterPosition: number, limit: number, receivers?: Receivers): Promise<readonly RunMessage[]>;

  /** Who holds or waits for the slots of a key, in the order in which they asked. */
  listSlots(key: string, limit: number): Promise<readonly SlotEntry[]>;

  /**
   * Writes what is known of a workflow's schedule. `row.revision` is one more than that of the stored row, 1 when there is none; another one is a
   * `conflict` and nothing is written.
   */
  putSchedule(row: ScheduleRow): Promise<"written" | "conflict">;
  loadSchedule(tenant: string, namespace: string, name: string): Promise<ScheduleRow | undefined>;
  /** All schedules of the tenant, by namespace and name. */
  listSchedules(tenant: string): Promise<readonly ScheduleRow[]>;

  /** Writes a provider as `putSchedule` writes a schedule: `row.revision` is one more than that of the stored row, 1 when there is none. */
  putProvider(row: ProviderRow): Promise<"written" | "conflict">;
  loadProvider(tenant: string, name: string): Promise<ProviderRow | undefined>;
  /** All providers of the tenant by name, or those of one connector. */
  listProviders(tenant: string, connector?: string): Promise<readonly ProviderRow[]>;
  /** Deletes the provider. @returns whether there was one. */
  removeProvider(tenant: string, name: string): Promise<boolean>;

  /**
   * Poison bookkeeping, no sync: which run is about to take which of its first steps after a start. Another mark, or undefined, says that the
   * process survived the step: crashes counted for that mark are forgotten.
   */
  markSuspect(runId: string | undefined): Promise<void>;
  /** What was marked when a process died, and how often in a row. */
  readSuspects(): Promise<readonly { readonly runId: string; readonly crashes: number }[]>;
  /** Forgets all marks and crashes, or those of runs in `shards`. */
  clearSuspects(shards?: ReadonlySet<number>): Promise<void>;
  /** Whether the last stop was orderly; `start` sets it to false, `stop` to true. */
  readonly stoppedCleanly: boolean;

  /** Digests of documents that have runs with an end, and when the first of these ended. */
  listFinishedDigests(): Promise<readonly { readonly digest: string; readonly firstEndedAtMs: number }[]>;
  /** Runs of one document that are completed or cancelled, in the order in which they ended. */
  listFinished(query: FinishedQuery): Promise<FinishedPage>;
  /**
   * Takes runs that are completed or cancelled out of every look-up, with their labels, subscriptions and messages. Whoever starts one of these
   * ids again starts a new run. What they occupy goes with `sweepRuns`. @returns how many there were.
   */
  condemnRuns(runIds: readonly string[]): Promise<number>;
  /** Condemned runs of which something is left, also of an earlier process: the ones condemned first come first. */
  listCondemned(limit: number): Promise<readonly string[]>;
  /**
   * Deletes a bounded part of what is left of condemned runs, so that commits hardly wait: records, snapshot, payloads that no other run
   * holds. Runs below them are condemned first. @returns whether nothing is left of the runs named (of those below them perhaps).
   */
  sweepRuns(runIds: readonly string[]): Promise<boolean>;
  /** Gives a bounded part of the space of what was deleted back to the file system, until `keepBytes` of it are left. `bytes`: size of the store. */
  giveBackSpace(keepBytes: number): Promise<{ readonly isDone: boolean; readonly bytes: number }>;

  /** Checks everything that is stored; names each damaged run. */
  check(): Promise<StoreReport>;
}

export interface CommitBatch {
  /** At most one entry per run. */
  readonly runs: readonly RunCommit[];
}

export interface RunCommit {
  readonly runId: string;
  /** Of the run's shard, where nodes share the store; a commit without one is `fenced` there, and nobody looks at it elsewhere. */
  readonly epoch?: number | undefined;
  /** Number of records stored before; 0 creates the run, which needs `row` and at least one record. */
  readonly expectedSeq: number;
  /** Bodies of the new records, JSON texts; `seq` counts on from `expectedSeq + 1`. */
  readonly records: readonly RecordBody[];
  /** Present when the row changes; always on creation. Left out when only `updatedAtMs` would change, since it costs index work. */
  readonly row: RunRowChange | undefined;
  readonly snapshot: { readonly body: string; readonly engineVersion: number } | undefined;
  /** Accepted before the subscriptions of the same commit: what a run emits and then listens for without correlation, it does not see. */
  readonly events: readonly IncomingEvent[];
  readonly subscribe: readonly SubscriptionRow[];
  /** Activations whose subscriptions end. */
  readonly unsubscribe: readonly number[];
  readonly acquire: readonly SlotRequest[];
  readonly release: readonly SlotHolder[];
  /** Messages for other runs, taken by them through `take`. */
  readonly send: readonly { readonly toRunId: string; readonly body: Json }[];
  /** Positions of messages that this commit has dealt with. */
  readonly take: readonly number[];
}

/** A record's text, without the values over the inline limit: a marker stands at the offset of each. Made by `encodeRecord`. */
export interface RecordBody {
  readonly type: string;
  readonly atMs: number;
  readonly text: string;
  readonly payloads?: readonly Payload[];
}
export interface Payload {
  /** SHA-256 of the text, hexadecimal. */
  readonly hash: string;
  readonly text: string;
  /** Where the marker begins in the record's text, in UTF-16 units; payloads come in the order of their offsets. */
  readonly offset: number;
}

export interface CommitResult {
  readonly verdicts: readonly RunVerdict[];
}
export interface RunVerdict {
  readonly verdict: "committed" | "conflict" | "fenced";
  /** In the order of `acquire`. `queued` is answered later by a message `{type: "slot-granted", key, task, fence}` to the run. */
  readonly slots: readonly SlotVerdict[];
  /** Positions given to `events`, in order; a duplicate has the position of the first. */
  readonly eventPositions: readonly number[];
  /** Messages written by this commit: sent, slots granted to waiters by a release, and `{type: "slot-replaced", key, task, fence}` to a run that lost one. */
  readonly messages: readonly RunMessage[];
}
export interface SlotVerdict {
  readonly key: string;
  readonly task: number;
  readonly verdict: "granted" | "queued" | "rejected";
  /** Grows with every grant of the key; 0 unless granted. */
  readonly fence: number;
  /** Who lost the slot to this request. */
  readonly replaced?: SlotHolder & { readonly runId: string };
}

export const RUN_STATUSES = ["running", "waiting", "suspended", "faulted", "completed", "cancelled", "quarantined"] as const;
export type RunStatus = (typeof RUN_STATUSES)[number];

/** What lists and look-ups know of a run without loading it. */
export interface RunRow {
  readonly runId: string;
  readonly tenant: string;
  readonly seq: number;
  readonly status: RunStatus;
  readonly namespace: string;
  readonly name: string;
  readonly version: string;
  readonly digest: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly parentRunId: string | undefined;
  readonly startedAtMs: number;
  readonly updatedAtMs: number;
  readonly endedAtMs: number | undefined;
  /** Earliest timer of a parked run. */
  readonly wakeAtMs: number | undefined;
  /** A restarted owner must load the run: attempts are in flight or commands outstanding. */
  readonly isOutstanding: boolean;
  /** Number of tasks in doubt. */
  readonly inDoubt: number;
  /** Type of the error of a faulted run. */
  readonly errorType: string | undefined;
  /** One sentence for lists: what it waits for, or why it faulted. */
  readonly reason: string | undefined;
  /** Events after this position count for correlated listeners: the inbox's end when the run started. */
  readonly startPosition: number;
}
export interface RunCounts {
  readonly byStatus: Readonly<Record<RunStatus, number>>;
  readonly inDoubt: number;
}
/** Tenant, namespace, name, parent and start are fixed at creation: a later change of them is ignored. */
export type RunRowChange = Omit<RunRow, "runId" | "seq" | "startPosition">;

export interface StoredRecord {
  readonly seq: number;
  readonly body: string;
}
export interface FeedEntry {
  readonly position: number;
  /** Undefined when the run is being deleted; after that there is no entry. */
  readonly runId: string | undefined;
  readonly seqFirst: number;
  readonly seqLast: number;
}
export interface RunHistory {
  readonly row: RunRow;
  readonly snapshot: { readonly seq: number; readonly body: string; readonly engineVersion: number } | undefined;
  readonly records: readonly StoredRecord[];
}

export interface RunQuery {
  readonly tenant: string;
  readonly status?: readonly RunStatus[];
  readonly namespace?: string;
  readonly name?: string;
  readonly startedAfterMs?: number;
  readonly startedBeforeMs?: number;
  readonly label?: { readonly key: string; readonly value: string };
  readonly errorType?: string;
  readonly inDoubt?: boolean;
  readonly parentRunId?: string;
  readonly limit: number;
  /** From the previous page's `next`. */
  readonly cursor?: string;
}
export interface RunPage {
  /** Newest first. */
  readonly runs: readonly RunRow[];
  readonly next: string | undefined;
}

export interface DefinitionKey {
  readonly namespace: string;
  readonly name: string;
  /** `latest` takes the highest semantic version. */
  readonly version: string;
}
export interface DefinitionRow extends DefinitionKey {
  /** SHA-256 of the text and of `references`, hexadecimal. */
  readonly digest: string;
  /** What the document refers to outside of itself, as it was when it was published: JSON text; left out when there is nothing. */
  readonly references?: string;
  /** The document as its author wrote it. */
  readonly text: string;
  /** Directory that relative references start from, when it came from a file. */
  readonly baseDirectory: string | undefined;
  readonly publishedAtMs: number;
}

export interface IncomingEvent {
  readonly tenant: string;
  readonly source: string;
  readonly id: string;
  readonly type: string;
  readonly acceptedAtMs: number;
  /** The CloudEvent as JSON text. */
  readonly body: string;
}
export interface StoredEvent extends IncomingEvent {
  readonly position: number;
}
export interface SubscriptionRow {
  readonly tenant: string;
  readonly task: number;
  readonly filter: number;
  readonly eventType: string | undefined;
  readonly correlated: boolean;
  /** What the event must have besides, in a form that whoever asks understands; without one every event of the type is a candidate. */
  readonly key?: { readonly name: string; readonly value: string } | undefined;
}
export interface SubscriberQuery {
  readonly tenant: string;
  readonly type: string;
  readonly position: number;
  /** What the event has under the name of a key. Asked for each name that there is among the subscriptions of its type and of any. */
  readonly keyValue: (name: string) => string | undefined;
  /** Subscriptions looked at, at most. */
  readonly limit: number;
  /** From the previous page's `next`. */
  readonly cursor?: string | undefined;
}
export interface SubscriberPage {
  /** In an order of the store's own; those of a run one after another, by task and filter. */
  readonly subscribers: readonly Subscriber[];
  /** A page may hold fewer than `limit` subscribers, or none, and yet have a next one. */
  readonly next: string | undefined;
}
export interface Subscriber {
  readonly runId: string;
  readonly task: number;
  readonly filter: number;
}

/** What is known of the schedule of a workflow, whatever its version: one row a name, from the first time it is enabled. */
export interface ScheduleRow {
  readonly tenant: string;
  readonly namespace: string;
  readonly name: string;
  readonly isEnabled: boolean;
  /** Events after this position are still to be read for it; undefined when it reads none. */
  readonly eventPosition: number | undefined;
  /** Counts the writes. */
  readonly revision: number;
  /** JSON text of the runtime's. */
  readonly body: string;
}

/** A configured target of a connector: which one it is, in a text of the runtime's. No credential's value is ever in it. */
export interface ProviderRow {
  readonly tenant: string;
  readonly name: string;
  readonly connector: string;
  /** Counts the writes since it was added. */
  readonly revision: number;
  /** JSON text of the runtime's. */
  readonly body: string;
}

export interface SlotHolder {
  readonly key: string;
  readonly task: number;
}
export interface SlotRequest extends SlotHolder {
  readonly limit: number;
  readonly onConflict: "queue" | "reject" | "replace";
}

export interface SlotEntry {
  readonly runId: string;
  readonly task: number;
  readonly state: "held" | "queued";
  /** How many may hold the key at a time, as this one asked for it. */
  readonly limit: number;
}

export interface RunMessage {
  readonly position: number;
  readonly toRunId: string;
  readonly body: Json;
}

export interface FinishedQuery {
  readonly digest: string;
  readonly endedBeforeMs: number;
  /**
   * Only runs without a parent of which everything below is over, too, and ended before that time: nothing is in doubt, no message is under way.
   * A faulted run below counts as over, since the run that waited for it has ended.
   */
  readonly onlyWholeTrees: boolean;
  readonly limit: number;
  /** From the previous page's `next`. */
  readonly after?: FinishedPlace;
}
export interface FinishedPlace {
  readonly endedAtMs: number;
  readonly runId: string;
}
export interface FinishedPage {
  readonly runs: readonly { readonly runId: string; readonly endedAtMs: number; readonly namespace: string; readonly name: string }[];
  /** A page may hold fewer than `limit` runs, or none, and yet have a next one. */
  readonly next: FinishedPlace | undefined;
}

export interface StoreReport {
  readonly runs: number;
  readonly records: number;
  readonly bytes: number;
  /** Empty when all is well. */
  readonly damage: readonly { readonly runId: string | undefined; readonly what: string }[];
}
