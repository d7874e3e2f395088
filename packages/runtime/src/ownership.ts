import { AppError } from "@tutti/model";

/** How much is still begun: everything, only what must not be left open (see `stop`), or nothing. */
export type DriverMode = "open" | "closing" | "closed";

/** This process's right to drive the runs of a shard. A run in memory belongs to one of these for as long as it stays there. */
export class ShardLease {
  readonly shard: number;
  /** What commits are made under; undefined when nobody else can own the store. */
  readonly epoch: number | undefined;
  /** `closing`: it is given to another node as soon as nothing is under way. `closed`: it is over, for good. */
  mode: DriverMode = "open";
  /** By the monotonic clock of this process: from then on another node may own the shard. */
  validUntilMs: number;
  /** Events up to here have reached the shard's subscribers. */
  eventsUpTo: number;

  constructor(given: {
    readonly shard: number;
    readonly epoch: number | undefined;
    readonly validUntilMs: number;
    readonly eventsUpTo: number;
  }) {
    this.shard = given.shard;
    this.epoch = given.epoch;
    this.validUntilMs = given.validUntilMs;
    this.eventsUpTo = given.eventsUpTo;
  }
}

/** Which runs this process may drive. */
export interface Ownership {
  /** Whether other nodes drive runs of the same store. */
  readonly isShared: boolean;
  /** The lease under which the run (or what else has a name) is driven here; undefined when it is not. */
  leaseOf(id: string): ShardLease | undefined;
  leases(): readonly ShardLease[];
  /** The shards of `leases`, for look-ups in the store; undefined when these are all. */
  shards(): ReadonlySet<number> | undefined;
  /** Looked at immediately before anything is sent. */
  maySend(lease: ShardLease): boolean;
  /** The store has refused a commit: the shard has another owner. */
  fenced(lease: ShardLease): void;
}

const NO_SHARDS: undefined = undefined;

/** Of a process that owns the whole store: one lease that never ends. */
export class SoleOwnership implements Ownership {
  readonly isShared = false;
  readonly #lease = new ShardLease({ shard: 0, epoch: undefined, validUntilMs: Number.POSITIVE_INFINITY, eventsUpTo: 0 });
  readonly #leases = [this.#lease];

  leaseOf(_id: string): ShardLease {
    return this.#lease;
  }

  leases(): readonly ShardLease[] {
    return this.#leases;
  }

  shards(): undefined {
    return NO_SHARDS;
  }

  maySend(): boolean {
    return true;
  }

  fenced(): void {}
}

/** Why a run is not driven here. Whoever meets it leaves the run alone: its owner finds by itself what it has to do. */
export function drivenElsewhere(runId: string): AppError {
  return new AppError("run-elsewhere", `The run ${runId} is driven by another node, or by none at the moment.`, { details: { runId } });
}

export function isElsewhere(error: unknown): boolean {
  return error instanceof AppError && error.code === "run-elsewhere";
}
