import type { ForeachClause } from "@tutti/definition";
import { assert, type Json, unknownValue } from "@tutti/model";
import type { Machine } from "./machine.ts";
import { type ListenFrame, NO_CHILD, type Task } from "./state.ts";
import { check, failWith } from "./tasks.ts";

/** The iteration over the events that a `listen` takes, and over the messages that a subscription has brought. */

export function newIterations(given: Pick<ListenFrame, "values" | "matched" | "isOver">): ListenFrame {
  return {
    kind: "listen",
    ...given,
    correlations: {},
    outputs: [],
    index: -1,
    position: 0,
    visits: {},
    child: NO_CHILD,
    pending: undefined,
  };
}

/** Goes through what a call has given: all of it is there, and stored. */
export function iterateOver(machine: Machine, task: Task, values: readonly Json[]): void {
  const node = machine.node(task);
  assert(node.kind === "call" && node.foreach !== undefined, `task ${task.id} iterates`);
  const frame = newIterations({ values: [...values], matched: [], isOver: true });
  task.frame = frame;
  machine.setPhase(task, "active");
  nextIteration(machine, task, frame, node.foreach);
}

/** Goes on to the next event that waits, unless an iteration is under way; over when all are in and done. */
export function nextIteration(machine: Machine, task: Task, frame: ListenFrame, foreach: ForeachClause): void {
  if (frame.child !== NO_CHILD) return;
  if (frame.index + 1 < frame.values.length) {
    frame.index++;
    frame.visits = {};
    if (foreach.body === undefined || foreach.body.length === 0) {
      iterationDone(machine, task, frame.values[frame.index] as Json);
      return;
    }
    machine.later({ kind: "enter", parent: task.id, position: 0, input: frame.values[frame.index] as Json });
  } else if (frame.isOver) finishIterations(machine, task, frame.outputs);
}

/** One event's or message's tasks are done: its output, its export, and whether that was the last. */
export function iterationDone(machine: Machine, task: Task, output: Json): void {
  const { frame } = task;
  const node = machine.node(task);
  const foreach = node.kind === "listen" || node.kind === "call" ? node.foreach : undefined;
  assert(frame?.kind === "listen" && foreach !== undefined, `task ${task.id} iterates`);
  const locals = [...task.locals, frame.values[frame.index] as Json, frame.index];
  frame.pending = output;
  try {
    const { evaluator } = machine;
    let result = output;
    if (foreach.output.as !== undefined) result = evaluator.template(foreach.output.as, output, task, { locals, rawOutput: output });
    check(foreach.output.schema, result, `the output of an iteration of ${node.name}`);
    if (foreach.export?.as !== undefined) {
      const context = evaluator.template(foreach.export.as, result, task, { locals, output: result, rawOutput: output });
      check(foreach.export.schema, context, `the context exported by ${node.name}`);
      const holder = machine.task(task.contextOf);
      assert(holder !== undefined, `the context of task ${task.id} is there`);
      holder.context = context;
    }
    const until = node.kind === "listen" && node.to.kind === "any" ? node.to.until : undefined;
    // Mostly all that came is done: then nothing is copied.
    const done = frame.index + 1 === frame.values.length ? frame.values : frame.values.slice(0, frame.index + 1);
    const isLast =
      !frame.isOver && until !== undefined && !("kind" in until) && machine.asks(task, { of: "until", expression: until, dot: done });
    frame.outputs.push(result);
    frame.pending = undefined;
    if (isLast) {
      frame.isOver = true;
      frame.values.length = frame.index + 1;
      machine.command({ type: "unsubscribe", task: task.id });
    }
  } catch (cause) {
    failWith(machine, task, cause);
    return;
  }
  nextIteration(machine, task, frame, foreach);
}

export function finishIterations(machine: Machine, task: Task, output: readonly Json[]): void {
  task.frame = undefined;
  // In a preview one stood for all.
  const isForeseen = machine.context.foresight !== undefined;
  machine.complete(task, isForeseen ? unknownValue(`the output of ${machine.node(task).path}`) : output);
}
