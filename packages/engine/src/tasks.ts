import type { Concurrency, Flow, TaskNode } from "@tutti/definition";
import { assert, type Json, jsonEqual, type JsonObject, isJsonObject, taskError, unknownIn, unknownOf, unknownValue } from "@tutti/model";
import type { Machine, Work } from "./machine.ts";
import {
  addTask,
  type Branch,
  type ForkFrame,
  liveChildren,
  newTask,
  NO_CHILD,
  type RetryState,
  RUN_FRAME,
  removeTask,
  type Task,
} from "./state.ts";
import { TaskFailure } from "./evaluate.ts";
import { isStopped, registerUndo } from "./undos.ts";
import { afterDone, beforeDone, beginBefore, extensionAt, hasAfter, openAfter } from "./extension.ts";

/** Entering, completing and leaving of tasks: what all kinds have in common, in the order of the specification's data flow. */

/** Steps 3 and 4 of the data flow: condition, schema of the raw input, `input.from`; then what extensions put before it, timeout and slot. */
export function enterTask(machine: Machine, work: Extract<Work, { kind: "enter" }>): void {
  const parent = machine.task(work.parent);
  const { frame } = parent ?? {};
  if (parent === undefined || frame === undefined || frame.kind === "undo") return;
  if (isStopped(machine, parent)) return;
  const nodeIndex = machine.listOf(parent)[work.position];
  assert(nodeIndex !== undefined, `task ${parent.id} has a position ${work.position}`);
  const node = machine.program.nodes[nodeIndex] as TaskNode;
  const { state } = machine;
  const visit = frame.kind === "fork" ? 1 : (frame.visits[work.position] ?? 0) + 1;
  const id = state.nextTask++;
  const key = keyOf(machine, parent, node.name, visit);
  const task = newTask(machine.now, {
    id,
    node: nodeIndex,
    parent: parent.id,
    position: work.position,
    visit,
    key,
    group: Math.max(parent.group, state.undone[key] ?? 0),
    rawInput: work.input,
    locals: localsOf(machine, parent),
    contextOf: frame.kind === "fork" ? id : parent.contextOf,
    context: frame.kind === "fork" ? frame.context : undefined,
    retryFrame: retryFrameOf(parent),
    searchFor: frame.kind === "list" && frame.role === "find" ? parent.id : parent.searchFor,
  });
  if (frame.kind === "fork") frame.branches[work.position] = { task: id, isDone: false, output: null, context: null };
  else {
    frame.position = work.position;
    frame.visits[work.position] = visit;
    frame.child = id;
  }
  addTask(state, task);
  machine.observer?.entered(machine, task);
  if (machine.isExhausted) machine.later({ kind: "begin", task: id });
  else startTask(machine, task, node);
}

/** Evaluates the task's way in. Also how a failed task is started over, with the same activation. */
export function startTask(machine: Machine, task: Task, node: TaskNode): void {
  const { evaluator } = machine;
  task.error = undefined;
  try {
    if (node.if !== undefined && !machine.asks(task, { of: "if", expression: node.if, dot: task.rawInput })) {
      leaveTask(machine, task, "skipped", task.rawInput);
      machine.later({
        kind: "inner-done",
        parent: task.parent,
        child: task.id,
        position: task.position,
        output: task.rawInput,
        flow: "continue",
        context: task.context,
      });
      return;
    }
    check(node.input.schema, task.rawInput, `the input of ${node.name}`);
    if (node.input.from !== undefined) task.input = evaluator.template(node.input.from, task.rawInput, task);
    else task.input = task.rawInput;
    if (node.extensions.length === 0 || !beginBefore(machine, task, node)) armTask(machine, task, node);
  } catch (cause) {
    failWith(machine, task, cause);
  }
}

/** The task's own time and slot begin, then the task. */
function armTask(machine: Machine, task: Task, node: TaskNode): void {
  if (node.timeout !== undefined) beginTaskTimeout(machine, task);
  if (!requestSlot(machine, task, node.concurrency)) machine.later({ kind: "begin", task: task.id });
}

/** Starts the task's own timeout unless it is under way or there is none. */
export function beginTaskTimeout(machine: Machine, task: Task): void {
  const { timeout } = machine.node(task);
  if (timeout !== undefined && task.timeoutTimer === undefined)
    task.timeoutTimer = machine.setTimer(task.id, "task-timeout", machine.evaluator.duration(timeout, task.input, task));
}

/** Asks for the slot that a task or the run needs and does not hold. True when it has to wait for the answer. */
export function requestSlot(machine: Machine, task: Task, concurrency: Concurrency | undefined): boolean {
  if (concurrency === undefined || task.slotKey !== undefined) return false;
  task.slotKey = slotKey(machine.evaluator.expression(concurrency.key, task.input, task));
  machine.setPhase(task, "queued");
  const { limit, onConflict } = concurrency;
  machine.command({ type: "acquire-slot", task: task.id, key: task.slotKey, limit, onConflict });
  return true;
}

/** Steps 5 to 9 of the data flow: `output.as`, its schema, `export.as`, its schema; then what extensions put after it. */
export function completeTask(machine: Machine, work: Extract<Work, { kind: "complete" }>): void {
  const task = machine.task(work.task);
  if (task === undefined || task.extension?.stage === "after") return;
  const node = machine.node(task);
  let { output } = work;
  try {
    const { evaluator } = machine;
    if (node.output.as !== undefined && !work.asIs)
      output = evaluator.template(node.output.as, work.output, task, { rawOutput: work.output });
    check(node.output.schema, output, `the output of ${node.name}`);
    if (node.export?.as !== undefined) {
      const context = evaluator.template(node.export.as, output, task, { output, rawOutput: work.output });
      check(node.export.schema, context, `the context exported by ${node.name}`);
      const holder = machine.task(task.contextOf);
      assert(holder !== undefined, `the context of task ${task.id} is there`);
      holder.context = context;
    }
  } catch (cause) {
    if (!work.asIs) task.rawOutput = work.output;
    failWith(machine, task, cause);
    return;
  }
  if (work.isSupplied !== true) registerUndo(machine, task, output, work.asIs ? undefined : work.output);
  const flow = work.flow ?? node.then;
  if (task.extension !== undefined && beginAfter(machine, task, { output, flow, rawOutput: work.output })) return;
  endTask(machine, task, output, flow);
}

/** The task is over, with all that belongs to it; the enclosing list goes on. */
function endTask(machine: Machine, task: Task, output: Json, flow: Flow): void {
  keepOutput(machine, task, output);
  leaveTask(machine, task, "completed", output);
  machine.later({
    kind: "inner-done",
    parent: task.parent,
    child: task.id,
    position: task.position,
    output,
    flow,
    context: task.context,
  });
}

/** `$runtime.metadata.outputs`: only what the document reads is kept. Tasks that look effects up and those of extensions have no part in it. */
function keepOutput(machine: Machine, task: Task, output: Json): void {
  const { outputs } = machine.program;
  if (outputs !== "all" && outputs.size === 0) return;
  const { name, isExtension } = machine.node(task);
  if (isExtension || task.searchFor !== 0 || (outputs !== "all" && !outputs.has(name))) return;
  machine.state.outputs = { ...machine.state.outputs, [name]: output };
}

/** One more list of an extension is done: the next one's, or the task itself, or its end. */
export function extensionDone(machine: Machine, task: Task, role: "before" | "after", list: { output: Json; flow: Flow }): void {
  if (role === "after") {
    const result = afterDone(machine, task);
    if (result !== undefined) endTask(machine, task, result.output, result.flow);
    return;
  }
  try {
    const next = beforeDone(machine, task, list.flow);
    if (next === "task") armTask(machine, task, machine.node(task));
    else if (next === "instead") machine.complete(task, list.output);
  } catch (cause) {
    failWith(machine, task, cause);
  }
}

/** Takes a finished task out of the state: timers, slot, the activation itself. Its effects are remembered by an enclosing retry. */
export function leaveTask(machine: Machine, task: Task, how: "completed" | "skipped" | "cancelled", output: Json | undefined): void {
  letTaskGo(machine, task);
  // What is cancelled while it only waits for what extensions put after it has done its own work.
  remember(machine, task, how === "completed" ? output : task.extension?.result?.output);
  removeTask(machine.state, task);
  machine.observer?.left(machine, task, how, output, task.error);
}

/** Gives back what a task holds while it is at work. */
function letTaskGo(machine: Machine, task: Task): void {
  machine.clearTimer(task.timeoutTimer);
  machine.clearTimer(task.timer);
  task.timeoutTimer = undefined;
  task.timer = undefined;
  if (task.retries !== undefined) {
    machine.clearTimer(task.retries.passTimer);
    task.retries.passTimer = undefined;
    cancelLeftChildren(machine, task.retries);
  }
  if (task.slotKey !== undefined) machine.command({ type: "release-slot", task: task.id, key: task.slotKey });
  task.slotKey = undefined;
}

/** Opens the lists of extensions after a task that is done. False when there are none. */
function beginAfter(machine: Machine, task: Task, done: { output: Json; flow: Flow; rawOutput: Json }): boolean {
  if (!hasAfter(machine, task)) return false;
  letTaskGo(machine, task);
  // `$task.output` of the extension.
  task.rawOutput = done.rawOutput;
  openAfter(machine, task, { output: done.output, flow: done.flow });
  return true;
}

/** What a repeated block has to know of this task: kept by the nearest enclosing `try` that may run its block again. */
function remember(machine: Machine, task: Task, output: Json | undefined): void {
  if (task.retryFrame === 0) return;
  const holder = machine.task(task.retryFrame)?.retries;
  if (holder === undefined) return;
  if (task.retries !== undefined) Object.assign(holder.ledger, task.retries.ledger);
  const { call } = task;
  if (call === undefined || call.attempt === 0) return;
  const isRaw = output === undefined && task.rawOutput !== undefined;
  holder.ledger[task.key] = {
    group: task.group,
    attempts: call.attempt,
    sentByMs: call.sentByMs,
    effect: call.effect,
    output: call.effect === "unsafe" ? (output === undefined ? task.rawOutput : output) : undefined,
    isRaw,
    isUnknown: call.isOpen,
  };
}

/** Runs that an earlier pass of a block started and no later one came to. */
export function cancelLeftChildren(machine: Machine, retries: RetryState): void {
  for (const runId of retries.children) machine.command({ type: "cancel-child", runId, how: "cancel" });
  retries.children.length = 0;
}

/** An inner task of a `do`, function, `try` or the run itself is over: what comes next in the list, or undefined when the list is over. */
export function nextPosition(
  machine: Machine,
  parent: Task,
  flow: Extract<Work, { kind: "inner-done" }>["flow"],
  position: number,
): number | undefined {
  if (flow === "exit" || flow === "end") return undefined;
  const next = flow === "continue" ? position + 1 : flow;
  return next < machine.listOf(parent).length ? next : undefined;
}

/** A branch's context laid over the one the fork began with: keys that the branch changed, added or removed. */
export function mergeContext(into: Json, base: Json, branch: Json): Json {
  if (jsonEqual(base, branch)) return into;
  const unknown = unknownOf(into) ?? unknownOf(base) ?? unknownOf(branch);
  if (unknown !== undefined) return unknownValue(unknown);
  if (!isJsonObject(branch) || (base !== null && !isJsonObject(base))) return branch;
  const before: JsonObject = base ?? {};
  const merged: Record<string, Json> = Object.assign(Object.create(null) as Record<string, Json>, isJsonObject(into) ? into : {});
  for (const key of Object.keys(before)) if (!Object.hasOwn(branch, key)) delete merged[key];
  for (const key of Object.keys(branch)) {
    const value = branch[key] as Json;
    if (!Object.hasOwn(before, key) || !jsonEqual(before[key], value)) merged[key] = value;
  }
  return merged;
}

/** Marks a branch as done with what it brought. */
export function finishBranch(frame: ForkFrame, position: number, branch: Omit<Branch, "isDone">): void {
  frame.branches[position] = { ...branch, isDone: true };
  frame.open--;
}

/** Fails `task` with what was thrown; anything but a task's own failure is a bug and goes up. */
export function failWith(machine: Machine, task: Task, cause: unknown): void {
  if (!(cause instanceof TaskFailure)) throw cause;
  machine.fail(task, cause.error);
}

export function check(schema: ((value: Json) => string | undefined) | undefined, value: Json, what: string): void {
  const wrong = schema?.(value);
  // What a preview does not know yet is checked when it is known; only what seems wrong is looked through for that.
  if (wrong !== undefined && unknownIn(value) === undefined)
    throw new TaskFailure(taskError("validation", `${what} does not match its schema`, { detail: wrong }));
}

/** The nearest `try` that may repeat a task entered under `parent`. */
export function retryFrameOf(parent: Task): number {
  const { frame, retries } = parent;
  return retries !== undefined && frame?.kind === "list" && frame.role === "body" ? parent.id : parent.retryFrame;
}

/** The locals of a task entered under `parent`: those of the parent, and what its frame adds. */
export function localsOf(machine: Machine, parent: Task): readonly Json[] {
  if (parent.id === RUN_FRAME) return parent.locals;
  const { frame } = parent;
  if (frame?.kind === "loop") return [...parent.locals, frame.items[frame.index] as Json, frame.index];
  if (frame?.kind === "listen") return [...parent.locals, frame.values[frame.index] as Json, frame.index];
  if (frame?.kind === "list") {
    if (frame.role === "catch") return [...parent.locals, parent.error as Json];
    if (frame.role === "before" || frame.role === "after") return [];
    // What the undo knows of the task was kept when the task completed.
    if (frame.role === "undo") return parent.locals;
    // Functions see their arguments only: their text stands elsewhere in the document.
    if (frame.role === "body" && machine.node(parent).kind === "function") return [];
    if (frame.role === "find" && isFunctionFind(machine, parent)) return [];
  }
  return parent.locals;
}

/** Whether the task's look-up names a function instead of listing tasks: its body was compiled without the task's locals. */
function isFunctionFind(machine: Machine, task: Task): boolean {
  const node = machine.node(task);
  const first = node.kind === "call" ? machine.program.nodes[node.effect?.find?.[0] ?? -1] : undefined;
  return first !== undefined && !first.pointer.startsWith(`${node.pointer}/metadata/`);
}

/** Name path with visits and iterations: what a token is derived from. */
function keyOf(machine: Machine, parent: Task, name: string, visit: number): string {
  const { frame } = parent;
  const role = frame?.kind === "list" && frame.role !== "body" ? `${frame.role}${extensionName(machine, parent)}/` : "";
  const iteration = frame?.kind === "loop" || frame?.kind === "listen" ? `[${frame.index}]` : "";
  return `${parent.key}${iteration}/${role}${name}${visit > 1 ? `#${visit}` : ""}`;
}

/** `@name` of the extension whose list `task` is at: two extensions may have tasks of one name. */
function extensionName(machine: Machine, task: Task): string {
  const extension = extensionAt(machine, task);
  return extension === undefined ? "" : `@${extension.name}`;
}

/** The text under which a concurrency slot is known. */
export function slotKey(value: Json): string {
  if (typeof value === "string" && value !== "") return value;
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  throw new TaskFailure(
    taskError("expression", "concurrency.key must be a text, a number or a boolean", { detail: JSON.stringify(value) ?? "" }),
  );
}

/** All live activations inside `task`, inner ones after their parents. */
export function descendants(machine: Machine, task: Task): readonly Task[] {
  const found: Task[] = [];
  const open = [...liveChildren(task)];
  for (let id = open.pop(); id !== undefined; id = open.pop()) {
    const child = machine.task(id);
    if (child === undefined || id === NO_CHILD) continue;
    found.push(child);
    open.push(...liveChildren(child));
  }
  return found;
}
