import { crc32 } from "node:zlib";

/**
 * Runs are spread over so many shards, of which each has one owner. Fixed for ever, since stored rows carry their shard: enough for some tens
 * of nodes to have fair shares, and few enough that one statement renews all leases of a node.
 */
export const SHARDS = 64;

/** What every id of a node begins with: messages to a node are no messages to a run. */
export const NODE_PREFIX = "node_";

/** The shard that a run (or whatever else has a name and wants one owner) belongs to. */
export function shardOf(id: string): number {
  return crc32(id) % SHARDS;
}
