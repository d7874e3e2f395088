import type { Command, EngineContext, RunRecord, RunState } from "@tutti/engine";
import type { Json } from "@tutti/model";
import type { IncomingEvent, RunRowChange, SlotHolder, SlotRequest, SubscriptionRow } from "@tutti/store";
import type { AttemptHandle } from "./attempt-handle.ts";
import type { TimerEntry } from "./clock.ts";
import type { ShardLease } from "./ownership.ts";
import type { LogLine } from "./runtime.ts";

/** Whoever waits for a commit: told once, after it or after the run was dropped. */
export interface Acknowledgement {
  /** Where the wish stands among the run's records, to see after a lost commit whether it was stored. */
  readonly seq: number;
  readonly record: RunRecord;
  resolve(): void;
  reject(error: unknown): void;
}

/** What a run has gathered since its last commit was cut; one `RunCommit`. Lists that most commits do not need are made on first use. */
export class PendingCommit {
  readonly records: RunRecord[] = [];
  /** Commands to carry out once the records are stored. */
  readonly after: Command[] = [];
  /** Attempts whose end is among the records: remembered until the end is stored. */
  readonly ended: AttemptHandle[] = [];
  events: IncomingEvent[] | undefined;
  subscribe: SubscriptionRow[] | undefined;
  unsubscribe: number[] | undefined;
  acquire: SlotRequest[] | undefined;
  release: SlotHolder[] | undefined;
  send: { readonly toRunId: string; readonly body: Json }[] | undefined;
  take: number[] | undefined;
  acknowledgements: Acknowledgement[] | undefined;
  /** The row is part of this commit. */
  row: RunRowChange | undefined;
  /** Told when this commit is stored or lost, whichever it is. */
  watchers: (() => void)[] | undefined;
}

/**
 * A run in memory. Its state may be ahead of the store by `flying` (in a commit now) and `pending` (for the next one); only what is stored
 * has been shown to anybody. A run that was dropped is never touched again: it is loaded anew.
 */
export class LoadedRun {
  readonly runId: string;
  /** What it is driven under. */
  readonly lease: ShardLease;
  readonly tenant: string;
  readonly context: EngineContext;
  readonly baseDirectory: string | undefined;
  readonly state: RunState;
  readonly parent: { readonly runId: string; readonly task: number } | undefined;
  /** The row as it is stored or in flight. */
  row: RunRowChange;
  isRowStored: boolean;
  /** Records stored. */
  seq: number;
  startPosition: number | undefined;
  pending = new PendingCommit();
  flying: PendingCommit | undefined;
  isDirty = false;
  isDropped = false;
  dropCause: unknown;
  /** What it had gathered was not stored, or nobody knows. */
  isLost = false;
  /** The commit being gathered must write the row even if it looks unchanged. */
  needsRow = false;
  /** By activation. */
  readonly attempts = new Map<number, AttemptHandle>();
  readonly timers = new Map<number, TimerEntry>();
  /** Positions of messages that were given to the state and are not stored as taken. */
  readonly handed = new Set<number>();
  /** Readings of the event backlog under way: later events wait, so that a listener sees them in order. */
  backlog: Promise<void> | undefined;
  /**
   * A correlated listener has not been shown the earlier events yet. Says the row too: a process that dies between the subscription and this
   * reading must leave a run that its successor loads, since those events will not be handed out again.
   */
  hasUnreadBacklog = false;
  tailRecords = 0;
  tailBytes = 0;
  snapshotBytes = 0;
  /** After an unclean stop: has not yet stored anything in this process. */
  isUnproven = false;
  /** Records that tell of progress, as of the load; see `PoisonWatch`. */
  progress = 0;
  /** The row as the store has it. */
  storedRow: RunRowChange | undefined;
  idleSinceMs: number | undefined;
  /** Things under way that will lead to facts and are no attempts: a backlog being read, a child being started, a leftover being ended. */
  holds = 0;
  /** Log lines of attempts whose cause is not stored yet. */
  heldLogs: { readonly fromSeq: number; readonly line: LogLine }[] = [];
  /** Called when a dropped run has left memory and may be loaded again. */
  goneWaiters: (() => void)[] = [];

  constructor(given: {
    readonly state: RunState;
    readonly lease: ShardLease;
    readonly tenant: string;
    readonly context: EngineContext;
    readonly baseDirectory: string | undefined;
    readonly parent: { readonly runId: string; readonly task: number } | undefined;
    readonly row: RunRowChange;
    readonly seq: number;
  }) {
    this.state = given.state;
    this.runId = given.state.runId;
    this.lease = given.lease;
    this.tenant = given.tenant;
    this.context = given.context;
    this.baseDirectory = given.baseDirectory;
    this.parent = given.parent;
    this.row = given.row;
    this.seq = given.seq;
    this.isRowStored = given.seq > 0;
  }

  /** Records that will be stored when everything gathered so far is. */
  get seqAhead(): number {
    return this.seq + (this.flying?.records.length ?? 0) + this.pending.records.length;
  }

  /** Resolves when what has been gathered so far is stored or lost. */
  async stored(): Promise<void> {
    // Who waits is told when the run is lost; nobody would come by again.
    if (this.isLost) return;
    const last = this.isDirty ? this.pending : this.flying;
    if (last !== undefined) await new Promise<void>((resolve) => (last.watchers ??= []).push(resolve));
  }

  /** Nothing is on its way to the store or from a connector. */
  get isQuiet(): boolean {
    return !this.isDirty && this.flying === undefined && this.attempts.size === 0 && this.holds === 0;
  }
}
