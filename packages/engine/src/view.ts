import type { EffectClass, Json, TaskError } from "@tutti/model";
import type { WorkflowVersion } from "./record.ts";

/** What people see of a run at one moment; built by folding the records, so any moment can be shown (`viewRun`). Plain data. */
export interface RunView {
  readonly runId: string;
  readonly workflow: WorkflowVersion;
  readonly status: "running" | "waiting" | "suspended" | "faulted" | "completed" | "cancelled" | "quarantined";
  readonly startedAtMs: number;
  readonly endedAtMs: number | undefined;
  /** Event time of the last record. */
  readonly atMs: number;
  /** Number of records folded. */
  readonly seq: number;
  readonly input: Json;
  readonly context: Json;
  readonly output: Json | undefined;
  readonly error: TaskError | undefined;
  readonly labels: Readonly<Record<string, string>>;
  readonly parent: { readonly runId: string; readonly task: number } | undefined;
  /** Top-level tasks in the order in which they were entered. */
  readonly tasks: readonly TaskView[];
  /** Everything the run waits for now, one entry a task: promise 2, never stuck without a reason. */
  readonly waits: readonly WaitView[];
  /** Effects whose outcome nobody knows and whose task is gone (lost race, timeout, kill): `settle` only records. */
  readonly doubts: readonly DoubtView[];
}

export type TaskStatus = "running" | "waiting" | "held" | "in-doubt" | "failed" | "completed" | "compensated" | "skipped" | "cancelled";

export interface TaskView {
  /** Number of the activation within the run; what records and operators name. */
  readonly task: number;
  readonly name: string;
  /** Name path without iterations: `/do/deploy/do/createVm`. */
  readonly path: string;
  readonly kind: string;
  readonly status: TaskStatus;
  readonly startedAtMs: number;
  readonly endedAtMs: number | undefined;
  /** Attempts intended so far; 0 for tasks that act by computation alone. */
  readonly attempts: number;
  readonly token: string | undefined;
  readonly effect: EffectClass | undefined;
  /** Iteration of the enclosing loop, when there is one. */
  readonly iteration: number | undefined;
  /** Set on a task that an extension puts before or after the task it stands under. */
  readonly extension: { readonly name: string; readonly stage: "before" | "after" } | undefined;
  /** From 2 on: control came here again by a jump. */
  readonly visit: number;
  readonly output: Json | undefined;
  readonly error: TaskError | undefined;
  readonly childRunId: string | undefined;
  readonly children: readonly TaskView[];
  /** Children left out of `children` because there were more than `VIEW_CHILDREN_MAX` finished ones. */
  readonly childrenOmitted: number;
}

export interface WaitView {
  readonly task: number;
  readonly path: string;
  /** One sentence: "timer until 2026-…", "event of type x", "attempt 2 of http since …", "a person: settle". */
  readonly reason: string;
  readonly kind: "attempt" | "look-up" | "timer" | "retry" | "event" | "child" | "slot" | "settle" | "operator";
  readonly sinceMs: number;
  readonly untilMs: number | undefined;
}

export interface DoubtView {
  readonly task: number;
  readonly path: string;
  readonly token: string;
  readonly function: string;
  readonly sinceMs: number;
  readonly settled: "done" | "not-done" | undefined;
}
