import { assertNever } from "@tutti/model";
import { abortCall, attemptEnded, dispatchCall, lookUpEnded, repeatCall, slotError, timeoutError } from "./call.ts";
import type { Advanced, EngineContext } from "./context.ts";
import { continueTask, sendHeldInside } from "./continue.ts";
import { driveBackOuts } from "./back-out.ts";
import { afterUnwinding, failTask } from "./failure.ts";
import { beginTask, innerDone } from "./kinds.ts";
import { receiveEvent } from "./listen.ts";
import { detachedEnded } from "./left-behind.ts";
import { Machine, type Work } from "./machine.ts";
import type { Observer } from "./observer.ts";
import { operate, suspendAt } from "./operate.ts";
import type { AttemptIntended, ChildEnded, RunRecord, RunStarted, SlotDecided, TimerFired } from "./record.ts";
import { beginRun, completeRun, emptyState, openRun, settleRun, timeOutRun } from "./run.ts";
import { RUN_FRAME, type RunState, type Task } from "./state.ts";
import { completeTask, enterTask } from "./tasks.ts";
import { isHeldBack } from "./standstill.ts";

/** What the runtime feeds: everything that happens outside. Intents follow from it. */
export type Fact = Exclude<RunRecord, RunStarted | AttemptIntended>;

/** Steps by computation alone within one `advance`: a loop of jumps without any effect ends as an error instead of hanging the process. */
const STEPS_PER_ADVANCE_MAX = 2_000_000;

/**
 * Creates a run and takes it as far as it goes by itself. Bad data makes a faulted run, not an exception: the input and the reason are kept.
 */
export function createRun(started: RunStarted, context: EngineContext, observer?: Observer): { readonly state: RunState } & Advanced {
  const state = emptyState(started);
  const machine = new Machine(state, context, observer);
  machine.record(started);
  machine.later({ kind: "begin-run" });
  work(machine);
  return { state, records: machine.records, commands: machine.commands };
}

/**
 * Feeds one fact: changes `state` in place and says what to append and what to do. Its cost depends on what the fact touches, not on the size
 * of the run. A fact that no longer applies yields no records. When it throws anything but `operation-not-possible` (which changes nothing),
 * the caller drops the state and loads the run again.
 */
export function advance(state: RunState, fact: Fact, context: EngineContext, observer?: Observer): Advanced {
  const machine = new Machine(state, context, observer);
  const before = state.lastAtMs;
  // Event time never falls within a run, whatever clock the fact was stamped with.
  const timed = fact.at < before ? { ...fact, at: before } : fact;
  state.lastAtMs = timed.at;
  let applies = false;
  try {
    applies = apply(machine, timed);
  } finally {
    // Nothing was recorded: the fact does not apply, or what a person asked for was refused.
    if (machine.records.length === 0) state.lastAtMs = before;
  }
  if (!applies) return { records: [], commands: [] };
  work(machine);
  return { records: machine.records, commands: machine.commands };
}

/** False when the fact no longer applies; then nothing has changed. */
function apply(machine: Machine, fact: Fact): boolean {
  const { phase } = machine.state;
  switch (fact.type) {
    case "attempt-ended":
      return phase !== "quarantined" && (attemptEnded(machine, fact) || detachedEnded(machine, fact));
    case "look-up-ended":
      return phase !== "quarantined" && lookUpEnded(machine, fact);
    case "timer-fired":
      // Timers of a run at rest stay: they fire when it is resumed.
      return phase === "active" && timerFired(machine, fact);
    case "event-received":
      return (phase === "active" || phase === "faulted") && receiveEvent(machine, fact);
    case "child-ended":
      return childEnded(machine, fact);
    case "slot-decided":
      return slotDecided(machine, fact);
    case "operator":
      operate(machine, fact);
      return true;
    default:
      return assertNever(fact, "fact");
  }
}

function work(machine: Machine): void {
  const queue = machine.work;
  let steps = 0;
  for (let next = 0; next < queue.length || (machine.state.unwinding.length > 0 && driveBackOuts(machine, next)); next++) {
    // What is open comes to rest at the tasks it has reached, so that a person can go on from there.
    if (++steps > STEPS_PER_ADVANCE_MAX) machine.isExhausted = true;
    doWork(machine, queue[next] as Work);
    // The queue of a long computation is cut now and then, so that it holds what is open and not all that was.
    if (next > 4096) {
      queue.splice(0, next + 1);
      next = -1;
    }
  }
  settleRun(machine);
}

function doWork(machine: Machine, item: Work): void {
  switch (item.kind) {
    case "enter":
      enterTask(machine, item);
      return;
    case "begin":
      beginTask(machine, item);
      return;
    case "complete":
      if (item.task === RUN_FRAME) completeRun(machine, item.output, item.asIs);
      else completeTask(machine, item);
      return;
    case "fail":
      failTask(machine, item);
      return;
    case "inner-done":
      innerDone(machine, item);
      return;
    case "dispatch": {
      const task = machine.task(item.task);
      if (task !== undefined) dispatchCall(machine, task);
      return;
    }
    case "unwound": {
      const task = machine.task(item.task);
      if (task !== undefined) afterUnwinding(machine, task, item.then);
      return;
    }
    case "suspend-at":
      suspendAt(machine, item.point);
      return;
    case "begin-run":
      beginRun(machine);
      return;
    default:
      assertNever(item, "work");
  }
}

function timerFired(machine: Machine, fact: TimerFired): boolean {
  const timer = machine.state.timers.get(fact.timer);
  const task = timer === undefined ? undefined : machine.task(timer.task);
  if (timer === undefined || task === undefined || isHeldBack(machine.state, timer)) return false;
  machine.record(fact);
  machine.state.timers.delete(timer.id);
  switch (timer.purpose) {
    case "run-timeout":
      timeOutRun(machine);
      return true;
    case "task-timeout":
      task.timeoutTimer = undefined;
      // A running attempt is asked to stop, and its end counts: it may have succeeded after all. A doubt stays a doubt.
      if (task.phase === "running") abortCall(machine, task, "timeout");
      else if (task.phase !== "in-doubt" && task.phase !== "failed") machine.fail(task, timeoutError(machine, task));
      return true;
    case "wait":
      task.timer = undefined;
      machine.complete(task, task.input);
      return true;
    case "retry":
      task.timer = undefined;
      machine.later({ kind: "begin", task: task.id });
      return true;
    case "attempt-again":
    case "look-up-again":
      repeatCall(machine, task);
      return true;
    case "pass-timeout":
      if (task.retries !== undefined) task.retries.passTimer = undefined;
      machine.later({ kind: "fail", task: task.id, error: timeoutError(machine, task), effectUnknown: false, inside: true });
      return true;
    default:
      return assertNever(timer.purpose, "timer");
  }
}

function childEnded(machine: Machine, fact: ChildEnded): boolean {
  const task = parentTaskOf(machine, fact);
  if (task === undefined) return false;
  machine.record(fact);
  // The child is at its end: whatever ends the task now has no child to stop.
  machine.setPhase(task, "active");
  const { outcome } = fact;
  switch (outcome.kind) {
    case "completed":
      machine.complete(task, outcome.output);
      return true;
    case "cancelled":
      machine.fail(task, machine.runtimeError(`the workflow run ${fact.runId} was cancelled`));
      return true;
    case "faulted":
    case "refused":
      // The parent's task is where the error happened for the parent; the child knows its own place.
      machine.fail(task, { ...outcome.error, instance: machine.node(task).pointer, childRunId: fact.runId } as typeof outcome.error);
      return true;
    default:
      return assertNever(outcome, "child outcome");
  }
}

/** A child knows the task that started it first; a repeated block waits for the same child with another activation. */
function parentTaskOf(machine: Machine, fact: ChildEnded): Task | undefined {
  const waits = (task: Task | undefined): boolean => task?.phase === "child" && task.childRunId === fact.runId;
  const first = machine.task(fact.task);
  if (waits(first)) return first;
  if (machine.state.counts.child === 0) return undefined;
  for (const task of machine.state.tasks.values()) if (waits(task)) return task;
  return undefined;
}

function slotDecided(machine: Machine, fact: SlotDecided): boolean {
  const task = machine.task(fact.task);
  if (task === undefined || task.slotKey === undefined) return false;
  if (fact.verdict !== "replaced" && task.phase !== "queued") return false;
  machine.record(fact);
  if (fact.verdict === "granted") {
    if (task.frame !== undefined) {
      // It stood still without its slot; what is inside goes on.
      continueTask(machine, task);
      sendHeldInside(machine, task);
    } else if (task.id === RUN_FRAME) openRun(machine);
    else {
      machine.setPhase(task, "active");
      machine.later({ kind: "begin", task: task.id });
    }
    return true;
  }
  const error = slotError(task.slotKey, fact.verdict);
  task.slotKey = undefined;
  // As with a timeout: a running attempt is asked to stop and its end counts; a doubt stays a doubt.
  if (task.phase === "running") abortCall(machine, task, "replaced");
  else if (task.phase !== "in-doubt" && task.phase !== "failed") machine.fail(task, error);
  return true;
}
