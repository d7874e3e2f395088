import type { Json, TaskError } from "@tutti/model";
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
  /** A task is over. */
  left(
    machine: Machine,
    task: Task,
    how: "completed" | "skipped" | "cancelled",
    output: Json | undefined,
    error: TaskError | undefined,
  ): void;
}
