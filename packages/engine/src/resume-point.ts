import { AppError, assert, type Json, type JsonObject } from "@tutti/model";
import type { Machine } from "./machine.ts";
import type { Observer } from "./observer.ts";
import type { ResumePoint } from "./record.ts";
import { beginTimeout } from "./run.ts";
import { addTask, type ExtensionState, newTask, NO_CHILD, RUN_FRAME, type Task } from "./state.ts";
import { beginTaskTimeout, requestSlot } from "./tasks.ts";

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
      const { frame } = outer;
      const node = machine.node(outer);
      if (frame?.kind !== "list" || frame.role !== "body") {
        this.#obstacle = node.path;
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
      });
    }
    this.#point = { path: this.#path, frames, context: machine.evaluator.contextOf(task) };
  }

  moved(): void {}
  left(): void {}

  /** Throws `task-not-found` when the task was never entered, `operation-not-possible` when it stands inside a loop, fork or catch. */
  point(): ResumePoint {
    if (this.#obstacle !== undefined)
      throw new AppError("operation-not-possible", `a run cannot be resumed from ${this.#path}: it stands inside ${this.#obstacle}`, {
        hint: `Resume from ${this.#obstacle} as a whole.`,
      });
    if (this.#point === undefined) throw new AppError("task-not-found", `the run never came to ${this.#path}`);
    return this.#point;
  }
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
  point.frames.forEach((frame, depth) => {
    const position = frame["position"] as number;
    const visit = frame["visit"] as number;
    const isLast = depth === point.frames.length - 1;
    const child = isLast ? NO_CHILD : state.nextTask;
    parent.frame = { kind: "list", role: "body", position, visits: { [position]: isLast ? visit - 1 : visit }, child };
    if (isLast) {
      machine.later({ kind: "enter", parent: parent.id, position, input: setInput === undefined ? (frame["rawInput"] as Json) : setInput });
      return;
    }
    parent = reopen(machine, parent, frame, group);
  });
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
    // Only loops, catches and iterations bring locals, and none of them is on the way here.
    locals: [],
    contextOf: RUN_FRAME,
    retryFrame: parent.retries === undefined ? parent.retryFrame : parent.id,
    searchFor: 0,
    retries:
      node.kind === "try" && node.catch.retry !== undefined
        ? { count: 0, firstErrorAtMs: machine.now, passTimer: undefined, ledger: {}, children: [] }
        : undefined,
    extension: reopenedExtension(frame["applied"]),
  });
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
