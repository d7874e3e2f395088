import type { DefinitionRow, ProviderRow, RunMessage, RunRow, ScheduleRow, SlotHolder, StoredEvent, SubscriptionRow } from "./store.ts";

/** A record as it lies on the disk: with markers in place of its payloads. */
export interface MemoryRecord {
  text: string;
  readonly crc: number;
  /** Of the commit that brought it. */
  readonly position: number;
  readonly places: readonly { readonly offset: number; readonly hash: string }[];
}
export interface MemoryRun {
  row: RunRow;
  readonly records: MemoryRecord[];
  snapshot: { readonly seq: number; readonly body: string; readonly engineVersion: number } | undefined;
  readonly subscriptions: Map<string, SubscriptionRow & { readonly createdAfter: number }>;
}
/** Holders come before waiters only in time: the state says which is which. */
export interface MemorySlot extends SlotHolder {
  readonly runId: string;
  readonly limit: number;
  state: "held" | "queued";
  fence: number;
}

/** Who has a shard. */
export interface MemoryLease {
  readonly epoch: number;
  /** Undefined when it was handed over. */
  readonly nodeId: string | undefined;
  readonly untilMs: number;
  readonly isClean: boolean;
}

/**
 * What survives a crash of the memory store's process: everything, since its commits are never half done.
 *
 * `crash` cuts the present owner off as kill -9 does: its calls fail from then on, and another store may start on the disk.
 */
export class MemoryDisk {
  readonly runs = new Map<string, MemoryRun>();
  /** Entries of the feed there have been. */
  lastFeedPosition = 0;
  readonly payloads = new Map<string, string>();
  /** Runs that nobody sees any more, with what is left of them. */
  readonly condemned = new Map<string, MemoryRun>();
  readonly definitions = new Map<string, DefinitionRow>();
  /** In order of position. */
  events: StoredEvent[] = [];
  readonly eventPositions = new Map<string, number>();
  lastEventPosition = 0;
  readonly messages = new Map<number, RunMessage>();
  lastMessagePosition = 0;
  /** Per key, in order of request. */
  readonly slots = new Map<string, MemorySlot[]>();
  lastFence = 0;
  dispatchCursor = 0;
  readonly schedules = new Map<string, ScheduleRow>();
  readonly providers = new Map<string, ProviderRow>();
  stoppedCleanly = false;
  suspect: string | undefined;
  readonly crashes = new Map<string, number>();
  /** Where nodes share the disk: the shards that somebody has had, the nodes and until when they count as living, and who has marked whom. */
  readonly leases = new Map<number, MemoryLease>();
  readonly nodes = new Map<string, number>();
  readonly marks = new Map<string, string>();
  readonly cursors = new Map<number, number>();
  isShared = false;
  /** Writes of schedules and definitions so far. */
  scheduleWrites = 0;
  readonly wakers = new Set<(nodeId: string | undefined) => void>();
  /** The store that owns the disk now. */
  owner: object | undefined;

  crash(): void {
    this.owner = undefined;
  }

  /** Tells all nodes but the one that has written. */
  wake(writer: string | undefined): void {
    for (const waker of this.wakers) waker(writer);
  }

  /** Changes one character of the run's first record, for tests of what happens then. */
  damage(runId: string): void {
    const record = this.runs.get(runId)?.records[0];
    if (record === undefined) throw new Error(`The run ${runId} has no record to damage.`);
    record.text = `!${record.text.slice(1)}`;
  }
}
