import type { Random } from "@tutti/testkit";

/** Everything that can go wrong. */
export const FAULT_KINDS = [
  // The process.
  "crash",
  "crash-point",
  "stop",
  "pause",
  "poison",
  // The store.
  "store-not-executed",
  "store-executed-then-failed",
  "store-full",
  "store-slow",
  "store-read-failed",
  // The clock.
  "clock-forward",
  "clock-back",
  // Between the process and the world.
  "request-delayed",
  "request-lost",
  "answer-lost",
  "answer-delayed",
  "answer-duplicated",
  "refused",
  "never-began",
  "hang",
  "appears-late",
  "ignores-abort",
  // People and other systems.
  "operator",
  "event-duplicated",
  // Where several nodes share the store.
  "long-pause",
  "partition",
  "wake-lost",
  "wake-duplicated",
  "clock-skew",
] as const;
export type FaultKind = (typeof FAULT_KINDS)[number];
/** Those that one node alone never meets: drawn apart, so that its seeds stay what they were. */
export const SHARED_KINDS: ReadonlySet<FaultKind> = new Set(["long-pause", "partition", "wake-lost", "wake-duplicated", "clock-skew"]);

/** Faults that the workflow itself sees as another outcome: a run that has met one may rightly end otherwise than its oracle says. */
const VISIBLE: ReadonlySet<FaultKind> = new Set(["refused", "never-began", "hang", "ignores-abort"]);

/** How likely a fault of the kind is each time it could happen. */
const RATES: Readonly<Record<FaultKind, readonly [number, number]>> = {
  crash: [0.001, 0.02],
  "crash-point": [0.001, 0.05],
  stop: [0.0001, 0.001],
  pause: [0.0002, 0.002],
  poison: [0.1, 0.5],
  "store-not-executed": [0.005, 0.1],
  "store-executed-then-failed": [0.005, 0.1],
  "store-full": [0.001, 0.02],
  "store-slow": [0.01, 0.2],
  "store-read-failed": [0.005, 0.05],
  "clock-forward": [0.0002, 0.002],
  "clock-back": [0.0002, 0.002],
  "request-delayed": [0.05, 0.5],
  "request-lost": [0.02, 0.3],
  "answer-lost": [0.02, 0.3],
  "answer-delayed": [0.05, 0.5],
  "answer-duplicated": [0.02, 0.3],
  refused: [0.02, 0.3],
  "never-began": [0.02, 0.2],
  hang: [0.01, 0.1],
  "appears-late": [0.1, 0.6],
  "ignores-abort": [0.1, 0.5],
  operator: [0.2, 1],
  "event-duplicated": [0.1, 0.5],
  "long-pause": [0.0002, 0.002],
  partition: [0.0002, 0.002],
  "wake-lost": [0.1, 0.9],
  "wake-duplicated": [0.1, 0.5],
  "clock-skew": [0.3, 0.9],
};

/** Faults of the kinds that hit one token at most: the engine repeats a lost request three times before its error is the workflow's. */
const LOST_PER_TOKEN_MAX = 2;

/** Decides by the seed's chance what goes wrong, and keeps count: operations × faults is what a simulation has covered. */
export class Faults {
  readonly counts: Map<string, number> = new Map();
  readonly kinds: ReadonlySet<FaultKind>;
  /** From now on all goes well. */
  isOver = false;
  readonly #random: Random;
  readonly #rates = new Map<FaultKind, number>();
  readonly #lost = new Map<string, number>();

  constructor(random: Random, kinds: readonly FaultKind[]) {
    this.#random = random;
    this.kinds = new Set(kinds);
    const apart = random.fork("shared");
    for (const kind of FAULT_KINDS) {
      const [low, high] = RATES[kind];
      // Drawn for all kinds, so that leaving one out leaves the others as they were. Low rates are as likely as high ones.
      this.#rates.set(kind, low * (high / low) ** (SHARED_KINDS.has(kind) ? apart : random).next());
    }
  }

  /** Whether the fault happens to this operation now. */
  strikes(kind: FaultKind, operation: string): boolean {
    if (this.isOver || !this.kinds.has(kind) || !this.#random.chance(this.#rates.get(kind) ?? 0)) return false;
    this.#count(kind, operation);
    return true;
  }

  /** The same for a request to the world; a `strict` run meets only what it has to cope with unseen. */
  strikesRequest(kind: FaultKind, request: { readonly operation: string; readonly token: string; readonly isStrict: boolean }): boolean {
    if (request.isStrict && VISIBLE.has(kind)) return false;
    if (kind !== "request-lost" && kind !== "answer-lost") return this.strikes(kind, request.operation);
    const lost = this.#lost.get(request.token) ?? 0;
    // An unsafe call that is lost goes to the nearest `catch`: the workflow sees it.
    if (request.isStrict && (lost >= LOST_PER_TOKEN_MAX || request.operation.startsWith("x.unsafe"))) return false;
    if (!this.strikes(kind, request.operation)) return false;
    this.#lost.set(request.token, lost + 1);
    return true;
  }

  #count(kind: FaultKind, operation: string): void {
    const key = `${operation} × ${kind}`;
    this.counts.set(key, (this.counts.get(key) ?? 0) + 1);
  }
}
