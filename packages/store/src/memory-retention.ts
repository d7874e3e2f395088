import type { MemoryDisk, MemoryRun } from "./memory-disk.ts";
import type { FinishedPage, FinishedPlace, FinishedQuery, RunRow } from "./store.ts";

/** Records deleted in one slice: small, so that tests see several. */
const SLICE_RECORDS = 50;

export function finishedDigests(disk: MemoryDisk): readonly { readonly digest: string; readonly firstEndedAtMs: number }[] {
  const first = new Map<string, number>();
  for (const { row } of disk.runs.values()) {
    if (row.endedAtMs !== undefined) first.set(row.digest, Math.min(first.get(row.digest) ?? row.endedAtMs, row.endedAtMs));
  }
  return [...first].map(([digest, firstEndedAtMs]) => ({ digest, firstEndedAtMs })).toSorted((a, b) => (a.digest < b.digest ? -1 : 1));
}

export function finishedRuns(disk: MemoryDisk, query: FinishedQuery): FinishedPage {
  const found = [...disk.runs.values()]
    .flatMap(({ row }) => (row.endedAtMs === undefined ? [] : [{ row, place: { endedAtMs: row.endedAtMs, runId: row.runId } }]))
    .filter(({ row, place }) => isFinal(row) && row.digest === query.digest && place.endedAtMs < query.endedBeforeMs)
    .filter(({ row }) => !query.onlyWholeTrees || (row.parentRunId === undefined && row.inDoubt === 0))
    .filter(({ place }) => query.after === undefined || comparePlaces(place, query.after) > 0)
    .toSorted((a, b) => comparePlaces(a.place, b.place));
  const page = found.slice(0, query.limit);
  const isWanted = ({ row }: { readonly row: RunRow }): boolean => !query.onlyWholeTrees || isTreeFinished(disk, row, query.endedBeforeMs);
  return {
    runs: page.filter(isWanted).map(({ row, place }) => ({ ...place, namespace: row.namespace, name: row.name })),
    next: page.length < query.limit ? undefined : page.at(-1)?.place,
  };
}

export function condemn(disk: MemoryDisk, runIds: readonly string[]): number {
  const runs = runIds.flatMap((runId) => disk.runs.get(runId) ?? []).filter(({ row }) => isFinal(row));
  for (const run of runs) condemnRun(disk, run);
  return runs.length;
}

export function sweep(disk: MemoryDisk, runIds: readonly string[]): boolean {
  let left = SLICE_RECORDS;
  for (const runId of runIds) {
    const run = disk.condemned.get(runId);
    if (run === undefined) continue;
    for (const child of disk.runs.values()) if (child.row.parentRunId === runId) condemnRun(disk, child);
    left -= run.records.splice(0, left).length;
    if (run.records.length > 0) return false;
    disk.condemned.delete(runId);
    forgetPayloads(disk);
  }
  return true;
}

function condemnRun(disk: MemoryDisk, run: MemoryRun): void {
  const { runId } = run.row;
  disk.runs.delete(runId);
  disk.condemned.set(runId, run);
  for (const message of disk.messages.values()) if (message.toRunId === runId) disk.messages.delete(message.position);
}

function forgetPayloads(disk: MemoryDisk): void {
  const runs = [...disk.runs.values(), ...disk.condemned.values()];
  const used = new Set(runs.flatMap((run) => run.records.flatMap((record) => record.places.map((place) => place.hash))));
  for (const hash of disk.payloads.keys()) if (!used.has(hash)) disk.payloads.delete(hash);
}

function isTreeFinished(disk: MemoryDisk, row: RunRow, endedBeforeMs: number): boolean {
  const isOver =
    (isFinal(row) || (row.parentRunId !== undefined && row.status === "faulted")) &&
    row.inDoubt === 0 &&
    (row.endedAtMs ?? row.updatedAtMs) < endedBeforeMs &&
    ![...disk.messages.values()].some((message) => message.toRunId === row.runId);
  if (!isOver) return false;
  const children = [...disk.runs.values()].filter((run) => run.row.parentRunId === row.runId);
  return children.every((child) => isTreeFinished(disk, child.row, endedBeforeMs));
}

function isFinal(row: RunRow): boolean {
  return row.status === "completed" || row.status === "cancelled";
}

function comparePlaces(a: FinishedPlace, b: FinishedPlace): number {
  return a.endedAtMs - b.endedAtMs || (a.runId === b.runId ? 0 : a.runId < b.runId ? -1 : 1);
}
