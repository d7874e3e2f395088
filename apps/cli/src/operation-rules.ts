import { assertNever } from "@tutti/model";
import { allTasks, isFinal, type OperateAction, type RunView, type TaskView } from "./run-status.ts";

/**
 * Why an operator's word cannot be carried out on a run as it is, or undefined. For `--dry-run` only: the engine decides, and refuses with its
 * own words what this let through.
 */
export function whyNotPossible(view: RunView, action: OperateAction): string | undefined {
  switch (action.kind) {
    case "pause":
      return view.status === "running" || view.status === "waiting" ? undefined : `a run that is ${view.status} cannot be paused.`;
    case "cancel":
    case "kill":
      return isFinal(view.status) ? `it is ${view.status} already.` : undefined;
    case "resume":
      return isFinal(view.status) ? `it is ${view.status}; \`replay\` starts a new run with the same input.` : undefined;
    case "backout":
      return isFinal(view.status) ? `it is ${view.status}, which is final.` : undefined;
    case "retry":
      return whyNotRetry(view, action.task);
    case "skip":
      return whyNotTask(view, action.task, (task) => task.endedAtMs === undefined || task.status === "failed", "has ended");
    case "settle":
      if (
        view.doubts.some(
          (doubt) => doubt.path === action.task || doubt.path.endsWith(`/${action.task}`) || String(doubt.task) === action.task,
        )
      )
        return undefined;
      return whyNotTask(view, action.task, (task) => task.status === "in-doubt", "is not in doubt");
    default:
      return assertNever(action, "operation");
  }
}

function whyNotRetry(view: RunView, task: string | undefined): string | undefined {
  if (isFinal(view.status)) return `it is ${view.status}; \`replay\` starts a new run with the same input.`;
  if (task !== undefined) return whyNotTask(view, task, (found) => found.status === "failed", "has not failed");
  return [...allTasks(view.tasks)].some((found) => found.status === "failed") ? undefined : "no task has failed.";
}

function whyNotTask(view: RunView, name: string, allows: (task: TaskView) => boolean, otherwise: string): string | undefined {
  const found = [...allTasks(view.tasks)].filter(
    (task) => task.path === name || task.path.endsWith(`/${name}`) || String(task.task) === name,
  );
  if (found.length === 0) return `it has no task \`${name}\` yet.`;
  return found.some(allows) ? undefined : `the task \`${name}\` ${otherwise}.`;
}
