import type { TaskError } from "@tutti/model";
import { abortCall } from "./call.ts";
import { letGo } from "./cancel.ts";
import type { Machine } from "./machine.ts";
import { RUN_FRAME, type Task } from "./state.ts";
import { standStill } from "./standstill.ts";

/** Errors that nobody takes. */

/**
 * Nobody takes the error: the run is at rest, its tree frozen at the failed task. Attempts in flight are asked to stop and are `held` unless
 * they end by themselves, so that a resume starts them again by their class. `runError` is what the run as a whole says.
 */
export function fault(machine: Machine, task: Task, error: TaskError, runError: TaskError = error): void {
  const { state } = machine;
  task.error = error;
  letGo(machine, task);
  machine.setPhase(task, "failed");
  if (state.phase !== "active") return;
  state.phase = "faulted";
  state.error = runError;
  standStill(state);
  for (const other of state.tasks.values()) if (other.phase === "running") abortCall(machine, other, "held");
  machine.command({ type: "end-run", outcome: { kind: "faulted", error: runError } });
}

/** A computation that does not end is stopped at the task it has come to, whatever `catch` there is: a catch could go on for ever. */
export function stopExhausted(machine: Machine, task: Task): void {
  const error = machine.runtimeError("the workflow made too many steps without doing anything outside", "Is there a loop of `then` jumps?");
  fault(machine, task, withInstance(machine, task, error));
}

/** The error with the place where it happened, unless it says one already. */
export function withInstance(machine: Machine, task: Task, error: TaskError): TaskError {
  if (typeof error["instance"] === "string") return error;
  return { ...error, instance: task.id === RUN_FRAME ? "/" : machine.node(task).pointer };
}
