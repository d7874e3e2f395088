import type { RunState, Task } from "./state.ts";
import { deriveToken } from "./token.ts";

/**
 * The token of a task. Tasks that look an effect up share the token of the call whose effect they look for: that is what they ask the target for.
 */
export function tokenOf(state: RunState, task: Task): string {
  const searched = task.searchFor === 0 ? undefined : state.tasks.get(task.searchFor);
  return task.call?.token ?? searched?.call?.token ?? deriveToken(state.runId, task.key, task.group);
}
