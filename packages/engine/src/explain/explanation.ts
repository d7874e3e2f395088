import type { Json, TaskError } from "@tutti/model";
import type { TaskStatus, WaitView } from "../view.ts";

/** Why a task of a run ran, did not run, or waits. Plain data, derived from the records alone: the same records give the same explanation. */
export interface TaskExplanation {
  readonly path: string;
  /** The task's kind, or the function that it calls. */
  readonly kind: string;
  /** Number of the activation that is explained: the latest of the path unless another was named; undefined when it was never reached. */
  readonly task: number | undefined;
  readonly status: TaskStatus | "not-reached";
  /** How often control came to the path. */
  readonly activations: number;
  readonly startedAtMs: number | undefined;
  readonly endedAtMs: number | undefined;
  /** In the order in which things happened. */
  readonly reasons: readonly Reason[];
  readonly attempts: readonly AttemptExplanation[];
  readonly error: TaskError | undefined;
  readonly childRunId: string | undefined;
  /** Key of the concurrency slot that it waits for. */
  readonly slotKey: string | undefined;
  /** What it waits for now. */
  readonly wait: WaitView | undefined;
}

export interface Reason {
  readonly kind:
    | "reached"
    | "condition"
    | "decided"
    | "failed"
    | "caught"
    | "not-caught"
    | "operator"
    | "ended"
    | "cancelled"
    | "passed-by"
    | "not-yet"
    | "waits"
    | "at-rest";
  /** One plain sentence. */
  readonly text: string;
  /** The task that brought it about, when that is another one. */
  readonly because: { readonly path: string; readonly task: number | undefined } | undefined;
  /** The condition that decided, as it was evaluated then. */
  readonly condition: ConditionExplanation | undefined;
  readonly atMs: number | undefined;
}

export interface ConditionExplanation {
  /** Whose condition it is: `if`, `case NAME`, `while`, `catch.when` … */
  readonly of: string;
  readonly source: string;
  readonly holds: boolean;
  /** What it read, as it was then. Values of secrets are never among it. */
  readonly reads: readonly ValueRead[];
}

export interface ValueRead {
  /** As an expression: `.order.total`, `$context.count`. */
  readonly from: string;
  /** The value, or its beginning as text when `isCut`. */
  readonly value: Json;
  readonly isCut: boolean;
}

export interface AttemptExplanation {
  readonly attempt: number;
  /** `look-up`: the effect of the attempt was looked up. */
  readonly kind: "attempt" | "look-up";
  /** Undefined for reads, whose beginning is not recorded. */
  readonly startedAtMs: number | undefined;
  /** Undefined while it is under way. */
  readonly endedAtMs: number | undefined;
  readonly outcome: "completed" | "failed" | "unknown" | "found" | "absent" | "under-way";
  readonly error: TaskError | undefined;
}
