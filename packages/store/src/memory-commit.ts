import { crc32 } from "node:zlib";
import { assert } from "@tutti/model";
import type { MemoryDisk, MemoryRecord, MemoryRun } from "./memory-disk.ts";
import { isOwned, keepsMessage } from "./memory-leases.ts";
import { acquireSlot, releaseSlot, type SlotNotice } from "./memory-slots.ts";
import { shardOf } from "./shards.ts";
import type { CommitBatch, CommitResult, IncomingEvent, RecordBody, RunCommit, RunMessage, RunVerdict } from "./store.ts";

const CONFLICT: RunVerdict = { verdict: "conflict", slots: [], eventPositions: [], messages: [] };
const FENCED: RunVerdict = { verdict: "fenced", slots: [], eventPositions: [], messages: [] };

/** Carries out a batch. Nothing in here waits or throws half way, so a batch is there whole or not at all. */
export function commitToMemory(disk: MemoryDisk, batch: CommitBatch): CommitResult {
  checkBatch(batch);
  return { verdicts: batch.runs.map((commit) => commitRun(disk, commit)) };
}

/** What every implementation refuses before it writes anything: a caller that breaks it has a bug. */
export function checkBatch(batch: CommitBatch): void {
  const runIds = new Set<string>();
  for (const commit of batch.runs) {
    assert(!runIds.has(commit.runId), "a batch names a run at most once");
    runIds.add(commit.runId);
    assert(commit.expectedSeq > 0 || (commit.row !== undefined && commit.records.length > 0), "a new run has a row and a record");
  }
}

/** Accepts an event once per (tenant, source, id). */
export function acceptToMemory(disk: MemoryDisk, event: IncomingEvent): { readonly position: number; readonly duplicate: boolean } {
  const key = JSON.stringify([event.tenant, event.source, event.id]);
  const known = disk.eventPositions.get(key);
  if (known !== undefined) return { position: known, duplicate: true };
  disk.lastEventPosition += 1;
  disk.eventPositions.set(key, disk.lastEventPosition);
  disk.events.push({ ...event, position: disk.lastEventPosition });
  return { position: disk.lastEventPosition, duplicate: false };
}

function commitRun(disk: MemoryDisk, commit: RunCommit): RunVerdict {
  if (disk.isShared && !isOwned(disk, { shard: shardOf(commit.runId), epoch: commit.epoch })) return FENCED;
  const existing = disk.runs.get(commit.runId);
  if ((existing?.row.seq ?? 0) !== commit.expectedSeq) return CONFLICT;
  const run = existing ?? createRun(disk, commit);
  if (commit.records.length > 0) disk.lastFeedPosition += 1;
  run.records.push(...commit.records.map((record) => storeRecord(disk, record)));
  const { runId, startPosition, tenant, namespace, name, parentRunId, startedAtMs } = run.row;
  const fixed = { runId, startPosition, tenant, namespace, name, parentRunId, startedAtMs };
  run.row = { ...(commit.row ?? run.row), ...fixed, seq: commit.expectedSeq + commit.records.length };
  if (commit.snapshot !== undefined) run.snapshot = { ...commit.snapshot, seq: run.row.seq };
  const eventPositions = commit.events.map((event) => acceptToMemory(disk, event).position);
  for (const [key, subscription] of run.subscriptions) if (commit.unsubscribe.includes(subscription.task)) run.subscriptions.delete(key);
  for (const subscription of commit.subscribe) {
    run.subscriptions.set(`${subscription.task}/${subscription.filter}`, { ...subscription, createdAfter: disk.lastEventPosition });
  }
  for (const position of commit.take) disk.messages.delete(position);
  return { verdict: "committed", eventPositions, ...exchange(disk, commit) };
}

function createRun(disk: MemoryDisk, commit: RunCommit): MemoryRun {
  assert(commit.row !== undefined, "a new run has a row");
  const row = { ...commit.row, runId: commit.runId, seq: 0, startPosition: disk.lastEventPosition };
  const run: MemoryRun = { row, records: [], snapshot: undefined, subscriptions: new Map() };
  disk.runs.set(commit.runId, run);
  return run;
}

function storeRecord(disk: MemoryDisk, record: RecordBody): MemoryRecord {
  const payloads = record.payloads ?? [];
  for (const payload of payloads) disk.payloads.set(payload.hash, payload.text);
  return {
    text: record.text,
    crc: crc32(record.text),
    position: disk.lastFeedPosition,
    places: payloads.map(({ offset, hash }) => ({ offset, hash })),
  };
}

/** Releases first, so that a slot that goes from one task of a run to another is free in time. */
function exchange(disk: MemoryDisk, commit: RunCommit): Pick<RunVerdict, "slots" | "messages"> {
  const notices: SlotNotice[] = commit.release.flatMap((holder) => releaseSlot(disk, commit.runId, holder));
  const acquired = commit.acquire.map((request) => acquireSlot(disk, commit.runId, request));
  notices.push(...acquired.flatMap((one) => one.notices));
  const messages = [...commit.send, ...notices]
    .filter((message) => keepsMessage(disk, message.toRunId))
    .map((message) => storeMessage(disk, message.toRunId, message.body));
  return { slots: acquired.map((one) => one.verdict), messages };
}

export function storeMessage(disk: MemoryDisk, toRunId: string, body: RunMessage["body"]): RunMessage {
  disk.lastMessagePosition += 1;
  const stored = { position: disk.lastMessagePosition, toRunId, body };
  disk.messages.set(stored.position, stored);
  return stored;
}
