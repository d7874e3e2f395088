import {
  captureBackOutPoint,
  captureResumePoint,
  doubtOf,
  type EngineContext,
  isSameDoubt,
  type OperatorAction,
  replay,
  type RunRecord,
  type RunView,
  type TaskView,
  viewRun,
} from "@tutti/engine";
import { AppError, type Json } from "@tutti/model";
import type { OperateRequest } from "./runtime.ts";

/** Candidates named in a message; more would hide the answer. */
const CANDIDATES_SHOWN_MAX = 8;

type Action = OperateRequest["action"];

/**
 * Translates what a person says into the engine's action: tasks are named by path, the end of a path, or the number of an activation.
 *
 * @throws AppError `task-not-found` or `task-ambiguous`, naming the candidates.
 */
export function toOperatorAction(action: Action, records: readonly RunRecord[], context: EngineContext): OperatorAction {
  switch (action.kind) {
    case "pause":
    case "cancel":
    case "kill":
      return { kind: action.kind };
    case "resume":
      return toResume(action, records, context);
    case "retry":
      if (action.task === undefined) return { kind: "retry" };
      return { kind: "retry", task: findActivation(viewRun(records, context), action.task, RETRYABLE) };
    case "backout": {
      if (action.to === undefined) return { kind: "backout" };
      return { kind: "backout", to: captureBackOutPoint(records, findPath(action.to, context), context) };
    }
    case "skip": {
      const task = findActivation(viewRun(records, context), action.task, SKIPPABLE);
      return action.output === undefined ? { kind: "skip", task } : { kind: "skip", task, output: action.output };
    }
    case "settle":
      return toSettle(action, records, context);
  }
}

/**
 * A word may be carried out late: by another node, or after somebody else's word. So it names the attempt that it is about, and is refused when
 * that is settled by then, even when the task is in doubt again: what a person has found out about one attempt says nothing of the next.
 */
function toSettle(action: Extract<Action, { kind: "settle" }>, records: readonly RunRecord[], context: EngineContext): OperatorAction {
  const task = findInDoubt(viewRun(records, context), action.task);
  const doubt = doubtOf(replay(records, context), task);
  // It may come to be in doubt on the way to the node that owns the run; nobody has looked at that yet.
  if (doubt === undefined)
    throw new AppError("operation-not-possible", `settle is not possible: task ${task} is not in doubt`, { details: { task } });
  const { seen = records.length } = action;
  const before = seen >= records.length ? doubt : seen < 1 ? undefined : doubtOf(replay(records.slice(0, seen), context), task);
  if (before === undefined || !isSameDoubt(before, doubt))
    throw new AppError("operation-not-possible", `settle is not possible: task ${task} came to be in doubt after what you have seen`, {
      details: { task, seen },
      hint: "Look at the run again: an earlier doubt has been settled meanwhile. What is known of that one says nothing of this attempt.",
    });
  return { kind: "settle", task, verdict: action.verdict, doubt };
}

const RETRYABLE: ReadonlySet<TaskView["status"]> = new Set(["failed", "waiting", "held"]);
const SKIPPABLE: ReadonlySet<TaskView["status"]> = new Set(["failed", "waiting", "held", "in-doubt", "running"]);

function toResume(action: Extract<Action, { kind: "resume" }>, records: readonly RunRecord[], context: EngineContext): OperatorAction {
  let resume: OperatorAction & { kind: "resume" } = { kind: "resume" };
  if (action.from !== undefined) resume = { ...resume, from: captureResumePoint(records, findPath(action.from, context), context) };
  if (action.setInput !== undefined) resume = { ...resume, setInput: action.setInput };
  if (action.outputs !== undefined) {
    const outputs = Object.entries(action.outputs).map(([task, output]): [string, Json] => [findPath(task, context), output]);
    resume = { ...resume, outputs: Object.fromEntries(outputs) };
  }
  return resume;
}

/** Path of the task of the document that `text` names. */
export function findPath(text: string, context: EngineContext): string {
  const paths = [...new Set(context.program.nodes.map((node) => node.path))];
  const found = pick(paths, text, (path) => path);
  if (found.length === 1) return found[0] as string;
  if (found.length === 0) throw notFound(text, paths);
  throw ambiguous(text, found);
}

/** Number of the live activation that `text` names, preferring those that the operation can change. */
function findActivation(view: RunView, text: string, wanted: ReadonlySet<TaskView["status"]>): number {
  const all = flatten(view.tasks);
  const byNumber = numberIn(text);
  if (byNumber !== undefined) {
    const task = all.find((candidate) => candidate.task === byNumber);
    if (task !== undefined) return task.task;
  }
  const named = pick(all, text, (task) => task.path);
  if (named.length === 0) throw notFound(text, [...new Set(all.map((task) => task.path))]);
  const fitting = named.filter((task) => wanted.has(task.status));
  // The engine says what is wrong with a task that is not in a fitting state, so a single one is passed on as it is.
  const choice = fitting.length > 0 ? fitting : named.slice(-1);
  if (choice.length > 1) throw ambiguous(text, choice.map(describe));
  return (choice[0] as TaskView).task;
}

/** A task in doubt, or the doubt that a task which is gone has left. */
function findInDoubt(view: RunView, text: string): number {
  const byNumber = numberIn(text);
  const doubts = view.doubts.filter((doubt) => doubt.settled === undefined);
  if (byNumber !== undefined && doubts.some((doubt) => doubt.task === byNumber)) return byNumber;
  const live = flatten(view.tasks).filter((task) => task.status === "in-doubt");
  const liveNumbers = new Set(live.map((task) => task.task));
  const choice = [
    ...pick(live, text, (task) => task.path).map((task) => ({ task: task.task, label: describe(task) })),
    ...pick(
      doubts.filter((doubt) => !liveNumbers.has(doubt.task)),
      text,
      (doubt) => doubt.path,
    ).map((doubt) => ({ task: doubt.task, label: `${doubt.task} ${doubt.path} (in doubt)` })),
  ];
  if (choice.length > 1)
    throw ambiguous(
      text,
      choice.map((one) => one.label),
    );
  const only = choice[0];
  return only === undefined ? findActivation(view, text, new Set(["in-doubt"])) : only.task;
}

function numberIn(text: string): number | undefined {
  return /^#?\d{1,9}$/.test(text) ? Number(text.replace("#", "")) : undefined;
}

/** Those that `text` names: by the whole path, else by the end of a path at a slash. */
function pick<T>(items: readonly T[], text: string, pathOf: (item: T) => string): readonly T[] {
  const whole = items.filter((item) => pathOf(item) === text);
  if (whole.length > 0) return whole;
  const end = text.startsWith("/") ? text : `/${text}`;
  return items.filter((item) => pathOf(item).endsWith(end));
}

function flatten(tasks: readonly TaskView[]): readonly TaskView[] {
  return tasks.flatMap((task) => [task, ...flatten(task.children)]);
}

function describe(task: TaskView): string {
  const place = [
    ...(task.iteration === undefined ? [] : [`iteration ${task.iteration}`]),
    ...(task.visit > 1 ? [`visit ${task.visit}`] : []),
    task.status,
  ];
  return `${task.task} ${task.path} (${place.join(", ")})`;
}

function notFound(text: string, known: readonly string[]): AppError {
  return new AppError("task-not-found", `There is no task "${text}"; there are: ${listed(known)}.`, { details: { task: text } });
}

function ambiguous(text: string, candidates: readonly string[]): AppError {
  return new AppError("task-ambiguous", `"${text}" names ${candidates.length} tasks: ${listed(candidates)}.`, {
    details: { task: text, candidates: [...candidates] },
    hint: "Name the task by its whole path, or by the number in front.",
  });
}

function listed(items: readonly string[]): string {
  if (items.length === 0) return "none yet";
  const more = items.length - CANDIDATES_SHOWN_MAX;
  return items.slice(0, CANDIDATES_SHOWN_MAX).join(", ") + (more > 0 ? ` and ${more} more` : "");
}
