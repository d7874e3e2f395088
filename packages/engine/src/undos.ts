import type { Saga } from "@tutti/definition";
import type { Json } from "@tutti/model";
import { argumentsWithoutSecrets, callNode } from "./arguments.ts";
import type { Machine } from "./machine.ts";
import { RUN_FRAME, type RunState, type Task, type Undo, type UnwoundScope } from "./state.ts";

/** What completed tasks leave to be undone, and the scopes that are backed out together. How that is done: `back-out.ts`. */

/**
 * Keeps what undoing a completed task will need. The values are shared with the state's own, so an undo costs little until it is written down;
 * without an undo of its own the task leaves nothing.
 *
 * @param raw what the task gave before its own `output`: what a connector's undo reads. Undefined when that is not known any more.
 */
export function registerUndo(machine: Machine, task: Task, output: Json, raw: Json | undefined): void {
  const undo = undoOf(machine, task);
  if (undo === undefined) return;
  if (machine.node(task).compensation?.isOfConnector !== true) keepUndo(machine.state, { ...undo, output });
  else if (raw !== undefined) keepUndo(machine.state, { ...undo, output: raw });
}

/** How the task would be undone, but for its output; undefined when it has no undo, or is itself part of one or of a look-up. */
export function undoOf(machine: Machine, task: Task): Omit<Undo, "output"> | undefined {
  const { compensation } = machine.node(task);
  if (compensation === undefined || task.searchFor !== 0 || isPartOfUndo(machine, task)) return undefined;
  return {
    task: task.id,
    node: task.node,
    key: task.key,
    group: task.group,
    input: compensation.isOfConnector ? argumentsWithoutSecrets(machine, task, callNode(machine, task)) : task.input,
    context: machine.evaluator.contextOf(task),
    locals: compensation.isFunction ? [] : task.locals,
  };
}

/** A repetition that adopts an effect replaces what the first pass registered: one effect is undone once. */
export function keepUndo(state: RunState, undo: Undo): void {
  const id = undoId(undo);
  state.undos.delete(id);
  state.undos.set(id, undo);
}

export function undoId({ group, key }: Pick<Undo, "group" | "key">): string {
  return `${group} ${key}`;
}

/** Whether a task with this key stands inside the scope: keys are paths with visits and iterations. */
export function isInScope(key: string, scope: Pick<UnwoundScope, "key">): boolean {
  return scope.key === "" || key.startsWith(`${scope.key}/`);
}

/** The saga that the task is the scope of; `RUN_FRAME` stands for the document. */
export function sagaOf(machine: Machine, task: Task): Saga | undefined {
  if (task.undoes !== 0) return undefined;
  if (task.id === RUN_FRAME) return machine.program.saga;
  const node = machine.node(task);
  return node.kind === "do" ? node.saga : undefined;
}

/** What a person asks for goes step by step, and rests where it fails. */
const SAGA_OF_A_PERSON: Saga = { onFaulted: false, onCancelled: false, order: "reverse", onFailure: "stop" };

/** How a scope is backed out. */
export function sagaOfScope(machine: Machine, { node, keep }: UnwoundScope): Saga | undefined {
  if (keep !== undefined) return SAGA_OF_A_PERSON;
  if (node < 0) return machine.program.saga;
  const scope = machine.program.nodes[node];
  return scope?.kind === "do" ? scope.saga : undefined;
}

/** The outermost scope around `task`, itself included, that is backed out when it faults, inside of `limit` when that is given. */
export function faultingScope(machine: Machine, task: Task, limit: Task | undefined): Task | undefined {
  if (!machine.program.hasSagas) return undefined;
  let found: Task | undefined;
  for (let outer: Task | undefined = task; outer !== undefined && outer !== limit; outer = machine.task(outer.parent)) {
    if (outer.undoes !== 0) return found;
    if (sagaOf(machine, outer)?.onFaulted === true) found = outer;
  }
  return found;
}

/**
 * The nearest task around `task` whose inside is being stopped, `task` among it. Tasks of an undo and of a look-up are not: what they are part of
 * has to come to its end.
 */
export function unwinderOf(machine: Machine, task: Task): Task | undefined {
  if (machine.state.unwinding.length === 0 || task.searchFor !== 0) return undefined;
  for (let inner = task; ;) {
    if (inner.undoes !== 0) return undefined;
    const outer = machine.task(inner.parent);
    if (outer === undefined || outer.unwinding !== undefined) return outer;
    inner = outer;
  }
}

/** Whether nothing follows in the list of `parent` any more, since what is around it is stopped. Its look-up goes on. */
export function isStopped(machine: Machine, parent: Task): boolean {
  if (machine.state.unwinding.length === 0 || (parent.frame?.kind === "list" && parent.frame.role === "find")) return false;
  return parent.unwinding !== undefined || unwinderOf(machine, parent) !== undefined;
}

/** The activation whose undo `task` is part of, itself included. */
export function undoAround(machine: Machine, task: Task): Task | undefined {
  for (let outer: Task | undefined = task; outer !== undefined; outer = machine.task(outer.parent)) if (outer.undoes !== 0) return outer;
  return undefined;
}

function isPartOfUndo(machine: Machine, task: Task): boolean {
  return machine.state.unwinding.length > 0 && undoAround(machine, task) !== undefined;
}
