import type { Flow, TaskExtension, TaskNode } from "@tutti/definition";
import { assert, type Json } from "@tutti/model";
import { TaskFailure } from "./evaluate.ts";
import type { Machine } from "./machine.ts";
import type { ExtensionState, Task } from "./state.ts";

/**
 * What `use.extensions` puts around a task. The lists run as inner tasks of the task's own activation: before it with its transformed input,
 * after it with its transformed output, outside of its time limit and its slot. What they give is dropped; they act, and they export.
 *
 * The first extension is the outermost: the `before` lists run in the order of declaration, the `after` lists in the reverse. A `before` list
 * that ends by `exit` stands for the task and for the extensions further in.
 */

/** Goes on with the lists before a task, also again after a `when` that failed. False when nothing stands before the task (any more). */
export function beginBefore(machine: Machine, task: Task, node: TaskNode): boolean {
  task.extension ??= { stage: "before", at: 0, applied: [], result: undefined };
  return task.extension.stage === "before" && nextBefore(machine, task, node, task.extension);
}

function nextBefore(machine: Machine, task: Task, node: TaskNode, state: ExtensionState): boolean {
  for (; state.at < node.extensions.length; state.at++) {
    const extension = node.extensions[state.at] as TaskExtension;
    if (!applies(machine, task, extension)) continue;
    state.applied.push(state.at);
    if (extension.before.length === 0) continue;
    machine.openList(task, "before", task.input);
    return true;
  }
  state.stage = "task";
  return false;
}

function applies(machine: Machine, task: Task, { when, pointer, name }: TaskExtension): boolean {
  if (when === undefined) return true;
  try {
    return machine.asks(task, { of: "extension.when", name, expression: when, dot: task.input, sight: { locals: [], extends: task } });
  } catch (cause) {
    if (!(cause instanceof TaskFailure)) throw cause;
    // Not taken for false: what checks or protects a task must not be left out silently.
    throw new TaskFailure({ ...cause.error, instance: `${pointer}/when` });
  }
}

/** A list before the task is done: `task` when it is the task's turn, `instead` when the list stands for it. */
export function beforeDone(machine: Machine, task: Task, flow: Flow): "list" | "task" | "instead" {
  const state = stateOf(task);
  task.frame = undefined;
  if (flow === "exit") {
    state.applied.pop();
    state.stage = "task";
    return "instead";
  }
  state.at++;
  return nextBefore(machine, task, machine.node(task), state) ? "list" : "task";
}

/** Whether anything stands after the task. */
export function hasAfter(machine: Machine, task: Task): boolean {
  const { extensions } = machine.node(task);
  return task.extension?.applied.some((at) => (extensions[at]?.after.length ?? 0) > 0) ?? false;
}

/** Opens the innermost list after the task. */
export function openAfter(machine: Machine, task: Task, result: { readonly output: Json; readonly flow: Flow }): void {
  const state = stateOf(task);
  state.stage = "after";
  state.result = result;
  nextAfter(machine, task, state);
}

/** A list after the task is done: what the task gave when it was the last. */
export function afterDone(machine: Machine, task: Task): ExtensionState["result"] {
  const state = stateOf(task);
  state.applied.pop();
  return nextAfter(machine, task, state) ? undefined : state.result;
}

function nextAfter(machine: Machine, task: Task, state: ExtensionState): boolean {
  const { extensions } = machine.node(task);
  for (let at = state.applied.at(-1); at !== undefined; state.applied.pop(), at = state.applied.at(-1)) {
    if ((extensions[at]?.after.length ?? 0) === 0) continue;
    state.at = at;
    assert(state.result !== undefined, `task ${task.id} is done`);
    machine.openList(task, "after", state.result.output);
    return true;
  }
  task.frame = undefined;
  return false;
}

/** The extension whose list `task` is at; undefined when it is at none. */
export function extensionAt(machine: Machine, task: Task): TaskExtension | undefined {
  const { extension, frame } = task;
  if (extension === undefined || frame?.kind !== "list" || (frame.role !== "before" && frame.role !== "after")) return undefined;
  return machine.node(task).extensions[extension.at];
}

function stateOf(task: Task): ExtensionState {
  assert(task.extension !== undefined, `task ${task.id} has extensions`);
  return task.extension;
}
