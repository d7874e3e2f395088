import type { SlotEntry, SlotHolder, SlotRequest, SlotVerdict } from "@tutti/store";
import type { Connection } from "./connection.ts";
import { countUp } from "./settings.ts";

/** A message that a change of slots writes to another task's run. */
export interface SlotNotice {
  readonly toRunId: string;
  readonly body: { readonly type: "slot-granted" | "slot-replaced"; readonly key: string; readonly task: number; readonly fence: number };
}

interface SlotRow {
  readonly slotKey: number;
  readonly runId: string;
  readonly task: number;
  readonly maxHeld: number;
  /** 0 while it waits. */
  readonly fence: number;
}

/** Grants, queues or rejects; a holder that asks again gets its present state. */
export function acquireSlot(
  connection: Connection,
  runId: string,
  request: SlotRequest,
): { readonly verdict: SlotVerdict; readonly notices: readonly SlotNotice[] } {
  const { key, task } = request;
  const rows = readSlots(connection, key);
  const present = rows.find((row) => row.runId === runId && row.task === task);
  if (present !== undefined)
    return { verdict: { key, task, verdict: present.fence > 0 ? "granted" : "queued", fence: present.fence }, notices: [] };
  const held = rows.filter((row) => row.fence > 0);
  // A newcomer never overtakes those who wait, even when a slot is free for a moment.
  const isFree = held.length < request.limit && held.length === rows.length;
  if (!isFree && request.onConflict === "reject") return { verdict: { key, task, verdict: "rejected", fence: 0 }, notices: [] };
  const oldest = !isFree && request.onConflict === "replace" ? held.toSorted((a, b) => a.fence - b.fence)[0] : undefined;
  if (oldest !== undefined) connection.sql("delete from slot where slot_key = ?").run(oldest.slotKey);
  const fence = isFree || oldest !== undefined ? countUp(connection, "last-fence") : 0;
  connection
    .sql("insert into slot (key, run_id, task, max_held, fence) values (?, ?, ?, ?, ?)")
    .run(key, runId, task, request.limit, fence);
  const verdict: SlotVerdict = { key, task, verdict: fence > 0 ? "granted" : "queued", fence };
  if (oldest === undefined) return { verdict, notices: [] };
  const notice: SlotNotice = { toRunId: oldest.runId, body: { type: "slot-replaced", key, task: oldest.task, fence: oldest.fence } };
  return { verdict: { ...verdict, replaced: { runId: oldest.runId, key, task: oldest.task } }, notices: [notice] };
}

/** Lets go of a slot or leaves its queue; those who waited longest move up. */
export function releaseSlot(connection: Connection, runId: string, holder: SlotHolder): readonly SlotNotice[] {
  connection.sql("delete from slot where key = ? and run_id = ? and task = ?").run(holder.key, runId, holder.task);
  const rows = readSlots(connection, holder.key);
  let held = rows.filter((row) => row.fence > 0).length;
  const notices: SlotNotice[] = [];
  for (const row of rows) {
    if (row.fence > 0) continue;
    // The queue is strict: whoever is first decides whether the queue moves.
    if (held >= row.maxHeld) break;
    const fence = countUp(connection, "last-fence");
    connection.sql("update slot set fence = ? where slot_key = ?").run(fence, row.slotKey);
    held += 1;
    notices.push({ toRunId: row.runId, body: { type: "slot-granted", key: holder.key, task: row.task, fence } });
  }
  return notices;
}

/** Who holds or waits for the slots of a key, in the order in which they asked. */
export function listSlots(connection: Connection, key: string, limit: number): readonly SlotEntry[] {
  return readSlots(connection, key)
    .slice(0, limit)
    .map(({ runId, task, fence, maxHeld }) => ({ runId, task, state: fence > 0 ? "held" : "queued", limit: maxHeld }));
}

/** Holders and waiters of a key in the order in which they asked. */
function readSlots(connection: Connection, key: string): readonly SlotRow[] {
  return connection
    .sql("select slot_key, run_id, task, max_held, fence from slot where key = ? order by slot_key")
    .all(key)
    .map((row) => ({
      slotKey: Number(row["slot_key"]),
      runId: String(row["run_id"]),
      task: Number(row["task"]),
      maxHeld: Number(row["max_held"]),
      fence: Number(row["fence"]),
    }));
}
