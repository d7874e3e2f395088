import type { Flow } from "@tutti/definition";
import type { EffectClass, Json, JsonObject, TaskError } from "@tutti/model";
import type { ResumePoint, UnknownReason, WorkflowVersion } from "./record.ts";

/**
 * A run in memory: plain data, changed in place by `advance` and rebuilt from the records by `replay`. Nothing in it is a closure or a
 * class, so a snapshot is its serialisation. Values of the workflow (`Json`) are shared between tasks and never changed.
 */
export interface RunState {
  readonly runId: string;
  readonly tenant: string;
  readonly workflow: WorkflowVersion;
  readonly labels: Readonly<Record<string, string>>;
  readonly parent: { readonly runId: string; readonly task: number; readonly depth: number } | undefined;
  readonly flags: readonly number[];
  readonly startedAtMs: number;
  /** Number of records so far. */
  seq: number;
  /** Event time of the last record. */
  lastAtMs: number;
  endedAtMs: number | undefined;
  phase: RunPhase;
  isPaused: boolean;
  /** Since when the run's limits stand still: it is faulted, quarantined or suspended. */
  standsSinceMs: number | undefined;
  /** Somebody cancelled it: should it be quarantined before it has come to its end, it still ends as cancelled. */
  isCancelled: boolean;
  /** As given to the start; `$workflow.input`. */
  rawInput: Json;
  output: Json | undefined;
  error: TaskError | undefined;
  /** Latest output of each completed task that some expression reads by name; undefined while there is none. Replaced, never changed. */
  outputs: Readonly<Record<string, Json>> | undefined;
  /** Live activations by number. 0 is the run's own frame. Ended ones are gone: the records know them. */
  readonly tasks: Map<number, Task>;
  nextTask: number;
  /** Highest group handed out; rises only by an operator's decision. */
  groups: number;
  readonly timers: Map<number, Timer>;
  nextTimer: number;
  /** Binary heap of [due, timer], cleared timers are skipped when they come up. */
  readonly timerHeap: [number, number][];
  /** Positions of events this run has consumed, each at most once, and when: those that nobody can offer again are forgotten. */
  readonly consumed: Map<number, number>;
  /** Attempts whose task is gone (lost race, timeout, cancellation, kill) and whose outcome is still open. */
  readonly detached: Map<number, Detached>;
  /** The same by effect key, and how many of them are still ending or in doubt: kept by `detached.ts`. */
  readonly detachedByEffect: Map<string, number>;
  endings: number;
  doubts: number;
  /** What completed tasks left to be undone, in the order in which it was done; by group and key, so a repetition that adopts an effect counts once. */
  readonly undos: Map<string, Undo>;
  /** The group in which a task whose effect was undone makes its next one, by key. Empty as long as nothing was undone. */
  readonly undone: Record<string, number>;
  /** Tasks that are being backed out. */
  readonly unwinding: number[];
  /** Live activations per status, so that a summary costs nothing. */
  readonly counts: Record<TaskPhase, number>;
}

export type RunPhase = "active" | "faulted" | "cancelling" | "completed" | "cancelled" | "quarantined";

/**
 * `active`: holds inner tasks. `running`: an attempt is under way. `looking-up`: its effect is being looked up. `waiting`: for a timer.
 * `listening`: for events. `child`: for another run. `queued`: for a concurrency slot. `held`: may not be sent while the run is paused or at rest.
 */
export const TASK_PHASES = [
  "active",
  "running",
  "looking-up",
  "waiting",
  "listening",
  "child",
  "queued",
  "held",
  "in-doubt",
  "failed",
] as const;
export type TaskPhase = (typeof TASK_PHASES)[number];

/** One activation of a task. */
export interface Task {
  readonly id: number;
  /** Index of the program's node; -1 is the run's own frame. */
  readonly node: number;
  /** 0 is the run's own frame, whose own parent is -1. */
  readonly parent: number;
  /** Place in the parent's list or among its branches. */
  readonly position: number;
  readonly visit: number;
  /** Path with visits and iterations: what the token is derived from. */
  readonly key: string;
  group: number;
  phase: TaskPhase;
  readonly startedAtMs: number;
  /** Event time at which the present phase began. */
  phaseAtMs: number;
  rawInput: Json;
  input: Json;
  /** Values of the local variables in scope, in slot order. */
  readonly locals: readonly Json[];
  /** Number of the task that holds the context of this scope: 0 or a branch of a fork. */
  readonly contextOf: number;
  /** Set on the tasks that `contextOf` names. */
  context: Json | undefined;
  /** Nearest enclosing `try` that may run its block again; 0 when there is none. */
  readonly retryFrame: number;
  /** The call whose effect this task helps to look up: its token is theirs too; 0 when there is none. */
  readonly searchFor: number;
  /** Timer of the task's own timeout. */
  timeoutTimer: number | undefined;
  /** Key of the concurrency slot it holds or waits for. */
  slotKey: string | undefined;
  error: TaskError | undefined;
  /** What it gave when its own `output` or `export` then failed: a restart goes on from here and does nothing twice. */
  rawOutput: Json | undefined;
  /** Inner tasks of this activation, by what it is. */
  frame: Frame | undefined;
  /** Attempts of a call. */
  call: CallState | undefined;
  /** Retries of a `try`. */
  retries: RetryState | undefined;
  /** The child of a `run.workflow`. */
  childRunId: string | undefined;
  /** A wait's, a retry's or a repeated attempt's timer. */
  timer: number | undefined;
  /** How far it is with its extensions; undefined when it has none. */
  extension: ExtensionState | undefined;
  /** Set while what is inside is stopped and backed out. */
  unwinding: Unwinding | undefined;
  /** The activation that this one undoes: it has that one's node and key, and holds the tasks of its undo; 0 for all others. */
  readonly undoes: number;
}

/** What a completed task left to be undone. */
export interface Undo {
  /** The activation that completed. */
  readonly task: number;
  readonly node: number;
  readonly key: string;
  readonly group: number;
  readonly input: Json;
  readonly output: Json;
  /** As it was when the task completed. */
  readonly context: Json;
  readonly locals: readonly Json[];
}

/** A task whose inside ends with sagas in it: they are backed out, one after the other, before the task goes on. */
export interface Unwinding {
  /** `stopping`: what is in flight comes to a known end. */
  stage: "stopping" | "undoing";
  /** Scopes that are still to be backed out, the next one first. */
  readonly scopes: UnwoundScope[];
  readonly then: AfterUnwinding;
}

export interface UnwoundScope {
  readonly key: string;
  /** -1 is the whole run. */
  readonly node: number;
  /** Set when a person asked for it: what stays, by its key in `RunState.undos`. */
  readonly keep?: readonly string[];
}

/** How the unwound task goes on. */
export type AfterUnwinding =
  /** Nobody takes the error: the run faults at this task. */
  | { readonly kind: "fault"; readonly error: TaskError }
  | { readonly kind: "retry"; readonly error: TaskError; readonly delayMs: number }
  | { readonly kind: "handle"; readonly error: TaskError }
  | {
      readonly kind: "complete";
      readonly output: Json;
      readonly flow: Flow | undefined;
      readonly asIs: boolean;
      readonly isSupplied: boolean;
    }
  /** Of the whole run: it ends as cancelled. */
  | { readonly kind: "cancel" }
  /** Of the whole run: it is suspended at the task that a person named. */
  | { readonly kind: "from"; readonly point: ResumePoint };

/** What is begun around a task by its extensions. */
export interface ExtensionState {
  /** `before` and `after`: lists of extensions run, the task itself does not. */
  stage: "before" | "task" | "after";
  /** The extension whose turn it is, by its place at the node. */
  at: number;
  /** Those whose `when` held, in order of declaration; from the last on, each leaves when its `after` is done. */
  readonly applied: number[];
  /** What the task gave and where control goes then, while the `after` lists run. */
  result: { readonly output: Json; readonly flow: Flow } | undefined;
}

/** What a composite task is at. Each frame holds one list of tasks, or branches. */
export type Frame =
  | { readonly kind: "list"; readonly role: ListRole; position: number; readonly visits: Record<number, number>; child: number }
  | {
      readonly kind: "loop";
      readonly items: readonly Json[];
      index: number;
      position: number;
      readonly visits: Record<number, number>;
      child: number;
      /** Input of the next iteration when its `while` could not be evaluated: a restart asks again. */
      pending: Json | undefined;
    }
  | ForkFrame
  | ListenFrame
  | UndoFrame;
export interface ForkFrame {
  readonly kind: "fork";
  readonly branches: (Branch | undefined)[];
  /** Branches that are not done. */
  open: number;
  /** The context that every branch began with. */
  readonly context: Json;
}
/** `before` and `after` are lists of the extension that `Task.extension.at` says. */
export type ListRole = "body" | "catch" | "find" | "before" | "after" | "undo";

/** A scope that is being backed out. */
export interface UndoFrame {
  readonly kind: "undo";
  /** Keys of `RunState.undos` that are still to be undone, in the order of completion. */
  readonly pending: string[];
  /** Activations that undo something now. */
  readonly open: number[];
  /** Undos that failed while the others go on. */
  readonly failed: { readonly undo: string; readonly path: string; readonly error: TaskError }[];
}

export interface Branch {
  readonly task: number;
  readonly isDone: boolean;
  readonly output: Json;
  readonly context: Json;
}

export interface ListenFrame {
  readonly kind: "listen";
  /** Values consumed so far, as read. */
  readonly values: Json[];
  /** For `all`: which filters have had their event; for `until` strategies those follow. */
  readonly matched: boolean[];
  correlations: JsonObject;
  /** With `foreach`: the outputs of the iterations so far, and the one under way. */
  readonly outputs: Json[];
  index: number;
  position: number;
  visits: Record<number, number>;
  child: number;
  /** All events are in; what is left is to finish the iterations. */
  isOver: boolean;
  /** Output of an iteration whose own `output` or `export` failed: a restart evaluates it again. */
  pending: Json | undefined;
}

export interface CallState {
  token: string;
  effect: EffectClass;
  /** Attempts intended so far, over all passes of an enclosing `try`. */
  attempt: number;
  /** Event time after which the last attempt was certainly not sent any more: that of its end, or, while it is under way, that of its intent. */
  sentByMs: number;
  /** Failed look-ups in a row. */
  lookUps: number;
  lookUpAtMs: number;
  /** Unknown outcomes in a row of an effect that may be repeated. */
  unknowns: number;
  /** Why the running attempt was asked to stop. */
  aborting: AbortReason | undefined;
  /** A later attempt must look the effect up first. */
  mustLookUp: boolean;
  /** An attempt was sent and nobody knows yet whether its effect happened. */
  isOpen: boolean;
}
/** `stopped`: what is around it is backed out. */
export type AbortReason = "timeout" | "replaced" | "held" | "stopped";

export interface RetryState {
  /** Retries so far. */
  count: number;
  firstErrorAtMs: number;
  /** Limits one pass of the block. */
  passTimer: number | undefined;
  /** What calls inside have done in earlier passes, by key: a repeated block adopts what its first pass made. */
  readonly ledger: Record<string, LedgerEntry>;
  /** Runs that an earlier pass started and that still run: the next pass adopts them; those it does not come to are cancelled at the end. */
  readonly children: string[];
}

export interface LedgerEntry {
  /** Raised when a person settled the call as not done: what was made after that is what a repetition adopts. */
  readonly group: number;
  readonly attempts: number;
  readonly sentByMs: number;
  readonly effect: EffectClass;
  /** Output of a completed `unsafe` call: it is not done twice. */
  readonly output: Json | undefined;
  /** Whether the output is still to be transformed by `output.as`. */
  readonly isRaw: boolean;
  /** Nobody knows whether its effect happened: an `unsafe` one is not sent again but settled by a person. */
  readonly isUnknown: boolean;
}

export interface Timer {
  readonly id: number;
  readonly dueAtMs: number;
  /** Event time at which it was set; timers of older engines do not know it. */
  readonly setAtMs: number | undefined;
  /** Activation it belongs to; 0 is the run. */
  readonly task: number;
  readonly purpose: TimerPurpose;
}
export type TimerPurpose = "run-timeout" | "task-timeout" | "wait" | "retry" | "attempt-again" | "look-up-again" | "pass-timeout";

/** An attempt that outlived its task. */
export interface Detached {
  readonly task: number;
  readonly path: string;
  readonly token: string;
  /** What tells its effect from others: the token, and the path for tasks that look an effect up, which share the token of that effect. */
  readonly effectKey: string;
  readonly function: string;
  readonly effect: EffectClass;
  readonly attempt: number;
  readonly sinceMs: number;
  status: "ending" | "in-doubt" | "done" | "not-done";
  reason: UnknownReason | undefined;
  /** As on the task: what a repeated block finds it by. */
  readonly key: string;
  readonly group: number;
  /** The enclosing blocks that may be repeated, from the inside out: the first that is still there remembers how it ended. */
  readonly retryFrames: readonly number[];
  readonly sentByMs: number;
  /** A later activation of the same effect that waits for this attempt's end: two attempts of one token never run at the same time. */
  successor: number;
  /** What a person said it gave, when it was settled as done. */
  settledOutput: Json | undefined;
  /** How its effect would be undone, but for the output that nobody knows yet; undefined when it has no undo. */
  readonly undo: Omit<Undo, "output"> | undefined;
}

/** The number of the frame that belongs to the run itself. */
export const RUN_FRAME = 0;

/** Moves `task` into `phase`, keeping the counts. */
export function setPhase(state: RunState, task: Task, phase: TaskPhase): void {
  state.counts[task.phase]--;
  state.counts[phase]++;
  task.phase = phase;
  task.phaseAtMs = state.lastAtMs;
}

/** What makes one activation another than the next; the rest is as it is for a task of which nothing has happened yet. */
type NewTask = Pick<
  Task,
  "id" | "node" | "parent" | "position" | "visit" | "key" | "group" | "rawInput" | "locals" | "contextOf" | "retryFrame" | "searchFor"
> &
  Partial<Pick<Task, "input" | "context" | "retries" | "extension" | "undoes">>;

/** A task that is about to begin at event time `nowMs`. Every activation is made here, so that all have one shape. */
export function newTask(nowMs: number, given: NewTask): Task {
  return {
    id: given.id,
    node: given.node,
    parent: given.parent,
    position: given.position,
    visit: given.visit,
    key: given.key,
    group: given.group,
    phase: "active",
    startedAtMs: nowMs,
    phaseAtMs: nowMs,
    rawInput: given.rawInput,
    input: given.input === undefined ? given.rawInput : given.input,
    locals: given.locals,
    contextOf: given.contextOf,
    context: given.context,
    retryFrame: given.retryFrame,
    searchFor: given.searchFor,
    timeoutTimer: undefined,
    slotKey: undefined,
    error: undefined,
    rawOutput: undefined,
    frame: undefined,
    call: undefined,
    retries: given.retries,
    childRunId: undefined,
    timer: undefined,
    extension: given.extension,
    unwinding: undefined,
    undoes: given.undoes ?? 0,
  };
}

export function addTask(state: RunState, task: Task): void {
  state.tasks.set(task.id, task);
  state.counts[task.phase]++;
}

export function removeTask(state: RunState, task: Task): void {
  if (state.tasks.delete(task.id)) state.counts[task.phase]--;
}

/** Numbers of the live inner tasks of `task`. */
export function liveChildren(task: Task): readonly number[] {
  const { frame } = task;
  if (frame === undefined) return [];
  if (frame.kind === "fork") return frame.branches.flatMap((branch) => (branch !== undefined && !branch.isDone ? [branch.task] : []));
  if (frame.kind === "undo") return frame.open;
  return frame.child === 0 ? [] : [frame.child];
}

/** No live inner task: numbers start at 1. */
export const NO_CHILD = 0;
