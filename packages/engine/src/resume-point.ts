import { AppError, assert, isJsonObject, type Json, type JsonObject, type TaskError } from "@tutti/model";
import type { Machine } from "./machine.ts";
import type { Observer } from "./observer.ts";
import type { ResumePoint } from "./record.ts";
import { beginTimeout } from "./run.ts";
import { addTask, type ExtensionState, type Frame, newTask, NO_CHILD, RUN_FRAME, type Task } from "./state.ts";
import { beginTaskTimeout, localsOf, requestSlot, retryFrameOf } from "./tasks.ts";

/** `resume --from`: what has to be known of an earlier moment, and going on from it. */

/** Remembers, while a run's records are folded, the frames around the last entry of the task at a path. */
export class ResumePointObserver implements Observer {
  readonly #path: string;
  #point: ResumePoint | undefined;
  #obstacle: string | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  entered(machine: Machine, task: Task): void {
    if (machine.node(task).path !== this.#path) return;
    const frames: JsonObject[] = [{ position: task.position, visit: task.visit, rawInput: task.rawInput }];
    this.#obstacle = undefined;
    for (let outer = machine.task(task.parent); outer !== undefined && outer.id !== RUN_FRAME; outer = machine.task(outer.parent)) {
      const inside = describeFrame(outer);
      if (inside === undefined) {
        this.#obstacle = machine.node(outer).path;
        return;
      }
      frames.unshift({
        node: outer.node,
        position: outer.position,
        visit: outer.visit,
        key: outer.key,
        rawInput: outer.rawInput,
        input: outer.input,
        // What stands before it has run; what applied then is what follows after it.
        ...(outer.extension !== undefined && { applied: [...outer.extension.applied] }),
        ...inside,
      });
    }
    this.#point = { path: this.#path, frames, context: machine.evaluator.contextOf(task) };
  }

  moved(): void {}
  left(): void {}

  /**
   * Throws `task-not-found` when the task was never entered, `operation-not-possible` when what stands around it cannot be rebuilt: a fork (its
   * other branches), the iteration over an event, a look-up, an extension.
   */
  point(): ResumePoint {
    if (this.#obstacle !== undefined)
      throw new AppError("operation-not-possible", `a run cannot be resumed from ${this.#path}: it stands inside ${this.#obstacle}`, {
        hint: `Resume from ${this.#obstacle} as a whole.`,
      });
    if (this.#point === undefined) throw new AppError("task-not-found", `the run never came to ${this.#path}`);
    return this.#point;
  }
}

/** What has to be known of the list that holds the task, beyond its place; undefined when that is too much. */
function describeFrame({ frame, error }: Task): JsonObject | undefined {
  if (frame?.kind === "loop") return { loop: { items: frame.items, index: frame.index } };
  if (frame?.kind !== "list") return undefined;
  // The error that is handled is what the tasks of a catch see.
  if (frame.role === "catch") return { caught: error as Json };
  return frame.role === "body" ? {} : undefined;
}

/** Rebuilds the frames under a new group, so that what runs from here on makes new effects, and enters the task. */
export function resumeFrom(machine: Machine, point: ResumePoint, setInput: Json | undefined): void {
  const { state } = machine;
  const run = machine.task(RUN_FRAME);
  assert(run !== undefined, "a run has its own frame");
  const group = ++state.groups;
  run.group = group;
  run.context = point.context;
  run.error = undefined;
  run.rawOutput = undefined;
  state.output = undefined;
  beginTimeout(machine);
  requestSlot(machine, run, machine.program.concurrency);
  let parent = run;
  let around: JsonObject = {};
  point.frames.forEach((frame, depth) => {
    const position = frame["position"] as number;
    const visit = frame["visit"] as number;
    const isLast = depth === point.frames.length - 1;
    const child = isLast ? NO_CHILD : state.nextTask;
    parent.frame = reopenedFrame(around, { position, visits: { [position]: isLast ? visit - 1 : visit }, child });
    if (isLast) {
      machine.later({ kind: "enter", parent: parent.id, position, input: setInput === undefined ? (frame["rawInput"] as Json) : setInput });
      return;
    }
    parent = reopen(machine, parent, frame, group);
    around = frame;
  });
}

/** The frame of the task that `around` describes. */
function reopenedFrame(around: JsonObject, place: { position: number; visits: Record<number, number>; child: number }): Frame {
  const { loop } = around;
  // The frames are data of our own making: `describeFrame` above wrote them.
  if (isJsonObject(loop))
    return { kind: "loop", items: loop["items"] as readonly Json[], index: loop["index"] as number, pending: undefined, ...place };
  return { kind: "list", role: around["caught"] === undefined ? "body" : "catch", ...place };
}

function reopen(machine: Machine, parent: Task, frame: JsonObject, group: number): Task {
  const id = machine.state.nextTask++;
  const index = frame["node"] as number;
  const node = machine.program.nodes[index];
  assert(node !== undefined, `the program has a node ${index}`);
  const task = newTask(machine.now, {
    id,
    node: index,
    parent: parent.id,
    position: frame["position"] as number,
    visit: frame["visit"] as number,
    key: frame["key"] as string,
    group,
    rawInput: frame["rawInput"] as Json,
    input: frame["input"] as Json,
    locals: localsOf(machine, parent),
    contextOf: RUN_FRAME,
    retryFrame: retryFrameOf(parent),
    searchFor: 0,
    retries:
      node.kind === "try" && node.catch.retry !== undefined
        ? { count: 0, firstErrorAtMs: machine.now, passTimer: undefined, ledger: {}, children: [] }
        : undefined,
    extension: reopenedExtension(frame["applied"]),
  });
  if (frame["caught"] !== undefined) task.error = frame["caught"] as TaskError;
  addTask(machine.state, task);
  machine.observer?.entered(machine, task);
  beginTaskTimeout(machine, task);
  requestSlot(machine, task, node.concurrency);
  return task;
}

function reopenedExtension(applied: Json | undefined): ExtensionState | undefined {
  // The frames are data of our own making: `entered` above wrote the places of extensions.
  return applied === undefined ? undefined : { stage: "task", at: 0, applied: [...(applied as number[])], result: undefined };
}
