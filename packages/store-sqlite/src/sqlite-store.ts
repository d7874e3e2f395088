import { join } from "node:path";
import { AppError } from "@tutti/model";
import type {
  CommitBatch,
  CommitResult,
  DefinitionKey,
  DefinitionRow,
  FeedEntry,
  FinishedPage,
  FinishedQuery,
  IncomingEvent,
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
  RunCounts,
  SlotEntry,
  Subscriber,
  SubscriberPage,
  SubscriberQuery,
} from "@tutti/store";
import { type CommitPolicy, createCommitPolicy } from "./commit-policy.ts";
import { growLog } from "./checkpoint.ts";
import { Connection } from "./connection.ts";
import { listDefinitions, loadDefinition, loadDefinitionByDigest } from "./definitions.ts";
import { errorOf, readErrorOf, startErrorOf } from "./errors.ts";
import { listEvents, readEvents } from "./events.ts";
import { feedEnd, readFeed } from "./feed.ts";
import { findRunIds, listDue, listRunnable, listRuns, nextWakeAt, planList } from "./list-runs.ts";
import { loadHistory, loadRun, readRecords } from "./load-run.ts";
import { readMessages } from "./messages.ts";
import { enableGivingBack, migrate } from "./migrations.ts";
import { OwnerLock } from "./owner-lock.ts";
import { type CommitPlan, planCommit } from "./plan-commit.ts";
import { createPrivateDirectory, createPrivateFile } from "./private-files.ts";
import { listCondemned, listFinishedDigests } from "./retention.ts";
import { RunIndex } from "./run-index.ts";
import { listProviders, loadProvider } from "./providers.ts";
import { listSchedules, loadSchedule } from "./schedules.ts";
import { readSetting } from "./settings.ts";
import { listSlots } from "./slots.ts";
import { findSubscribers, listensAfter } from "./subscribers.ts";
import { Suspects } from "./suspects.ts";
import { type RequestOf, WorkerClient, type WorkerAnswers } from "./worker-client.ts";
import type { WriteJob, WriteResult } from "./write-job.ts";
import { Writer } from "./writer.ts";

export const DATABASE_FILE = "tutti.db";
/** Rows of a list that the main thread reads itself; longer pages, and lists that may have to pass over very many runs, are read aside. */
const LIST_HERE_MAX = 200;
/** A batch that the worker begins at once, so that it is written while the main thread takes the next steps of other runs. */
const LARGE_BATCH_RUNS = 64;
/** What a slice of a deletion counts as when the thread is chosen: the worker, so that only the next commit waits for it and not the event loop. */
const SLICE_SIZE = 1024 * 1024;

export interface SqliteStoreOptions {
  /** Made when it is missing, with access for the owner's account only. */
  readonly directory: string;
  /** Replaces the choice between main thread and worker, for tests and measurements. */
  readonly commitPolicy?: CommitPolicy;
}

/**
 * The embedded store: one SQLite database in WAL mode with a sync at every commit, in a directory that one process owns.
 *
 * @throws from `start`: AppError `store-in-use`, `store-newer`, `store-damaged`, `store-full`, `file-unreadable`.
 */
export function openSqliteStore(options: SqliteStoreOptions): SqliteStore {
  return new SqliteStore(options);
}

interface Open {
  readonly lock: OwnerLock;
  readonly connection: Connection;
  readonly index: RunIndex;
  readonly writer: Writer;
  readonly reader: WorkerClient<"reader">;
  readonly suspects: Suspects;
}

export class SqliteStore implements Store {
  /** The owner lock gives one process everything: no run has an epoch. */
  readonly leases = undefined;
  readonly #options: SqliteStoreOptions;
  #open: Open | undefined;
  #stoppedCleanly = false;
  /** The stop under way: a second call waits for the same. */
  #stopping: Promise<void> | undefined;

  constructor(options: SqliteStoreOptions) {
    this.#options = options;
  }

  get stoppedCleanly(): boolean {
    return this.#stoppedCleanly;
  }

  async start(): Promise<void> {
    if (this.#open !== undefined) return;
    const { directory } = this.#options;
    let lock: OwnerLock | undefined;
    let connection: Connection | undefined;
    try {
      createPrivateDirectory(directory);
      lock = new OwnerLock(directory);
      const path = join(directory, DATABASE_FILE);
      createPrivateFile(path);
      connection = new Connection(path);
      migrate(connection);
      enableGivingBack(connection, path);
      const writer = new Writer({ path, connection, policy: this.#options.commitPolicy ?? createCommitPolicy() });
      this.#stoppedCleanly = readSetting(connection, "stopped-cleanly") === 1;
      this.#open = {
        lock,
        connection,
        index: new RunIndex(connection),
        writer,
        reader: new WorkerClient(path, "reader"),
        suspects: new Suspects(directory),
      };
      await this.#write({ kind: "set", name: "stopped-cleanly", value: 0 });
      growLog(path);
    } catch (error) {
      this.#open = undefined;
      connection?.close();
      lock?.release();
      throw startErrorOf(error, directory);
    }
  }

  async stop(how?: { readonly leavesSuspects: boolean }): Promise<void> {
    await (this.#stopping ??= this.#stop(how?.leavesSuspects === true).finally(() => {
      this.#stopping = undefined;
    }));
  }

  async #stop(leavesSuspects: boolean): Promise<void> {
    const open = this.#open;
    if (open === undefined) return;
    const isClean = await this.#write({ kind: "set", name: "stopped-cleanly", value: leavesSuspects ? 0 : 1 }).then(
      () => true,
      // A store that can no longer write was not stopped cleanly; what it acknowledged is there all the same.
      () => false,
    );
    if (isClean) open.suspects.unmark();
    await this.abandon();
  }

  /** Lets go of everything without saying that the stop was orderly: what kill -9 leaves behind. For tests of that. */
  async abandon(): Promise<void> {
    const open = this.#open;
    if (open === undefined) return;
    this.#open = undefined;
    await open.writer.stop();
    await open.reader.close();
    open.connection.close();
    open.lock.release();
  }

  async commit(batch: CommitBatch): Promise<CommitResult> {
    const { index, writer } = this.#opened();
    let plan: CommitPlan | undefined;
    const result = await writer.write(
      () => (plan = planCommit(index, batch)),
      () => batch.runs.forEach((run) => index.forget(run.runId)),
      batch.runs.length >= LARGE_BATCH_RUNS,
    );
    return (plan as CommitPlan).answer(expectKind(result, "commit").runs);
  }

  async loadRun(runId: string): Promise<RunRow | undefined> {
    return this.#read((connection) => loadRun(connection, runId), runId);
  }

  async loadRecords(runId: string, options: { readonly withSnapshot: boolean }): Promise<RunHistory> {
    return this.#read((connection) => loadHistory(connection, runId, options.withSnapshot), runId);
  }

  async readRecords(runId: string, fromSeq: number, limit: number): Promise<readonly StoredRecord[]> {
    return this.#read((connection) => readRecords(connection, runId, fromSeq, limit), runId);
  }

  async readFeed(afterPosition: number, limit: number): Promise<readonly FeedEntry[]> {
    return this.#read((connection) => readFeed(connection, afterPosition, limit));
  }

  async feedEnd(): Promise<number> {
    return this.#read(feedEnd);
  }

  async listRuns(query: RunQuery): Promise<RunPage> {
    const plan = this.#read((connection) => planList(connection, query));
    if (query.limit > LIST_HERE_MAX || plan.mayWalkFar) return this.#readAside({ kind: "list", query, plan });
    return this.#read((connection) => listRuns(connection, query, plan));
  }

  async countRuns(tenant: string): Promise<RunCounts> {
    return this.#readAside({ kind: "count", tenant });
  }

  async findRunIds(prefix: string, limit: number): Promise<readonly string[]> {
    return this.#read((connection) => findRunIds(connection, prefix, limit));
  }

  async listRunnable(afterRunId: string | undefined, limit: number): Promise<readonly string[]> {
    return this.#read((connection) => listRunnable(connection, afterRunId, limit));
  }

  async listDue(nowMs: number, limit: number): Promise<readonly { readonly runId: string; readonly wakeAtMs: number }[]> {
    return this.#read((connection) => listDue(connection, nowMs, limit));
  }

  async nextWakeAt(): Promise<number | undefined> {
    return this.#read(nextWakeAt);
  }

  async putDefinition(definition: DefinitionRow): Promise<"created" | "unchanged" | "conflict"> {
    return expectKind(await this.#write({ kind: "put-definition", definition }, definition.text.length), "put-definition").outcome;
  }

  async loadDefinition(key: DefinitionKey): Promise<DefinitionRow | undefined> {
    return this.#read((connection) => loadDefinition(connection, key));
  }

  async loadDefinitionByDigest(digest: string): Promise<DefinitionRow | undefined> {
    return this.#read((connection) => loadDefinitionByDigest(connection, digest));
  }

  async listDefinitions(): Promise<readonly Omit<DefinitionRow, "text">[]> {
    return this.#read(listDefinitions);
  }

  async acceptEvent(event: IncomingEvent): Promise<{ readonly position: number; readonly duplicate: boolean }> {
    const { position, duplicate } = expectKind(await this.#write({ kind: "accept-event", event }, event.body.length), "accept-event");
    return { position, duplicate };
  }

  async readEvents(
    tenant: string,
    query: { readonly afterPosition: number; readonly type: string | undefined; readonly limit: number },
  ): Promise<readonly StoredEvent[]> {
    return this.#read((connection) => readEvents(connection, tenant, query));
  }

  async listEvents(tenant: string, limit: number): Promise<readonly StoredEvent[]> {
    return this.#read((connection) => listEvents(connection, tenant, limit));
  }

  async listSlots(key: string, limit: number): Promise<readonly SlotEntry[]> {
    return this.#read((connection) => listSlots(connection, key, limit));
  }

  async findSubscribers(query: SubscriberQuery): Promise<SubscriberPage> {
    return this.#read((connection) => findSubscribers(connection, query));
  }

  async listensAfter(subscriber: Subscriber): Promise<number | undefined> {
    return this.#read((connection) => listensAfter(connection, subscriber), subscriber.runId);
  }

  async readDispatchCursor(): Promise<number> {
    return this.#read((connection) => readSetting(connection, "dispatch-cursor"));
  }

  async writeDispatchCursor(position: number): Promise<void> {
    await this.#write({ kind: "set", name: "dispatch-cursor", value: position });
  }

  async deleteEventsBefore(acceptedAtMs: number): Promise<number> {
    return expectKind(await this.#write({ kind: "delete-events", acceptedBeforeMs: acceptedAtMs }), "delete-events").count;
  }

  async readMessages(afterPosition: number, limit: number): Promise<readonly RunMessage[]> {
    return this.#read((connection) => readMessages(connection, afterPosition, limit));
  }

  async putSchedule(row: ScheduleRow): Promise<"written" | "conflict"> {
    return expectKind(await this.#write({ kind: "put-schedule", row }, row.body.length), "put-schedule").outcome;
  }

  async loadSchedule(tenant: string, namespace: string, name: string): Promise<ScheduleRow | undefined> {
    return this.#read((connection) => loadSchedule(connection, tenant, namespace, name));
  }

  async listSchedules(tenant: string): Promise<readonly ScheduleRow[]> {
    return this.#read((connection) => listSchedules(connection, tenant));
  }

  async putProvider(row: ProviderRow): Promise<"written" | "conflict"> {
    return expectKind(await this.#write({ kind: "put-provider", row }, row.body.length), "put-provider").outcome;
  }

  async loadProvider(tenant: string, name: string): Promise<ProviderRow | undefined> {
    return this.#read((connection) => loadProvider(connection, tenant, name));
  }

  async listProviders(tenant: string, connector?: string): Promise<readonly ProviderRow[]> {
    return this.#read((connection) => listProviders(connection, tenant, connector));
  }

  async removeProvider(tenant: string, name: string): Promise<boolean> {
    return expectKind(await this.#write({ kind: "remove-provider", tenant, name }), "remove-provider").wasThere;
  }

  async markSuspect(runId: string | undefined): Promise<void> {
    this.#opened().suspects.mark(runId);
  }

  async readSuspects(): Promise<readonly { readonly runId: string; readonly crashes: number }[]> {
    return this.#opened().suspects.list();
  }

  async clearSuspects(): Promise<void> {
    this.#opened().suspects.clear();
  }

  async listFinishedDigests(): Promise<readonly { readonly digest: string; readonly firstEndedAtMs: number }[]> {
    return this.#read(listFinishedDigests);
  }

  /** In the reading thread: one run may have a hundred thousand below it. */
  async listFinished(query: FinishedQuery): Promise<FinishedPage> {
    return this.#readAside({ kind: "finished", query });
  }

  async condemnRuns(runIds: readonly string[]): Promise<number> {
    const { condemned } = expectKind(await this.#write({ kind: "condemn", runIds }, SLICE_SIZE), "condemn");
    for (const runId of condemned) this.#opened().index.forget(runId);
    return condemned.length;
  }

  async listCondemned(limit: number): Promise<readonly string[]> {
    return this.#read((connection) => listCondemned(connection, limit));
  }

  async sweepRuns(runIds: readonly string[]): Promise<boolean> {
    const { isDone, condemned } = expectKind(await this.#write({ kind: "sweep", runIds }, SLICE_SIZE), "sweep");
    for (const runId of condemned) this.#opened().index.forget(runId);
    return isDone;
  }

  async giveBackSpace(keepBytes: number): Promise<{ readonly isDone: boolean; readonly bytes: number }> {
    const { isDone, bytes } = expectKind(await this.#write({ kind: "give-back", keepBytes }, SLICE_SIZE), "give-back");
    // The file is cut when the log is written back to its end.
    if (isDone) await this.#opened().writer.checkpoint();
    return { isDone, bytes };
  }

  /** In the reading thread: reads the whole store while commits go on. */
  async check(): Promise<StoreReport> {
    return this.#readAside({ kind: "check" });
  }

  /**
   * Copies the database as it is at one moment, with everything acknowledged before the call, into `file`, and reads the copy back. Commits go on.
   *
   * @returns what was found in the copy. The file is not synced yet.
   */
  async backup(file: string): Promise<StoreReport> {
    createPrivateFile(file);
    return this.#readAside({ kind: "backup", file });
  }

  #opened(): Open {
    if (this.#open === undefined) throw new AppError("stopping", "The store is not started, or it is stopped.");
    if (this.#open.writer.failure !== undefined) throw this.#open.writer.failure;
    return this.#open;
  }

  #read<T>(read: (connection: Connection) => T, runId?: string): T {
    const { connection } = this.#opened();
    try {
      return read(connection);
    } catch (error) {
      throw readErrorOf(error, runId);
    }
  }

  /** In the reading thread, so that the event loop goes on. */
  async #readAside<K extends RequestOf<"reader">["kind"]>(request: RequestOf<"reader"> & { readonly kind: K }): Promise<WorkerAnswers[K]> {
    const reply = await this.#opened().reader.request<K>(request);
    if (!reply.ok) throw errorOf(reply.failure);
    return reply.value;
  }

  #write(job: WriteJob, size = 0): Promise<WriteResult> {
    return this.#opened().writer.write(
      () => ({ job, size }),
      () => undefined,
    );
  }
}

/** A write is answered in its own kind. */
function expectKind<K extends WriteResult["kind"]>(result: WriteResult, kind: K): WriteResult & { readonly kind: K } {
  if (result.kind !== kind) throw new Error(`Invariant broken: a write of kind ${kind} was answered as ${result.kind}`);
  // Just compared; TypeScript does not narrow by a type parameter.
  return result as WriteResult & { readonly kind: K };
}
