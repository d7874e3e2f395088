import { AppError, type EffectClass } from "@tutti/model";
import type { EngineContext } from "./context.ts";
import type { Machine } from "./machine.ts";
import type { Observer } from "./observer.ts";
import type { BackOutPoint, RunRecord } from "./record.ts";
import { replay } from "./replay.ts";
import { RUN_FRAME, type RunState, type Task } from "./state.ts";
import { undoAround, undoId } from "./undos.ts";
import { captureResumePoint } from "./view-run.ts";

/** What a back-out of the run would do now, were it asked for. Plain data. */
export interface BackOutPlan {
  /** In the order in which they would be undone, one after the other. */
  readonly undo: readonly PlannedUndo[];
  /** Effects that nothing undoes: they stay. */
  readonly stays: readonly StayingEffect[];
  /** Calls that come to a known end first; what turns out to be done is undone as well, when it can be. */
  readonly inFlight: readonly StayingEffect[];
  /** The task at which the run would wait afterwards; undefined when all of it is undone. */
  readonly to: string | undefined;
}

export interface PlannedUndo {
  readonly task: number;
  readonly path: string;
  /** What the undo calls, in the order of its text: names of functions, or kinds of tasks that call none. */
  readonly by: readonly string[];
}

export interface StayingEffect {
  readonly task: number;
  readonly path: string;
  readonly function: string;
  readonly effect: EffectClass;
}

/**
 * Where a back-out to the task at `path` ends: what the run did since it last came there is undone, and it stands there again.
 *
 * @throws AppError `task-not-found` when the run never came there; `operation-not-possible` when what stands around the task cannot be rebuilt.
 */
export function captureBackOutPoint(records: readonly RunRecord[], path: string, context: EngineContext): BackOutPoint {
  const watch = new BackOutObserver(path);
  replay(records, context, undefined, watch);
  return { from: captureResumePoint(records, path, context), keep: watch.keep };
}

/** The plan of a back-out, of the whole run or to a task, as `captureBackOutPoint`. */
export function planBackOut(records: readonly RunRecord[], context: EngineContext, path?: string): BackOutPlan {
  const watch = new BackOutObserver(path);
  const state = replay(records, context, undefined, watch);
  if (path !== undefined) captureResumePoint(records, path, context);
  if (state.phase === "completed" || state.phase === "cancelled")
    throw new AppError("operation-not-possible", `the run is ${state.phase}, which is final`, { details: { phase: state.phase } });
  const keep = new Set(watch.keep);
  const doomed = [...state.undos].filter(([id]) => !keep.has(id));
  const undone = new Set(doomed.map(([, { task }]) => task));
  return {
    undo: doomed
      .toReversed()
      .map(([, { task, node }]) => ({ task, path: context.program.nodes[node]?.path ?? "", by: callsOf(context, node) })),
    stays: watch.acts.filter(({ task }) => !undone.has(task) && !watch.undone.has(task)),
    inFlight: inFlight(state, context),
    to: path,
  };
}

function callsOf({ program }: EngineContext, node: number): readonly string[] {
  const list = program.nodes[node]?.compensation?.list ?? [];
  return list.flatMap((index) => {
    const step = program.nodes[index];
    return step === undefined ? [] : [step.kind === "call" ? step.function : step.kind];
  });
}

function inFlight(state: RunState, context: EngineContext): readonly StayingEffect[] {
  return [...state.tasks.values()].flatMap((task) => {
    const node = context.program.nodes[task.node];
    if (task.id === RUN_FRAME || node?.kind !== "call" || task.call?.isOpen !== true || task.call.effect === "read") return [];
    return [{ task: task.id, path: node.path, function: node.function, effect: task.call.effect }];
  });
}

/** Notes which effects a run had, and which of its undos were there when it last came to a task. */
class BackOutObserver implements Observer {
  readonly #path: string | undefined;
  keep: readonly string[] = [];
  acts: StayingEffect[] = [];
  readonly undone = new Set<number>();

  constructor(path: string | undefined) {
    this.#path = path;
  }

  entered(machine: Machine, task: Task): void {
    if (this.#path === undefined || machine.node(task).path !== this.#path) return;
    this.keep = [...machine.state.undos.keys()].filter((id) => id !== undoId(task));
    this.acts = [];
  }

  moved(): void {}

  left(machine: Machine, task: Task, how: "completed" | "skipped" | "cancelled"): void {
    if (task.undoes !== 0 && how === "completed") this.undone.add(task.undoes);
    const { call } = task;
    if (how !== "completed" || call === undefined || call.effect === "read" || call.attempt === 0) return;
    const node = machine.node(task);
    if (node.kind !== "call" || undoAround(machine, task) !== undefined) return;
    this.acts.push({ task: task.id, path: node.path, function: node.function, effect: call.effect });
  }
}
