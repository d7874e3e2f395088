import type { TaskNode } from "@tutti/definition";
import {
  assert,
  DEPTH_MAX,
  ERROR_TYPE_BASE,
  FAN_OUT_MAX,
  isJsonObject,
  type Json,
  partlyUnknown,
  type TaskError,
  taskError,
  unknownIn,
  unknownOf,
  unknownValue,
} from "@tutti/model";
import { foreseeEvents, foreseeItems, foreseeRace } from "./preview/foresight.ts";
import { dispatchCall, effectAbsent, effectFound } from "./call.ts";
import { excerpt, TaskFailure } from "./evaluate.ts";
import { undoDone } from "./back-out.ts";
import { cancelInside } from "./cancel.ts";
import { endInside } from "./failure.ts";
import { stopExhausted } from "./fault.ts";
import { isHalted } from "./flags.ts";
import { iterationDone } from "./iterations.ts";
import { beginListen } from "./listen.ts";
import type { Machine, Work } from "./machine.ts";
import { type Branch, NO_CHILD, RUN_FRAME, type Task } from "./state.ts";
import { extensionDone, failWith, finishBranch, mergeContext, nextPosition } from "./tasks.ts";
import { deriveEventId, deriveRunId } from "./token.ts";
import { isStopped, undoAround } from "./undos.ts";

/** What each kind of task does when it begins, and when something inside it is over. */

export function beginTask(machine: Machine, work: Extract<Work, { kind: "begin" }>): void {
  const task = machine.task(work.task);
  if (task === undefined) return;
  if (machine.isExhausted) {
    stopExhausted(machine, task);
    return;
  }
  if (isHalted(machine.state)) {
    machine.setPhase(task, "held");
    return;
  }
  try {
    begin(machine, task, machine.node(task));
  } catch (cause) {
    failWith(machine, task, cause);
  }
}

function begin(machine: Machine, task: Task, node: TaskNode): void {
  const { evaluator } = machine;
  switch (node.kind) {
    case "set":
      machine.complete(task, evaluator.template(node.value, task.input, task));
      return;
    case "do":
      machine.openList(task, "body", task.input);
      return;
    case "function":
      machine.openList(task, "body", node.arguments === undefined ? task.input : evaluator.template(node.arguments, task.input, task));
      return;
    case "switch": {
      const chosen = node.cases.find(
        ({ name, when }) => when === undefined || machine.asks(task, { of: "case", name, expression: when, dot: task.input }),
      );
      machine.observer?.chose?.(machine, task, chosen?.name);
      machine.complete(task, task.input, chosen?.then);
      return;
    }
    case "for":
      beginLoop(machine, task, evaluator.template(node.in, task.input, task));
      return;
    case "fork":
      beginFork(machine, task, node.branches.length);
      return;
    case "try":
      if (node.catch.retry !== undefined) {
        task.retries ??= { count: 0, firstErrorAtMs: machine.now, passTimer: undefined, ledger: {}, children: [] };
        const limit = node.catch.retry.attemptTimeout;
        if (limit !== undefined)
          task.retries.passTimer = machine.setTimer(task.id, "pass-timeout", evaluator.duration(limit, task.input, task));
      }
      machine.openList(task, "body", task.input);
      return;
    case "raise":
      machine.fail(task, raisedError(evaluator.template(node.error, task.input, task)));
      return;
    case "wait":
      task.timer = machine.setTimer(task.id, "wait", evaluator.duration(node.duration, task.input, task));
      machine.setPhase(task, "waiting");
      return;
    case "emit":
      emit(machine, task, evaluator.template(node.event, task.input, task));
      return;
    case "listen":
      if (machine.context.foresight === undefined) beginListen(machine, task, node);
      else foreseeEvents(machine, task, machine.context.foresight);
      return;
    case "call":
      dispatchCall(machine, task);
      return;
    case "run-workflow":
      startChild(machine, task, node.arguments === undefined ? task.input : evaluator.template(node.arguments, task.input, task));
      return;
  }
}

/** Something inside a composite task is over: a task of its list, a branch, an iteration. */
export function innerDone(machine: Machine, work: Extract<Work, { kind: "inner-done" }>): void {
  const parent = machine.task(work.parent);
  const frame = parent?.frame;
  if (parent === undefined || frame === undefined || frame.kind === "undo") return;
  // What comes after it does not begin any more.
  if (isStopped(machine, parent)) return;
  machine.observer?.passed?.(machine, parent, work);
  if (work.flow === "end") {
    const holder = undoAround(machine, parent);
    if (holder !== undefined && parent.searchFor === 0) {
      // In an undo, `end` ends the undo: it is no part of the workflow's own flow either.
      cancelInside(machine, holder);
      undoDone(machine, holder);
      return;
    }
    const searched = machine.task(frame.kind === "list" && frame.role === "find" ? parent.id : parent.searchFor);
    // `end` in the tasks that look an effect up ends the look-up: they are no part of the workflow's own flow.
    if (searched?.call !== undefined) {
      cancelInside(machine, searched);
      lookedUp(machine, searched, work.output);
      return;
    }
    machine.later({ kind: "complete", task: RUN_FRAME, output: work.output, flow: "end", asIs: false });
    return;
  }
  if (frame.kind === "fork") {
    branchDone(machine, parent, work);
    return;
  }
  if (frame.child !== work.child) return;
  frame.child = NO_CHILD;
  const next = work.child === NO_CHILD ? undefined : nextPosition(machine, parent, work.flow, work.position);
  if (next !== undefined) {
    machine.later({ kind: "enter", parent: parent.id, position: next, input: work.output });
    return;
  }
  if (frame.kind === "loop") {
    frame.index++;
    frame.pending = work.output;
    continueLoop(machine, parent);
  } else if (frame.kind === "listen") iterationDone(machine, parent, work.output);
  else if (frame.role === "before" || frame.role === "after") extensionDone(machine, parent, frame.role, work);
  else listDone(machine, parent, frame.role, work.output);
}

function listDone(machine: Machine, parent: Task, role: "body" | "catch" | "find" | "undo", output: Json): void {
  if (role === "undo") {
    undoDone(machine, parent);
    return;
  }
  if (parent.id === RUN_FRAME) {
    machine.later({ kind: "complete", task: RUN_FRAME, output, flow: "end", asIs: false });
    return;
  }
  parent.frame = undefined;
  const node = machine.node(parent);
  if (role === "find") {
    lookedUp(machine, parent, output);
    return;
  }
  machine.complete(parent, output, role === "catch" && node.kind === "try" ? node.catch.then : undefined);
}

/** What the author's look-up of an effect gave. */
function lookedUp(machine: Machine, task: Task, output: Json): void {
  if (output === null) effectAbsent(machine, task);
  else effectFound(machine, task, output);
}

function beginLoop(machine: Machine, task: Task, given: Json): void {
  const unknown = unknownOf(given);
  const items = unknown === undefined ? given : foreseeItems(machine, task, unknown);
  if (!Array.isArray(items)) throw new TaskFailure(taskError("expression", `for.in must be an array, not ${excerpt(items)}`));
  if (items.length > FAN_OUT_MAX)
    throw new TaskFailure(
      taskError("validation", `a loop takes at most ${FAN_OUT_MAX} items, not ${items.length}`, {
        detail: "Split the work, or start a workflow for each part.",
      }),
    );
  task.frame = { kind: "loop", items, index: 0, position: 0, visits: {}, child: NO_CHILD, pending: task.input };
  machine.setPhase(task, "active");
  continueLoop(machine, task);
}

/** The next iteration of a loop that is between two of them, also again after its condition failed. */
export function continueLoop(machine: Machine, task: Task): void {
  const { frame } = task;
  if (frame?.kind !== "loop" || frame.pending === undefined) return;
  try {
    nextIteration(machine, task, frame.pending);
    frame.pending = undefined;
  } catch (cause) {
    failWith(machine, task, cause);
  }
}

function nextIteration(machine: Machine, task: Task, input: Json): void {
  const { frame } = task;
  const node = machine.node(task);
  assert(frame?.kind === "loop" && node.kind === "for", `task ${task.id} is a loop`);
  const isOver =
    frame.index >= frame.items.length ||
    (node.while !== undefined &&
      !machine.asks(task, {
        of: "while",
        expression: node.while,
        dot: input,
        sight: { locals: [...task.locals, frame.items[frame.index] as Json, frame.index] },
      }));
  if (isOver) {
    machine.complete(task, input);
    return;
  }
  // A jump back within an iteration is a visit; the next iteration counts its own.
  for (const position of Object.keys(frame.visits)) delete frame.visits[Number(position)];
  machine.later({ kind: "enter", parent: task.id, position: 0, input });
}

function beginFork(machine: Machine, task: Task, width: number): void {
  if (width > FAN_OUT_MAX) throw new TaskFailure(taskError("validation", `a fork has at most ${FAN_OUT_MAX} branches, not ${width}`));
  const branches = Array.from<Branch | undefined>({ length: width });
  task.frame = { kind: "fork", branches, open: width, context: machine.evaluator.contextOf(task) };
  machine.setPhase(task, "active");
  foreseeRace(machine, task);
  for (let position = 0; position < width; position++) machine.later({ kind: "enter", parent: task.id, position, input: task.input });
}

function branchDone(machine: Machine, parent: Task, work: Extract<Work, { kind: "inner-done" }>): void {
  const { frame } = parent;
  const node = machine.node(parent);
  assert(frame?.kind === "fork" && node.kind === "fork", `task ${parent.id} is a fork`);
  const context = work.context ?? null;
  finishBranch(frame, work.position, { task: work.child, output: work.output, context });
  if (node.compete) {
    keepContext(machine, parent, mergeContext(frame.context, frame.context, context));
    endInside(machine, parent, { kind: "complete", output: work.output, flow: undefined, asIs: false, isSupplied: false });
    return;
  }
  if (frame.open === 0) {
    const branches = frame.branches.map((branch) => branch as Branch);
    keepContext(
      machine,
      parent,
      branches.reduce((merged, branch) => mergeContext(merged, frame.context, branch.context), frame.context),
    );
    machine.complete(
      parent,
      branches.map((branch) => branch.output),
    );
  }
  if (frame.open === 0) parent.frame = undefined;
}

function keepContext(machine: Machine, parent: Task, context: Json): void {
  const holder = machine.task(parent.contextOf);
  assert(holder !== undefined, `the context of task ${parent.id} is there`);
  holder.context = context;
}

/** The error a `raise` gives: type and status are always there. */
function raisedError(value: Json): TaskError {
  const given = isJsonObject(value) ? value : {};
  const { type, status, title } = given;
  return {
    ...given,
    type: typeof type === "string" ? type : `${ERROR_TYPE_BASE}runtime`,
    status: typeof status === "number" ? status : 500,
    title: typeof title === "string" ? title : "raised by the workflow",
  };
}

/** Completes what the author left out of the event (CloudEvents 1.0.2); its id comes from the token, so it is accepted once. */
function emit(machine: Machine, task: Task, value: Json): void {
  const { foresight } = machine.context;
  const unknown = foresight === undefined ? undefined : (unknownOf(value) ?? unknownIn(isJsonObject(value) ? value["type"] : null));
  if (foresight !== undefined && unknown !== undefined) {
    foresight.emits(machine, task, undefined);
    machine.complete(task, unknownValue(`the event of ${machine.node(task).path}`));
    return;
  }
  const given = isJsonObject(value) ? value : {};
  const { state } = machine;
  const { namespace, name } = state.workflow;
  const event = {
    specversion: "1.0" as const,
    time: new Date(machine.now).toISOString(),
    ...(given["data"] !== undefined && given["datacontenttype"] === undefined && { datacontenttype: "application/json" }),
    ...given,
    id: typeof given["id"] === "string" ? given["id"] : deriveEventId(machine.tokenOf(task)),
    source: typeof given["source"] === "string" ? given["source"] : `tutti:/${namespace}/${name}/${state.runId}`,
    type: typeof given["type"] === "string" ? given["type"] : "",
  };
  if (event.type === "")
    throw new TaskFailure(taskError("validation", "an event needs a type", { detail: "emit.event.with.type gave no text." }));
  if (foresight === undefined) {
    machine.command({ type: "emit-event", event });
    machine.complete(task, event);
  } else {
    const { time: _time, ...known } = event;
    foresight.emits(machine, task, known);
    machine.complete(task, given["time"] === undefined ? partlyUnknown(known, `the event of ${machine.node(task).path}`) : event);
  }
}

function startChild(machine: Machine, task: Task, input: Json): void {
  const node = machine.node(task);
  assert(node.kind === "run-workflow", `task ${task.id} runs a workflow`);
  if (!machine.mayDispatch(task)) {
    machine.setPhase(task, "held");
    return;
  }
  const depth = (machine.state.parent?.depth ?? 0) + 1;
  if (depth > DEPTH_MAX)
    throw new TaskFailure(machine.runtimeError(`workflows run each other at most ${DEPTH_MAX} deep: does one of them run itself?`));
  const runId = deriveRunId(machine.tokenOf(task));
  const isAgain = adoptChild(machine, task, runId) || task.childRunId !== undefined;
  task.childRunId = runId;
  machine.command({
    type: "start-child",
    task: task.id,
    runId: task.childRunId,
    workflow: node.workflow,
    input,
    depth,
    await: node.await,
    resume: isAgain,
  });
  if (node.await) machine.setPhase(task, "child");
  else machine.complete(task, task.input);
}

/** Takes over what an earlier pass of an enclosing block may have started under the same id. True when the block is repeated. */
function adoptChild(machine: Machine, task: Task, runId: string): boolean {
  let isAgain = false;
  for (let scope = machine.task(task.retryFrame); scope?.retries !== undefined; scope = machine.task(scope.retryFrame)) {
    const { children, count } = scope.retries;
    if (children.includes(runId)) children.splice(children.indexOf(runId), 1);
    isAgain ||= count > 0;
  }
  return isAgain;
}
