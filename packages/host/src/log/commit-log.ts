import { isJsonObject, type Json, type JsonObject } from "@tutti/model";
import type { CommitBatch, CommitResult, RecordBody, RunCommit, Store } from "@tutti/store";
import { deriveTraceId } from "../traces/trace-id.ts";
import type { EventLog } from "./event-log.ts";
import type { LogFields } from "./log-catalogue.ts";

/** Paths of attempts under way that are remembered; beyond that lines name the task by its number alone. */
const PATHS_MAX = 100_000;

/** Intents say the path of the attempts whose failure is told. */
const TOLD: ReadonlySet<string> = new Set(["operator", "attempt-ended", "attempt-intended"]);

/** Logs what was committed, and nothing else: listens between the store and its caller. Reads names and codes of records, no values. */
export class CommitLog {
  readonly #log: EventLog;
  /** Paths of attempts that were intended and have not ended, by run and task. */
  readonly #paths = new Map<string, string>();
  readonly #told = new Map<string, string>();

  constructor(log: EventLog) {
    this.#log = log;
  }

  observe(store: Store): void {
    const commit = store.commit.bind(store);
    store.commit = async (batch) => {
      const result = await commit(batch);
      this.#tell(batch, result);
      return result;
    };
  }

  #tell(batch: CommitBatch, result: CommitResult): void {
    for (const [index, run] of batch.runs.entries()) {
      if (result.verdicts[index]?.verdict !== "committed") continue;
      for (const record of run.records) if (TOLD.has(record.type)) this.#record(run.runId, record);
      if (run.row !== undefined) this.#row(run, run.row);
    }
  }

  #row({ runId, expectedSeq }: RunCommit, row: NonNullable<RunCommit["row"]>): void {
    const { status, inDoubt, endedAtMs, errorType, updatedAtMs } = row;
    const news = `${status} ${inDoubt}`;
    const isNew = expectedSeq === 0;
    if (!isNew && this.#told.get(runId) === news) return;
    if (endedAtMs === undefined) this.#told.set(runId, news);
    else this.#told.delete(runId);
    const workflow = `${row.namespace}/${row.name}:${row.version}`;
    const base = { runId, workflow, traceId: deriveTraceId(runId) };
    if (isNew) this.#log.log("run.started", base, row.startedAtMs);
    const isFailure = status === "faulted" || status === "quarantined";
    const told = { ...base, status, inDoubt, code: errorType };
    this.#log.log(isFailure ? "run.failed" : "run.changed", told, updatedAtMs);
  }

  #record(runId: string, body: RecordBody): void {
    // A completed attempt is every step: read only when somebody wants to know.
    if (body.type === "attempt-ended" && !this.#log.hears("attempt.completed") && body.text.includes('"outcome":{"kind":"completed"'))
      return void this.#paths.delete(`${runId} ${taskIn(body.text)}`);
    const record = parse(body);
    if (record === undefined) return;
    const { task, attempt } = record;
    const key = `${runId} ${typeof task === "number" ? task : ""}`;
    const base: LogFields = { runId, traceId: deriveTraceId(runId), task: numberOf(task), attempt: numberOf(attempt) };
    if (body.type === "attempt-intended") {
      const path = textOf(record["path"]);
      if (path !== undefined && this.#paths.size < PATHS_MAX) this.#paths.set(key, path);
      this.#log.log(
        "attempt.intended",
        { ...base, path, function: textOf(record["function"]), effect: textOf(record["effect"]) },
        body.atMs,
      );
      return;
    }
    if (body.type === "operator") {
      const action = isJsonObject(record["action"]) ? record["action"] : {};
      const { kind, task: on } = action;
      this.#log.log("run.operated", { ...base, task: numberOf(on), action: textOf(kind), actor: textOf(record["actor"]) }, body.atMs);
      return;
    }
    const outcome = isJsonObject(record["outcome"]) ? record["outcome"] : {};
    const { kind, reason, error } = outcome;
    const path = this.#paths.get(key);
    this.#paths.delete(key);
    const event = kind === "failed" ? "attempt.failed" : kind === "unknown" ? "attempt.unknown" : "attempt.completed";
    this.#log.log(
      event,
      { ...base, path, code: isJsonObject(error) ? textOf(error["type"]) : undefined, unknown: textOf(reason) },
      body.atMs,
    );
  }
}

function parse(body: RecordBody): JsonObject | undefined {
  // Values that lie beside the text leave marks in it that are no JSON; such a record is passed over.
  if (body.payloads !== undefined && body.payloads.length > 0) return undefined;
  const record = JSON.parse(body.text) as Json;
  return isJsonObject(record) ? record : undefined;
}

/** The engine writes the members of this record in this order. */
function taskIn(text: string): string {
  return /"task":(\d+)/.exec(text)?.[1] ?? "";
}

function textOf(value: Json | undefined): string | undefined {
  return typeof value === "string" ? value : undefined;
}

function numberOf(value: Json | undefined): number | undefined {
  return typeof value === "number" ? value : undefined;
}
