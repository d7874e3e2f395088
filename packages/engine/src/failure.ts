import { assert, assertNever } from "@tutti/model";
import { endStopped, undoFailed, unwind } from "./back-out.ts";
import { lookUpFailed } from "./call.ts";
import { cancelAll, cancelInside, cancelTask } from "./cancel.ts";
import { findCatcher } from "./catching.ts";
import { fault, withInstance } from "./fault.ts";
import type { Machine, Work } from "./machine.ts";
import { type AfterUnwinding, RUN_FRAME, type Task } from "./state.ts";
import { cancelLeftChildren } from "./tasks.ts";
import { faultingScope, unwinderOf } from "./undos.ts";

/** Errors on their way out. */

/**
 * Hands an error to the nearest `try` that takes it; without one the run faults with its tree frozen where it is. Scopes that are backed out on the
 * way are backed out first.
 */
export function failTask(machine: Machine, work: Extract<Work, { kind: "fail" }>): void {
  const task = machine.task(work.task);
  if (task === undefined) return;
  if (unwinderOf(machine, task) !== undefined) {
    endStopped(machine, task);
    return;
  }
  const error = withInstance(machine, task, work.error);
  if (task.id !== RUN_FRAME) machine.observer?.failed?.(machine, task, error);
  const catcher = findCatcher(machine, task, error, { mayRetry: !work.effectUnknown, inside: work.inside });
  switch (catcher.kind) {
    case "nobody": {
      const saga = faultingScope(machine, task, undefined);
      if (saga === undefined || saga.unwinding !== undefined) fault(machine, task, catcher.error);
      else endInside(machine, saga, { kind: "fault", error: catcher.error }, task);
      return;
    }
    case "undo":
      undoFailed(machine, catcher.task, task, catcher.error);
      return;
    case "look-up":
      machine.observer?.caught?.(machine, catcher.task, { kind: "look-up", delayMs: 0 });
      cancelInside(machine, catcher.task);
      lookUpFailed(machine, catcher.task, catcher.error);
      return;
    case "retry":
      machine.observer?.caught?.(machine, catcher.task, catcher);
      endInside(machine, catcher.task, { kind: "retry", error: catcher.error, delayMs: catcher.delayMs }, task);
      return;
    case "handle":
      machine.observer?.caught?.(machine, catcher.task, { kind: "handle", delayMs: 0 });
      endInside(machine, catcher.task, { kind: "handle", error: catcher.error }, task);
      return;
    default:
      assertNever(catcher, "catcher");
  }
}

/** Ends everything inside `scope`, backed out where it has to be, and goes on with `then`. */
export function endInside(machine: Machine, scope: Task, then: AfterUnwinding, failing?: Task): void {
  if (unwind(machine, scope, then, failing)) afterUnwinding(machine, scope, then);
}

/** Everything inside a task has ended, and is backed out where it had to be: the task goes on. */
export function afterUnwinding(machine: Machine, scope: Task, then: AfterUnwinding): void {
  if (unwinderOf(machine, scope) !== undefined) {
    cancelTask(machine, scope, false);
    return;
  }
  switch (then.kind) {
    case "fault":
      // Whoever begins it again makes new effects.
      scope.group = ++machine.state.groups;
      scope.frame = undefined;
      scope.extension = undefined;
      fault(machine, scope, then.error);
      return;
    case "retry":
      repeat(machine, scope, then);
      return;
    case "handle":
      handle(machine, scope, then);
      return;
    case "complete":
      machine.later({ ...then, task: scope.id });
      return;
    case "cancel":
      cancelAll(machine, false);
      machine.state.phase = "cancelling";
      return;
    case "from":
      machine.later({ kind: "suspend-at", point: then.point });
      return;
    default:
      assertNever(then, "what follows");
  }
}

function repeat(machine: Machine, scope: Task, { error, delayMs }: Extract<AfterUnwinding, { kind: "retry" }>): void {
  scope.error = error;
  assert(scope.retries !== undefined, `the try ${scope.id} was begun with its retries`);
  machine.clearTimer(scope.retries.passTimer);
  scope.retries.passTimer = undefined;
  if (scope.retries.count++ === 0) scope.retries.firstErrorAtMs = machine.now;
  if (delayMs > 0) {
    scope.timer = machine.setTimer(scope.id, "retry", delayMs);
    machine.setPhase(scope, "waiting");
  } else machine.later({ kind: "begin", task: scope.id });
}

function handle(machine: Machine, scope: Task, { error }: Extract<AfterUnwinding, { kind: "handle" }>): void {
  scope.error = error;
  if (scope.retries !== undefined) {
    machine.clearTimer(scope.retries.passTimer);
    scope.retries.passTimer = undefined;
    cancelLeftChildren(machine, scope.retries);
  }
  const node = machine.node(scope);
  assert(node.kind === "try", `task ${scope.id} has a catch`);
  if (node.catch.body !== undefined) machine.openList(scope, "catch", scope.input);
  else machine.complete(scope, scope.input, node.catch.then);
}
