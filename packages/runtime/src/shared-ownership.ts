import { type BeatAnswer, type ClaimedShard, type Leases, type OwnedShard, shardOf, type StoreEnds } from "@tutti/store";
import type { Env, TimerHandle } from "./env.ts";
import { type Ownership, ShardLease } from "./ownership.ts";
import { pauseAfter } from "./store-trouble.ts";

/**
 * Runs of a node that dies stand still for so long: short enough for people who wait, long enough for a pause of the garbage collector, a busy
 * disk or a change of the database's primary.
 */
export const LEASE_MS = 10_000;
/** Renewed many times in its life, since each try may fail; also how soon free shards are noticed. */
export const BEAT_EVERY_MS = 1000;
/** This node takes its leases for ended so much earlier than the store: monotonic clocks differ in rate by far less than this tenth. */
const LEASE_MARGIN_MS = 1000;
/** A beat without an answer is given up, so that the next one may still save the leases. */
const BEAT_TIMEOUT_MS = 3000;

export interface SharedOwnershipDeps {
  readonly leases: Leases;
  readonly env: Env;
  /**
   * Reads what the shards' last owner has left; called again after a failure. Until it has resolved nothing of them is loaded. What is read of a
   * shard that is not `isStill` this node's under the same lease counts for nothing.
   */
  readonly prepare: (claimed: readonly ClaimedShard[], isStill: (shard: number) => boolean) => Promise<void>;
  /** From now on the shards are driven here. */
  readonly opened: (leases: readonly ShardLease[]) => void;
  /** From now on nothing of the shards may happen here. */
  readonly lost: (leases: readonly ShardLease[]) => void;
  /** Shards of which something is under way in this process. */
  readonly busyShards: () => ReadonlySet<number>;
  /** Whether a run of the shard is still suspected of having ended a process. */
  readonly leavesSuspects: (shard: number) => boolean;
  /** Others may have written something for this node; with what the store had at the last beat, or a hint. */
  readonly news: (what: "hint" | "grown" | "beat") => void;
}

/**
 * Claims this node's share of the shards, keeps it, and lets go in time.
 *
 * A lease counts from before the beat that renewed it was sent, and ends by the monotonic clock, so it is over here before it is over in the store,
 * however late the answer came and whatever the wall clock says. A process that was stopped for longer finds out before it sends anything; what it
 * still commits is refused by the store, which compares epochs in the same transaction.
 */
export class SharedOwnership implements Ownership {
  readonly isShared = true;
  readonly #deps: SharedOwnershipDeps;
  /** All leases of this node, by shard; what is being prepared too. */
  readonly #held = new Map<number, ShardLease>();
  /** Those that are driven. */
  readonly #open = new Map<number, ShardLease>();
  #shards: ReadonlySet<number> = new Set();
  #ends: StoreEnds = { events: 0, messages: 0, schedules: 0 };
  #mayClaim = true;
  #isOn = false;
  #timer: TimerHandle | undefined;
  #lapse: TimerHandle | undefined;
  #endWaking: (() => void) | undefined;

  constructor(deps: SharedOwnershipDeps) {
    this.#deps = deps;
  }

  /** Resolves after the first beat; a store that fails is asked again, for ever. */
  async start(): Promise<void> {
    this.#isOn = true;
    this.#endWaking = this.#deps.leases.onWake(() => this.#isOn && this.#deps.news("hint"));
    await this.#beat();
  }

  /** Claims nothing more; what it has it keeps. */
  close(): void {
    this.#mayClaim = false;
  }

  /** Hands everything over. Resolves when that is stored; when it fails, others wait for the leases to end. */
  async leave(): Promise<void> {
    this.#isOn = false;
    this.#timer?.clear();
    this.#lapse?.clear();
    this.#endWaking?.();
    const leases = [...this.#held.values()];
    this.#drop(leases);
    await this.#deps.leases.handOver(this.#given(leases), { leaves: true });
  }

  leaseOf(id: string): ShardLease | undefined {
    return this.#open.get(shardOf(id));
  }

  leases(): readonly ShardLease[] {
    return [...this.#open.values()];
  }

  shards(): ReadonlySet<number> {
    return this.#shards;
  }

  maySend(lease: ShardLease): boolean {
    if (lease.mode !== "closed" && this.#deps.env.monotonicMs() < lease.validUntilMs) return true;
    this.#dropLapsed();
    return false;
  }

  fenced(lease: ShardLease): void {
    if (this.#held.get(lease.shard) === lease) this.#drop([lease]);
  }

  async #beat(): Promise<void> {
    if (!this.#isOn) return;
    const { env, leases } = this.#deps;
    const sentAtMs = env.monotonicMs();
    this.#dropLapsed();
    const asked = [...this.#held.values()];
    let timer: TimerHandle | undefined;
    try {
      const given = leases.beat({ keep: asked.flatMap(ownedOf), leaseMs: LEASE_MS, mayClaim: this.#mayClaim });
      const silence = new Promise<"silence">((resolve) => {
        timer = env.setTimer(BEAT_TIMEOUT_MS, () => resolve("silence"));
      });
      const answer = await Promise.race([given, silence]);
      if (!this.#isOn) return;
      // What it says later does not count: the store will take what we do not name for free.
      if (answer === "silence") env.report("The store does not answer in time; leases may end.", undefined);
      else this.#apply(answer, asked, sentAtMs + LEASE_MS - LEASE_MARGIN_MS);
    } catch (error) {
      env.report("Renewing the leases of this node failed; it is tried again.", error);
    } finally {
      timer?.clear();
      if (this.#isOn) this.#timer = env.setTimer(BEAT_EVERY_MS, () => void this.#beat());
    }
  }

  #apply(answer: BeatAnswer, asked: readonly ShardLease[], validUntilMs: number): void {
    this.#dropLapsed();
    const kept = new Map(answer.kept.map(({ shard, epoch }) => [shard, epoch]));
    this.#drop(asked.filter((lease) => lease.mode !== "closed" && kept.get(lease.shard) !== lease.epoch));
    for (const lease of asked) if (lease.mode !== "closed") lease.validUntilMs = Math.max(lease.validUntilMs, validUntilMs);
    const claimed = answer.claimed.map(({ shard, epoch, eventsUpTo }) => new ShardLease({ shard, epoch, validUntilMs, eventsUpTo }));
    this.#drop(claimed.flatMap(({ shard }) => this.#held.get(shard) ?? []));
    for (const lease of claimed) this.#held.set(lease.shard, lease);
    if (claimed.length > 0) void this.#prepare(claimed, answer.claimed);
    this.#watchLapse();
    this.#balance(answer.share);
    const { ends } = this.#deps.env.monotonicMs() < validUntilMs ? answer : { ends: this.#ends };
    const hasGrown = ends.events > this.#ends.events || ends.messages > this.#ends.messages || ends.schedules > this.#ends.schedules;
    this.#ends = ends;
    this.#deps.news(hasGrown ? "grown" : "beat");
  }

  /** Nothing is loaded before what the last owner has left is known: whom it may have died of, and which messages lie there. */
  async #prepare(leases: readonly ShardLease[], claimed: readonly ClaimedShard[]): Promise<void> {
    const { env, prepare, opened } = this.#deps;
    const byShard = new Map(leases.map((lease) => [lease.shard, lease]));
    const isStill = (shard: number): boolean => (byShard.get(shard)?.mode ?? "closed") !== "closed";
    for (let attempt = 0; ; attempt += 1) {
      const still = leases.filter(({ mode }) => mode !== "closed");
      if (still.length === 0) return;
      try {
        await prepare(claimed, isStill);
        const open = still.filter(({ mode }) => mode !== "closed");
        for (const lease of open) this.#open.set(lease.shard, lease);
        this.#shards = new Set(this.#open.keys());
        if (open.length > 0) opened(open);
        return;
      } catch (error) {
        if (!this.#isOn) return;
        env.report("What was left of claimed shards could not be read; it is tried again.", error);
        await new Promise<void>((resolve) => void env.setTimer(Math.max(1, pauseAfter(attempt)), resolve));
      }
    }
  }

  /** What is above the share goes to others: at once where nothing is under way, else as soon as that is so. */
  #balance(share: number): void {
    const busy = this.#deps.busyShards();
    const ready = (lease: ShardLease): boolean => this.#open.get(lease.shard) === lease && !busy.has(lease.shard);
    const closing = [...this.#open.values()].filter(({ mode }) => mode === "closing");
    let excess = this.#held.size - closing.length - share;
    const open = [...this.#open.values()].filter(({ mode }) => mode === "open");
    for (const lease of [...open.filter(ready), ...open.filter((one) => !ready(one))]) {
      if (excess <= 0) break;
      excess -= 1;
      lease.mode = "closing";
      closing.push(lease);
    }
    const over = closing.filter(ready);
    if (over.length === 0) return;
    const given = this.#given(over);
    this.#drop(over);
    this.#deps.leases.handOver(given, { leaves: false }).catch((error: unknown) => {
      this.#deps.env.report("Shards could not be handed over; others claim them when their leases have ended.", error);
    });
  }

  #given(leases: readonly ShardLease[]): readonly (OwnedShard & { readonly isClean: boolean })[] {
    // What was not opened yet has not been looked at since its owner died.
    return leases.flatMap((lease) => {
      const isClean = this.#open.has(lease.shard) && !this.#deps.leavesSuspects(lease.shard);
      return ownedOf(lease).map((one) => ({ ...one, isClean }));
    });
  }

  #dropLapsed(): void {
    const nowMs = this.#deps.env.monotonicMs();
    this.#drop([...this.#held.values()].filter(({ validUntilMs }) => validUntilMs <= nowMs));
  }

  #watchLapse(): void {
    this.#lapse?.clear();
    this.#lapse = undefined;
    if (this.#held.size === 0) return;
    const firstMs = Math.min(...[...this.#held.values()].map(({ validUntilMs }) => validUntilMs));
    this.#lapse = this.#deps.env.setTimer(Math.max(0, firstMs - this.#deps.env.monotonicMs()), () => {
      this.#dropLapsed();
      this.#watchLapse();
    });
  }

  #drop(leases: readonly ShardLease[]): void {
    const over = leases.filter(({ mode }) => mode !== "closed");
    if (over.length === 0) return;
    for (const lease of over) {
      lease.mode = "closed";
      if (this.#held.get(lease.shard) === lease) this.#held.delete(lease.shard);
      if (this.#open.get(lease.shard) === lease) this.#open.delete(lease.shard);
    }
    this.#shards = new Set(this.#open.keys());
    this.#deps.lost(over);
  }
}

function ownedOf({ shard, epoch }: ShardLease): readonly OwnedShard[] {
  return epoch === undefined ? [] : [{ shard, epoch }];
}
