import { deserializeState, ENGINE_VERSION, replay, type RunRecord, summarize } from "@tutti/engine";
import { AppError } from "@tutti/model";
import type { RunHistory, RunRow, RunRowChange, Store } from "@tutti/store";
import type { Clock, TimerQueue } from "./clock.ts";
import { LoadedRun } from "./loaded-run.ts";
import { isRowStale } from "./run-commit.ts";
import { drivenElsewhere, isElsewhere, type Ownership, type ShardLease } from "./ownership.ts";
import type { PoisonWatch } from "./poison-watch.ts";
import type { LoadedProgram, ProgramCache } from "./program-cache.ts";
import type { RunDriver } from "./run-driver.ts";
import type { WakeUps } from "./wake-ups.ts";
import { TurnoverMap } from "./turnover-map.ts";

/** A run at rest stays in memory this long: an answer that comes soon needs no load. */
const IDLE_MS = 5000;
const IDLE_SWEEP_MS = 1000;
/** Runs at rest in memory at most; the longest idle go first. */
const IDLE_RUNS_MAX = 1000;

export interface RegistryDeps {
  readonly store: Store;
  readonly clock: Clock;
  readonly timers: TimerQueue;
  readonly programs: ProgramCache;
  readonly driver: RunDriver;
  readonly poison: PoisonWatch;
  readonly ownership: Ownership;
  readonly wakeUps: WakeUps;
  /** Nothing is under way for the run any more; who waits for that has heard of the last commit before it was so. */
  readonly quiet: () => void;
}

/** The runs in memory: each at most once, loaded on demand, unloaded when nothing is under way. */
export class RunRegistry {
  readonly #deps: RegistryDeps;
  readonly #runs = new TurnoverMap<string, LoadedRun>();
  readonly #loading = new TurnoverMap<string, Promise<LoadedRun>>();
  /** Runs at rest, the longest idle first. */
  readonly #idle = new TurnoverMap<string, LoadedRun>();
  #isSweeping = false;

  constructor(deps: RegistryDeps) {
    this.#deps = deps;
  }

  get size(): number {
    return this.#runs.size;
  }

  /** The run when it is in memory and sound. */
  peek(runId: string): LoadedRun | undefined {
    const run = this.#runs.get(runId);
    return run === undefined || run.isDropped ? undefined : run;
  }

  /**
   * The run in memory, loaded when it is not; it goes on with what was outstanding.
   *
   * @throws AppError `run-elsewhere`, `run-not-found`, `store-damaged`, `history-mismatch`, `operation-not-possible` for a quarantined run unless an operator
   * asks, or whatever the store fails with.
   */
  async use(runId: string, isOperator = false): Promise<LoadedRun> {
    for (;;) {
      const run = this.#runs.get(runId);
      if (run === undefined) {
        if (!this.#deps.ownership.isShared) return this.#loadOnce(runId, isOperator);
        try {
          return await this.#loadOnce(runId, isOperator);
        } catch (error) {
          // It was being loaded under a lease that is over, and is ours again meanwhile.
          if (isElsewhere(error) && this.#deps.ownership.leaseOf(runId) !== undefined) continue;
          throw error;
        }
      }
      if (!run.isDropped) {
        this.#idle.delete(runId);
        return run;
      }
      // Its last commit is on its way; what is loaded before that would be behind at once.
      await new Promise<void>((resolve) => run.goneWaiters.push(resolve));
    }
  }

  /** Takes in a run that was just created. */
  add(run: LoadedRun): void {
    this.#runs.set(run.runId, run);
  }

  /** Takes a run out of memory. */
  remove(run: LoadedRun): void {
    if (this.#runs.get(run.runId) === run) this.#runs.delete(run.runId);
    if (this.#idle.get(run.runId) === run) this.#idle.delete(run.runId);
    this.#deps.driver.release(run);
  }

  /** The runs of these shards that are in memory; a copy. */
  ofLeases(leases: readonly ShardLease[]): readonly LoadedRun[] {
    return [...this.#runs.values()].filter(({ lease }) => leases.includes(lease));
  }

  /** Shards of which something is under way. */
  busyShards(): ReadonlySet<number> {
    const busy = new Set<number>();
    for (const run of this.#runs.values()) if (!run.isQuiet) busy.add(run.lease.shard);
    return busy;
  }

  removeAll(): void {
    for (const run of this.#runs.values()) this.remove(run);
  }

  /** Nothing of the run is under way: it is unloaded now when it is final, soon when it waits. */
  rested(run: LoadedRun): void {
    if (run.isDropped || !run.isQuiet) return;
    this.#deps.quiet();
    const summary = summarize(run.state);
    if (summary.status === "completed" || summary.status === "cancelled") {
      if (run.row.status === summary.status) this.remove(run);
      else this.#writeRow(run);
      return;
    }
    if (summary.isParked) this.keepIdle(run);
  }

  /** Keeps a run that is at rest for a while: it is unloaded when nobody has used it. */
  keepIdle(run: LoadedRun): void {
    // The row is how a parked run is found again, so it must say what the state says.
    if (isRowStale(run)) return this.#writeRow(run);
    run.idleSinceMs = this.#deps.clock.nowMs();
    this.#idle.delete(run.runId);
    this.#idle.set(run.runId, run);
    const oldest = this.#idle.size > IDLE_RUNS_MAX ? this.#idle.values().next().value : undefined;
    if (oldest !== undefined) this.#unload(oldest);
    this.#scheduleSweep();
  }

  #writeRow(run: LoadedRun): void {
    run.needsRow = true;
    this.#deps.driver.commits.add(run);
  }

  #scheduleSweep(): void {
    if (this.#isSweeping) return;
    this.#isSweeping = true;
    this.#deps.timers.schedule(this.#deps.clock.nowMs() + IDLE_SWEEP_MS, () => this.#sweep());
  }

  #sweep(): void {
    this.#isSweeping = false;
    const before = this.#deps.clock.nowMs() - IDLE_MS;
    for (const run of this.#idle.values()) {
      if ((run.idleSinceMs ?? 0) > before) break;
      this.#unload(run);
    }
    if (this.#idle.size > 0) this.#scheduleSweep();
  }

  #unload(run: LoadedRun): void {
    this.#idle.delete(run.runId);
    if (!run.isQuiet || run.isDropped) return;
    this.remove(run);
    if (run.row.wakeAtMs !== undefined) this.#deps.wakeUps.expect(run.row.wakeAtMs);
  }

  async #loadOnce(runId: string, isOperator: boolean): Promise<LoadedRun> {
    const underWay = this.#loading.get(runId);
    if (underWay !== undefined) return underWay;
    const loading = this.#load(runId, isOperator).finally(() => this.#loading.delete(runId));
    this.#loading.set(runId, loading);
    return loading;
  }

  async #load(runId: string, isOperator: boolean): Promise<LoadedRun> {
    const { store, programs, poison, ownership } = this.#deps;
    const lease = ownership.leaseOf(runId);
    if (lease === undefined) throw drivenElsewhere(runId);
    let history = await store.loadRecords(runId, { withSnapshot: true });
    const { row } = history;
    if (row.status === "quarantined" && !isOperator) {
      throw new AppError("operation-not-possible", `The run ${runId} is quarantined: ${row.reason ?? "no reason is known"}`, {
        details: { runId },
      });
    }
    // A snapshot is a cache: one of another engine is not read, the records are.
    if (history.snapshot !== undefined && history.snapshot.engineVersion !== ENGINE_VERSION)
      history = await store.loadRecords(runId, { withSnapshot: false });
    const program = await programs.ofDigest(row.digest, runId);
    const progress = poison.isUnproven(runId) ? progressOf(history) : 0;
    return poison.firstLoad({ runId, progress, build: (reason) => this.#build(history, { lease, program }, reason) });
  }

  /** Rebuilds the run from its history and lets it go on, in one go. */
  #build(
    history: RunHistory,
    { lease, program }: { readonly lease: ShardLease; readonly program: LoadedProgram },
    quarantineReason: string | undefined,
  ): LoadedRun {
    const { driver } = this.#deps;
    const { row } = history;
    const { context, definition } = program;
    // What was read may be behind what another node has written since.
    if (lease.mode === "closed") throw drivenElsewhere(row.runId);
    if (driver.mode === "closed") throw new AppError("stopping", "The process is stopping.");
    // Bodies are what this engine or an earlier one wrote; `replay` checks that they fit.
    const records = history.records.map((record) => JSON.parse(record.body) as RunRecord);
    const from = history.snapshot === undefined ? undefined : deserializeState(history.snapshot.body);
    const state = replay(records, context, from);
    const run = new LoadedRun({
      state,
      lease,
      tenant: row.tenant,
      context,
      baseDirectory: definition.baseDirectory,
      parent: state.parent,
      row: rowOf(row),
      seq: row.seq,
    });
    run.storedRow = run.row;
    run.startPosition = row.startPosition;
    run.tailRecords = records.length;
    run.tailBytes = bytesOf(history);
    run.snapshotBytes = history.snapshot?.body.length ?? 0;
    this.#runs.set(run.runId, run);
    // Set aside without being read: now it is, so its history says it too, and the operator's word decides.
    if (row.status === "quarantined" && summarize(state).status !== "quarantined") driver.quarantine(run, row.reason ?? "");
    else if (quarantineReason !== undefined) driver.quarantine(run, quarantineReason);
    driver.resume(run);
    return run;
  }
}

/** Records that tell of something other than recovering from a crash: those of a run that only ever crashes do not grow in number. */
function progressOf(history: RunHistory): number {
  return (history.snapshot?.seq ?? 0) + history.records.filter(({ body }) => !isRecovery(body)).length;
}

/** Looks at the text: whatever is wrong with the record must not matter yet. */
function isRecovery(body: string): boolean {
  if (body.startsWith('{"type":"attempt-intended"') || body.startsWith('{"type":"look-up-ended"')) return true;
  return body.startsWith('{"type":"attempt-ended"') && body.includes('"kind":"unknown","reason":"crash"');
}

function rowOf(row: RunRow): RunRowChange {
  const { runId: _, seq: __, startPosition: ___, ...rest } = row;
  return rest;
}

function bytesOf(history: RunHistory): number {
  return history.records.reduce((sum, record) => sum + record.body.length, 0);
}
