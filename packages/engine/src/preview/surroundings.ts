import type { TaskList, TaskNode } from "@tutti/definition";
import type { EngineContext } from "../context.ts";
import { RUN_FRAME, type RunState, type Task } from "../state.ts";

/** What stands around a task of a walk: rounds, undos, races, and branches that may change something meanwhile. */

/** A run on a walk, as far as this needs it. `races` names the branch that is to win, by the number of the fork. */
export interface Surrounded {
  readonly state: RunState;
  readonly context: EngineContext;
  readonly races: ReadonlyMap<number, number>;
}

/** Whether control came to the task, or to what it stands in, more than once. */
export function isRevisited(state: RunState, task: Task): boolean {
  for (let outer: Task | undefined = task; outer !== undefined && outer.id !== RUN_FRAME; outer = state.tasks.get(outer.parent))
    if (outer.visit > 1) return true;
  return false;
}

/** Whether the task undoes another one. */
export function isPartOfUndo(state: RunState, task: Task): boolean {
  for (let outer: Task | undefined = task; outer !== undefined; outer = state.tasks.get(outer.parent)) if (outer.undoes !== 0) return true;
  return false;
}

/** Whether the task stands in a branch of a race that another branch is to win. */
export function losesRace({ state, races }: Surrounded, task: Task): boolean {
  if (races.size === 0) return false;
  let inner: Task = task;
  for (let outer = state.tasks.get(task.parent); outer !== undefined; inner = outer, outer = state.tasks.get(outer.parent)) {
    const winner = races.get(outer.id);
    if (winner !== undefined && inner.position !== winner) return true;
  }
  return false;
}

/** Whether a branch beside the task, of a fork around it that still goes on, may change something meanwhile. */
export function isBesideChanges({ state, context }: Surrounded, task: Task): boolean {
  let inner: Task = task;
  for (let outer = state.tasks.get(task.parent); outer !== undefined; inner = outer, outer = state.tasks.get(outer.parent)) {
    if (outer.frame?.kind !== "fork") continue;
    const node = context.program.nodes[outer.node];
    if (node?.kind === "fork" && node.branches.some((branch, position) => position !== inner.position && mayChange(context, branch)))
      return true;
  }
  return false;
}

function mayChange(context: EngineContext, index: number): boolean {
  const node = context.program.nodes[index];
  if (node === undefined) return false;
  if (node.kind === "run-workflow") return true;
  if (node.kind === "call" && (node.effect?.class ?? context.functions.describe(node.function, {})?.effect) !== "read") return true;
  return listsOf(node).some((list) => list.some((inner) => mayChange(context, inner)));
}

function listsOf(node: TaskNode): readonly TaskList[] {
  const around = node.extensions.flatMap(({ before, after }) => [before ?? [], after ?? []]);
  switch (node.kind) {
    case "do":
    case "function":
    case "for":
      return [...around, node.body];
    case "try":
      return [...around, node.body, node.catch.body ?? []];
    case "fork":
      return [...around, node.branches];
    case "listen":
    case "call":
      return [...around, node.foreach?.body ?? []];
    default:
      return around;
  }
}
