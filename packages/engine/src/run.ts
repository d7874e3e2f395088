import { assert, type Json, taskError } from "@tutti/model";
import type { RunStarted } from "./record.ts";
import { hasSagaInside } from "./back-out.ts";
import { cancelAll } from "./cancel.ts";
import { endInside } from "./failure.ts";
import type { Machine } from "./machine.ts";
import { addTask, newTask, RUN_FRAME, type RunState, type Task } from "./state.ts";
import { hasEnding } from "./detached.ts";
import { check, failWith, requestSlot } from "./tasks.ts";
import { isHalted } from "./flags.ts";
import { standStill } from "./standstill.ts";

/** The run as a whole: its beginning, its own input and output, its ends. */

/** A run of which nothing has happened yet. */
export function emptyState(started: RunStarted): RunState {
  const state: RunState = {
    runId: started.runId,
    tenant: started.tenant,
    workflow: started.workflow,
    labels: started.labels,
    parent: started.parent,
    flags: started.flags,
    startedAtMs: started.at,
    seq: 0,
    lastAtMs: started.at,
    endedAtMs: undefined,
    phase: "active",
    isPaused: false,
    standsSinceMs: undefined,
    isCancelled: false,
    rawInput: started.input,
    output: undefined,
    error: undefined,
    outputs: undefined,
    tasks: new Map(),
    nextTask: 1,
    groups: 0,
    timers: new Map(),
    nextTimer: 1,
    timerHeap: [],
    consumed: new Map(),
    detached: new Map(),
    detachedByEffect: new Map(),
    endings: 0,
    doubts: 0,
    undos: new Map(),
    undone: {},
    unwinding: [],
    // Written out: made from the list of phases it cost more than the rest of the state.
    counts: {
      active: 0,
      running: 0,
      "looking-up": 0,
      waiting: 0,
      listening: 0,
      child: 0,
      queued: 0,
      held: 0,
      "in-doubt": 0,
      failed: 0,
    },
  };
  addTask(state, runFrame(started));
  return state;
}

function runFrame(started: RunStarted): Task {
  return newTask(started.at, {
    id: RUN_FRAME,
    node: -1,
    parent: -1,
    position: 0,
    visit: 1,
    key: "",
    group: 0,
    rawInput: started.input,
    locals: [],
    contextOf: RUN_FRAME,
    context: null,
    retryFrame: 0,
    searchFor: 0,
  });
}

/** Steps 1 and 2 of the data flow, the run's timeout and slot; again after a failure of the run itself, from where it stands. */
export function beginRun(machine: Machine): void {
  const { state, program, evaluator } = machine;
  const run = runOf(machine);
  machine.setPhase(run, "active");
  try {
    beginTimeout(machine);
    if (run.frame !== undefined) {
      if (state.output !== undefined) machine.later({ kind: "complete", task: RUN_FRAME, output: state.output, flow: "end", asIs: false });
      else requestSlot(machine, run, program.concurrency);
      return;
    }
    check(program.input.schema, state.rawInput, "the input of the workflow");
    run.input = program.input.from === undefined ? state.rawInput : evaluator.template(program.input.from, state.rawInput, run);
    // The specification's data flow sets the initial context to the transformed input.
    run.context = run.input;
    if (requestSlot(machine, run, program.concurrency)) return;
  } catch (cause) {
    failWith(machine, run, cause);
    return;
  }
  openRun(machine);
}

/** Starts the run's timeout unless it is under way. */
export function beginTimeout(machine: Machine): void {
  const { program, state } = machine;
  const run = runOf(machine);
  if (program.timeout !== undefined && run.timeoutTimer === undefined)
    run.timeoutTimer = machine.setTimer(RUN_FRAME, "run-timeout", machine.evaluator.duration(program.timeout, state.rawInput, run));
}

/** Enters the first task. */
export function openRun(machine: Machine): void {
  const run = runOf(machine);
  machine.openList(run, "body", run.input);
}

/**
 * Steps 10 and 11 of the data flow. Whatever else is going on ends: `end` may come from inside a fork. Of a run at rest or suspended
 * the output is kept: it has said so, and only a person moves it.
 */
export function completeRun(machine: Machine, output: Json, asIs: boolean): void {
  const { state, program } = machine;
  const run = runOf(machine);
  if (state.phase === "faulted" || isHalted(state)) state.output = output;
  if (state.phase !== "active" || isHalted(state) || run.unwinding !== undefined) return;
  if (hasSagaInside(machine, run)) {
    endInside(machine, run, { kind: "complete", output, flow: "end", asIs, isSupplied: false });
    return;
  }
  cancelAll(machine, false);
  state.output = output;
  let result = output;
  try {
    if (program.output.as !== undefined && !asIs) result = machine.evaluator.template(program.output.as, output, run);
    check(program.output.schema, result, "the output of the workflow");
  } catch (cause) {
    failWith(machine, run, cause);
    return;
  }
  state.output = result;
  state.error = undefined;
  state.phase = "completed";
  state.endedAtMs = machine.now;
  releaseRunSlot(machine, run);
  machine.command({ type: "end-run", outcome: { kind: "completed", output: result } });
}

/** The time of the whole run is up: nobody inside can catch that. */
export function timeOutRun(machine: Machine): void {
  const run = runOf(machine);
  run.timeoutTimer = undefined;
  machine.fail(run, taskError("timeout", "the workflow did not end in time"));
}

/** What follows from the state as a whole once everything has moved. */
export function settleRun(machine: Machine): void {
  const { state } = machine;
  if (state.phase === "cancelling" && !hasEnding(state)) {
    state.phase = "cancelled";
    state.endedAtMs = machine.now;
    releaseRunSlot(machine, runOf(machine));
    machine.command({ type: "end-run", outcome: { kind: "cancelled" } });
  }
  const { counts } = state;
  const moving =
    counts.running +
    counts["looking-up"] +
    counts.waiting +
    counts.listening +
    counts.child +
    counts.queued +
    counts.held +
    counts["in-doubt"];
  if (state.phase === "active" && counts.failed > 0 && moving === 0) {
    const failed = [...state.tasks.values()].find((task) => task.phase === "failed");
    state.phase = "faulted";
    state.error = failed?.error;
    assert(state.error !== undefined, "a failed task has an error");
    standStill(state);
    machine.command({ type: "end-run", outcome: { kind: "faulted", error: state.error } });
  }
}

function releaseRunSlot(machine: Machine, run: Task): void {
  if (run.slotKey !== undefined) machine.command({ type: "release-slot", task: RUN_FRAME, key: run.slotKey });
}

function runOf(machine: Machine): Task {
  const run = machine.task(RUN_FRAME);
  assert(run !== undefined, "a run has its own frame");
  return run;
}
