import { isAtRest, type RunView, type TaskStatus, type TaskView, type WaitView } from "../run-status.ts";
import { formatDuration, formatElapsed, formatNear, localizeMoments } from "./duration.ts";
import { paintRun, paintTask, type Style, TASK_SIGNS } from "./style.ts";
import { groupDigits, oneLine, padEnd, padStart, plural, textWidth, truncate } from "./text.ts";

export interface TreeOptions {
  readonly style: Style;
  readonly columns: number;
  readonly nowMs: number;
  /** Lines at most; finished branches are folded first, then the oldest lines are left out. Undefined shows everything. */
  readonly linesMax: number | undefined;
}

const INDENT = "  ";
/** The name column takes no more than this share of the width, so that there is room to say why something waits. */
const NAME_SHARE = 0.55;
/** Less of a note than this says nothing. */
const NOTE_COLUMNS_MIN = 8;

interface Line {
  readonly indent: string;
  readonly sign: string;
  readonly label: string;
  /** Undefined for lines that stand for several tasks. */
  readonly status: TaskStatus | undefined;
  readonly duration: string;
  readonly note: string;
}

/** The first line of every view of a run: which run, of what, how it stands, since when. */
export function renderRunHead(view: RunView, options: Pick<TreeOptions, "style" | "nowMs" | "columns">): string {
  const { style } = options;
  const duration = formatDuration((view.endedAtMs ?? nowOf(view, options.nowMs)) - view.startedAtMs);
  const workflow = `${view.workflow.namespace}/${view.workflow.name}:${view.workflow.version}`;
  const room = options.columns - textWidth(view.runId) - textWidth(view.status) - textWidth(duration) - 6;
  return `${style.bold(view.runId)}  ${truncate(oneLine(workflow), Math.max(8, room))}  ${paintRun(style, view.status)(view.status)}  ${style.dim(duration)}`;
}

/** The tree of tasks, one line each: sign, name, duration, and what there is to say. */
export function renderTree(view: RunView, options: TreeOptions): readonly string[] {
  const waits = new Map(view.waits.map((wait) => [wait.task, wait]));
  const nowMs = nowOf(view, options.nowMs);
  const everything = collect(view.tasks, { waits, nowMs, isFolded: () => false });
  if (options.linesMax === undefined || everything.length <= options.linesMax) return layOut(everything, options);
  const folded = collect(view.tasks, { waits, nowMs, isFolded: isFinished });
  if (folded.length <= options.linesMax) return layOut(folded, options);
  // The newest lines are the interesting ones: tasks are listed in the order in which they were entered.
  const kept = folded.slice(folded.length - options.linesMax + 1);
  return [options.style.dim(`… ${groupDigits(folded.length - kept.length)} lines above`), ...layOut(kept, options)];
}

/** For a run at rest time stands still: nothing of it goes on. */
function nowOf(view: RunView, nowMs: number): number {
  return isAtRest(view.status) ? view.atMs : Math.max(nowMs, view.atMs);
}

interface Collecting {
  readonly waits: ReadonlyMap<number, WaitView>;
  readonly nowMs: number;
  readonly isFolded: (task: TaskView) => boolean;
}

function collect(tasks: readonly TaskView[], given: Collecting, depth = 0): readonly Line[] {
  const lines: Line[] = [];
  for (const task of tasks) {
    const fold = task.children.length > 0 && given.isFolded(task);
    lines.push(taskLine(task, depth, given, fold));
    if (fold) continue;
    for (const line of collect(task.children, given, depth + 1)) lines.push(line);
    if (task.childrenOmitted > 0) lines.push(omittedLine(task.childrenOmitted, depth + 1));
  }
  return lines;
}

function taskLine(task: TaskView, depth: number, given: Collecting, isFolded: boolean): Line {
  const wait = given.waits.get(task.task);
  const endMs = task.endedAtMs ?? given.nowMs;
  const hasBegun = task.status !== "skipped";
  return {
    indent: INDENT.repeat(depth),
    sign: TASK_SIGNS[task.status],
    label: taskLabel(task),
    status: task.status,
    duration: hasBegun
      ? task.endedAtMs === undefined
        ? formatElapsed(endMs - task.startedAtMs)
        : formatDuration(endMs - task.startedAtMs)
      : "",
    note: [...taskNotes(task, wait, given.nowMs), ...(isFolded ? [plural(countTasks(task), "task")] : [])].join("; "),
  };
}

/** The name, with the iteration of a loop, the visit of a jump back, and what an extension has put around the task above. */
export function taskLabel(task: TaskView): string {
  const extension = task.extension === undefined ? "" : `${task.extension.stage} (${oneLine(task.extension.name)}): `;
  return `${extension}${oneLine(task.name)}${turnLabel(task)}`;
}

/** Which iteration and visit of a task it is, when that has to be said. */
export function turnLabel(task: TaskView): string {
  const iteration = task.iteration === undefined ? "" : ` [${task.iteration}]`;
  return `${iteration}${task.visit > 1 ? ` (visit ${task.visit})` : ""}`;
}

/** What is worth saying about a task, most important first. */
export function taskNotes(task: TaskView, wait: WaitView | undefined, nowMs: number): readonly string[] {
  const notes: string[] = [];
  if (task.error !== undefined && hasFailed(task)) notes.push(describeError(task.error));
  if (task.status === "in-doubt") notes.push("in doubt: settle it");
  else if (wait !== undefined && wait.kind !== "attempt" && (wait.kind !== "operator" || task.error === undefined))
    notes.push(describeWait(wait, nowMs));
  if (task.attempts > 1) notes.push(task.endedAtMs === undefined ? `attempt ${task.attempts}` : `${task.attempts} attempts`);
  if (task.childRunId !== undefined) notes.push(task.childRunId);
  return notes;
}

/** What the engine says a task waits for, with the end of the waiting when that is not in it. */
export function describeWait(wait: WaitView, nowMs: number): string {
  const until = wait.untilMs === undefined || / until /.test(wait.reason) ? "" : ` until ${formatNear(wait.untilMs, nowMs)}`;
  return `${oneLine(localizeMoments(wait.reason, nowMs))}${until}`;
}

/** An error in one line: its title or detail, and what kind it is. */
export function describeError(error: NonNullable<TaskView["error"]>): string {
  const kind = error.type.slice(error.type.lastIndexOf("/") + 1);
  const detail = typeof error["detail"] === "string" ? error["detail"] : lastComplaint(error["detail"]);
  return oneLine(`${kind} ${error.status}: ${detail === undefined ? error.title : `${error.title.replace(/\.$/, "")}: ${detail}`}`);
}

/** Of what a process complained about the end: there stands why it failed. */
const COMPLAINT_CHARACTERS_MAX = 300;

function lastComplaint(detail: unknown): string | undefined {
  // Where there is no exit code the title says itself why the process ended.
  const stderr = typeof detail === "object" && detail !== null && "code" in detail && "stderr" in detail ? detail.stderr : undefined;
  const line = typeof stderr === "string" ? stderr.trimEnd().split("\n").at(-1)?.trim() : undefined;
  return line === undefined || line === "" ? undefined : line.slice(-COMPLAINT_CHARACTERS_MAX);
}

/** A task that ended well may carry the error of an earlier attempt; that is history. */
export function hasFailed(task: TaskView): boolean {
  return task.status !== "completed" && task.status !== "skipped";
}

function omittedLine(count: number, depth: number): Line {
  return {
    indent: INDENT.repeat(depth),
    sign: "…",
    label: `${groupDigits(count)} more, finished`,
    status: undefined,
    duration: "",
    note: "",
  };
}

function isFinished(task: TaskView): boolean {
  return task.status === "completed" || task.status === "skipped" || task.status === "cancelled";
}

function countTasks(task: TaskView): number {
  return task.childrenOmitted + task.children.reduce((sum, child) => sum + 1 + countTasks(child), 0);
}

/** A run may have more lines than a call takes arguments. */
function widestOf(lines: readonly Line[], widthOf: (line: Line) => number): number {
  return lines.reduce((widest, line) => Math.max(widest, widthOf(line)), 0);
}

function layOut(lines: readonly Line[], options: TreeOptions): readonly string[] {
  const { style } = options;
  const leftOf = (line: Line): string => `${line.indent}${line.sign} ${line.label}`;
  const widest = widestOf(lines, (line) => textWidth(leftOf(line)));
  const nameColumns = Math.min(widest, Math.max(16, Math.floor(options.columns * NAME_SHARE)));
  const durationColumns = widestOf(lines, (line) => line.duration.length);
  return lines.map((line) => {
    const left = padEnd(truncate(leftOf(line), nameColumns), nameColumns);
    const paint = line.status === undefined ? style.dim : paintTask(style, line.status);
    const signEnd = line.indent.length + line.sign.length;
    const duration = padStart(line.duration, durationColumns);
    const room = options.columns - nameColumns - durationColumns - 4;
    const note = room < NOTE_COLUMNS_MIN ? "" : truncate(line.note, room);
    const isCalm = line.status === "completed" || line.status === "running";
    const end = note === "" ? "" : `  ${isCalm ? style.dim(note) : paint(note)}`;
    return `${line.indent}${paint(left.slice(line.indent.length, signEnd))}${left.slice(signEnd)}  ${style.dim(duration)}${end}`.trimEnd();
  });
}
