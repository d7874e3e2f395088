import { type EngineContext, type RunRecord, type RunView, viewRun } from "@tutti/engine";
import { AppError } from "@tutti/model";
import type { RunRow, Store } from "@tutti/store";
import type { ProgramCache } from "./program-cache.ts";
import { seqAt } from "./run-explaining.ts";
import type { ShowOptions } from "./runtime.ts";

/** Records read in one go. */
const PAGE = 1000;
/** Records replayed between two turns of the event loop: about 2 ms. */
const DERIVED_PAGE = 200;

/** A run as the store has it: rows, records, views. Nothing here looks at what is only in memory. */
export class RunHistoryReader {
  readonly #store: Store;
  readonly #programs: ProgramCache;

  constructor(store: Store, programs: ProgramCache) {
    this.#store = store;
    this.#programs = programs;
  }

  /** @throws AppError `run-not-found`. */
  async row(runId: string): Promise<RunRow> {
    const row = await this.#store.loadRun(runId);
    if (row === undefined) throw new AppError("run-not-found", `There is no run ${runId}.`, { details: { runId } });
    return row;
  }

  async context(row: RunRow): Promise<EngineContext> {
    return (await this.#programs.ofDigest(row.digest, row.runId)).context;
  }

  async records(runId: string, upToSeq = Number.POSITIVE_INFINITY): Promise<readonly RunRecord[]> {
    const records: RunRecord[] = [];
    await this.append(runId, records, upToSeq);
    return records;
  }

  /** Adds what has been stored since to `records`, which hold the run's first ones. */
  async append(runId: string, records: RunRecord[], upToSeq = Number.POSITIVE_INFINITY): Promise<void> {
    while (records.length < upToSeq) {
      const limit = Math.min(PAGE, upToSeq - records.length);
      const page = await this.#store.readRecords(runId, records.length + 1, limit);
      // Bodies are what the engine wrote.
      for (const record of page) records.push(JSON.parse(record.body) as RunRecord);
      if (page.length < limit) return;
    }
  }

  /**
   * Records up to `upToSeq` in pages, from `fromSeq` on, where a fact begins. A page ends where a fact with its intents does, so that each can be
   * fed to the engine by itself, and the event loop may turn between two.
   */
  async *pages(runId: string, fromSeq: number, upToSeq: number): AsyncGenerator<readonly RunRecord[], void> {
    let held: RunRecord[] = [];
    for (let next = fromSeq; next <= upToSeq;) {
      const page = await this.#store.readRecords(runId, next, Math.min(DERIVED_PAGE, upToSeq - next + 1));
      if (page.length === 0) break;
      next += page.length;
      // Bodies are what the engine wrote.
      for (const { body } of page) held.push(JSON.parse(body) as RunRecord);
      const cut = next > upToSeq ? held.length : held.findLastIndex((record) => record.type !== "attempt-intended");
      if (cut <= 0) continue;
      yield held.slice(0, cut);
      held = held.slice(cut);
    }
    if (held.length > 0) yield held;
  }

  /** The run after its record `atSeq`, at a moment, or as it is. */
  async view(runId: string, { atSeq, atMs }: ShowOptions = {}): Promise<RunView> {
    const row = await this.row(runId);
    const context = await this.context(row);
    if (atSeq !== undefined && (atSeq < 1 || atSeq > row.seq)) {
      throw new AppError("usage", `The run ${runId} has records 1 to ${row.seq}; there is no record ${atSeq}.`, {
        details: { runId, atSeq },
      });
    }
    const records = await this.records(runId, atSeq ?? row.seq);
    return viewRun(atSeq === undefined && atMs !== undefined ? records.slice(0, seqAt(records, runId, atMs)) : records, context);
  }

  async hasRecord(runId: string, seq: number, record: RunRecord): Promise<boolean> {
    if ((await this.#store.loadRun(runId)) === undefined) return false;
    const [stored] = await this.#store.readRecords(runId, seq, 1);
    return stored !== undefined && stored.body === JSON.stringify(record);
  }
}
