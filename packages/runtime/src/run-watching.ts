import type { RunRecord, RunView } from "@tutti/engine";
import { viewRun } from "@tutti/engine";
import type { RunRow, Store } from "@tutti/store";
import type { Env } from "./env.ts";
import type { RunHistoryReader } from "./run-history.ts";
import type { StoredRun, WaitUntil } from "./runtime.ts";
import { TurnoverMap } from "./turnover-map.ts";

/** A view is folded from all records, so a live one is folded at most this often. */
const VIEW_EVERY_MS = 100;
const CHILDREN_MAX = 1000;
/** A timer that is due sooner (the pause before a repeated attempt, a short wait) is something that moves, not a reason to stop driving. */
const SOON_MS = 60_000;

const FINAL: ReadonlySet<string> = new Set(["completed", "cancelled"]);
const AT_REST: ReadonlySet<string> = new Set(["completed", "cancelled", "faulted", "quarantined", "suspended"]);

type RowListener = (row: StoredRun | undefined) => void;

/** Tells who waits for a run that something of it was committed. */
export class RunChanges {
  /** Of every commit of a run. */
  readonly #records = new TurnoverMap<string, Set<() => void>>();
  /** Of commits that changed a run's row. */
  readonly #rows = new TurnoverMap<string, Set<RowListener>>();
  /** Of any run's row, and of any run that came to rest. */
  readonly #any = new Set<() => void>();

  /** `row` when the caller has it and somebody wants it: what was just stored need not be read. */
  announce(runId: string, isRowChanged: boolean, row?: () => StoredRun): void {
    ring(this.#records.get(runId));
    if (!isRowChanged) return;
    const listeners = this.#rows.get(runId);
    if (listeners !== undefined) {
      const stored = row?.();
      for (const listener of listeners) listener(stored);
    }
    ring(this.#any);
  }

  /** Runs of other nodes may have moved. */
  announceElsewhere(isHere: (runId: string) => boolean): void {
    for (const [runId, listeners] of this.#records.entries()) if (!isHere(runId)) ring(listeners);
    for (const [runId, listeners] of this.#rows.entries()) if (!isHere(runId)) for (const listener of listeners) listener(undefined);
    ring(this.#any);
  }

  /** Nothing is under way for some run any more. */
  announceRest(): void {
    ring(this.#any);
  }

  /** Each gives a function that ends the listening. */
  onRecords(runId: string, listener: () => void): () => void {
    return listen(this.#records, runId, listener);
  }

  onRow(runId: string, listener: RowListener): () => void {
    return listen(this.#rows, runId, listener);
  }

  onAny(listener: () => void): () => void {
    this.#any.add(listener);
    return () => this.#any.delete(listener);
  }
}

function ring(listeners: ReadonlySet<() => void> | undefined): void {
  if (listeners !== undefined) for (const listener of listeners) listener();
}

function listen<T>(byRun: TurnoverMap<string, Set<T>>, runId: string, listener: T): () => void {
  const listeners = byRun.get(runId) ?? new Set<T>();
  byRun.set(runId, listeners);
  listeners.add(listener);
  return () => {
    listeners.delete(listener);
    if (listeners.size === 0) byRun.delete(runId);
  };
}

/** A flag that is raised by a listener and waited for by a loop; raised twice before the loop looks, it counts once. */
class Bell {
  #isRung = false;
  #wake: (() => void) | undefined;

  readonly ring = (): void => {
    this.#isRung = true;
    this.#wake?.();
  };

  /** Rejects with the signal's reason. */
  async heard(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (!this.#isRung) {
      await new Promise<void>((resolve) => {
        const wake = (): void => {
          signal.removeEventListener("abort", wake);
          resolve();
        };
        signal.addEventListener("abort", wake, { once: true });
        this.#wake = wake;
      });
      signal.throwIfAborted();
    }
    this.#isRung = false;
    this.#wake = undefined;
  }
}

export interface WatchingDeps {
  readonly env: Env;
  readonly store: Store;
  readonly history: RunHistoryReader;
  readonly changes: RunChanges;
  readonly nowMs: () => number;
  /** Stored status of a run in memory. */
  readonly statusOf: (runId: string) => RunRow["status"] | undefined;
  /** Whether this process still has something under way for the run: an attempt, a commit, a message. */
  readonly isBusy: (runId: string) => boolean;
}

/** The run now and after every commit that changed it; several commits in a short time make one view. */
export async function* watchRun(deps: WatchingDeps, runId: string, signal: AbortSignal): AsyncGenerator<RunView> {
  const bell = new Bell();
  const row = await deps.history.row(runId);
  const context = await deps.history.context(row);
  const stopListening = deps.changes.onRecords(runId, bell.ring);
  const records: RunRecord[] = [];
  try {
    for (;;) {
      await deps.history.append(runId, records);
      const view = viewRun(records, context);
      yield view;
      if (FINAL.has(view.status) || signal.aborted) return;
      const foldedAtMs = deps.env.monotonicMs();
      try {
        await bell.heard(signal);
      } catch {
        // The watcher has gone: the end of the sequence, not a failure.
        return;
      }
      const pauseMs = foldedAtMs + VIEW_EVERY_MS - deps.env.monotonicMs();
      if (pauseMs > 0) await pause(deps.env, pauseMs, signal);
    }
  } finally {
    stopListening();
  }
}

export async function waitForRun(
  deps: WatchingDeps,
  wish: { readonly runId: string; readonly until: WaitUntil; readonly signal: AbortSignal },
): Promise<StoredRun> {
  const { runId, until, signal } = wish;
  const bell = new Bell();
  let told: StoredRun | undefined;
  const hear = (row: StoredRun | undefined): void => {
    told = row;
    bell.ring();
  };
  // A run that waits for its child stands still when the child does, so these listen to all.
  const stopListening = until === "parked" || until === "person" ? deps.changes.onAny(bell.ring) : deps.changes.onRow(runId, hear);
  try {
    for (;;) {
      // While the run is in memory and moves, nothing has to be read.
      if (deps.statusOf(runId) !== "running") {
        const row = told ?? (await deps.history.row(runId));
        told = undefined;
        if (FINAL.has(row.status) || (until !== "final" && AT_REST.has(row.status))) return row;
        if (until === "parked" && (await isParked(deps, row))) return row;
        if (until === "person" && (await isPersonsTurn(deps, row))) return row;
      }
      await bell.heard(signal);
    }
  } finally {
    stopListening();
  }
}

/** Nothing moves in the run nor in the runs it waits for. */
async function isParked(deps: WatchingDeps, row: StoredRun): Promise<boolean> {
  if (AT_REST.has(row.status)) return true;
  if (row.status === "running" || deps.isBusy(row.runId)) return false;
  if (row.wakeAtMs !== undefined && row.wakeAtMs - deps.nowMs() < SOON_MS) return false;
  const children = await deps.store.listRuns({
    tenant: row.tenant,
    parentRunId: row.runId,
    status: ["running", "waiting"],
    limit: CHILDREN_MAX,
  });
  for (const child of children.runs) if (!(await isParked(deps, child))) return false;
  return true;
}

/** Whether all that the run waits for is a person's word, said to it or to a run that it waits for. Reads its history only when that may be so. */
async function isPersonsTurn(deps: WatchingDeps, row: StoredRun): Promise<boolean> {
  if (AT_REST.has(row.status)) return true;
  if (row.status === "running" || deps.isBusy(row.runId)) return false;
  const children = await deps.store.listRuns({
    tenant: row.tenant,
    parentRunId: row.runId,
    status: ["running", "waiting", "suspended", "quarantined"],
    limit: CHILDREN_MAX,
  });
  const still = new Set<string>();
  for (const child of children.runs) if (await isPersonsTurn(deps, child)) still.add(child.runId);
  if (row.inDoubt === 0 && still.size === 0) return false;
  const { waits, tasks } = await deps.history.view(row.runId);
  const childOf = new Map<number, string | undefined>();
  const note = (some: RunView["tasks"]): void => {
    for (const task of some) {
      childOf.set(task.task, task.childRunId);
      note(task.children);
    }
  };
  note(tasks);
  return (
    waits.length > 0 &&
    waits.every(({ kind, task }) => kind === "settle" || kind === "operator" || (kind === "child" && still.has(childOf.get(task) ?? "")))
  );
}

async function pause(env: Env, ms: number, signal: AbortSignal): Promise<void> {
  await new Promise<void>((resolve) => {
    const finish = (): void => {
      timer.clear();
      signal.removeEventListener("abort", finish);
      resolve();
    };
    const timer = env.setTimer(ms, finish);
    signal.addEventListener("abort", finish, { once: true });
  });
}
