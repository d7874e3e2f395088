import { allTasks, type RunView, type TaskStatus, type TaskView } from "../run-status.ts";
import { formatClock, formatDuration } from "./duration.ts";
import { describeError, describeWait, hasFailed, taskLabel, turnLabel } from "./run-tree.ts";

/**
 * What changed between two views of a run, a line each: what a log file or a pipe gets instead of the live tree.
 * `previous` is undefined for the first view.
 */
export class ChangeLines {
  readonly #tasks = new Map<number, { readonly status: TaskStatus; readonly attempts: number }>();
  readonly #waits = new Map<number, string>();
  #status: RunView["status"] | undefined;

  /** Takes a view as known: what follows tells only what changes from there. */
  skip(view: RunView): void {
    this.next(view);
  }

  /** Lines without line breaks, in the order of the tree. */
  next(view: RunView): readonly string[] {
    const lines: string[] = [];
    const say = (atMs: number, text: string): void => void lines.push(`${formatClock(atMs)}  ${text}`);
    if (this.#status === undefined) {
      say(view.startedAtMs, `${view.runId} started: ${view.workflow.namespace}/${view.workflow.name}:${view.workflow.version}`);
    }
    for (const task of allTasks(view.tasks)) this.#task(task, view, say);
    this.#newWaits(view, say);
    if (view.status !== this.#status && (this.#status !== undefined || view.status !== "running")) {
      const duration = formatDuration((view.endedAtMs ?? view.atMs) - view.startedAtMs);
      const error = view.error === undefined ? "" : `: ${describeError(view.error)}`;
      say(view.endedAtMs ?? view.atMs, `${view.runId} ${view.status} after ${duration}${error}`);
    }
    this.#status = view.status;
    return lines;
  }

  #task(task: TaskView, view: RunView, say: (atMs: number, text: string) => void): void {
    const before = this.#tasks.get(task.task);
    if (before?.status === task.status && before.attempts === task.attempts) return;
    this.#tasks.set(task.task, { status: task.status, attempts: task.attempts });
    const name = task.path === "" ? taskLabel(task) : `${task.path}${turnLabel(task)}`;
    if (task.endedAtMs !== undefined || task.status === "failed") {
      const endMs = task.endedAtMs ?? view.atMs;
      const error = task.error === undefined || !hasFailed(task) ? "" : `: ${describeError(task.error)}`;
      say(endMs, `${name} ${task.status}${task.status === "skipped" ? "" : ` after ${formatDuration(endMs - task.startedAtMs)}`}${error}`);
    } else if (before === undefined) say(task.startedAtMs, `${name} started`);
    else if (before.status !== task.status) say(view.atMs, `${name} ${task.status}`);
    else say(view.atMs, `${name} attempt ${task.attempts}`);
  }

  #newWaits(view: RunView, say: (atMs: number, text: string) => void): void {
    const now = new Map(
      view.waits
        .filter((wait) => wait.kind !== "attempt" && wait.kind !== "operator")
        .map((wait) => [wait.task, describeWait(wait, view.atMs)]),
    );
    for (const wait of view.waits) {
      const text = now.get(wait.task);
      if (text !== undefined && this.#waits.get(wait.task) !== text) say(wait.sinceMs, `${wait.path} ${text}`);
    }
    this.#waits.clear();
    for (const [task, text] of now) this.#waits.set(task, text);
  }
}
