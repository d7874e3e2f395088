import type { LifecycleReader } from "@tutti/runtime";

/** Runs whose state is kept between two of their commits; others are read again from their first record. */
const READERS_MAX = 500;
/** Records behind the kept states, which say roughly how large they are. */
const RECORDS_MAX = 200_000;

/** The readers of the runs that were told of lately. */
export class RunReaders {
  readonly #open: (runId: string) => Promise<LifecycleReader>;
  /** In the order of use, the latest last. */
  readonly #kept = new Map<string, LifecycleReader>();
  #records = 0;

  constructor(open: (runId: string) => Promise<LifecycleReader>) {
    this.#open = open;
  }

  /** Lends a reader that has not gone past `seqFirst`; nobody else uses it meanwhile. Whoever keeps to the order gives it back. */
  async take(runId: string, seqFirst: number): Promise<LifecycleReader> {
    const kept = this.#kept.get(runId);
    if (kept === undefined) return this.#open(runId);
    this.#forget(runId, kept);
    return kept.seq < seqFirst ? kept : this.#open(runId);
  }

  giveBack(runId: string, reader: LifecycleReader): void {
    this.#kept.set(runId, reader);
    this.#records += reader.seq;
    for (const [oldest, old] of this.#kept) {
      if (this.#kept.size <= READERS_MAX && this.#records <= RECORDS_MAX) return;
      this.#forget(oldest, old);
    }
  }

  #forget(runId: string, reader: LifecycleReader): void {
    this.#kept.delete(runId);
    this.#records -= reader.seq;
  }
}
