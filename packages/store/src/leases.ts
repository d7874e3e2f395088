import type { Json } from "@tutti/model";
import type { RunMessage } from "./store.ts";

/** A shard under the epoch of one ownership. Epochs grow with every claim, so a shard and an epoch name one owner. */
export interface OwnedShard {
  readonly shard: number;
  readonly epoch: number;
}

export interface ClaimedShard extends OwnedShard {
  /** The owner before has handed it over in order, or there was none: nothing of it was cut short. */
  readonly isClean: boolean;
  /** Events up to here have reached all subscribers of the shard. */
  readonly eventsUpTo: number;
}

export interface Beat {
  /** What is to be renewed. Other shards that the store counts as this node's may go to anybody. */
  readonly keep: readonly OwnedShard[];
  /** How long the leases last from now, by the store's clock. */
  readonly leaseMs: number;
  /** A node that is stopping claims nothing. */
  readonly mayClaim: boolean;
}

export interface BeatAnswer {
  /** Those of `keep` that are still this node's, renewed. A lease that has run out is not renewed, whoever has it now. */
  readonly kept: readonly OwnedShard[];
  /** Free, or left by a node whose lease has run out; never more than leads to the share. */
  readonly claimed: readonly ClaimedShard[];
  /** How many shards this node should have, as many nodes as live now: what it has above that it should hand over. */
  readonly share: number;
  /** They grow with what is written, by whichever node: a node that knows lower ones has something to read. */
  readonly ends: StoreEnds;
}

export interface StoreEnds {
  readonly events: number;
  readonly messages: number;
  /** Of schedules and definitions. */
  readonly schedules: number;
}

/** Messages that are for one node: to runs in its shards, and to itself. */
export interface Receivers {
  readonly shards: ReadonlySet<number>;
  readonly nodeId: string;
}

export interface MessageExchange {
  readonly send: readonly { readonly to: string; readonly body: Json }[];
  /** Positions of messages that are dealt with. */
  readonly drop: readonly number[];
  /** Nothing happens unless this is still so. */
  readonly under?: OwnedShard;
}

/**
 * How several nodes share one store. A shard belongs to one node under a lease that ends by the store's clock. Whoever writes to a run says under
 * which epoch, and is `fenced` when the shard has been claimed since: the epoch is compared in the transaction that writes.
 */
export interface Leases {
  /** This process: another one each time. */
  readonly nodeId: string;
  /** Says that this node lives, renews its leases and claims what is free, in one transaction. */
  beat(beat: Beat): Promise<BeatAnswer>;
  /** Gives shards back, for others to claim at once; those that are no longer this node's stay as they are. */
  handOver(shards: readonly (OwnedShard & { readonly isClean: boolean })[], how: { readonly leaves: boolean }): Promise<void>;
  /** Events up to `position` have reached all subscribers in these shards. Shards of another epoch stay as they are. */
  writeCursors(position: number, under: readonly OwnedShard[]): Promise<void>;
  /**
   * Writes and drops messages besides any run's commit, all or nothing. Messages to nodes that are gone are not kept.
   *
   * @returns what was written; undefined when `under` does not hold any more.
   */
  exchange(exchange: MessageExchange): Promise<readonly RunMessage[] | undefined>;
  /** Calls back soon after another node has written something that this one may have to read. A hint: it may get lost, or come twice. */
  onWake(listener: () => void): () => void;
}
