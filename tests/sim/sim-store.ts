import { AppError } from "@tutti/model";
import {
  type Beat,
  type BeatAnswer,
  type CommitBatch,
  type CommitResult,
  createMemoryStore,
  interceptStore,
  type Leases,
  type MemoryDisk,
  type OwnedShard,
  shardOf,
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
  "beat",
  "handOver",
  "writeCursors",
  "exchange",
]);
/** Without a fault a call takes up to this long: some answers overtake others, and a commit gathers what moved meanwhile. */
const LATENCY_MAX_MS = 2;
const SLOW_MAX_MS = 5000;
/** A call that the network has swallowed fails within this time. */
const CUT_OFF_MAX_MS = 5000;
const EXECUTED_UNHEARD = 0.3;
/** A full disk stays full this long. */
const FULL_MAX_MS = 20_000;
/** Starting and stopping have no answer that could be lost; a poisoned mark is looked after by the process itself. */
const SPARED: ReadonlySet<StoreCall["method"]> = new Set(["start", "stop", "markSuspect", "readSuspects", "clearSuspects"]);

/** What watches the disk: called in the event in which a call is executed. */
export interface StoreWitness {
  committed(batch: CommitBatch, result: CommitResult): void;
  marked(mark: string | undefined): void;
  beaten(beat: Beat, answer: BeatAnswer): void;
  handedOver(shards: readonly OwnedShard[]): void;
}

/** What a broken store does, for the controls. */
export interface StoreSabotage {
  /** Answers a commit before it is executed. */
  readonly answersEarly?: boolean;
  /** Says of a commit that was not executed that it was. */
  readonly hidesFailures?: boolean;
  /** Now and then nobody seems to listen. */
  readonly forgetsSubscribers?: boolean;
  /** Takes every commit for one of the present owner. */
  readonly ignoresEpochs?: boolean;
  /** Lets a shard's next owner have it under the epoch of the last one. */
  readonly keepsEpochs?: boolean;
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
  /** Where several nodes share the disk. */
  readonly shared: { readonly nodeId: string; readonly cutOffUntilMs: () => number } | undefined;
}

/**
 * The memory store behind a wire: each call is executed in one event and answered in the same (reads) or a later one (writes). Writes are
 * executed in the order in which they were asked for; a process that dies in between never learns what became of its last ones.
 */
export function createSimStore(deps: SimStoreDeps): Store {
  const wire = new Wire(deps);
  const { disk, shared, sabotage } = deps;
  const nowMs = (): number => deps.scheduler.nowMs;
  const memory = createMemoryStore(disk, shared === undefined ? undefined : { nodeId: shared.nodeId, nowMs });
  const underAnyEpoch = ({ runs }: CommitBatch): CommitBatch => ({
    runs: runs.map((run) => ({ ...run, epoch: disk.leases.get(shardOf(run.runId))?.epoch })),
  });
  return {
    ...interceptStore(memory, (method, execute) => wire.call(method, execute)),
    get stoppedCleanly() {
      return memory.stoppedCleanly;
    },
    leases: memory.leases === undefined ? undefined : simLeases(deps, { wire, leases: memory.leases }),
    commit: (batch) => {
      const lie: CommitResult = { verdicts: batch.runs.map(() => COMMITTED) };
      const execute = async (): Promise<CommitResult> => {
        const result = await memory.commit(sabotage.ignoresEpochs === true ? underAnyEpoch(batch) : batch);
        deps.witness.committed(batch, result);
        return result;
      };
      return wire.call("commit", execute, lie);
    },
    findSubscribers: (query) =>
      wire.call("findSubscribers", async () => {
        const found = await memory.findSubscribers(query);
        return deps.sabotage.forgetsSubscribers === true && deps.random.chance(FORGETS) ? { subscribers: [], next: undefined } : found;
      }),
    markSuspect: (mark) =>
      wire.call("markSuspect", async () => {
        await memory.markSuspect(mark);
        deps.witness.marked(mark);
      }),
  };
}

function simLeases(deps: SimStoreDeps, { wire, leases }: { readonly wire: Wire; readonly leases: Leases }): Leases {
  const { disk, scheduler, random, faults, owner, sabotage, witness } = deps;
  return {
    nodeId: leases.nodeId,
    beat: (beat) =>
      wire.call("beat", async () => {
        const before = new Map(disk.leases);
        let answer = await leases.beat(beat);
        if (sabotage.keepsEpochs === true) {
          const epochOf = (shard: number): number => before.get(shard)?.epoch ?? 1;
          for (const { shard } of answer.claimed) {
            const lease = disk.leases.get(shard);
            if (lease !== undefined) disk.leases.set(shard, { ...lease, epoch: epochOf(shard) });
          }
          answer = { ...answer, claimed: answer.claimed.map((one) => ({ ...one, epoch: epochOf(one.shard) })) };
        }
        witness.beaten(beat, answer);
        return answer;
      }),
    handOver: (shards, how) =>
      wire.call("handOver", async () => {
        await leases.handOver(shards, how);
        witness.handedOver(shards);
      }),
    writeCursors: (position, under) => wire.call("writeCursors", () => leases.writeCursors(position, under)),
    exchange: (exchange) => wire.call("exchange", () => leases.exchange(exchange)),
    onWake: (listener) => {
      // Hints that are on their way, at most one and its double.
      let isOnTheWay = false;
      const end = leases.onWake(() => {
        if (!owner.isAlive) return end();
        if (isOnTheWay || faults.strikes("wake-lost", "wake")) return;
        isOnTheWay = true;
        const arrive = (): void => {
          isOnTheWay = false;
          listener();
        };
        scheduler.after(random.next() * LATENCY_MAX_MS, "wake", arrive, owner);
        if (faults.strikes("wake-duplicated", "wake")) scheduler.after(random.next() * SLOW_MAX_MS, "wake again", arrive, owner);
      });
      return end;
    },
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
          const cutOff = this.#cutOff(method, isWrite, execute);
          if (cutOff !== undefined)
            return scheduler.after(random.next() * CUT_OFF_MAX_MS, `store ${method} unreachable`, () => reject(cutOff), owner);
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

  /** The network is gone: the request may have arrived, its answer does not. */
  #cutOff(method: StoreCall["method"], isWrite: boolean, execute: () => Promise<unknown>): AppError | undefined {
    const { scheduler, shared, random, faults } = this.#deps;
    if (shared === undefined || faults.isOver || !this.#mayFail(method) || scheduler.nowMs >= shared.cutOffUntilMs()) return undefined;
    // Its caller is told that it failed; what the store says of it reaches nobody.
    if (isWrite && random.chance(EXECUTED_UNHEARD)) execute().catch(() => undefined);
    return unknownOutcome(method);
  }

  #mayFail(method: StoreCall["method"]): boolean {
    return !SPARED.has(method);
  }
}

function unknownOutcome(method: string): AppError {
  return new AppError("commit-outcome-unknown", `Whether ${method} was carried out is not known.`);
}
