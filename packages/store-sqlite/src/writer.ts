import { AppError } from "@tutti/model";
import { checkpointFrames, type LogState, readLogState } from "./checkpoint.ts";
import type { CommitPolicy } from "./commit-policy.ts";
import type { Connection } from "./connection.ts";
import { errorOf } from "./errors.ts";
import { executeJobs } from "./execute-jobs.ts";
import { failureOf } from "./failure.ts";
import { packJobs, unpackResults } from "./pack-jobs.ts";
import { WorkerClient, type WorkerReply } from "./worker-client.ts";
import type { WriteJob, WriteResult } from "./write-job.ts";

/** Writes that share one transaction when they have queued up behind a slow one. */
const JOBS_PER_TRANSACTION = 64;
/** So many times the length that starts a checkpoint, and commits wait until the log has been written back to its end: 32 MiB on a large disk. */
const LOG_LENGTHS_MAX = 4;
/** Transactions between two looks at the length of the log, each some microseconds. */
const TRANSACTIONS_PER_LOG_LOOK = 32;
/** Text written between two looks: 1 MiB takes some 5 MiB of the log when every row changes a page of its own, so a look comes before much more than the bound is there. */
const SIZE_PER_LOG_LOOK = 1024 * 1024;

/** A write whose turn has come. */
export interface PreparedWrite {
  readonly job: WriteJob;
  readonly size: number;
}

interface QueuedWrite {
  /** Called when everything before has ended; may throw, which concerns this write only. */
  readonly prepare: () => PreparedWrite;
  /** Called before the error reaches the caller. */
  readonly undo: () => void;
  readonly resolve: (result: WriteResult) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Carries out all writes of the store, one transaction at a time, on the main thread or in the writer worker as the policy says.
 *
 * One queue is what keeps two connections in order: a transaction begins, wherever it runs, only after the one before has been answered.
 * After a failure of the disk nothing is written any more: a sync that failed once may succeed the next time without having kept anything.
 */
export class Writer {
  readonly #connection: Connection;
  readonly #policy: CommitPolicy;
  readonly #worker: WorkerClient<"writer">;
  /** Checkpoints: a thread of its own, so that no commit waits behind them. */
  readonly #housekeeper: WorkerClient<"housekeeper">;
  readonly #queue: QueuedWrite[] = [];
  #isBusy = false;
  /** No transaction begins: a checkpoint has the turn. */
  #isHeld = false;
  #isPumpScheduled = false;
  #failure: Error | undefined;
  #transactionsSinceLook = 0;
  #sizeSinceLook = 0;
  #checkpointing: Promise<void> | undefined;
  /** Resolved when no transaction is under way. */
  #still: PromiseWithResolvers<void> | undefined;

  /** Length of the log that starts a checkpoint. */
  readonly #checkpointFrames: number;

  constructor(deps: { readonly path: string; readonly connection: Connection; readonly policy: CommitPolicy }) {
    this.#connection = deps.connection;
    this.#policy = deps.policy;
    this.#worker = new WorkerClient(deps.path, "writer");
    this.#checkpointFrames = checkpointFrames(deps.path);
    this.#housekeeper = new WorkerClient(deps.path, "housekeeper");
  }

  /** Why nothing is written any more, when that is so. */
  get failure(): Error | undefined {
    return this.#failure;
  }

  /** `isLarge`: the caller has more to do in this turn of the event loop, and the worker could begin meanwhile. */
  write(prepare: () => PreparedWrite, undo: () => void, isLarge = false): Promise<WriteResult> {
    return new Promise((resolve, reject) => {
      this.#queue.push({ prepare, undo, resolve, reject });
      if (isLarge && this.#worker.isReady && !this.#isBusy && !this.#isHeld) this.#pump("worker");
      else this.#schedulePump();
    });
  }

  /** Writes the log back to its end; resolves when that is done, or could not be. */
  async checkpoint(): Promise<void> {
    if (this.#failure !== undefined) return;
    // One under way began before what the caller wants to see written back.
    await this.#checkpointing;
    if (this.#checkpointing === undefined) this.#startCheckpoint();
    await this.#checkpointing;
  }

  /** Waits for what was queued, then ends the threads. */
  async stop(): Promise<void> {
    while (this.#isBusy || this.#queue.length > 0) await (this.#still ??= Promise.withResolvers<void>()).promise;
    await this.#checkpointing;
    await Promise.all([this.#worker.close(), this.#housekeeper.close()]);
  }

  /**
   * Writes of one turn of the event loop share a transaction. Never in the same turn on the main thread: a caller that commits again and again
   * would otherwise keep timers, sockets and the answers of our own threads waiting for ever.
   */
  #schedulePump(): void {
    if (this.#isPumpScheduled || this.#isBusy) return;
    this.#isPumpScheduled = true;
    setImmediate(() => {
      this.#isPumpScheduled = false;
      this.#pump();
    });
  }

  #pump(place?: "worker"): void {
    while (!this.#isBusy && !this.#isHeld && this.#queue.length > 0) this.#transact(this.#queue.splice(0, JOBS_PER_TRANSACTION), place);
    if (this.#isBusy) return;
    this.#still?.resolve();
    this.#still = undefined;
  }

  #transact(queued: readonly QueuedWrite[], place?: "worker"): void {
    const writes: QueuedWrite[] = [];
    const jobs: WriteJob[] = [];
    let size = 0;
    for (const write of queued) {
      try {
        if (this.#failure !== undefined) throw this.#failure;
        const prepared = write.prepare();
        jobs.push(prepared.job);
        size += prepared.size;
        writes.push(write);
      } catch (error) {
        write.undo();
        write.reject(error);
      }
    }
    if (jobs.length === 0) return;
    if (place !== "worker" && !this.#goesToWorker(size)) {
      this.#settle(writes, size, this.#executeHere(jobs));
      return;
    }
    this.#isBusy = true;
    void this.#worker.request({ kind: "write", jobs: packJobs(jobs) }).then((reply) => {
      this.#isBusy = false;
      this.#settle(writes, size, reply.ok ? { ...reply, value: unpackResults(reply.value) } : reply);
      this.#pump();
    });
  }

  #goesToWorker(size: number): boolean {
    const place = this.#policy.choose(size);
    if (place !== "worker-when-ready") return place === "worker";
    this.#worker.prepare();
    return this.#worker.isReady;
  }

  #executeHere(jobs: readonly WriteJob[]): WorkerReply<readonly WriteResult[]> {
    const startedAt = performance.now();
    try {
      const value = executeJobs(this.#connection, jobs);
      return { ok: true, value, durationMs: performance.now() - startedAt };
    } catch (error) {
      return { ok: false, failure: failureOf(error) };
    }
  }

  #settle(writes: readonly QueuedWrite[], size: number, reply: WorkerReply<readonly WriteResult[]>): void {
    if (!reply.ok) {
      const error = errorOf(reply.failure);
      if (reply.failure.kind === "disk-failed" || reply.failure.kind === "damaged") this.#failStop(error);
      if (reply.failure.kind === "full") this.#lookForSpace();
      for (const write of writes) {
        write.undo();
        write.reject(error);
      }
      return;
    }
    this.#policy.record(size, reply.durationMs);
    for (const [index, write] of writes.entries()) {
      const result = reply.value[index];
      if (result === undefined) write.reject(new Error("Invariant broken: a transaction answers for every write"));
      else write.resolve(result);
    }
    this.#transactionsSinceLook += 1;
    this.#sizeSinceLook += size;
    if (this.#transactionsSinceLook >= TRANSACTIONS_PER_LOG_LOOK || this.#sizeSinceLook >= SIZE_PER_LOG_LOOK) this.#lookAtLog();
  }

  #failStop(error: Error): void {
    this.#failure ??= new AppError(
      "commit-outcome-unknown",
      `The store takes no more calls since an earlier write failed: ${error.message}`,
      {
        hint: "Check the disk, then start again: what was acknowledged is there.",
        cause: error,
      },
    );
  }

  #lookAtLog(): void {
    this.#transactionsSinceLook = 0;
    this.#sizeSinceLook = 0;
    if (this.#failure !== undefined) return;
    const state = this.#readLog();
    if (state === undefined) return;
    const { frames, written } = state;
    if (this.#checkpointing !== undefined) {
      // The disk takes commits faster than it writes them back: they wait, so that the log stays bounded.
      this.#isHeld = frames > LOG_LENGTHS_MAX * this.#checkpointFrames;
      return;
    }
    if (frames - written >= this.#checkpointFrames) this.#startCheckpoint();
  }

  /** On a small disk the log itself may be what fills it: written back to its end it starts again from its beginning. */
  #lookForSpace(): void {
    if (this.#failure !== undefined || this.#checkpointing !== undefined) return;
    const state = this.#readLog();
    if (state !== undefined && state.frames > state.written) this.#startCheckpoint();
  }

  /**
   * Undefined when the log can't be looked at now, for want of space or for a lock: the next look will tell. It is looked at between the end of
   * a transaction and its answer, so nothing may be thrown here.
   */
  #readLog(): LogState | undefined {
    try {
      return readLogState(this.#connection);
    } catch (error) {
      const failure = failureOf(error);
      if (failure.kind === "disk-failed" || failure.kind === "damaged") this.#failStop(errorOf(failure));
      return undefined;
    }
  }

  #startCheckpoint(): void {
    this.#checkpointing = this.#checkpoint().finally(() => {
      this.#checkpointing = undefined;
    });
  }

  /**
   * First beside the commits, which writes back nearly all; then once more while commits wait, for the little that was added: only a log that
   * is written back to its end starts again from its beginning, so without the second pass it would grow as long as there is load.
   */
  async #checkpoint(): Promise<void> {
    const isRemainderLeft = await this.#writeBack();
    this.#isHeld = true;
    while (this.#isBusy) await (this.#still ??= Promise.withResolvers<void>()).promise;
    if (isRemainderLeft) await this.#writeBack();
    this.#isHeld = false;
    this.#pump();
  }

  /** Gives whether commits can have added something since. */
  async #writeBack(): Promise<boolean> {
    const reply = await this.#housekeeper.request({ kind: "checkpoint" });
    if (reply.ok) return true;
    // A full disk or a lock leaves the log as it was: it is tried again at the next look.
    if (reply.failure.kind === "disk-failed" || reply.failure.kind === "damaged") this.#failStop(errorOf(reply.failure));
    return false;
  }
}
