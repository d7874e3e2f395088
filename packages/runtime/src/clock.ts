import type { Env, TimerHandle } from "./env.ts";
import type { Histogram } from "./metrics/histogram.ts";

/** A wall clock that is further ahead than this has jumped (suspended machine, corrected time); less is drift and is not worth a step. */
const JUMP_MS = 1000;
/** A step forward of the wall clock that may be a wrong time as well as a machine that slept. */
export const JUMP_DISTRUSTED_MS = 86_400_000;
/** How long such a step does not count as age: time enough for a time server, or a person, to put the clock right. */
export const DISTRUST_MS = 6 * 3_600_000;
/** Longest sleep of the one process timer: a jump of the wall clock is noticed within this time while anything waits. */
const TICK_MAX_MS = 5000;

/**
 * Event time: wall clock at start plus the monotonic clock, so it never goes back. Forward jumps of the wall clock are taken over, so that
 * a timer set for nine o'clock fires at nine o'clock after the machine slept.
 */
export class Clock {
  readonly #env: Env;
  #offsetMs: number;
  #distrusted = { aheadMs: 0, untilMonotonicMs: 0 };

  constructor(env: Env) {
    this.#env = env;
    this.#offsetMs = env.wallClockMs() - env.monotonicMs();
  }

  nowMs(): number {
    return Math.floor(this.#offsetMs + this.#env.monotonicMs());
  }

  /**
   * The time that decides what is old enough to be deleted: never ahead of the wall clock, which may have been put back, and for `DISTRUST_MS`
   * behind by a step forward that nobody can tell from a wrong time. A run deleted too late does no harm.
   */
  ageMs(): number {
    const { aheadMs, untilMonotonicMs } = this.#distrusted;
    const stepMs = this.#env.monotonicMs() < untilMonotonicMs ? aheadMs : 0;
    return Math.min(this.nowMs(), Math.floor(this.#env.wallClockMs())) - stepMs;
  }

  /** Time is `aheadMs` further than expected: it does not count as age for a while. */
  distrust(aheadMs: number): void {
    const now = this.#env.monotonicMs();
    const before = now < this.#distrusted.untilMonotonicMs ? this.#distrusted.aheadMs : 0;
    this.#distrusted = { aheadMs: before + aheadMs, untilMonotonicMs: now + DISTRUST_MS };
  }

  /** Compares with the wall clock; backward jumps are ignored. */
  followWallClock(): void {
    const aheadMs = this.#env.wallClockMs() - (this.#offsetMs + this.#env.monotonicMs());
    if (aheadMs <= JUMP_MS) return;
    this.#offsetMs += aheadMs;
    if (aheadMs > JUMP_DISTRUSTED_MS) this.distrust(aheadMs);
  }
}

/** A place in the queue; clearing it is one assignment, the heap drops it when it comes up. */
export interface TimerEntry {
  readonly dueAtMs: number;
  isCleared: boolean;
  readonly fire: () => void;
}

/** All timers of loaded runs in one heap over one process timer: a timer costs memory, not a handle. */
export class TimerQueue {
  readonly #env: Env;
  readonly #clock: Clock;
  #heap: TimerEntry[] = [];
  #cleared = 0;
  #armed: { readonly dueAtMs: number; readonly handle: TimerHandle } | undefined;
  #isStopped = false;
  readonly #late: Histogram | undefined;

  /** `lateSeconds` is told how late each timer fires. */
  constructor(env: Env, clock: Clock, lateSeconds?: Histogram) {
    this.#env = env;
    this.#clock = clock;
    this.#late = lateSeconds;
  }

  get size(): number {
    return this.#heap.length - this.#cleared;
  }

  schedule(dueAtMs: number, fire: () => void): TimerEntry {
    const entry: TimerEntry = { dueAtMs, isCleared: false, fire };
    push(this.#heap, entry);
    if (this.#armed === undefined || dueAtMs < this.#armed.dueAtMs) this.#arm();
    return entry;
  }

  clear(entry: TimerEntry): void {
    if (entry.isCleared) return;
    entry.isCleared = true;
    this.#cleared += 1;
    // Cleared entries with a far due time would pile up (a timeout per attempt): rebuilding when they are the majority is amortized.
    if (this.#cleared > 64 && this.#cleared * 2 > this.#heap.length) this.#compact();
  }

  stop(): void {
    this.#isStopped = true;
    this.#armed?.handle.clear();
    this.#armed = undefined;
    this.#heap = [];
    this.#cleared = 0;
  }

  #compact(): void {
    const live = this.#heap.filter((entry) => !entry.isCleared);
    this.#heap = [];
    this.#cleared = 0;
    for (const entry of live) push(this.#heap, entry);
  }

  #arm(): void {
    if (this.#isStopped) return;
    this.#armed?.handle.clear();
    this.#armed = undefined;
    const first = this.#heap[0];
    if (first === undefined) return;
    const delayMs = Math.min(Math.max(0, first.dueAtMs - this.#clock.nowMs()), TICK_MAX_MS);
    this.#armed = { dueAtMs: first.dueAtMs, handle: this.#env.setTimer(delayMs, () => this.#tick()) };
  }

  #tick(): void {
    this.#armed = undefined;
    if (this.#isStopped) return;
    this.#clock.followWallClock();
    const nowMs = this.#clock.nowMs();
    for (let first = this.#heap[0]; first !== undefined && (first.isCleared || first.dueAtMs <= nowMs); first = this.#heap[0]) {
      pop(this.#heap);
      if (first.isCleared) {
        this.#cleared -= 1;
        continue;
      }
      // Out of the heap: a later `clear` must not count it.
      first.isCleared = true;
      this.#late?.observe((nowMs - first.dueAtMs) / 1000);
      first.fire();
    }
    this.#arm();
  }
}

function push(heap: TimerEntry[], entry: TimerEntry): void {
  heap.push(entry);
  let index = heap.length - 1;
  while (index > 0) {
    const above = (index - 1) >> 1;
    const parent = heap[above] as TimerEntry;
    if (parent.dueAtMs <= entry.dueAtMs) break;
    heap[index] = parent;
    index = above;
  }
  heap[index] = entry;
}

function pop(heap: TimerEntry[]): void {
  const last = heap.pop();
  if (last === undefined || heap.length === 0) return;
  let index = 0;
  for (;;) {
    let below = index * 2 + 1;
    if (below >= heap.length) break;
    // Both indexes are inside the heap.
    if (below + 1 < heap.length && (heap[below + 1] as TimerEntry).dueAtMs < (heap[below] as TimerEntry).dueAtMs) below += 1;
    const child = heap[below] as TimerEntry;
    if (child.dueAtMs >= last.dueAtMs) break;
    heap[index] = child;
    index = below;
  }
  heap[index] = last;
}
