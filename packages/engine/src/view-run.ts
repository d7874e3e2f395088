import type { EffectClass, Json, TaskError } from "@tutti/model";
import type { EngineContext } from "./context.ts";
import { extensionAt } from "./extension.ts";
import type { Machine } from "./machine.ts";
import type { Observer } from "./observer.ts";
import type { ResumePoint, RunRecord } from "./record.ts";
import { replay } from "./replay.ts";
import { ResumePointObserver } from "./resume-point.ts";
import { RUN_FRAME, type RunState, type Task, type TaskPhase } from "./state.ts";
import { summarize } from "./summary.ts";
import { openInside } from "./detached.ts";
import { tokenOf } from "./token-of.ts";
import type { DoubtView, RunView, TaskStatus, TaskView, WaitView } from "./view.ts";

/** Finished inner tasks that a view keeps per task: the first and the latest of a long loop tell what happens in it. */
export const VIEW_CHILDREN_MAX = 200;

/** Folds a run's records into what people see of it. */
export function viewRun(records: readonly RunRecord[], context: EngineContext): RunView {
  const started = records[0];
  const observer = new ViewObserver();
  const state = replay(records, context, undefined, observer);
  const summary = summarize(state);
  return {
    runId: state.runId,
    workflow: state.workflow,
    status: summary.status,
    startedAtMs: state.startedAtMs,
    endedAtMs: state.endedAtMs,
    atMs: state.lastAtMs,
    seq: records.length,
    input: started?.type === "run-started" ? started.input : null,
    context: state.tasks.get(RUN_FRAME)?.context ?? null,
    output: summary.output,
    error: summary.error,
    labels: state.labels,
    parent: state.parent,
    tasks: observer.childrenOf(RUN_FRAME, state).map((entry) => observer.view(entry, state)),
    waits: waitsOf(state, context),
    doubts: [...state.detached.values()].filter((detached) => detached.status !== "ending").map(doubtView),
  };
}

/** The frames around the last entry of the task at `path`, for `resume --from`. */
export function captureResumePoint(records: readonly RunRecord[], path: string, context: EngineContext): ResumePoint {
  const observer = new ResumePointObserver(path);
  replay(records, context, undefined, observer);
  return observer.point();
}

/** What is remembered of an activation while records are folded. */
interface Entry {
  readonly id: number;
  readonly parent: number;
  readonly name: string;
  readonly path: string;
  readonly kind: string;
  readonly startedAtMs: number;
  readonly visit: number;
  readonly iteration: number | undefined;
  readonly extension: TaskView["extension"];
  readonly children: Entry[];
  omitted: number;
  status: TaskStatus | undefined;
  endedAtMs: number | undefined;
  attempts: number;
  token: string | undefined;
  effect: EffectClass | undefined;
  output: Json | undefined;
  error: TaskError | undefined;
  childRunId: string | undefined;
  /** Its error is on its way to whoever catches it. */
  isCaught: boolean;
  isSkipped: boolean;
}

class ViewObserver implements Observer {
  readonly #entries = new Map<number, Entry>();
  readonly #top: Entry[] = [];

  entered(machine: Machine, task: Task): void {
    const node = machine.node(task);
    const parent = machine.task(task.parent);
    const frame = parent?.frame;
    const entry: Entry = {
      id: task.id,
      parent: task.parent,
      name: node.name,
      path: node.path,
      kind: node.kind === "call" ? node.function : node.kind,
      startedAtMs: task.startedAtMs,
      visit: task.visit,
      iteration: frame?.kind === "loop" || frame?.kind === "listen" ? frame.index : undefined,
      extension: parent === undefined ? undefined : extensionView(machine, parent),
      children: [],
      omitted: 0,
      status: undefined,
      endedAtMs: undefined,
      attempts: 0,
      token: undefined,
      effect: undefined,
      output: undefined,
      error: undefined,
      childRunId: undefined,
      isCaught: false,
      isSkipped: false,
    };
    this.#entries.set(task.id, entry);
    const outer = this.#entries.get(task.parent);
    (outer?.children ?? this.#top).push(entry);
    if (outer !== undefined) this.#forgetSome(outer);
  }

  moved(machine: Machine, task: Task): void {
    const entry = this.#entries.get(task.id);
    if (entry === undefined || task.undoes !== 0) return;
    note(entry, machine.state, task);
    entry.isCaught = false;
  }

  /** The tasks of an undo are shown under the task that they undo. */
  undoing(_machine: Machine, holder: Task): void {
    const undone = this.#entries.get(holder.undoes);
    if (undone !== undefined) this.#entries.set(holder.id, undone);
  }

  failed(_machine: Machine, task: Task, error: TaskError): void {
    const entry = this.#entries.get(task.id);
    if (entry === undefined) return;
    entry.isCaught = true;
    entry.error = error;
  }

  skipped(_machine: Machine, task: Task): void {
    const entry = this.#entries.get(task.id);
    if (entry !== undefined) entry.isSkipped = true;
  }

  left(machine: Machine, task: Task, how: "completed" | "skipped" | "cancelled", output: Json | undefined): void {
    const entry = this.#entries.get(task.id);
    if (entry === undefined) return;
    if (task.undoes !== 0) {
      this.#entries.delete(task.id);
      if (how === "completed") entry.status = "compensated";
      return;
    }
    note(entry, machine.state, task);
    entry.status = endOf(entry, how);
    entry.endedAtMs = machine.now;
    entry.output = output;
  }

  childrenOf(id: number, _state: RunState): readonly Entry[] {
    return id === RUN_FRAME ? this.#top : (this.#entries.get(id)?.children ?? []);
  }

  view(entry: Entry, state: RunState): TaskView {
    const live = state.tasks.get(entry.id);
    if (live !== undefined) note(entry, state, live);
    return {
      task: entry.id,
      name: entry.name,
      path: entry.path,
      kind: entry.kind,
      status: live === undefined ? (entry.status ?? "completed") : taskStatusOf(live.phase),
      startedAtMs: entry.startedAtMs,
      endedAtMs: live === undefined ? entry.endedAtMs : undefined,
      attempts: entry.attempts,
      token: entry.token,
      effect: entry.effect,
      iteration: entry.iteration,
      extension: entry.extension,
      visit: entry.visit,
      output: entry.output,
      error: live?.error ?? entry.error,
      childRunId: entry.childRunId,
      children: entry.children.map((child) => this.view(child, state)),
      childrenOmitted: entry.omitted,
    };
  }

  /** A loop of a hundred thousand iterations is shown by its first and its latest ones. */
  #forgetSome(outer: Entry): void {
    if (outer.children.length <= VIEW_CHILDREN_MAX) return;
    const middle = outer.children.findIndex((child, index) => index >= VIEW_CHILDREN_MAX / 2 && child.status !== undefined);
    if (middle < 0) return;
    const [forgotten] = outer.children.splice(middle, 1);
    outer.omitted++;
    if (forgotten !== undefined) this.#forget(forgotten);
  }

  #forget(entry: Entry): void {
    this.#entries.delete(entry.id);
    for (const child of entry.children) this.#forget(child);
  }
}

function extensionView(machine: Machine, parent: Task): TaskView["extension"] {
  const extension = extensionAt(machine, parent);
  return extension === undefined ? undefined : { name: extension.name, stage: parent.extension?.stage === "after" ? "after" : "before" };
}

/** A task whose error was caught ends with the block around it, but what people look for is that it failed. */
function endOf(entry: Entry, how: "completed" | "skipped" | "cancelled"): TaskStatus {
  if (how === "cancelled") return entry.isCaught ? "failed" : "cancelled";
  return entry.isSkipped ? "skipped" : how;
}

function note(entry: Entry, state: RunState, task: Task): void {
  if (task.call !== undefined) {
    entry.attempts = task.call.attempt;
    entry.effect = task.call.effect;
    entry.token = tokenOf(state, task);
  }
  entry.childRunId = task.childRunId;
  if (task.error !== undefined) entry.error = task.error;
}

export function taskStatusOf(phase: TaskPhase): TaskStatus {
  switch (phase) {
    case "active":
    case "running":
    case "looking-up":
      return "running";
    case "waiting":
    case "listening":
    case "child":
    case "queued":
      return "waiting";
    case "held":
    case "in-doubt":
    case "failed":
      return phase;
  }
}

export function waitsOf(state: RunState, context: EngineContext): readonly WaitView[] {
  if (state.phase === "completed" || state.phase === "cancelled") return [];
  const waits: WaitView[] = [];
  for (const task of state.tasks.values()) {
    const wait = waitOf(state, context, task);
    if (wait !== undefined) waits.push(wait);
  }
  waits.push(...doubtsOfBackOuts(state));
  if (waits.length === 0 && state.isPaused) {
    const sinceMs = state.standsSinceMs ?? state.lastAtMs;
    waits.push({ task: RUN_FRAME, path: "/", kind: "operator", reason: "is suspended: resume", sinceMs, untilMs: undefined });
  }
  return waits;
}

/** What was left behind in a scope holds its back-out as long as nobody knows what it did. */
function doubtsOfBackOuts(state: RunState): readonly WaitView[] {
  const scopes = state.unwinding
    .flatMap((id) => state.tasks.get(id)?.unwinding ?? [])
    .flatMap(({ stage, scopes: all }) => (stage === "stopping" ? all : []));
  const open = new Set(scopes.flatMap((scope) => openInside(state, scope)));
  return [...open].map(({ task, path, sinceMs, status }) => ({
    task,
    path,
    kind: status === "in-doubt" ? "settle" : "attempt",
    reason:
      status === "in-doubt"
        ? "is in doubt: nobody knows whether its effect happened, and the back-out waits for that; a person settles it"
        : "was asked to stop; the back-out waits for its end",
    sinceMs,
    untilMs: undefined,
  }));
}

function waitOf(state: RunState, context: EngineContext, task: Task): WaitView | undefined {
  const node = context.program.nodes[task.node];
  const path = node?.path ?? "/";
  const base = { task: task.id, path, sinceMs: task.phaseAtMs, untilMs: undefined };
  const until = (timer: number | undefined): number | undefined => state.timers.get(timer ?? 0)?.dueAtMs;
  const time = (ms: number | undefined): string => (ms === undefined ? "" : ` until ${new Date(ms).toISOString()}`);
  switch (task.phase) {
    case "running":
      return {
        ...base,
        kind: "attempt",
        reason: `attempt ${task.call?.attempt ?? 1} of ${node?.kind === "call" ? node.function : "a call"} is in flight`,
        untilMs: until(task.timeoutTimer),
      };
    case "looking-up":
      return { ...base, kind: "look-up", reason: `looks up what attempt ${task.call?.attempt ?? 1} did` };
    case "waiting": {
      const due = until(task.timer);
      if (node?.kind === "try")
        return {
          ...base,
          kind: "retry",
          reason: `waits${time(due)} for retry ${task.retries?.count ?? 1}: ${task.error?.title ?? ""}`,
          untilMs: due,
        };
      if (node?.kind === "call")
        return {
          ...base,
          kind: "retry",
          reason: `waits${time(due)}, then ${task.call?.mustLookUp === true ? "looks again for" : "repeats"} the effect`,
          untilMs: due,
        };
      return { ...base, kind: "timer", reason: `waits${time(due)}`, untilMs: due };
    }
    case "listening":
      return { ...base, kind: "event", reason: `waits for events${typesOf(node)}`, untilMs: until(task.timeoutTimer) };
    case "child":
      return { ...base, kind: "child", reason: `waits for run ${task.childRunId ?? ""}` };
    case "queued":
      return { ...base, kind: "slot", reason: `waits for a slot of ${task.slotKey ?? ""}` };
    case "held":
      return {
        ...base,
        kind: "operator",
        reason: heldReason(state),
      };
    case "in-doubt":
      return {
        ...base,
        kind: "settle",
        reason: `is in doubt: nobody knows whether its effect happened${causeOf(task)}; a person settles it`,
      };
    case "failed":
      return { ...base, kind: "operator", reason: `failed: ${task.error?.title ?? ""}; resume, retry or skip` };
    case "active":
      return undefined;
  }
}

function causeOf(task: Task): string {
  return task.error === undefined ? "" : ` (${task.error.title.replace(/\.$/, "")})`;
}

function heldReason(state: RunState): string {
  if (state.isPaused) return "is held while the run is suspended: resume";
  return state.phase === "active" ? "waits for an earlier attempt of the same effect to end" : "is held while the run is at rest: resume";
}

function typesOf(node: EngineContext["program"]["nodes"][number] | undefined): string {
  if (node?.kind !== "listen") return "";
  const types = node.to.filters.flatMap((filter) => (filter.type === undefined ? [] : [filter.type]));
  return types.length === 0 ? "" : ` of type ${types.join(", ")}`;
}

function doubtView(detached: RunState["detached"] extends Map<number, infer D> ? D : never): DoubtView {
  const { task, path, token, sinceMs, status } = detached;
  return {
    task,
    path,
    token,
    function: detached.function,
    sinceMs,
    settled: status === "done" || status === "not-done" ? status : undefined,
  };
}
