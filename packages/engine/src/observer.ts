import type { Expression, Flow } from "@tutti/definition";
import type { Json, TaskError } from "@tutti/model";
import type { Sight } from "./evaluate.ts";
import type { Machine } from "./machine.ts";
import type { Task } from "./state.ts";

/** Watches a run being folded: how views and the capture of resume points learn what the state no longer holds. Changes nothing. */
export interface Observer {
  /** A task was entered; its input is not transformed yet. */
  entered(machine: Machine, task: Task): void;
  /** A task changed its phase. */
  moved(machine: Machine, task: Task): void;
  /** A task failed, whoever catches its error. */
  failed?(machine: Machine, task: Task, error: TaskError): void;
  /** An operator skips the task: it completes with what the operator gives. */
  skipped?(machine: Machine, task: Task): void;
  /** A completed task is about to be undone: `holder` is the activation that holds the tasks of its undo, `holder.undoes` the task. */
  undoing?(machine: Machine, holder: Task): void;
  /** A task is over; one with `undoes` that completed has undone that task. */
  left(
    machine: Machine,
    task: Task,
    how: "completed" | "skipped" | "cancelled",
    output: Json | undefined,
    error: TaskError | undefined,
  ): void;
  /** A condition of the document was asked about `task`. */
  asked?(machine: Machine, task: Task, question: Question): void;
  /** A switch has taken a case, or none. */
  chose?(machine: Machine, task: Task, chosen: string | undefined): void;
  /** Control leaves an inner task of `parent`, by `flow`. */
  passed?(machine: Machine, parent: Task, step: { readonly child: number; readonly position: number; readonly flow: Flow }): void;
  /** The `catch` of `scope` was offered the error and does not take it. */
  declined?(machine: Machine, scope: Task, why: string): void;
  /** `scope` takes the error of a task inside it. */
  caught?(machine: Machine, scope: Task, how: { readonly kind: "retry" | "handle" | "look-up"; readonly delayMs: number }): void;
}

/** A condition of the document as it was asked, with what its evaluation saw. */
export interface Question {
  readonly of: "if" | "case" | "while" | "until" | "catch.when" | "catch.exceptWhen" | "retry.when" | "retry.exceptWhen" | "extension.when";
  /** Of the case or the extension. */
  readonly name?: string;
  readonly expression: Expression;
  readonly dot: Json;
  readonly sight: Sight;
  readonly holds: boolean;
}
