import type { RunRecord } from "@tutti/engine";
import type { Json } from "@tutti/model";

/**
 * What a crash point tells. Built with getters, so that in production, where nobody reads it, a point costs one small object.
 */
type Detail = Readonly<Record<string, Json>>;

interface PlacedTask {
  readonly task: number;
  readonly taskPath: string;
}

class CommitDetail {
  readonly runId: string;
  /** Number of the last record. */
  readonly seq: number;
  readonly #records: readonly RunRecord[];
  readonly #ended: readonly PlacedTask[];

  constructor(runId: string, seq: number, stored: { readonly records: readonly RunRecord[]; readonly ended: readonly PlacedTask[] }) {
    this.runId = runId;
    this.seq = seq;
    this.#records = stored.records;
    this.#ended = stored.ended;
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
      ...this.#placeOf(record),
      ...("task" in record ? { task: record.task } : {}),
      ...("attempt" in record ? { attempt: record.attempt } : {}),
      ...("outcome" in record ? { outcome: record.outcome.kind } : {}),
      ...("timer" in record ? { timer: record.timer } : {}),
      ...("action" in record ? { action: record.action.kind } : {}),
    }));
  }

  /** The end of an attempt names its task by number only; the attempt itself knows the path, which a recovery does not change. */
  #placeOf(record: RunRecord): { readonly path?: string } {
    if ("path" in record) return { path: record.path };
    if (record.type !== "attempt-ended" && record.type !== "look-up-ended") return {};
    const path = this.#ended.find((one) => one.task === record.task)?.taskPath;
    return path === undefined ? {} : { path };
  }
}

export const crashDetail = {
  batch: (runs: number): Detail => ({ runs }),
  // A class with exactly the members of a detail; getters are read like data.
  commit: (runId: string, seq: number, stored: { readonly records: readonly RunRecord[]; readonly ended: readonly PlacedTask[] }): Detail =>
    new CommitDetail(runId, seq, stored) as unknown as Detail,
  attempt: (handle: { readonly runId: string; readonly taskPath: string; readonly task: number; readonly number: number }): Detail => ({
    runId: handle.runId,
    path: handle.taskPath,
    task: handle.task,
    attempt: handle.number,
  }),
  acknowledge: (what: string, id: string): Detail => ({ what, id }),
};
