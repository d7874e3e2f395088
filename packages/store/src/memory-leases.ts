import type { Beat, BeatAnswer, ClaimedShard, OwnedShard, Receivers } from "./leases.ts";
import type { MemoryDisk } from "./memory-disk.ts";
import { NODE_PREFIX, shardOf, SHARDS } from "./shards.ts";
import type { RunMessage } from "./store.ts";

/** Whether the shard is owned under this very epoch: nobody has claimed it since. */
export function isOwned(disk: MemoryDisk, { shard, epoch }: { readonly shard: number; readonly epoch: number | undefined }): boolean {
  return epoch !== undefined && disk.leases.get(shard)?.epoch === epoch;
}

/** Messages to a node that is gone would lie there for ever. */
export function keepsMessage(disk: MemoryDisk, receiver: string): boolean {
  return !receiver.startsWith(NODE_PREFIX) || disk.nodes.has(receiver);
}

export function isFor({ toRunId }: RunMessage, { shards, nodeId }: Receivers): boolean {
  return toRunId.startsWith(NODE_PREFIX) ? toRunId === nodeId : shards.has(shardOf(toRunId));
}

/** One transaction: see `Leases.beat`. */
export function beat(disk: MemoryDisk, nodeId: string, given: Beat & { readonly nowMs: number }): BeatAnswer {
  const { keep, leaseMs, mayClaim, nowMs } = given;
  const untilMs = nowMs + leaseMs;
  for (const [node, endMs] of disk.nodes) if (endMs <= nowMs) forgetNode(disk, node);
  disk.nodes.set(nodeId, untilMs);
  const kept = keep.filter((one) => {
    const lease = disk.leases.get(one.shard);
    return lease?.nodeId === nodeId && lease.epoch === one.epoch && lease.untilMs > nowMs;
  });
  for (const { shard, epoch } of kept) disk.leases.set(shard, { epoch, nodeId, untilMs, isClean: false });
  const share = Math.ceil(SHARDS / disk.nodes.size);
  const isKept = new Set(kept.map(({ shard }) => shard));
  const claimed: ClaimedShard[] = [];
  for (let shard = 0; mayClaim && shard < SHARDS && kept.length + claimed.length < share; shard += 1) {
    const before = disk.leases.get(shard);
    const isFree = before?.nodeId === undefined || before.untilMs <= nowMs || before.nodeId === nodeId;
    if (isFree && !isKept.has(shard)) claimed.push(claim(disk, shard, { nodeId, untilMs }));
  }
  return {
    kept,
    claimed,
    share,
    ends: { events: disk.lastEventPosition, messages: disk.lastMessagePosition, schedules: disk.scheduleWrites },
  };
}

export function handOver(
  disk: MemoryDisk,
  nodeId: string,
  given: { readonly shards: readonly (OwnedShard & { readonly isClean: boolean })[]; readonly leaves: boolean },
): void {
  for (const { shard, epoch, isClean } of given.shards) {
    const lease = disk.leases.get(shard);
    if (lease?.nodeId === nodeId && lease.epoch === epoch) disk.leases.set(shard, { ...lease, nodeId: undefined, isClean });
  }
  if (!given.leaves) return;
  disk.marks.delete(nodeId);
  forgetNode(disk, nodeId);
}

function claim(disk: MemoryDisk, shard: number, by: { readonly nodeId: string; readonly untilMs: number }): ClaimedShard {
  const before = disk.leases.get(shard);
  const epoch = (before?.epoch ?? 0) + 1;
  const isClean = before === undefined || (before.nodeId === undefined && before.isClean);
  if (before?.nodeId !== undefined) blame(disk, shard, before.nodeId);
  disk.leases.set(shard, { epoch, ...by, isClean: false });
  return { shard, epoch, isClean, eventsUpTo: disk.cursors.get(shard) ?? 0 };
}

/** Whom the dead owner had marked is suspected of its death. */
function blame(disk: MemoryDisk, shard: number, nodeId: string): void {
  const mark = disk.marks.get(nodeId);
  if (mark === undefined || shardOf(runOf(mark)) !== shard) return;
  disk.marks.delete(nodeId);
  disk.crashes.set(mark, (disk.crashes.get(mark) ?? 0) + 1);
}

/** A mark is a run's id, and what may follow behind an `@`. */
export function runOf(mark: string): string {
  const end = mark.indexOf("@");
  return end === -1 ? mark : mark.slice(0, end);
}

function forgetNode(disk: MemoryDisk, nodeId: string): void {
  disk.nodes.delete(nodeId);
  for (const { position, toRunId } of disk.messages.values()) if (toRunId === nodeId) disk.messages.delete(position);
}
