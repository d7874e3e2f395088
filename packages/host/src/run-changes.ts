import type { CommitBatch, CommitResult, RunStatus, Store } from "@tutti/store";

/** A committed change of how a run stands. */
export interface RunChange {
  readonly atMs: number;
  readonly runId: string;
  readonly workflow: string;
  readonly status: RunStatus;
  readonly inDoubt: number;
  readonly reason: string | undefined;
}

/** Listens to the commits of a store: what is told has been committed, and every committed change of a row is told once. */
export class RunChanges {
  readonly #listeners = new Set<(change: RunChange) => void>();
  /** What was told last of a run that is not at rest; a record that changes nothing people see is not news. */
  readonly #told = new Map<string, string>();

  /** Puts itself between the store and its caller; `commit` keeps its promise, and costs one comparison more while nobody listens. */
  observe(store: Store): void {
    const commit = store.commit.bind(store);
    store.commit = async (batch) => {
      const result = await commit(batch);
      if (this.#listeners.size > 0) this.#tell(batch, result);
      return result;
    };
  }

  /** @returns ends the listening. */
  subscribe(listener: (change: RunChange) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  #tell(batch: CommitBatch, result: CommitResult): void {
    for (const [index, run] of batch.runs.entries()) {
      const { row } = run;
      if (row === undefined || result.verdicts[index]?.verdict !== "committed") continue;
      const news = `${row.status} ${row.inDoubt} ${row.reason ?? ""}`;
      if (this.#told.get(run.runId) === news) continue;
      if (row.endedAtMs === undefined) this.#told.set(run.runId, news);
      else this.#told.delete(run.runId);
      const change: RunChange = {
        atMs: row.updatedAtMs,
        runId: run.runId,
        workflow: `${row.namespace}/${row.name}:${row.version}`,
        status: row.status,
        inDoubt: row.inDoubt,
        reason: row.reason,
      };
      for (const listener of this.#listeners) listener(change);
    }
  }
}
