import type { MemoryDisk, MemorySlot } from "./memory-disk.ts";
import type { SlotHolder, SlotRequest, SlotVerdict } from "./store.ts";

/** A message that a change of slots writes to another task's run. */
export interface SlotNotice {
  readonly toRunId: string;
  readonly body: { readonly type: "slot-granted" | "slot-replaced"; readonly key: string; readonly task: number; readonly fence: number };
}

/** Grants, queues or rejects; a holder that asks again gets its present state. */
export function acquireSlot(
  disk: MemoryDisk,
  runId: string,
  request: SlotRequest,
): { readonly verdict: SlotVerdict; readonly notices: readonly SlotNotice[] } {
  const entries = disk.slots.get(request.key) ?? [];
  const { key, task } = request;
  const present = entries.find((entry) => entry.runId === runId && entry.task === task);
  if (present !== undefined)
    return { verdict: { key, task, verdict: present.state === "held" ? "granted" : "queued", fence: present.fence }, notices: [] };
  const held = entries.filter((entry) => entry.state === "held");
  // A newcomer never overtakes those who wait, even when a slot is free for a moment.
  const isFree = held.length < request.limit && held.length === entries.length;
  if (!isFree && request.onConflict === "reject") return { verdict: { key, task, verdict: "rejected", fence: 0 }, notices: [] };
  const entry: MemorySlot = { key, task, runId, limit: request.limit, state: "queued", fence: 0 };
  const notices: SlotNotice[] = [];
  let replaced: SlotVerdict["replaced"];
  if (!isFree && request.onConflict === "replace") {
    const oldest = held.toSorted((a, b) => a.fence - b.fence)[0];
    if (oldest !== undefined) {
      entries.splice(entries.indexOf(oldest), 1);
      replaced = { runId: oldest.runId, key, task: oldest.task };
      notices.push({ toRunId: oldest.runId, body: { type: "slot-replaced", key, task: oldest.task, fence: oldest.fence } });
    }
  }
  if (isFree || replaced !== undefined) grant(disk, entry);
  entries.push(entry);
  disk.slots.set(key, entries);
  const verdict = entry.state === "held" ? "granted" : "queued";
  return { verdict: { key, task, verdict, fence: entry.fence, ...(replaced === undefined ? {} : { replaced }) }, notices };
}

/** Lets go of a slot or leaves its queue; those who waited longest move up. */
export function releaseSlot(disk: MemoryDisk, runId: string, holder: SlotHolder): readonly SlotNotice[] {
  const entries = (disk.slots.get(holder.key) ?? []).filter((entry) => entry.runId !== runId || entry.task !== holder.task);
  const notices: SlotNotice[] = [];
  for (const entry of entries) {
    if (entry.state === "held") continue;
    // The queue is strict: whoever is first decides whether the queue moves.
    if (entries.filter((other) => other.state === "held").length >= entry.limit) break;
    grant(disk, entry);
    notices.push({ toRunId: entry.runId, body: { type: "slot-granted", key: entry.key, task: entry.task, fence: entry.fence } });
  }
  if (entries.length === 0) disk.slots.delete(holder.key);
  else disk.slots.set(holder.key, entries);
  return notices;
}

/** Fences come from one counter for all keys: it grows per key as well, and needs no row for a key that nobody holds. */
function grant(disk: MemoryDisk, entry: MemorySlot): void {
  disk.lastFence += 1;
  entry.state = "held";
  entry.fence = disk.lastFence;
}
