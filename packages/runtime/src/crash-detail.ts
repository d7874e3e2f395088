import type { RunRecord } from "@tutti/engine";
import type { Json } from "@tutti/model";

/**
 * What a crash point tells. Built with getters, so that in production, where nobody reads it, a point costs one small object.
 */
type Detail = Readonly<Record<string, Json>>;

class CommitDetail {
  readonly runId: string;
  /** Number of the last record. */
  readonly seq: number;
  readonly #records: readonly RunRecord[];

  constructor(runId: string, seq: number, records: readonly RunRecord[]) {
    this.runId = runId;
    this.seq = seq;
    this.#records = records;
  }

  get types(): Json {
    return this.#records.map((record) => record.type);
  }

  /** The logical position of each record: what a walk over all positions counts by. */
  get records(): Json {
    const first = this.seq - this.#records.length + 1;
    return this.#records.map((record, index) => ({
      seq: first + index,
      type: record.type,
      ...("path" in record ? { path: record.path } : {}),
      ...("task" in record ? { task: record.task } : {}),
      ...("attempt" in record ? { attempt: record.attempt } : {}),
      ...("outcome" in record ? { outcome: record.outcome.kind } : {}),
      ...("timer" in record ? { timer: record.timer } : {}),
      ...("action" in record ? { action: record.action.kind } : {}),
    }));
  }
}

export const crashDetail = {
  batch: (runs: number): Detail => ({ runs }),
  // A class with exactly the members of a detail; getters are read like data.
  commit: (runId: string, seq: number, records: readonly RunRecord[]): Detail => new CommitDetail(runId, seq, records) as unknown as Detail,
  attempt: (handle: { readonly runId: string; readonly taskPath: string; readonly task: number; readonly number: number }): Detail => ({
    runId: handle.runId,
    path: handle.taskPath,
    task: handle.task,
    attempt: handle.number,
  }),
  acknowledge: (what: string, id: string): Detail => ({ what, id }),
};
