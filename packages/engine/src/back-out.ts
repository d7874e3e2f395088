import { assert, type TaskError, taskError, TUTTI_ERROR_TYPE_BASE } from "@tutti/model";
import { abortCall } from "./call.ts";
import { cancelInside, cancelTask } from "./cancel.ts";
import { openInside } from "./detached.ts";
import { fault } from "./fault.ts";
import type { Machine } from "./machine.ts";
import { type AfterUnwinding, liveChildren, newTask, RUN_FRAME, addTask, type Task, type UndoFrame, type UnwoundScope } from "./state.ts";
import { descendants, leaveTask } from "./tasks.ts";
import { isInScope, registerUndo, sagaOf, sagaOfScope, undoId } from "./undos.ts";

/**
 * Back-out (`metadata.tutti.saga`, `compensate`). Whatever ends a scope that is to be backed out first *unwinds* the task at which it ends: what
 * is in flight inside its sagas comes to a known end, then the undos of each scope run as ordinary tasks, innermost scope first, and only then
 * the task goes on as it would have gone on at once without a saga: with its `catch`, its own failure, its completion.
 */

/**
 * Ends everything inside `scope`. True when nothing inside has to be backed out: it has ended, and the caller goes on with `then`; otherwise the scope
 * goes on by itself when that has been done.
 *
 * @param failing the task whose error ends it; scopes around that one fault, all others are cancelled.
 */
export function unwind(machine: Machine, scope: Task, then: AfterUnwinding, failing?: Task): boolean {
  if (scope.unwinding !== undefined) {
    scope.unwinding = { ...scope.unwinding, then };
    return false;
  }
  const scopes = scopesInside(machine, scope, then, failing);
  if (scopes.length === 0) {
    cancelInside(machine, scope, then.kind === "retry" ? scope.retries : undefined);
    return true;
  }
  begin(machine, scope, then, scopes);
  return false;
}

/** A person has the run undone, but for what `keep` names; what is in flight comes to a known end first. */
export function backOutRun(machine: Machine, keep: readonly string[], then: AfterUnwinding): void {
  const run = machine.task(RUN_FRAME);
  assert(run !== undefined, "a run has its own frame");
  begin(machine, run, then, [{ key: run.key, node: run.node, keep }]);
}

function begin(machine: Machine, scope: Task, then: AfterUnwinding, scopes: UnwoundScope[]): void {
  machine.clearTimer(scope.timer);
  scope.timer = undefined;
  if (then.kind === "fault" || then.kind === "cancel" || then.kind === "from") {
    machine.clearTimer(scope.timeoutTimer);
    scope.timeoutTimer = undefined;
  }
  // What it gave, or was going to give, is not there any more.
  scope.rawOutput = undefined;
  scope.unwinding = { stage: "stopping", scopes, then };
  machine.state.unwinding.push(scope.id);
  machine.setPhase(scope, "active");
  const inside = stoppable(machine, scope);
  for (let index = inside.length - 1; index >= 0; index--) stop(machine, inside[index] as Task, scope);
}

/** Scopes that have to be backed out when everything inside `scope` ends, the innermost and latest first. */
function scopesInside(machine: Machine, scope: Task, then: AfterUnwinding, failing: Task | undefined): UnwoundScope[] {
  if (!machine.program.hasSagas) return [];
  const around = new Set<Task>();
  for (let outer = failing; outer !== undefined; outer = machine.task(outer.parent)) around.add(outer);
  const isIncluded = then.kind === "fault" || then.kind === "cancel";
  return [...(isIncluded ? [scope] : []), ...stoppable(machine, scope)]
    .filter((task) => {
      const saga = sagaOf(machine, task);
      return around.has(task) ? saga?.onFaulted : saga?.onCancelled;
    })
    .map(({ key, node }) => ({ key, node }))
    .toReversed();
}

/** All live tasks inside, but for those of a look-up or of another back-out: these come to their end by themselves. */
function stoppable(machine: Machine, scope: Task): readonly Task[] {
  const found: Task[] = [];
  const open = [...liveChildren(scope)];
  for (let id = open.pop(); id !== undefined; id = open.pop()) {
    const task = machine.task(id);
    if (task === undefined || task.undoes !== 0) continue;
    found.push(task);
    if (task.unwinding === undefined && !isLookingUp(task)) open.push(...liveChildren(task));
  }
  return found;
}

/** Ends a task inside `scope`, or sees to it that its effect comes to a known end. Inner tasks have been stopped before. */
function stop(machine: Machine, task: Task, scope: Task): void {
  if (task.unwinding !== undefined || liveChildren(task).some((id) => machine.task(id) !== undefined)) return;
  const { unwinding } = scope;
  const { call, phase } = task;
  if (unwinding === undefined || !isInAny(task.key, unwinding.scopes)) {
    cancelTask(machine, task, false, unwinding?.then.kind === "retry" ? scope.retries : undefined);
    return;
  }
  if (phase === "running") abortCall(machine, task, "stopped");
  else if (phase === "child" && task.childRunId !== undefined)
    machine.command({ type: "cancel-child", runId: task.childRunId, how: "cancel" });
  else if (call?.isOpen === true && (phase === "active" || phase === "failed")) {
    if (call.effect === "read") leave(machine, task);
    else if (call.effect === "unsafe") machine.setPhase(task, "in-doubt");
    else {
      machine.setPhase(task, "active");
      machine.later({ kind: "dispatch", task: task.id });
    }
  } else if (!isInFlight(machine, task)) leave(machine, task);
}

function isInAny(key: string, scopes: readonly UnwoundScope[]): boolean {
  return scopes.some((scope) => isInScope(key, scope));
}

/** Ends a task of a scope that is backed out. What it gave before its own `output` failed was done all the same. */
function leave(machine: Machine, task: Task): void {
  if (task.rawOutput !== undefined && !machine.state.undos.has(undoId(task))) registerUndo(machine, task, task.rawOutput, task.rawOutput);
  cancelTask(machine, task, false);
}

/** A task that is being stopped has failed: it is over, unless nobody knows what it did. */
export function endStopped(machine: Machine, task: Task): void {
  if (liveChildren(task).some((id) => machine.task(id) !== undefined)) return;
  const { call } = task;
  if (task.phase !== "active") {
    // A limit of a task that is only waited for any more.
    if (!isInFlight(machine, task)) leave(machine, task);
  } else if (call?.isOpen === true && call.effect !== "read") machine.setPhase(task, "in-doubt");
  else {
    if (task.childRunId !== undefined) noteUndone(machine, task);
    leave(machine, task);
  }
}

function isLookingUp({ frame }: Task): boolean {
  return frame?.kind === "list" && frame.role === "find";
}

/** Whether what the task did, or is doing, is not known yet. */
function isInFlight(machine: Machine, task: Task): boolean {
  if (task.unwinding !== undefined || isLookingUp(task)) return true;
  switch (task.phase) {
    case "running":
    case "looking-up":
    case "in-doubt":
    case "child":
      return true;
    case "held":
      return task.call?.isOpen === true || hasPredecessor(machine, task);
    default:
      return task.call?.isOpen === true;
  }
}

/** Whether it waits for the end of an earlier attempt of its own effect. */
function hasPredecessor(machine: Machine, task: Task): boolean {
  for (const detached of machine.state.detached.values()) if (detached.successor === task.id && detached.status === "ending") return true;
  return false;
}

/** Takes each back-out as far as it goes by itself. True when it has left work to do at place `next` of the queue. */
export function driveBackOuts(machine: Machine, next: number): boolean {
  let hasMoved = true;
  while (hasMoved && machine.work.length <= next) {
    hasMoved = false;
    // Those that are done leave the list.
    for (const id of machine.state.unwinding.slice()) {
      const scope = machine.task(id);
      if (scope?.unwinding !== undefined && scope.phase !== "failed") hasMoved = drive(machine, scope) || hasMoved;
    }
  }
  return machine.work.length > next;
}

function drive(machine: Machine, scope: Task): boolean {
  const { unwinding } = scope;
  assert(unwinding !== undefined, `task ${scope.id} is backed out`);
  if (unwinding.stage === "stopping") {
    const inside = stoppable(machine, scope);
    if (inside.some((task) => isInFlight(machine, task)) || unwinding.scopes.some((one) => openInside(machine.state, one).length > 0))
      return false;
    for (const task of inside.toReversed()) if (isInAny(task.key, unwinding.scopes)) leave(machine, task);
    cancelInside(machine, scope, unwinding.then.kind === "retry" ? scope.retries : undefined);
    unwinding.stage = "undoing";
  }
  return undoNext(machine, scope);
}

/** Begins what can be undone now; when nothing is left, goes on to the next scope and at last with the task itself. */
function undoNext(machine: Machine, scope: Task): boolean {
  const { unwinding } = scope;
  assert(unwinding !== undefined, `task ${scope.id} is backed out`);
  for (let next = unwinding.scopes[0]; next !== undefined; next = unwinding.scopes[0]) {
    const frame = undoFrameOf(machine, scope, next);
    const isParallel = sagaOfScope(machine, next)?.order === "parallel";
    let hasBegun = false;
    while (frame.pending.length > 0 && (isParallel || frame.open.length === 0)) hasBegun = beginUndo(machine, scope, frame) || hasBegun;
    if (frame.open.length > 0) return hasBegun;
    if (frame.failed.length > 0) {
      fault(machine, scope, failedUndos(frame));
      return true;
    }
    scope.frame = undefined;
    unwinding.scopes.shift();
  }
  leaveUnwinding(machine, scope);
  machine.later({ kind: "unwound", task: scope.id, then: unwinding.then });
  return true;
}

function undoFrameOf(machine: Machine, scope: Task, of: UnwoundScope): UndoFrame {
  if (scope.frame?.kind === "undo") return scope.frame;
  const stays = new Set(of.keep);
  const pending = [...machine.state.undos].flatMap(([id, { key }]) => (isInScope(key, of) && !stays.has(id) ? [id] : []));
  const frame: UndoFrame = { kind: "undo", pending, open: [], failed: [] };
  scope.frame = frame;
  machine.setPhase(scope, "active");
  return frame;
}

/** Begins the undo of what was done last. False when somebody else has undone it meanwhile. */
function beginUndo(machine: Machine, scope: Task, frame: UndoFrame): boolean {
  const { state } = machine;
  const undo = state.undos.get(frame.pending.pop() ?? "");
  if (undo === undefined) return false;
  const id = state.nextTask++;
  const { node, key, group, locals, context, task } = undo;
  const rawInput = { input: undo.input, output: undo.output };
  // A scope of its own, so that what an undo exports changes nothing outside of it.
  const holder = newTask(machine.now, {
    id,
    node,
    key,
    group,
    locals,
    context,
    rawInput,
    parent: scope.id,
    position: 0,
    visit: 1,
    contextOf: id,
    retryFrame: 0,
    searchFor: 0,
    undoes: task,
  });
  addTask(state, holder);
  frame.open.push(id);
  machine.observer?.undoing?.(machine, holder);
  machine.openList(holder, "undo", rawInput);
  return true;
}

/** The tasks of an undo are over: what was done is undone, and a repetition does it anew. */
export function undoDone(machine: Machine, holder: Task): void {
  const { state } = machine;
  state.undos.delete(undoId(holder));
  noteUndone(machine, holder);
  endUndo(machine, holder, "completed");
}

function noteUndone({ state }: Machine, { key }: Task): void {
  state.undone[key] = ++state.groups;
}

function endUndo(machine: Machine, holder: Task, how: "completed" | "cancelled"): void {
  const frame = machine.task(holder.parent)?.frame;
  assert(frame?.kind === "undo", `the undo ${holder.id} belongs to a back-out`);
  frame.open.splice(frame.open.indexOf(holder.id), 1);
  holder.frame = undefined;
  leaveTask(machine, holder, how, undefined);
}

/** An error inside an undo that none of its own tasks takes. The saga says whether the back-out rests there, or the others are undone first. */
export function undoFailed(machine: Machine, holder: Task, task: Task, error: TaskError): void {
  const scope = machine.task(holder.parent);
  const next = scope?.unwinding?.scopes[0];
  const frame = scope?.frame;
  assert(next !== undefined && frame?.kind === "undo", `the undo ${holder.id} belongs to a back-out`);
  const failed = { undo: undoId(holder), path: machine.node(holder).path, error };
  if (sagaOfScope(machine, next)?.onFailure !== "continue") {
    fault(machine, task, error, failedUndos({ ...frame, failed: [failed] }));
    return;
  }
  frame.failed.push(failed);
  cancelInside(machine, holder);
  endUndo(machine, holder, "cancelled");
}

/** The error with which a run rests whose back-out is not whole: type `compensation-failed`, status 500. */
function failedUndos({ failed }: UndoFrame): TaskError {
  const [first] = failed;
  assert(first !== undefined, "an undo has failed");
  const places = failed.map(({ path }) => path).join(", ");
  return {
    ...taskError("runtime", `the undo of ${places} failed: ${first.error.title}`, {
      detail: "What is not undone is still there. Retry or skip the undo; the back-out goes on from there.",
      causes: failed.map(({ path, error }) => ({ path, error })),
    }),
    type: `${TUTTI_ERROR_TYPE_BASE}compensation-failed`,
  };
}

/** Undos that failed while the others went on are begun again. */
export function retryUndos(machine: Machine, scope: Task): void {
  const { frame } = scope;
  scope.error = undefined;
  machine.setPhase(scope, "active");
  if (frame?.kind === "undo")
    frame.pending.push(
      ...frame.failed
        .splice(0)
        .map(({ undo }) => undo)
        .toReversed(),
    );
}

/** The task is not backed out any more. */
export function leaveUnwinding(machine: Machine, scope: Task): void {
  const { unwinding } = machine.state;
  scope.unwinding = undefined;
  unwinding.splice(unwinding.indexOf(scope.id), 1);
}

/** Whether anything inside `scope` has to be backed out when it is cancelled. */
export function hasSagaInside(machine: Machine, scope: Task): boolean {
  if (!machine.program.hasSagas) return false;
  return descendants(machine, scope).some((task) => task.unwinding !== undefined || sagaOf(machine, task)?.onCancelled === true);
}

/** Whether the run as a whole, or anything in it, has to be backed out when it is cancelled. */
export function isBackedOutWhenCancelled(machine: Machine): boolean {
  const run = machine.task(RUN_FRAME);
  assert(run !== undefined, "a run has its own frame");
  return (
    machine.program.hasSagas && (sagaOf(machine, run)?.onCancelled === true || run.unwinding !== undefined || hasSagaInside(machine, run))
  );
}
