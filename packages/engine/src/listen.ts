import type { EventFilter, ListenNode } from "@tutti/definition";
import { assert, type CloudEvent, EVENT_RETENTION_MS, FAN_OUT_MAX, taskError } from "@tutti/model";
import type { SubscriptionFilter } from "./command.ts";
import type { EngineContext } from "./context.ts";
import { Evaluator } from "./evaluate.ts";
import {
  allFilters,
  correlationsWith,
  type FilterEvaluation,
  fitsFilter,
  isFilterOpen,
  ownFilterCount,
  readEvent,
} from "./event-filter.ts";
import { subscriptionKey } from "./event-key.ts";
import { finishIterations, iterationDone, newIterations, nextIteration } from "./iterations.ts";
import type { Machine } from "./machine.ts";
import type { EventReceived } from "./record.ts";
import type { ListenFrame, RunState, Task } from "./state.ts";
import { failWith } from "./tasks.ts";

/** Listening: which events a task takes, and when it is over. */

export function beginListen(machine: Machine, task: Task, node: ListenNode): void {
  task.frame = newIterations({ values: [], matched: allFilters(node.to).map(() => false), isOver: false });
  machine.setPhase(task, "listening");
  machine.command({ type: "subscribe", task: task.id, filters: newSubscriptions(machine, task, node) });
}

/** The subscriptions of a task that listens already. */
export function subscriptionsOf(node: ListenNode): readonly SubscriptionFilter[] {
  return allFilters(node.to).map((filter, index) => ({
    index,
    eventType: filter.type,
    correlated: filter.correlate.length > 0,
    key: undefined,
  }));
}

/** The same with the keys that they are to be found by. Whoever listens again is given new ones. */
function newSubscriptions(machine: Machine, task: Task, node: ListenNode): readonly SubscriptionFilter[] {
  const filters = allFilters(node.to);
  const evaluation = evaluationOf(machine.evaluator, task);
  // Tasks that share a context come one after another; only what a listening does with its events itself may export meanwhile.
  const isContextFixed = node.foreach === undefined;
  return subscriptionsOf(node).map((subscription, index) => ({
    ...subscription,
    key: subscriptionKey(filters[index] as EventFilter, evaluation, isContextFixed),
  }));
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
  if (filter === undefined || !isFilterOpen(node.to, frame.matched, filterIndex)) return false;
  return fits(new Evaluator(state, context), task, frame, filter, event);
}

function fits(evaluator: Evaluator, task: Task, frame: ListenFrame, filter: EventFilter, event: CloudEvent): boolean {
  return fitsFilter(evaluationOf(evaluator, task), filter, frame.correlations, event);
}

function evaluationOf(evaluator: Evaluator, task: Task): FilterEvaluation {
  return {
    expression: (expression, dot) => evaluator.expression(expression, dot, task),
    template: (template) => evaluator.template(template, task.input, task),
  };
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
    (filter, at) => isFilterOpen(node.to, frame.matched, at) && fits(machine.evaluator, task, frame, filter, fact.event),
  );
  if (index < 0) return false;
  machine.record(fact);
  consume(state, fact.position);
  frame.correlations = correlationsWith(
    evaluationOf(machine.evaluator, task),
    filters[index] as EventFilter,
    frame.correlations,
    fact.event,
  );
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
  if (node.foreach !== undefined) nextIteration(machine, task, frame, node.foreach);
  else if (frame.isOver) finishIterations(machine, task, frame.values);
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

function isSatisfied(machine: Machine, task: Task, frame: ListenFrame, node: ListenNode, byUntil: boolean): boolean {
  const { to } = node;
  const own = ownFilterCount(to);
  if (to.kind === "one") return true;
  if (to.kind === "all") return frame.matched.every(Boolean);
  if (to.until === undefined) return true;
  if ("kind" in to.until) return byUntil && (to.until.kind !== "all" || frame.matched.slice(own).every(Boolean));
  // With `foreach` the condition may look at what the iterations exported, so it is asked after each of them.
  return node.foreach === undefined && machine.asks(task, { of: "until", expression: to.until, dot: frame.values });
}

/** A listening that stood still goes on: it subscribes again, and an iteration whose output failed is evaluated again. */
export function continueListen(machine: Machine, task: Task): void {
  const { frame } = task;
  const node = machine.node(task);
  assert(frame?.kind === "listen" && node.kind === "listen", `task ${task.id} listens`);
  machine.setPhase(task, "listening");
  if (!frame.isOver) machine.command({ type: "subscribe", task: task.id, filters: newSubscriptions(machine, task, node) });
  if (frame.pending !== undefined) iterationDone(machine, task, frame.pending);
}
