import type { LifecycleDeriver } from "@tutti/engine";
import type { CloudEvent } from "@tutti/model";
import type { RunHistoryReader } from "./run-history.ts";

export interface LifecycleReaderDeps {
  readonly runId: string;
  readonly history: RunHistoryReader;
  readonly deriver: LifecycleDeriver;
  readonly defer: (next: () => void) => void;
}

/**
 * Derives the lifecycle events of one run as its records come. Goes only ahead, and keeps the run's state in memory meanwhile; the event loop turns
 * after every page of records.
 */
export class LifecycleReader {
  readonly #deps: LifecycleReaderDeps;

  constructor(deps: LifecycleReaderDeps) {
    this.#deps = deps;
  }

  /** Records that were read. */
  get seq(): number {
    return this.#deps.deriver.seq;
  }

  /**
   * The events of the records of a commit, from `seqFirst` to `seqLast`. What lies before and was not read is read first, its events are not given.
   *
   * @throws AppError `history-mismatch`, and what the store throws; the reader can't be used after that.
   */
  async read(seqFirst: number, seqLast: number): Promise<readonly CloudEvent[]> {
    await this.#feed(seqFirst - 1);
    return this.#feed(seqLast);
  }

  async #feed(upToSeq: number): Promise<readonly CloudEvent[]> {
    const { runId, history, deriver, defer } = this.#deps;
    const events: CloudEvent[] = [];
    for await (const page of history.pages(runId, deriver.seq + 1, upToSeq)) {
      events.push(...deriver.feed(page));
      await new Promise<void>((resolve) => defer(resolve));
    }
    return events;
  }
}
