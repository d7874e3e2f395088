/** The wall clock of a machine: virtual time, an origin, and the jumps that it has made. */
export class SimClock {
  readonly #nowMs: () => number;
  readonly #originMs: number;
  #offsetMs = 0;
  /** Furthest ahead that the wall clock has been of virtual time: event time follows jumps forward and ignores those back. */
  #aheadMs = 0;

  constructor(nowMs: () => number, originMs: number) {
    this.#nowMs = nowMs;
    this.#originMs = originMs;
  }

  wallClockMs(): number {
    return Math.floor(this.#originMs + this.#nowMs() + this.#offsetMs);
  }

  /** No timer that is due later than this may have fired by now. */
  latestMs(): number {
    return this.#originMs + this.#nowMs() + this.#aheadMs;
  }

  /** How far ahead it has been. */
  get aheadMs(): number {
    return this.#aheadMs;
  }

  /** Set like the one that was furthest ahead of several. */
  healTo(aheadMs: number): void {
    this.#aheadMs = Math.max(this.#aheadMs, aheadMs);
    this.heal();
  }

  /** Somebody has set the clock right: it is where it was furthest ahead, and every timer comes due in its time. */
  heal(): void {
    this.#offsetMs = this.#aheadMs;
  }

  jump(ms: number): void {
    this.#offsetMs += ms;
    this.#aheadMs = Math.max(this.#aheadMs, this.#offsetMs);
  }
}
