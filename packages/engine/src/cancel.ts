import { assert } from "@tutti/model";
import { detachCall } from "./left-behind.ts";
import type { Machine } from "./machine.ts";
import { NO_CHILD, type RetryState, RUN_FRAME, setPhase, type Task } from "./state.ts";
import { descendants, leaveTask } from "./tasks.ts";

/** Tasks that end before they are done. */

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
  if (task.unwinding !== undefined) {
    const { unwinding } = machine.state;
    unwinding.splice(unwinding.indexOf(task.id), 1);
  }
  leaveTask(machine, task, "cancelled", undefined);
}

/** Ends all tasks of the run; its own frame stays as the holder of the context. */
export function cancelAll(machine: Machine, isKilled: boolean): void {
  const tasks = [...machine.state.tasks.values()].filter((task) => task.id !== RUN_FRAME);
  for (let index = tasks.length - 1; index >= 0; index--) cancelTask(machine, tasks[index] as Task, isKilled);
  const run = machine.task(RUN_FRAME);
  assert(run !== undefined, "a run has its own frame");
  machine.state.unwinding.length = 0;
  run.unwinding = undefined;
  run.frame = { kind: "list", role: "body", position: 0, visits: {}, child: NO_CHILD };
  for (const timer of machine.state.timers.values()) machine.clearTimer(timer.id);
  run.timeoutTimer = undefined;
  // A slot that is only asked for is not held: the request is withdrawn, and asked again by whoever goes on.
  letGo(machine, run);
  if (run.phase !== "active") setPhase(machine.state, run, "active");
}

/** A failed task waits for a person and for nothing else: what it waited for must not move it, nor come a second time after a restart. */
export function letGo(machine: Machine, task: Task): void {
  machine.clearTimer(task.timer);
  task.timer = undefined;
  if (task.frame?.kind === "listen" && machine.node(task).kind === "listen") machine.command({ type: "unsubscribe", task: task.id });
  if (task.phase === "queued" && task.slotKey !== undefined) {
    machine.command({ type: "release-slot", task: task.id, key: task.slotKey });
    task.slotKey = undefined;
  }
}
