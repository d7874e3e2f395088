import { type EventFilter, type EventStrategy, type ListenNode } from "@tutti/definition";
import { assert, type CloudEvent, EVENT_RETENTION_MS, FAN_OUT_MAX, type Json, jsonEqual, ownProperty, taskError } from "@tutti/model";
import type { SubscriptionFilter } from "./command.ts";
import type { EngineContext } from "./context.ts";
import { Evaluator, TaskFailure } from "./evaluate.ts";
import type { Machine } from "./machine.ts";
import type { EventReceived } from "./record.ts";
import { type ListenFrame, NO_CHILD, type RunState, type Task } from "./state.ts";
import { check, failWith } from "./tasks.ts";

/** Listening: which events a task takes, when it is over, and the iteration over what it took. */

/** A filter that takes any event: what `any: []` stands for. */
const ANY_EVENT: EventFilter = { type: undefined, attributes: [], correlate: [] };

export function beginListen(machine: Machine, task: Task, node: ListenNode): void {
  task.frame = {
    kind: "listen",
    values: [],
    matched: allFilters(node.to).map(() => false),
    correlations: {},
    outputs: [],
    index: -1,
    position: 0,
    visits: {},
    child: NO_CHILD,
    isOver: false,
    pending: undefined,
  };
  machine.setPhase(task, "listening");
  machine.command({ type: "subscribe", task: task.id, filters: subscriptionsOf(node) });
}

export function subscriptionsOf(node: ListenNode): readonly SubscriptionFilter[] {
  return allFilters(node.to).map((filter, index) => ({ index, eventType: filter.type, correlated: filter.correlate.length > 0 }));
}

/** The strategy's own filters, then those of an `until` strategy. */
function allFilters(strategy: EventStrategy): readonly EventFilter[] {
  const own = strategy.kind === "any" && strategy.filters.length === 0 ? [ANY_EVENT] : strategy.filters;
  if (strategy.kind !== "any" || strategy.until === undefined || !("kind" in strategy.until)) return own;
  return [...own, ...allFilters(strategy.until)];
}

function ownFilterCount(strategy: EventStrategy): number {
  return strategy.kind === "any" && strategy.filters.length === 0 ? 1 : strategy.filters.length;
}

/** Whether a listening task takes this event by this filter. For candidates only: the runtime has compared type and age. */
export function wantsEvent(
  state: RunState,
  taskId: number,
  filterIndex: number,
  position: number,
  event: CloudEvent,
  context: EngineContext,
): boolean {
  const task = state.tasks.get(taskId);
  const node = context.program.nodes[task?.node ?? -1];
  if (task === undefined || task.phase === "failed" || node?.kind !== "listen" || task.frame?.kind !== "listen") return false;
  const { frame } = task;
  if (frame.isOver || state.consumed.has(position)) return false;
  const filter = allFilters(node.to)[filterIndex];
  if (filter === undefined || !isOpen(node.to, frame, filterIndex)) return false;
  return matches(new Evaluator(state, context), task, frame, filter, event);
}

/** A filter of `all` takes one event; those of `any` take all that come. */
function isOpen(strategy: EventStrategy, frame: ListenFrame, index: number): boolean {
  const own = ownFilterCount(strategy);
  if (index < own) return strategy.kind !== "all" || frame.matched[index] !== true;
  return (
    strategy.kind === "any" &&
    strategy.until !== undefined &&
    "kind" in strategy.until &&
    (strategy.until.kind !== "all" || frame.matched[index] !== true)
  );
}

function matches(evaluator: Evaluator, task: Task, frame: ListenFrame, filter: EventFilter, event: CloudEvent): boolean {
  try {
    for (const attribute of filter.attributes) {
      const value = ownProperty(event, attribute.name);
      if (attribute.kind === "holds") {
        if (evaluator.expression(attribute.expression, value ?? null, task) !== true) return false;
      } else if (attribute.kind === "matches") {
        if (typeof value !== "string" || !attribute.test(value)) return false;
      } else if (!jsonEqual(value ?? null, evaluator.template(attribute.value, task.input, task))) return false;
    }
    return filter.correlate.every(({ name, from, expect }) => {
      const found = evaluator.expression(from, event, task);
      if (found === null) return false;
      if (expect !== undefined) return jsonEqual(found, evaluator.template(expect, task.input, task));
      const first = ownProperty(frame.correlations, name);
      return first === undefined || jsonEqual(found, first);
    });
  } catch (cause) {
    // A filter that cannot be evaluated on some event does not want it; other events are none of its business.
    if (cause instanceof TaskFailure) return false;
    throw cause;
  }
}

/** Takes an event into a listening task. False when the task does not want it any more. */
export function receiveEvent(machine: Machine, fact: EventReceived): boolean {
  const task = machine.task(fact.task);
  if (task === undefined || task.phase === "failed" || task.frame?.kind !== "listen") return false;
  const node = machine.node(task);
  const { frame } = task;
  const { state } = machine;
  if (node.kind !== "listen" || frame.isOver || state.consumed.has(fact.position)) return false;
  const filters = allFilters(node.to);
  const index = filters.findIndex(
    (filter, at) => isOpen(node.to, frame, at) && matches(machine.evaluator, task, frame, filter, fact.event),
  );
  if (index < 0) return false;
  machine.record(fact);
  consume(state, fact.position);
  remember(machine, task, frame, filters[index] as EventFilter, fact.event);
  frame.matched[index] = true;
  const own = ownFilterCount(node.to);
  if (index < own) {
    if (frame.values.length >= FAN_OUT_MAX) {
      machine.fail(task, taskError("validation", `a listen takes at most ${FAN_OUT_MAX} events`));
      return true;
    }
    frame.values.push(readEvent(fact.event, node.read));
  }
  try {
    if (isSatisfied(machine, task, frame, node, index >= own)) frame.isOver = true;
  } catch (cause) {
    failWith(machine, task, cause);
    return true;
  }
  if (frame.isOver) machine.command({ type: "unsubscribe", task: task.id });
  if (node.foreach !== undefined) nextIteration(machine, task, frame, node);
  else if (frame.isOver) finish(machine, task, frame.values);
  return true;
}

/** An event is kept for a limited time, so its position need not be known for ever: an endless run must not grow with what it has heard. */
function consume(state: RunState, position: number): void {
  // Twice the time: the store may delete a little later than it could.
  const goneBeforeMs = state.lastAtMs - 2 * EVENT_RETENTION_MS;
  // In the order of consumption, so the oldest come first.
  for (const [old, atMs] of state.consumed) {
    if (atMs >= goneBeforeMs) break;
    state.consumed.delete(old);
  }
  state.consumed.set(position, state.lastAtMs);
}

function remember(machine: Machine, task: Task, frame: ListenFrame, filter: EventFilter, event: CloudEvent): void {
  for (const { name, from, expect } of filter.correlate)
    if (expect === undefined && !Object.hasOwn(frame.correlations, name))
      frame.correlations[name] = machine.evaluator.expression(from, event, task);
}

function isSatisfied(machine: Machine, task: Task, frame: ListenFrame, node: ListenNode, byUntil: boolean): boolean {
  const { to } = node;
  const own = ownFilterCount(to);
  if (to.kind === "one") return true;
  if (to.kind === "all") return frame.matched.every(Boolean);
  if (to.until === undefined) return true;
  if ("kind" in to.until) return byUntil && (to.until.kind !== "all" || frame.matched.slice(own).every(Boolean));
  // With `foreach` the condition may look at what the iterations exported, so it is asked after each of them.
  return node.foreach === undefined && machine.evaluator.condition(to.until, frame.values, task);
}

/** `data`: the event's data. `envelope`: the whole event. `raw`: the data as it came, as text. */
function readEvent(event: CloudEvent, read: ListenNode["read"]): Json {
  if (read === "envelope") return event;
  const data = ownProperty(event, "data") ?? null;
  if (read === "data") return data;
  return ownProperty(event, "data_base64") ?? (typeof data === "string" ? data : JSON.stringify(data));
}

/** Goes on to the next event that waits, unless an iteration is under way; over when all are in and done. */
function nextIteration(machine: Machine, task: Task, frame: ListenFrame, node: ListenNode): void {
  if (frame.child !== NO_CHILD) return;
  if (frame.index + 1 < frame.values.length) {
    frame.index++;
    frame.visits = {};
    if (node.foreach?.body === undefined || node.foreach.body.length === 0) {
      iterationDone(machine, task, frame.values[frame.index] as Json);
      return;
    }
    machine.later({ kind: "enter", parent: task.id, position: 0, input: frame.values[frame.index] as Json });
  } else if (frame.isOver) finish(machine, task, frame.outputs);
}

/** One event's tasks are done: its output, its export, and whether that was the last. */
export function iterationDone(machine: Machine, task: Task, output: Json): void {
  const { frame } = task;
  const node = machine.node(task);
  assert(frame?.kind === "listen" && node.kind === "listen", `task ${task.id} listens`);
  const { foreach, to } = node;
  assert(foreach !== undefined, `task ${task.id} iterates`);
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
    const asks = to.kind === "any" && to.until !== undefined && !("kind" in to.until);
    // Mostly all that came is done: then nothing is copied.
    const done = frame.index + 1 === frame.values.length ? frame.values : frame.values.slice(0, frame.index + 1);
    const isLast = !frame.isOver && asks && evaluator.condition(to.until, done, task);
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
  nextIteration(machine, task, frame, node);
}

/** A listening that stood still goes on: it subscribes again, and an iteration whose output failed is evaluated again. */
export function continueListen(machine: Machine, task: Task): void {
  const { frame } = task;
  const node = machine.node(task);
  assert(frame?.kind === "listen" && node.kind === "listen", `task ${task.id} listens`);
  machine.setPhase(task, "listening");
  if (!frame.isOver) machine.command({ type: "subscribe", task: task.id, filters: subscriptionsOf(node) });
  if (frame.pending !== undefined) iterationDone(machine, task, frame.pending);
}

function finish(machine: Machine, task: Task, output: readonly Json[]): void {
  task.frame = undefined;
  machine.complete(task, output);
}
