import { crc32 } from "node:zlib";
import { AppError } from "@tutti/model";
import type { Leases, Receivers } from "./leases.ts";
import { acceptToMemory, commitToMemory, storeMessage } from "./memory-commit.ts";
import { MemoryDisk, type MemoryRun } from "./memory-disk.ts";
import { beat, handOver, isFor, isOwned, keepsMessage, runOf } from "./memory-leases.ts";
import { compareTexts, definitionsOf, providersOf, putRow, rowKey, schedulesOf } from "./memory-rows.ts";
import { condemn, finishedDigests, finishedRuns, sweep } from "./memory-retention.ts";
import { findSubscribers, listensAfter } from "./memory-subscribers.ts";
import { payloadHash, restoreText } from "./record-body.ts";
import { compareNewestFirst, decodeCursor, pageOf } from "./run-cursor.ts";
import { shardOf, SHARDS } from "./shards.ts";
import { highestVersion } from "./semver.ts";
import { RUN_STATUSES } from "./store.ts";
import type {
  CommitBatch,
  CommitResult,
  DefinitionKey,
  DefinitionRow,
  FeedEntry,
  FinishedPage,
  FinishedQuery,
  IncomingEvent,
  RunCounts,
  RunHistory,
  RunMessage,
  RunPage,
  RunQuery,
  RunRow,
  ProviderRow,
  ScheduleRow,
  Store,
  StoredEvent,
  StoredRecord,
  StoreReport,
  SlotEntry,
  Subscriber,
  SubscriberPage,
  SubscriberQuery,
} from "./store.ts";

/**
 * The store for tests and the simulator: every promise of the port but surviving the process.
 *
 * `disk` is what survives a simulated crash: `disk.crash()` and a new store on the same disk is a restart after kill -9. Look-ups scan, which is
 * right for some ten thousand runs. With `shared` it is one of several nodes' stores on the disk, in place of its only owner.
 */
export function createMemoryStore(disk: MemoryDisk = new MemoryDisk(), shared?: SharedDisk): Store {
  return new MemoryStore(disk, shared);
}

/** One node's part of a disk that several share. */
export interface SharedDisk {
  readonly nodeId: string;
  /** The disk's clock, which decides about leases. */
  readonly nowMs: () => number;
}

class MemoryStore implements Store {
  readonly leases: Leases | undefined;
  readonly #disk: MemoryDisk;
  readonly #shared: SharedDisk | undefined;
  #isStarted = false;
  #stoppedCleanly = false;

  constructor(disk: MemoryDisk, shared: SharedDisk | undefined) {
    this.#disk = disk;
    this.#shared = shared;
    this.leases = shared === undefined ? undefined : this.#leases(shared);
  }

  get stoppedCleanly(): boolean {
    return this.#stoppedCleanly;
  }

  async start(): Promise<void> {
    const disk = this.#disk;
    if (this.#shared !== undefined) {
      disk.isShared = true;
      this.#isStarted = true;
      // What was cut short is known shard by shard.
      this.#stoppedCleanly = true;
      return;
    }
    if (disk.owner === this) return;
    if (disk.owner !== undefined) throw new AppError("store-in-use", "The disk has an owner that has neither stopped nor crashed.");
    disk.owner = this;
    this.#stoppedCleanly = disk.stoppedCleanly;
    disk.stoppedCleanly = false;
    if (disk.suspect !== undefined) disk.crashes.set(disk.suspect, (disk.crashes.get(disk.suspect) ?? 0) + 1);
    disk.suspect = undefined;
  }

  async stop(how?: { readonly leavesSuspects: boolean }): Promise<void> {
    this.#isStarted = false;
    if (this.#disk.owner !== this) return;
    this.#disk.suspect = undefined;
    this.#disk.stoppedCleanly = how?.leavesSuspects !== true;
    this.#disk.owner = undefined;
  }

  async commit(batch: CommitBatch): Promise<CommitResult> {
    const disk = this.#open();
    const result = commitToMemory(disk, batch);
    if (
      disk.isShared &&
      batch.runs.some(({ send, events, release, acquire }) => send.length + events.length + release.length + acquire.length > 0)
    )
      disk.wake(this.#shared?.nodeId);
    return result;
  }

  async loadRun(runId: string): Promise<RunRow | undefined> {
    return this.#open().runs.get(runId)?.row;
  }

  async loadRecords(runId: string, options: { readonly withSnapshot: boolean }): Promise<RunHistory> {
    const run = this.#run(runId);
    const snapshot = options.withSnapshot ? run.snapshot : undefined;
    return { row: run.row, snapshot, records: this.#read(run, (snapshot?.seq ?? 0) + 1, Number.POSITIVE_INFINITY) };
  }

  async readRecords(runId: string, fromSeq: number, limit: number): Promise<readonly StoredRecord[]> {
    return this.#read(this.#run(runId), Math.max(1, fromSeq), limit);
  }

  async readFeed(afterPosition: number, limit: number): Promise<readonly FeedEntry[]> {
    const disk = this.#open();
    return [...feedOf(disk.runs, true), ...feedOf(disk.condemned, false)]
      .filter((entry) => entry.position > afterPosition)
      .toSorted((a, b) => a.position - b.position)
      .slice(0, limit);
  }

  async feedEnd(): Promise<number> {
    return this.#open().lastFeedPosition;
  }

  async listRuns(query: RunQuery): Promise<RunPage> {
    const place = query.cursor === undefined ? undefined : decodeCursor(query.cursor);
    const rows = [...this.#open().runs.values()]
      .map((run) => run.row)
      .filter((row) => matches(row, query) && (place === undefined || compareNewestFirst(row, place) > 0))
      .toSorted(compareNewestFirst);
    return pageOf(rows, query.limit);
  }

  async findRunIds(prefix: string, limit: number): Promise<readonly string[]> {
    return this.#runIds((row) => row.runId.startsWith(prefix)).slice(0, limit);
  }

  async listRunnable(afterRunId: string | undefined, limit: number, shards?: ReadonlySet<number>): Promise<readonly string[]> {
    const isNext = (row: RunRow): boolean =>
      (afterRunId === undefined || row.runId > afterRunId) && (shards === undefined || shards.has(shardOf(row.runId)));
    return this.#runIds((row) => (row.status === "running" || row.isOutstanding) && isNext(row)).slice(0, limit);
  }

  async listDue(
    nowMs: number,
    limit: number,
    shards?: ReadonlySet<number>,
  ): Promise<readonly { readonly runId: string; readonly wakeAtMs: number }[]> {
    return [...this.#open().runs.values()]
      .flatMap(({ row }) => (row.wakeAtMs === undefined || row.wakeAtMs > nowMs ? [] : [{ runId: row.runId, wakeAtMs: row.wakeAtMs }]))
      .filter(({ runId }) => shards === undefined || shards.has(shardOf(runId)))
      .toSorted((a, b) => a.wakeAtMs - b.wakeAtMs || compareTexts(a.runId, b.runId))
      .slice(0, limit);
  }

  async nextWakeAt(shards?: ReadonlySet<number>): Promise<number | undefined> {
    let earliest: number | undefined;
    for (const { row } of this.#open().runs.values()) {
      if (row.wakeAtMs === undefined || (earliest !== undefined && row.wakeAtMs >= earliest)) continue;
      if (shards === undefined || shards.has(shardOf(row.runId))) earliest = row.wakeAtMs;
    }
    return earliest;
  }

  async putDefinition(definition: DefinitionRow): Promise<"created" | "unchanged" | "conflict"> {
    const { definitions } = this.#open();
    const key = JSON.stringify([definition.namespace, definition.name, definition.version]);
    const known = definitions.get(key);
    if (known !== undefined) return known.text === definition.text ? "unchanged" : "conflict";
    definitions.set(key, definition);
    this.#scheduleWritten();
    return "created";
  }

  async loadDefinition(key: DefinitionKey): Promise<DefinitionRow | undefined> {
    const versions = [...this.#open().definitions.values()].filter((one) => one.namespace === key.namespace && one.name === key.name);
    const version = key.version === "latest" ? highestVersion(versions.map((one) => one.version)) : key.version;
    return versions.find((one) => one.version === version);
  }

  async loadDefinitionByDigest(digest: string): Promise<DefinitionRow | undefined> {
    return [...this.#open().definitions.values()].find((one) => one.digest === digest);
  }

  async listDefinitions(): Promise<readonly Omit<DefinitionRow, "text">[]> {
    return definitionsOf(this.#open());
  }

  async acceptEvent(event: IncomingEvent): Promise<{ readonly position: number; readonly duplicate: boolean }> {
    const disk = this.#open();
    const accepted = acceptToMemory(disk, event);
    if (disk.isShared) disk.wake(this.#shared?.nodeId);
    return accepted;
  }

  async readEvents(
    tenant: string,
    query: { readonly afterPosition: number; readonly type: string | undefined; readonly limit: number },
  ): Promise<readonly StoredEvent[]> {
    return this.#open()
      .events.filter(
        (event) =>
          event.tenant === tenant && event.position > query.afterPosition && (query.type === undefined || event.type === query.type),
      )
      .slice(0, query.limit);
  }

  async listEvents(tenant: string, limit: number): Promise<readonly StoredEvent[]> {
    return this.#open()
      .events.filter((event) => event.tenant === tenant)
      .toReversed()
      .slice(0, limit);
  }

  async countRuns(tenant: string): Promise<RunCounts> {
    const byStatus = Object.fromEntries(RUN_STATUSES.map((status) => [status, 0])) as Record<RunRow["status"], number>;
    let inDoubt = 0;
    for (const { row } of this.#open().runs.values()) {
      if (row.tenant !== tenant) continue;
      byStatus[row.status] += 1;
      inDoubt += row.inDoubt;
    }
    return { byStatus, inDoubt };
  }

  async listSlots(key: string, limit: number): Promise<readonly SlotEntry[]> {
    const entries = this.#open().slots.get(key) ?? [];
    return entries.slice(0, limit).map((entry) => ({ runId: entry.runId, task: entry.task, state: entry.state, limit: entry.limit }));
  }

  async findSubscribers(query: SubscriberQuery): Promise<SubscriberPage> {
    return findSubscribers(this.#open(), query);
  }

  async listensAfter(subscriber: Subscriber): Promise<number | undefined> {
    return listensAfter(this.#open(), subscriber);
  }

  async readDispatchCursor(): Promise<number> {
    return this.#open().dispatchCursor;
  }

  async writeDispatchCursor(position: number): Promise<void> {
    this.#open().dispatchCursor = position;
  }

  async deleteEventsBefore(acceptedAtMs: number): Promise<number> {
    const disk = this.#open();
    const shards = Array.from({ length: SHARDS }, (_, shard) => disk.cursors.get(shard) ?? 0);
    const readUpTo = Math.min(
      ...(disk.isShared ? shards : [disk.dispatchCursor]),
      ...[...disk.schedules.values()].flatMap(({ eventPosition }) => (eventPosition === undefined ? [] : [eventPosition])),
    );
    const isOld = (event: StoredEvent): boolean => event.acceptedAtMs < acceptedAtMs && event.position <= readUpTo;
    const old = disk.events.filter(isOld);
    for (const event of old) disk.eventPositions.delete(JSON.stringify([event.tenant, event.source, event.id]));
    disk.events = disk.events.filter((event) => !isOld(event));
    return old.length;
  }

  async readMessages(afterPosition: number, limit: number, receivers?: Receivers): Promise<readonly RunMessage[]> {
    return [...this.#open().messages.values()]
      .filter((message) => message.position > afterPosition && (receivers === undefined || isFor(message, receivers)))
      .slice(0, limit);
  }

  async putSchedule(row: ScheduleRow): Promise<"written" | "conflict"> {
    const written = putRow(this.#open().schedules, [row.tenant, row.namespace, row.name], row);
    if (written === "written") this.#scheduleWritten();
    return written;
  }

  async loadSchedule(tenant: string, namespace: string, name: string): Promise<ScheduleRow | undefined> {
    return this.#open().schedules.get(rowKey([tenant, namespace, name]));
  }

  async listSchedules(tenant: string): Promise<readonly ScheduleRow[]> {
    return schedulesOf(this.#open(), tenant);
  }

  async putProvider(row: ProviderRow): Promise<"written" | "conflict"> {
    return putRow(this.#open().providers, [row.tenant, row.name], row);
  }

  async loadProvider(tenant: string, name: string): Promise<ProviderRow | undefined> {
    return this.#open().providers.get(rowKey([tenant, name]));
  }

  async listProviders(tenant: string, connector?: string): Promise<readonly ProviderRow[]> {
    return providersOf(this.#open(), tenant, connector);
  }

  async removeProvider(tenant: string, name: string): Promise<boolean> {
    return this.#open().providers.delete(rowKey([tenant, name]));
  }

  async markSuspect(runId: string | undefined): Promise<void> {
    const disk = this.#open();
    // Whoever was marked before and let the process live has not taken it down this time: crashes are counted in a row.
    if (this.#shared !== undefined) {
      const { nodeId } = this.#shared;
      const before = disk.marks.get(nodeId);
      if (before !== undefined && before !== runId) disk.crashes.delete(before);
      if (runId === undefined) disk.marks.delete(nodeId);
      else disk.marks.set(nodeId, runId);
      return;
    }
    if (disk.suspect !== undefined && disk.suspect !== runId) disk.crashes.delete(disk.suspect);
    disk.suspect = runId;
  }

  async readSuspects(): Promise<readonly { readonly runId: string; readonly crashes: number }[]> {
    return [...this.#open().crashes].map(([runId, crashes]) => ({ runId, crashes }));
  }

  async clearSuspects(shards?: ReadonlySet<number>): Promise<void> {
    const disk = this.#open();
    if (this.#shared === undefined) disk.suspect = undefined;
    else disk.marks.delete(this.#shared.nodeId);
    for (const mark of disk.crashes.keys()) if (shards === undefined || shards.has(shardOf(runOf(mark)))) disk.crashes.delete(mark);
  }

  async listFinishedDigests(): Promise<readonly { readonly digest: string; readonly firstEndedAtMs: number }[]> {
    return finishedDigests(this.#open());
  }

  async listFinished(query: FinishedQuery): Promise<FinishedPage> {
    return finishedRuns(this.#open(), query);
  }

  async condemnRuns(runIds: readonly string[]): Promise<number> {
    return condemn(this.#open(), runIds);
  }

  async listCondemned(limit: number): Promise<readonly string[]> {
    return [...this.#open().condemned.keys()].slice(0, limit);
  }

  async sweepRuns(runIds: readonly string[]): Promise<boolean> {
    return sweep(this.#open(), runIds);
  }

  /** The memory gives back by itself. */
  async giveBackSpace(): Promise<{ readonly isDone: boolean; readonly bytes: number }> {
    this.#open();
    return { isDone: true, bytes: 0 };
  }

  async check(): Promise<StoreReport> {
    const disk = this.#open();
    const damage: { runId: string | undefined; what: string }[] = [];
    let records = 0;
    let bytes = 0;
    for (const [runId, run] of disk.runs) {
      records += run.records.length;
      bytes += run.records.reduce((sum, record) => sum + record.text.length, 0);
      try {
        this.#read(run, 1, Number.POSITIVE_INFINITY);
      } catch (error) {
        damage.push({ runId, what: error instanceof Error ? error.message : String(error) });
      }
    }
    return { runs: disk.runs.size, records, bytes, damage };
  }

  #leases({ nodeId, nowMs }: SharedDisk): Leases {
    return {
      nodeId,
      beat: async (given) => {
        const disk = this.#open();
        return beat(disk, nodeId, { ...given, nowMs: nowMs() });
      },
      handOver: async (shards, { leaves }) => {
        const disk = this.#open();
        handOver(disk, nodeId, { shards, leaves });
        disk.wake(nodeId);
      },
      writeCursors: async (position, under) => {
        const disk = this.#open();
        for (const one of under) if (isOwned(disk, one)) disk.cursors.set(one.shard, position);
      },
      exchange: async ({ send, drop, under }) => {
        const disk = this.#open();
        if (under !== undefined && !isOwned(disk, under)) return undefined;
        for (const position of drop) disk.messages.delete(position);
        const messages = send.filter(({ to }) => keepsMessage(disk, to)).map(({ to, body }) => storeMessage(disk, to, body));
        if (messages.length > 0) disk.wake(nodeId);
        return messages;
      },
      onWake: (listener) => {
        const waker = (writer: string | undefined): void => {
          if (writer !== nodeId) listener();
        };
        this.#disk.wakers.add(waker);
        return () => this.#disk.wakers.delete(waker);
      },
    };
  }

  #scheduleWritten(): void {
    const disk = this.#disk;
    disk.scheduleWrites += 1;
    if (disk.isShared) disk.wake(this.#shared?.nodeId);
  }

  /** The disk, as long as it is this store's: a store that was cut off never reads or writes again. */
  #open(): MemoryDisk {
    if (this.#shared === undefined ? this.#disk.owner !== this : !this.#isStarted)
      throw new AppError("stopping", "The store is not started, stopped, or its process has crashed.");
    return this.#disk;
  }

  #run(runId: string): MemoryRun {
    const run = this.#open().runs.get(runId);
    if (run === undefined) throw new AppError("run-not-found", `There is no run ${runId}.`, { details: { runId } });
    return run;
  }

  #read(run: MemoryRun, fromSeq: number, limit: number): readonly StoredRecord[] {
    const { runId } = run.row;
    return run.records.slice(fromSeq - 1, fromSeq - 1 + limit).map((record, index) => {
      const seq = fromSeq + index;
      if (crc32(record.text) !== record.crc) throw damaged(runId, `record ${seq} does not match its checksum`);
      return { seq, body: restoreText(record.text, record.places, (hash) => this.#payload(runId, hash)) };
    });
  }

  #payload(runId: string, hash: string): string {
    const text = this.#disk.payloads.get(hash);
    if (text === undefined || payloadHash(text) !== hash) throw damaged(runId, `payload ${hash} is missing or does not match its hash`);
    return text;
  }

  #runIds(isWanted: (row: RunRow) => boolean): readonly string[] {
    return [...this.#open().runs.values()]
      .filter((run) => isWanted(run.row))
      .map((run) => run.row.runId)
      .toSorted(compareTexts);
  }
}

/** The commits of runs, each from its first record to its last. */
function feedOf(runs: ReadonlyMap<string, MemoryRun>, isNamed: boolean): readonly FeedEntry[] {
  return [...runs].flatMap(([runId, { records }]) =>
    records.flatMap((record, index) => {
      if (record.position === records[index - 1]?.position) return [];
      const next = records.findIndex((later, place) => place > index && later.position !== record.position);
      return [
        {
          position: record.position,
          runId: isNamed ? runId : undefined,
          seqFirst: index + 1,
          seqLast: next === -1 ? records.length : next,
        },
      ];
    }),
  );
}

function matches(row: RunRow, query: RunQuery): boolean {
  const wanted: readonly boolean[] = [
    row.tenant === query.tenant,
    query.status === undefined || query.status.includes(row.status),
    query.namespace === undefined || row.namespace === query.namespace,
    query.name === undefined || row.name === query.name,
    query.startedAfterMs === undefined || row.startedAtMs > query.startedAfterMs,
    query.startedBeforeMs === undefined || row.startedAtMs < query.startedBeforeMs,
    query.label === undefined || (Object.hasOwn(row.labels, query.label.key) && row.labels[query.label.key] === query.label.value),
    query.errorType === undefined || row.errorType === query.errorType,
    query.inDoubt === undefined || row.inDoubt > 0 === query.inDoubt,
    query.parentRunId === undefined || row.parentRunId === query.parentRunId,
  ];
  return wanted.every(Boolean);
}

function damaged(runId: string, what: string): AppError {
  return new AppError("store-damaged", `The history of run ${runId} is damaged: ${what}.`, { details: { runId } });
}
