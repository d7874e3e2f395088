import { AppError } from "@tutti/model";
import type { CommitResult, RunCommit, RunVerdict, Store } from "@tutti/store";
import { crashDetail } from "./crash-detail.ts";
import type { Env } from "./env.ts";
import type { LoadedRun, PendingCommit } from "./loaded-run.ts";
import type { RuntimeMetrics } from "./metrics/runtime-metrics.ts";
import { toRunCommit } from "./run-commit.ts";

/** Runs in one batch: a bound on the time of one commit, and far above where more would save syncs. */
const BATCH_RUNS_MAX = 2000;
/**
 * From here on what moves is kept in two groups, of which one is stored while the other takes its next steps: two cores instead of one.
 * Below it the second commit costs more than the overlap gives.
 */
const OVERLAP_RUNS_MIN = 64;
/** Pauses between tries while the store is full: short at first for a log rotation, longer for a person. */
const STORE_FULL_BACKOFF_MS = [100, 200, 500, 1000, 2000, 5000] as const;

/** Pauses after failed commits: runs are loaded again and try the same, so without them a broken disk would be a busy loop. */
const FAILURE_BACKOFF_MS = [0, 50, 200, 1000, 5000] as const;

export interface CommitListener {
  /** The run's records are stored. */
  committed(run: LoadedRun, pending: PendingCommit, verdict: RunVerdict): void;
  /** Nobody knows, or nothing of the run was stored: it must be dropped and loaded again. */
  lost(run: LoadedRun, pendings: readonly PendingCommit[], error: unknown): void;
}

/**
 * Commits the records of all runs that moved as one batch whenever no commit is in flight: alone at low load, large batches at high load.
 *
 * A crash before `commit` loses what nobody has seen; a crash after it is found by loading the run.
 */
export class GroupCommit {
  readonly #store: Store;
  readonly #env: Env;
  readonly #listener: CommitListener;
  readonly #metrics: RuntimeMetrics;
  readonly #snapshotAfterRecords: number | undefined;
  #dirty: LoadedRun[] = [];
  #isInFlight = false;
  #isScheduled = false;
  /** A part of an answer has not been passed on yet. */
  #isApplying = false;
  #fullTries = 0;
  #failures = 0;
  #idleWaiters: (() => void)[] = [];
  #isStopped = false;

  constructor(deps: {
    readonly store: Store;
    readonly env: Env;
    readonly listener: CommitListener;
    readonly metrics: RuntimeMetrics;
    readonly snapshotAfterRecords: number | undefined;
  }) {
    this.#store = deps.store;
    this.#env = deps.env;
    this.#listener = deps.listener;
    this.#metrics = deps.metrics;
    this.#snapshotAfterRecords = deps.snapshotAfterRecords;
  }

  /** The disk is full: what runs have done is kept and tried again; whoever asks for more is refused meanwhile. */
  get isFull(): boolean {
    return this.#fullTries > 0;
  }

  /** Runs that moved and wait for their commit. */
  get waiting(): number {
    return this.#dirty.length;
  }

  /** The run has something to store. */
  add(run: LoadedRun): void {
    if (run.isDirty || run.isDropped) return;
    run.isDirty = true;
    // A run whose commit is in flight is picked up when that one is back: a run has one commit at a time.
    this.#dirty.push(run);
    this.#schedule();
  }

  /** Drops a run that can't go on as it is in memory. When a commit of it is in flight it leaves memory after that. */
  drop(run: LoadedRun, cause: unknown): void {
    if (run.isDropped) return;
    run.isDropped = true;
    run.dropCause = cause;
    if (run.flying === undefined) this.#lose(run, cause);
  }

  /** Resolves when nothing waits to be stored. */
  async settled(): Promise<void> {
    if (!this.#isBusy()) return;
    await new Promise<void>((resolve) => this.#idleWaiters.push(resolve));
  }

  stop(): void {
    this.#isStopped = true;
    this.#wakeIdle();
  }

  #isBusy(): boolean {
    return !this.#isStopped && (this.#isInFlight || this.#isApplying || this.#dirty.length > 0);
  }

  #schedule(): void {
    if (this.#isScheduled || this.#isInFlight || this.#isStopped) return;
    this.#isScheduled = true;
    this.#env.defer(() => {
      this.#isScheduled = false;
      this.#cut();
    });
  }

  #cut(): void {
    if (this.#isInFlight || this.#isStopped) return;
    const runs: LoadedRun[] = [];
    const commits: RunCommit[] = [];
    const waiting = this.#dirty;
    this.#dirty = waiting.length > BATCH_RUNS_MAX ? waiting.splice(BATCH_RUNS_MAX) : [];
    for (const run of waiting) {
      if (run.flying !== undefined && !run.isDropped) {
        // It has not been told yet of the commit before: a run has one at a time.
        this.#dirty.push(run);
        continue;
      }
      run.isDirty = false;
      if (run.isDropped) continue;
      try {
        commits.push(toRunCommit(run, this.#snapshotAfterRecords));
      } catch (error) {
        this.#lose(run, error);
        continue;
      }
      runs.push(run);
    }
    if (runs.length === 0) return this.#goOn();
    this.#isInFlight = true;
    this.#send(runs, commits);
  }

  #send(runs: readonly LoadedRun[], commits: readonly RunCommit[]): void {
    this.#env.crashPoint("commit.before", crashDetail.batch(commits.length));
    const sentAtMs = this.#env.monotonicMs();
    this.#store.commit({ runs: commits }).then(
      (result) => {
        this.#metrics.commitSeconds.observe((this.#env.monotonicMs() - sentAtMs) / 1000);
        this.#metrics.commitRuns.observe(commits.length);
        this.#succeeded(runs, result);
      },
      (error: unknown) => this.#failed(runs, commits, error),
    );
  }

  #succeeded(runs: readonly LoadedRun[], result: CommitResult): void {
    this.#fullTries = 0;
    this.#failures = 0;
    this.#isInFlight = false;
    const { verdicts } = result;
    if (runs.length < OVERLAP_RUNS_MIN) this.#applyAll(runs, verdicts, { from: 0, to: runs.length });
    else if (this.#dirty.length > 0) {
      // The other group is ready: it is stored while this one takes its next steps.
      this.#cut();
      this.#applyAll(runs, verdicts, { from: 0, to: runs.length });
    } else {
      // All moved together. The first half takes its steps and is sent, and the second half takes them meanwhile.
      const half = Math.ceil(runs.length / 2);
      this.#applyAll(runs, verdicts, { from: 0, to: half });
      this.#isApplying = true;
      this.#env.defer(() => {
        this.#isApplying = false;
        this.#cut();
        this.#applyAll(runs, verdicts, { from: half, to: runs.length });
        this.#goOn();
      });
      return;
    }
    this.#goOn();
  }

  #applyAll(runs: readonly LoadedRun[], verdicts: readonly RunVerdict[], part: { readonly from: number; readonly to: number }): void {
    // One verdict per run, in the order of the batch.
    for (let index = part.from; index < part.to; index += 1) this.#apply(runs[index] as LoadedRun, verdicts[index] as RunVerdict);
  }

  #apply(run: LoadedRun, verdict: RunVerdict): void {
    const stored = run.flying;
    if (stored === undefined) return;
    if (verdict.verdict !== "committed") {
      const details = { runId: run.runId, verdict: verdict.verdict };
      this.#lose(run, new AppError("commit-outcome-unknown", `The run ${run.runId} was changed by somebody else meanwhile.`, { details }));
      return;
    }
    this.#metrics.committed(run, stored);
    run.flying = undefined;
    run.seq += stored.records.length;
    run.isRowStored = true;
    if (stored.row !== undefined) run.storedRow = stored.row;
    if (run.isDropped) {
      for (const acknowledgement of stored.acknowledgements ?? []) acknowledgement.resolve();
      for (const watcher of stored.watchers ?? []) watcher();
      this.#lose(run, run.dropCause);
      return;
    }
    try {
      this.#listener.committed(run, stored, verdict);
    } catch (error) {
      this.drop(run, error);
    }
  }

  #failed(runs: readonly LoadedRun[], commits: readonly RunCommit[], error: unknown): void {
    if (this.#isStopped) return this.#next();
    if (error instanceof AppError && error.code === "store-full") return this.#keepTrying(runs, commits, error);
    // Whether there is space is not known any more. The runs that were to find out are loaded again and may have nothing to store.
    this.#fullTries = 0;
    this.#metrics.commitsFailed += 1;
    this.#env.report("A commit failed; its runs are loaded again from the store.", error);
    const pauseMs = FAILURE_BACKOFF_MS[Math.min(this.#failures, FAILURE_BACKOFF_MS.length - 1)] ?? 0;
    this.#failures += 1;
    for (const run of runs) this.#lose(run, error);
    if (pauseMs === 0) this.#next();
    else this.#env.setTimer(pauseMs, () => this.#next());
  }

  /** Nothing was written. Whoever waits for an answer is refused, and their run goes back to what is stored; the others wait for space. */
  #keepTrying(runs: readonly LoadedRun[], commits: readonly RunCommit[], error: AppError): void {
    if (this.#fullTries === 0) this.#env.report("The store is full; runs wait until there is space.", error);
    this.#fullTries += 1;
    this.#metrics.commitsRefused += 1;
    const isKept = runs.map((run) => !run.isDropped && run.flying?.acknowledgements === undefined);
    runs.forEach((run, index) => {
      if (isKept[index] !== true) this.#lose(run, error);
    });
    const keptRuns = runs.filter((_, index) => isKept[index]);
    const pauseMs = STORE_FULL_BACKOFF_MS[Math.min(this.#fullTries, STORE_FULL_BACKOFF_MS.length) - 1] ?? 0;
    if (keptRuns.length === 0) {
      // Nothing is left that would find out about space: the next command may try.
      this.#env.setTimer(pauseMs, () => {
        if (!this.#isInFlight) this.#fullTries = 0;
      });
      return this.#next();
    }
    const keptCommits = commits.filter((_, index) => isKept[index]);
    this.#env.setTimer(pauseMs, () => {
      if (this.#isStopped) return;
      this.#send(keptRuns, keptCommits);
    });
  }

  #lose(run: LoadedRun, error: unknown): void {
    const pendings = run.flying === undefined ? [run.pending] : [run.flying, run.pending];
    run.flying = undefined;
    run.isDropped = true;
    this.#listener.lost(run, pendings, error);
  }

  #next(): void {
    this.#isInFlight = false;
    this.#goOn();
  }

  #goOn(): void {
    if (this.#dirty.length > 0) this.#schedule();
    else if (!this.#isBusy()) this.#wakeIdle();
  }

  #wakeIdle(): void {
    const waiters = this.#idleWaiters;
    this.#idleWaiters = [];
    for (const resolve of waiters) resolve();
  }
}
