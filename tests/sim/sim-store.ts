import { AppError } from "@tutti/model";
import {
  type CommitBatch,
  type CommitResult,
  createMemoryStore,
  interceptStore,
  type MemoryDisk,
  type Store,
  type StoreCall,
} from "@tutti/store";
import type { Random } from "@tutti/testkit";
import type { Faults } from "./faults.ts";
import type { Owner, Scheduler } from "./scheduler.ts";

const WRITES: ReadonlySet<StoreCall["method"]> = new Set([
  "start",
  "stop",
  "commit",
  "putDefinition",
  "acceptEvent",
  "writeDispatchCursor",
  "deleteEventsBefore",
  "markSuspect",
  "clearSuspects",
]);
/** Without a fault a call takes up to this long: some answers overtake others, and a commit gathers what moved meanwhile. */
const LATENCY_MAX_MS = 2;
const SLOW_MAX_MS = 5000;
/** A full disk stays full this long. */
const FULL_MAX_MS = 20_000;
/** Starting and stopping have no answer that could be lost; a poisoned mark is looked after by the process itself. */
const SPARED: ReadonlySet<StoreCall["method"]> = new Set(["start", "stop", "markSuspect", "readSuspects", "clearSuspects"]);

/** What watches the disk: called in the event in which a call is executed. */
export interface StoreWitness {
  committed(batch: CommitBatch, result: CommitResult): void;
  marked(mark: string | undefined): void;
}

/** What a broken store does, for the controls. */
export interface StoreSabotage {
  /** Answers a commit before it is executed. */
  readonly answersEarly?: boolean;
  /** Says of a commit that was not executed that it was. */
  readonly hidesFailures?: boolean;
  /** Now and then nobody seems to listen. */
  readonly forgetsSubscribers?: boolean;
}

export interface SimStoreDeps {
  readonly disk: MemoryDisk;
  readonly scheduler: Scheduler;
  readonly random: Random;
  readonly faults: Faults;
  readonly witness: StoreWitness;
  readonly owner: Owner;
  readonly sabotage: StoreSabotage;
  /** Shared by all lives: a full disk is full for the next process too. */
  readonly space: { fullUntilMs: number };
}

/**
 * The memory store behind a wire: each call is executed in one event and answered in the same (reads) or a later one (writes). Writes are
 * executed in the order in which they were asked for; a process that dies in between never learns what became of its last ones.
 */
export function createSimStore(deps: SimStoreDeps): Store {
  const wire = new Wire(deps);
  const memory = createMemoryStore(deps.disk);
  return {
    ...interceptStore(memory, (method, execute) => wire.call(method, execute)),
    get stoppedCleanly() {
      return memory.stoppedCleanly;
    },
    commit: (batch) => {
      const lie: CommitResult = { verdicts: batch.runs.map(() => COMMITTED) };
      const execute = async (): Promise<CommitResult> => {
        const result = await memory.commit(batch);
        deps.witness.committed(batch, result);
        return result;
      };
      return wire.call("commit", execute, lie);
    },
    findSubscribers: (tenant, type, position) =>
      wire.call("findSubscribers", async () => {
        const found = await memory.findSubscribers(tenant, type, position);
        return deps.sabotage.forgetsSubscribers === true && deps.random.chance(FORGETS) ? [] : found;
      }),
    markSuspect: (mark) =>
      wire.call("markSuspect", async () => {
        await memory.markSuspect(mark);
        deps.witness.marked(mark);
      }),
  };
}

const FORGETS = 0.5;
const COMMITTED: CommitResult["verdicts"][number] = { verdict: "committed", slots: [], eventPositions: [], messages: [] };

class Wire {
  readonly #deps: SimStoreDeps;
  #lastWriteAtMs = 0;

  constructor(deps: SimStoreDeps) {
    this.#deps = deps;
  }

  /** `lie` is what a broken store answers. */
  call<T>(method: StoreCall["method"], execute: () => Promise<T>, lie?: T): Promise<T> {
    const { scheduler, owner, random, sabotage } = this.#deps;
    if (!owner.isAlive) return new Promise<T>(() => undefined);
    const isWrite = WRITES.has(method);
    return new Promise<T>((resolve, reject) => {
      const delayMs = this.#delay(method, isWrite);
      if (lie !== undefined && sabotage.answersEarly === true)
        scheduler.after(0, `store ${method} answered early`, () => resolve(lie), owner);
      scheduler.after(
        delayMs,
        `store ${method}`,
        () => {
          const refusal = this.#refusal(method, isWrite);
          if (refusal !== undefined && lie !== undefined && sabotage.hidesFailures === true) return resolve(lie);
          if (refusal !== undefined) return reject(refusal);
          const executed = execute();
          if (!isWrite) return resolve(executed);
          // Handled by the answer; a failure before that must not count as unhandled.
          executed.catch(() => undefined);
          const isLost = this.#mayFail(method) && this.#deps.faults.strikes("store-executed-then-failed", method);
          const answer = (): void => (isLost ? reject(unknownOutcome(method)) : resolve(executed));
          scheduler.after(random.next() * LATENCY_MAX_MS, `store ${method} answered`, answer, owner);
        },
        owner,
      );
    });
  }

  #delay(method: StoreCall["method"], isWrite: boolean): number {
    const { scheduler, random, faults } = this.#deps;
    let atMs = scheduler.nowMs + random.next() * LATENCY_MAX_MS;
    if (faults.strikes("store-slow", method)) atMs += random.next() * SLOW_MAX_MS;
    if (isWrite) {
      atMs = Math.max(atMs, this.#lastWriteAtMs + 0.001);
      this.#lastWriteAtMs = atMs;
    }
    return atMs - scheduler.nowMs;
  }

  #refusal(method: StoreCall["method"], isWrite: boolean): AppError | undefined {
    const { scheduler, faults, space, random } = this.#deps;
    if (!this.#mayFail(method)) return undefined;
    if (!isWrite) {
      if (!faults.strikes("store-read-failed", method)) return undefined;
      return new AppError("commit-outcome-unknown", `${method} failed.`);
    }
    if (scheduler.nowMs >= space.fullUntilMs && faults.strikes("store-full", method))
      space.fullUntilMs = scheduler.nowMs + random.next() * FULL_MAX_MS;
    if (scheduler.nowMs < space.fullUntilMs && !faults.isOver)
      return new AppError("store-full", `The store is full: ${method} has written nothing.`);
    return faults.strikes("store-not-executed", method) ? unknownOutcome(method) : undefined;
  }

  #mayFail(method: StoreCall["method"]): boolean {
    return !SPARED.has(method);
  }
}

function unknownOutcome(method: string): AppError {
  return new AppError("commit-outcome-unknown", `Whether ${method} was carried out is not known.`);
}
