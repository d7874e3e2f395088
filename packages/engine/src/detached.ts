import type { CallNode } from "@tutti/definition";
import type { CallState, Detached, RunState, Task, UnwoundScope } from "./state.ts";
import { isInScope } from "./undos.ts";

/** Attempts that outlived their task, with what has to be known of them without looking at all of them: a cancelled run may have many. */

export function addDetached(state: RunState, detached: Detached): void {
  removeDetached(state, detached.task);
  state.detached.set(detached.task, detached);
  state.detachedByEffect.set(detached.effectKey, detached.task);
  count(state, detached.status, 1);
}

export function removeDetached(state: RunState, task: number): void {
  const detached = state.detached.get(task);
  if (detached === undefined) return;
  state.detached.delete(task);
  if (state.detachedByEffect.get(detached.effectKey) === task) state.detachedByEffect.delete(detached.effectKey);
  count(state, detached.status, -1);
}

export function setDetachedStatus(state: RunState, detached: Detached, status: Detached["status"]): void {
  count(state, detached.status, -1);
  detached.status = status;
  count(state, status, 1);
}

/** The attempt of an effect that was left behind. */
export function detachedOf(state: RunState, effectKey: string): Detached | undefined {
  if (state.detached.size === 0) return undefined;
  const task = state.detachedByEffect.get(effectKey);
  return task === undefined ? undefined : state.detached.get(task);
}

/** Whether attempts of tasks that are gone are still expected to end. */
export function hasEnding(state: RunState): boolean {
  return state.endings > 0;
}

/** Attempts that were left behind inside the scope and of which nobody knows yet what they did. */
export function openInside(state: RunState, scope: Pick<UnwoundScope, "key">): readonly Detached[] {
  return [...state.detached.values()].filter(
    ({ status, effect, key }) => (status === "ending" || status === "in-doubt") && effect !== "read" && isInScope(key, scope),
  );
}

function count(state: RunState, status: Detached["status"], by: 1 | -1): void {
  if (status === "ending") state.endings += by;
  else if (status === "in-doubt") state.doubts += by;
}

/** Under which a repetition finds what was left behind: the token, and for tasks that look an effect up also their place. */
export function effectKeyOf(task: Task, call: CallState, node: CallNode): string {
  return task.searchFor === 0 ? call.token : `${call.token} ${node.path}`;
}
