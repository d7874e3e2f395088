import { assertNever, taskError, TUTTI_ERROR_TYPE_BASE } from "@tutti/model";
import { abortCall, attemptEnded, dispatchCall, lookUpEnded, repeatCall, timeoutError } from "./call.ts";
import type { Advanced, EngineContext } from "./context.ts";
import { cancelInside, failTask } from "./failure.ts";
import { beginTask, innerDone } from "./kinds.ts";
import { receiveEvent } from "./listen.ts";
import { Machine, type Work } from "./machine.ts";
import type { Observer } from "./observer.ts";
import { operate } from "./operate.ts";
import type { AttemptIntended, ChildEnded, RunRecord, RunStarted, SlotDecided, TimerFired } from "./record.ts";
import { beginRun, completeRun, emptyState, openRun, settleRun, timeOutRun } from "./run.ts";
import { RUN_FRAME, type RunState } from "./state.ts";
import { completeTask, enterTask } from "./tasks.ts";

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
  if (!apply(machine, timed)) {
    state.lastAtMs = before;
    return { records: [], commands: [] };
  }
  work(machine);
  return { records: machine.records, commands: machine.commands };
}

/** False when the fact no longer applies; then nothing has changed. */
function apply(machine: Machine, fact: Fact): boolean {
  const { phase } = machine.state;
  switch (fact.type) {
    case "attempt-ended":
      return phase !== "quarantined" && attemptEnded(machine, fact);
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
  for (let next = 0; next < queue.length; next++) {
    if (++steps > STEPS_PER_ADVANCE_MAX) {
      queue.length = 0;
      const run = machine.task(RUN_FRAME);
      if (run !== undefined)
        failTask(machine, {
          kind: "fail",
          task: RUN_FRAME,
          error: machine.runtimeError(
            `the workflow made ${STEPS_PER_ADVANCE_MAX} steps without doing anything outside`,
            "Is there a loop of `then` jumps?",
          ),
          effectUnknown: false,
          inside: false,
        });
      break;
    }
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
      if (item.task === RUN_FRAME) completeRun(machine, item.output);
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
  if (timer === undefined || task === undefined) return false;
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
  const task = machine.task(fact.task);
  if (task === undefined || task.phase !== "child" || task.childRunId !== fact.runId) return false;
  machine.record(fact);
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

function slotDecided(machine: Machine, fact: SlotDecided): boolean {
  const task = machine.task(fact.task);
  if (task === undefined || task.slotKey === undefined) return false;
  if (fact.verdict !== "replaced" && task.phase !== "queued") return false;
  machine.record(fact);
  const conflict = (title: string) => ({ ...taskError("runtime", title), type: `${TUTTI_ERROR_TYPE_BASE}concurrency`, status: 409 });
  if (fact.verdict === "granted") {
    if (task.id === RUN_FRAME) openRun(machine);
    else {
      machine.setPhase(task, "active");
      machine.later({ kind: "begin", task: task.id });
    }
  } else {
    const key = task.slotKey;
    task.slotKey = undefined;
    if (fact.verdict === "replaced" && task.id !== RUN_FRAME) cancelInside(machine, task);
    machine.fail(task, conflict(fact.verdict === "rejected" ? `the slot ${key} is taken` : `a later run took the slot ${key}`));
  }
  return true;
}
