import { AppError, assertNever, type Json, taskError, TUTTI_ERROR_TYPE_BASE } from "@tutti/model";
import { removeDetached, setDetachedStatus } from "./detached.ts";
import { effectFound, openedCall } from "./call.ts";
import { hasFlag, SETTLED_IS_NO_DOUBT, SUSPENDED_RUNS_HALT } from "./flags.ts";
import { backOutRun, hasSagaInside, isBackedOutWhenCancelled, leaveUnwinding, retryUndos } from "./back-out.ts";
import { cancelAll, cancelInside } from "./cancel.ts";
import { endInside } from "./failure.ts";
import { leaveUndo } from "./left-behind.ts";
import { continueTask, sendHeldInside } from "./continue.ts";
import type { Machine } from "./machine.ts";
import type { DoubtName, OperatorActed, OperatorAction, ResumePoint } from "./record.ts";
import { resumeFrom } from "./resume-point.ts";
import { RUN_FRAME, type RunState, type Task } from "./state.ts";
import { beginTaskTimeout, failWith, requestSlot, startTask } from "./tasks.ts";
import { goOn, standStill } from "./standstill.ts";

/** The operator's vocabulary. What a state does not allow is refused before anything changes. */
export function operate(machine: Machine, fact: OperatorActed): void {
  const { state } = machine;
  const { action } = fact;
  refuseWhatIsNotPossible(state, action);
  machine.record(fact);
  switch (action.kind) {
    case "pause":
      state.isPaused = true;
      standStill(state);
      return;
    case "resume":
      resume(machine, action);
      return;
    case "retry":
      wake(machine);
      completeWhatIsOver(machine);
      for (const task of failedTasks(state)) if (action.task === undefined || task.id === action.task) restart(machine, task);
      sendHeldInside(machine, undefined);
      return;
    case "skip": {
      const task = liveTask(state, action.task);
      // Skipping settles one task; only `resume` and `retry` say that the run is to go on.
      const { isPaused } = state;
      wake(machine);
      completeWhatIsOver(machine);
      state.isPaused = isPaused;
      if (isPaused) standStill(state);
      machine.observer?.skipped?.(machine, task);
      supply(machine, task, action.output === undefined ? task.rawInput : action.output);
      sendHeldInside(machine, undefined);
      return;
    }
    case "settle":
      settle(machine, action);
      return;
    case "cancel":
    case "kill":
      end(machine, action.kind === "kill");
      return;
    case "backout":
      backOut(machine, fact, action);
      return;
    case "quarantine":
      state.phase = "quarantined";
      standStill(state);
      return;
    default:
      assertNever(action, "operator action");
  }
}

/** What `settle` would settle of the task, or of an attempt that the task left behind. */
export function doubtOf(state: RunState, task: number): DoubtName | undefined {
  const left = state.detached.get(task);
  if (left?.status === "in-doubt") return { token: left.token, attempt: left.attempt };
  const live = state.tasks.get(task);
  return live?.phase === "in-doubt" && live.call !== undefined ? { token: live.call.token, attempt: live.call.attempt } : undefined;
}

export function isSameDoubt(left: DoubtName, right: DoubtName): boolean {
  return left.token === right.token && left.attempt === right.attempt;
}

function refuseWhatIsNotPossible(state: RunState, action: OperatorAction): void {
  const { phase } = state;
  const refuse = (why: string): never => {
    throw new AppError("operation-not-possible", `${action.kind} is not possible: ${why}`, { details: { phase } });
  };
  if (action.kind === "settle") {
    const doubt = doubtOf(state, action.task);
    const spokenOf = action.doubt;
    if (doubt === undefined) refuse(`task ${action.task} is not in doubt`);
    else if (spokenOf !== undefined && !isSameDoubt(doubt, spokenOf))
      refuse(`what is said of attempt ${spokenOf.attempt} of task ${action.task} is settled, and a later one is in doubt`);
    return;
  }
  if (phase === "completed" || phase === "cancelled") refuse(`the run is ${phase}, which is final; replay starts a new run from its input`);
  if (action.kind === "backout") {
    if (phase === "cancelling" || state.isCancelled) refuse("the run is being cancelled");
    if (phase === "quarantined") refuse("the run is quarantined; resume it first, or kill it");
    if (state.unwinding.includes(RUN_FRAME)) refuse("the run is being backed out already");
    return;
  }
  const isCancelling = phase === "cancelling" && action.kind !== "quarantine";
  const isAgain = state.isCancelled && (action.kind === "cancel" || (action.kind === "resume" && action.from !== undefined));
  if ((isCancelling || isAgain) && action.kind !== "kill") refuse("the run is being cancelled");
  switch (action.kind) {
    case "pause":
      if (state.isPaused) refuse("the run is suspended already");
      if (phase !== "active") refuse(`the run is ${phase}`);
      return;
    case "resume":
      if (phase === "active" && !state.isPaused && action.from === undefined) refuse("the run is neither suspended nor faulted");
      return;
    case "retry":
      if (failedTasks(state).length === 0) refuse("no task has failed");
      if (action.task !== undefined && state.tasks.get(action.task)?.phase !== "failed") refuse(`task ${action.task} has not failed`);
      return;
    case "skip": {
      const task = state.tasks.get(action.task);
      if (task === undefined || task.id === RUN_FRAME) refuse(`there is no live task ${action.task}`);
      else if (!["failed", "in-doubt", "held", "waiting", "listening", "queued"].includes(task.phase))
        refuse(`the task is ${task.phase}; cancel its attempt or wait for its end`);
      return;
    }
    default:
  }
}

/** Back to work: a resting, suspended or quarantined run is active again, with its timers. */
function wake(machine: Machine): void {
  const { state } = machine;
  const wasAtRest = state.phase !== "active";
  state.phase = state.isCancelled && state.unwinding.length === 0 ? "cancelling" : "active";
  state.isPaused = false;
  state.error = undefined;
  state.endedAtMs = undefined;
  goOn(machine);
  if (!wasAtRest) return;
  for (const timer of state.timers.values()) machine.command({ type: "set-timer", timer: timer.id, dueAtMs: timer.dueAtMs });
}

/** Its last task ended while it was at rest or suspended: with the run's own failure out of the way it is complete. */
function completeWhatIsOver(machine: Machine): void {
  const { state } = machine;
  if (state.output !== undefined && !state.isCancelled && liveTask(state, RUN_FRAME).phase !== "failed")
    machine.later({ kind: "complete", task: RUN_FRAME, output: state.output, flow: "end", asIs: false });
}

function resume(machine: Machine, action: Extract<OperatorAction, { kind: "resume" }>): void {
  const { state } = machine;
  wake(machine);
  if (action.from === undefined || !hasFlag(state, SUSPENDED_RUNS_HALT)) completeWhatIsOver(machine);
  if (state.phase === "cancelling") return;
  if (action.from !== undefined) {
    state.output = undefined;
    cancelAll(machine, false);
    try {
      resumeFrom(machine, action.from, action.setInput);
    } catch (cause) {
      failWith(machine, liveTask(state, RUN_FRAME), cause);
    }
    return;
  }
  const outputs = action.outputs ?? {};
  for (const task of state.tasks.values()) {
    if (task.id === RUN_FRAME && task.phase !== "failed") continue;
    const path = task.id === RUN_FRAME ? "/" : machine.node(task).path;
    if (Object.hasOwn(outputs, path) && (task.phase === "failed" || task.phase === "held" || task.phase === "in-doubt")) {
      supply(machine, task, outputs[path] ?? null);
    } else if (task.phase === "failed") {
      if (action.setInput !== undefined) editInput(machine, task, action.setInput);
      restart(machine, task);
    }
  }
  sendHeldInside(machine, undefined);
}

/** A task that had its effect and runs again with another input makes another effect: that is the person's decision. */
function editInput(machine: Machine, task: Task, input: Json): void {
  const { state } = machine;
  task.rawInput = input;
  if (task.id === RUN_FRAME) state.rawInput = input;
  if (task.rawOutput === undefined) return;
  task.group = ++state.groups;
  task.rawOutput = undefined;
  task.call = undefined;
  task.frame = undefined;
}

/**
 * Starts a failed task again. A composite that failed as a whole (its time was up) goes on where its inner tasks stand; a task whose output
 * could not be transformed goes on with that output; a call makes its next attempt; anything else is evaluated anew.
 */
function restart(machine: Machine, task: Task): void {
  task.error = undefined;
  if (task.unwinding !== undefined) {
    retryUndos(machine, task);
    return;
  }
  if (task.id === RUN_FRAME) {
    machine.later({ kind: "begin-run" });
    return;
  }
  const node = machine.node(task);
  machine.setPhase(task, "active");
  // A `read` or repeatable call may give better data the next time; an `unsafe` one is not made twice, nor are messages gone through twice.
  if (task.rawOutput !== undefined && (node.kind !== "call" || node.foreach !== undefined || task.call?.effect === "unsafe")) {
    machine.complete(task, task.rawOutput);
    return;
  }
  if (task.frame === undefined) {
    task.rawOutput = undefined;
    startTask(machine, task, node);
    return;
  }
  try {
    beginTaskTimeout(machine, task);
    if (!requestSlot(machine, task, node.concurrency)) continueTask(machine, task);
  } catch (cause) {
    failWith(machine, task, cause);
  }
}

/** Leaves what the task was waiting for, and ends it with what a person gives in its place. */
function supply(machine: Machine, task: Task, output: Json): void {
  machine.clearTimer(task.timer);
  task.timer = undefined;
  if (task.phase === "listening") machine.command({ type: "unsubscribe", task: task.id });
  task.error = undefined;
  const completion = { kind: "complete", output, flow: undefined, asIs: true, isSupplied: true } as const;
  if (hasSagaInside(machine, task)) {
    endInside(machine, task, completion);
    return;
  }
  cancelInside(machine, task);
  if (task.unwinding !== undefined) leaveUnwinding(machine, task);
  machine.later({ ...completion, task: task.id });
}

function settle(machine: Machine, action: Extract<OperatorAction, { kind: "settle" }>): void {
  const { state } = machine;
  const doubt = state.detached.get(action.task);
  const { verdict } = action;
  if (doubt !== undefined) {
    setDetachedStatus(state, doubt, verdict.kind);
    if (verdict.kind === "done") {
      doubt.settledOutput = verdict.output;
      leaveUndo(machine, doubt, verdict.output);
    }
    return;
  }
  const task = liveTask(state, action.task);
  const { error } = task;
  const isKnown = hasFlag(state, SETTLED_IS_NO_DOUBT);
  if (isKnown) {
    openedCall(task).isOpen = false;
    machine.setPhase(task, "active");
  }
  if (verdict.kind === "done") {
    if (isKnown) effectFound(machine, task, verdict.output);
    else machine.complete(task, verdict.output);
    return;
  }
  if (verdict.then === "fail") {
    machine.fail(task, error ?? machine.runtimeError("settled as not done"));
    return;
  }
  // A person says that nothing happened: what is made from here on is a new effect under a new token.
  task.group = ++state.groups;
  task.call = undefined;
  task.error = undefined;
  machine.setPhase(task, "active");
  beginTaskTimeout(machine, task);
  machine.later({ kind: "dispatch", task: task.id });
}

function end(machine: Machine, isKilled: boolean): void {
  const { state } = machine;
  if (isKilled)
    for (const detached of state.detached.values())
      if (detached.status === "ending") {
        if (detached.effect === "read") removeDetached(state, detached.task);
        else setDetachedStatus(state, detached, "in-doubt");
      }
  if (!isKilled && isBackedOutWhenCancelled(machine)) {
    wake(machine);
    state.isCancelled = true;
    endInside(machine, liveTask(state, RUN_FRAME), { kind: "cancel" });
    return;
  }
  cancelAll(machine, isKilled);
  state.phase = "cancelling";
  state.isCancelled = true;
  state.isPaused = false;
  state.standsSinceMs = undefined;
}

function backOut(machine: Machine, { actor, reason }: OperatorActed, { to }: Extract<OperatorAction, { kind: "backout" }>): void {
  wake(machine);
  machine.state.output = undefined;
  if (to !== undefined) {
    backOutRun(machine, to.keep, { kind: "from", point: to.from });
    return;
  }
  const error = taskError("runtime", `backed out by ${actor}`, reason === undefined ? {} : { detail: reason });
  backOutRun(machine, [], { kind: "fault", error: { ...error, type: `${TUTTI_ERROR_TYPE_BASE}backed-out` } });
}

/** What the run did since it came to a task is undone: it stands there again, and waits for a person. */
export function suspendAt(machine: Machine, point: ResumePoint): void {
  const { state } = machine;
  cancelAll(machine, false);
  state.isPaused = true;
  standStill(state);
  try {
    resumeFrom(machine, point, undefined);
  } catch (cause) {
    failWith(machine, liveTask(state, RUN_FRAME), cause);
  }
}

function failedTasks(state: RunState): readonly Task[] {
  return state.counts.failed === 0 ? [] : [...state.tasks.values()].filter((task) => task.phase === "failed");
}

function liveTask(state: RunState, id: number): Task {
  const task = state.tasks.get(id);
  if (task === undefined) throw new AppError("task-not-found", `there is no live task ${id} in this run`);
  return task;
}
