/** A timer that can be taken back. */
export interface VirtualTimer {
  clear(): void;
}

interface Pending {
  readonly dueAtMs: number;
  readonly order: number;
  readonly callback: () => void;
}

/**
 * Time that moves only when a test says so. Timers fire in the order of their due times, equal ones in the order in which they were set.
 *
 * `wallClockMs`, `monotonicMs` and `setTimer` have the shapes of the runtime's `Env`.
 */
export class VirtualClock {
  #nowMs: number;
  readonly #startMs: number;
  #wallOffsetMs = 0;
  #order = 0;
  readonly #pending = new Set<Pending>();

  constructor(startMs: number = Date.UTC(2026, 0, 1)) {
    this.#nowMs = startMs;
    this.#startMs = startMs;
  }

  wallClockMs(): number {
    return this.#nowMs + this.#wallOffsetMs;
  }

  monotonicMs(): number {
    return this.#nowMs - this.#startMs;
  }

  setTimer(delayMs: number, callback: () => void): VirtualTimer {
    const pending: Pending = { dueAtMs: this.#nowMs + Math.max(0, delayMs), order: (this.#order += 1), callback };
    this.#pending.add(pending);
    return { clear: () => void this.#pending.delete(pending) };
  }

  /** Resolves after `ms` of virtual time; rejects with the signal's reason. */
  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const stop = (): void => {
        timer.clear();
        reject(signal?.reason instanceof Error ? signal.reason : new Error("Aborted."));
      };
      const timer = this.setTimer(ms, () => {
        signal?.removeEventListener("abort", stop);
        resolve();
      });
      if (signal?.aborted === true) stop();
      else signal?.addEventListener("abort", stop, { once: true });
    });
  }

  /** When the next timer fires, on the monotonic clock; undefined when none is set. */
  nextDueMs(): number | undefined {
    const next = this.#next();
    return next === undefined ? undefined : next.dueAtMs - this.#startMs;
  }

  /** Moves time on by `ms`, firing what falls due on the way and letting promises settle after each timer. */
  async advance(ms: number): Promise<void> {
    const untilMs = this.#nowMs + ms;
    await settle();
    for (let next = this.#next(); next !== undefined && next.dueAtMs <= untilMs; next = this.#next()) await this.#fire(next);
    this.#nowMs = untilMs;
    await settle();
  }

  /** Fires the next timer, however far away it is; false when there is none. */
  async advanceToNext(): Promise<boolean> {
    await settle();
    const next = this.#next();
    if (next !== undefined) await this.#fire(next);
    return next !== undefined;
  }

  /** Lets the wall clock jump, forwards or back, while the monotonic clock goes on. */
  jumpWallClock(ms: number): void {
    this.#wallOffsetMs += ms;
  }

  async #fire(pending: Pending): Promise<void> {
    this.#pending.delete(pending);
    this.#nowMs = Math.max(this.#nowMs, pending.dueAtMs);
    pending.callback();
    await settle();
  }

  #next(): Pending | undefined {
    let next: Pending | undefined;
    for (const pending of this.#pending) {
      if (next === undefined || pending.dueAtMs < next.dueAtMs || (pending.dueAtMs === next.dueAtMs && pending.order < next.order))
        next = pending;
    }
    return next;
  }
}

/** Lets everything run that needs no time: promise reactions, then what they deferred, until two turns of the event loop were quiet. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 2; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}
