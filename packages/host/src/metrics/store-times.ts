import type { Histogram } from "@tutti/runtime";
import type { Store } from "@tutti/store";

/** Operations that are timed besides commits, which the runtime times itself: what a run in motion waits for. */
const TIMED = [
  "loadRun",
  "loadRecords",
  "readRecords",
  "listRuns",
  "listDue",
  "loadDefinitionByDigest",
  "acceptEvent",
  "readEvents",
  "findSubscribers",
  "readMessages",
] as const satisfies readonly (keyof Store)[];

/** Times the operations of a store: what they take as their caller sees it. */
export class StoreTimes {
  readonly byOperation = new Map<string, Histogram>();
  readonly #make: () => Histogram;

  constructor(make: () => Histogram) {
    this.#make = make;
  }

  /** Puts itself between the store and its caller. */
  observe(store: Store): void {
    for (const name of TIMED) {
      const times = this.#make();
      this.byOperation.set(name, times);
      // Each method keeps its own arguments and answer; only the time in between is looked at.
      const methods = store as unknown as Record<string, (...given: unknown[]) => Promise<unknown>>;
      const inner = methods[name]?.bind(store);
      if (inner === undefined) continue;
      methods[name] = async (...given) => {
        const beganAt = performance.now();
        try {
          return await inner(...given);
        } finally {
          times.observe((performance.now() - beganAt) / 1000);
        }
      };
    }
  }
}
