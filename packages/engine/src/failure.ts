import { assert, type TaskError } from "@tutti/model";
import { abortCall, lookUpFailed } from "./call.ts";
import { detachCall } from "./left-behind.ts";
import { findCatcher } from "./catching.ts";
import type { Machine, Work } from "./machine.ts";
import { NO_CHILD, type RetryState, RUN_FRAME, setPhase, type Task } from "./state.ts";
import { cancelLeftChildren, descendants, leaveTask } from "./tasks.ts";
import { standStill } from "./standstill.ts";

/** Errors on their way out, and tasks that end before they are done. */

/** Hands an error to the nearest `try` that takes it; without one the run faults with its tree frozen where it is. */
export function failTask(machine: Machine, work: Extract<Work, { kind: "fail" }>): void {
  const task = machine.task(work.task);
  if (task === undefined) return;
  const error = withInstance(machine, task, work.error);
  if (task.id !== RUN_FRAME) machine.observer?.failed?.(machine, task, error);
  const catcher = findCatcher(machine, task, error, { mayRetry: !work.effectUnknown, inside: work.inside });
  if (catcher.kind === "nobody") {
    fault(machine, task, catcher.error);
    return;
  }
  const { task: scope } = catcher;
  machine.observer?.caught?.(machine, scope, { kind: catcher.kind, delayMs: catcher.kind === "retry" ? catcher.delayMs : 0 });
  cancelInside(machine, scope, catcher.kind === "retry" ? scope.retries : undefined);
  if (catcher.kind === "look-up") {
    lookUpFailed(machine, scope, catcher.error);
    return;
  }
  scope.error = catcher.error;
  if (catcher.kind === "retry") {
    assert(scope.retries !== undefined, `the try ${scope.id} was begun with its retries`);
    machine.clearTimer(scope.retries.passTimer);
    scope.retries.passTimer = undefined;
    if (scope.retries.count++ === 0) scope.retries.firstErrorAtMs = machine.now;
    if (catcher.delayMs > 0) {
      scope.timer = machine.setTimer(scope.id, "retry", catcher.delayMs);
      machine.setPhase(scope, "waiting");
    } else machine.later({ kind: "begin", task: scope.id });
    return;
  }
  if (scope.retries !== undefined) {
    machine.clearTimer(scope.retries.passTimer);
    scope.retries.passTimer = undefined;
    cancelLeftChildren(machine, scope.retries);
  }
  if (catcher.clause.body !== undefined) machine.openList(scope, "catch", scope.input);
  else machine.complete(scope, scope.input, catcher.clause.then);
}

function withInstance(machine: Machine, task: Task, error: TaskError): TaskError {
  if (typeof error["instance"] === "string") return error;
  return { ...error, instance: task.id === RUN_FRAME ? "/" : machine.node(task).pointer };
}

/**
 * Nobody takes the error: the run is at rest, its tree frozen at the failed task. Attempts in flight are asked to stop and are `held` unless
 * they end by themselves, so that a resume starts them again by their class.
 */
function fault(machine: Machine, task: Task, error: TaskError): void {
  const { state } = machine;
  task.error = error;
  letGo(machine, task);
  machine.setPhase(task, "failed");
  if (state.phase !== "active") return;
  state.phase = "faulted";
  state.error = error;
  standStill(state);
  for (const other of state.tasks.values()) if (other.phase === "running") abortCall(machine, other, "held");
  machine.command({ type: "end-run", outcome: { kind: "faulted", error } });
}

/** A failed task waits for a person and for nothing else: what it waited for must not move it, nor come a second time after a restart. */
function letGo(machine: Machine, task: Task): void {
  machine.clearTimer(task.timer);
  task.timer = undefined;
  if (task.frame?.kind === "listen" && machine.node(task).kind === "listen") machine.command({ type: "unsubscribe", task: task.id });
  if (task.phase === "queued" && task.slotKey !== undefined) {
    machine.command({ type: "release-slot", task: task.id, key: task.slotKey });
    task.slotKey = undefined;
  }
}

/** A computation that does not end is stopped at the task it has come to, whatever `catch` there is: a catch could go on for ever. */
export function stopExhausted(machine: Machine, task: Task): void {
  const error = machine.runtimeError("the workflow made too many steps without doing anything outside", "Is there a loop of `then` jumps?");
  fault(machine, task, withInstance(machine, task, error));
}

/** Ends everything inside `task`; the task itself stays and has no frame. Child runs are left to `keeper`, if there is one. */
export function cancelInside(machine: Machine, task: Task, keeper?: RetryState): void {
  const inner = descendants(machine, task);
  for (let index = inner.length - 1; index >= 0; index--) cancelTask(machine, inner[index] as Task, false, keeper);
  task.frame = undefined;
}

/** Ends one activation whose inner ones are gone. */
export function cancelTask(machine: Machine, task: Task, isKilled: boolean, keeper?: RetryState): void {
  detachCall(machine, task, isKilled);
  if (task.phase === "listening" || (task.frame?.kind === "listen" && machine.node(task).kind === "listen"))
    machine.command({ type: "unsubscribe", task: task.id });
  if (keeper !== undefined) {
    if (task.phase === "child" && task.childRunId !== undefined) keeper.children.push(task.childRunId);
    if (task.retries !== undefined) keeper.children.push(...task.retries.children.splice(0));
  } else if (task.phase === "child" && task.childRunId !== undefined)
    machine.command({ type: "cancel-child", runId: task.childRunId, how: isKilled ? "kill" : "cancel" });
  leaveTask(machine, task, "cancelled", undefined);
}

/** Ends all tasks of the run; its own frame stays as the holder of the context. */
export function cancelAll(machine: Machine, isKilled: boolean): void {
  const tasks = [...machine.state.tasks.values()].filter((task) => task.id !== RUN_FRAME);
  for (let index = tasks.length - 1; index >= 0; index--) cancelTask(machine, tasks[index] as Task, isKilled);
  const run = machine.task(RUN_FRAME);
  assert(run !== undefined, "a run has its own frame");
  run.frame = { kind: "list", role: "body", position: 0, visits: {}, child: NO_CHILD };
  for (const timer of machine.state.timers.values()) machine.clearTimer(timer.id);
  run.timeoutTimer = undefined;
  // A slot that is only asked for is not held: the request is withdrawn, and asked again by whoever goes on.
  letGo(machine, run);
  if (run.phase !== "active") setPhase(machine.state, run, "active");
}
