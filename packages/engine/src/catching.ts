import type { CatchClause, RetryPolicy, TryNode } from "@tutti/definition";
import { ATTEMPTS_MAX, type Json, sameErrorType, type TaskError } from "@tutti/model";
import { TaskFailure } from "./evaluate.ts";
import type { Machine } from "./machine.ts";
import type { Task } from "./state.ts";
import { deriveFraction } from "./token.ts";

/** Longest pause between two retries, whatever the backoff grows to. */
export const RETRY_DELAY_MS_MAX = 24 * 60 * 60 * 1000;
/** Factor of the exponential backoff; linear adds `delay` each time. */
const EXPONENTIAL_FACTOR = 2;

/** Who takes an error, and how. */
export type Catcher =
  | { readonly kind: "retry"; readonly task: Task; readonly delayMs: number; readonly error: TaskError }
  | { readonly kind: "handle"; readonly task: Task; readonly clause: CatchClause; readonly error: TaskError }
  /** The error happened in the tasks that look an effect up: the look-up failed, nothing more. */
  | { readonly kind: "look-up"; readonly task: Task; readonly error: TaskError }
  /** The error happened in the tasks of an undo: what becomes of it says the saga. */
  | { readonly kind: "undo"; readonly task: Task; readonly error: TaskError }
  /** Nobody takes it. The error may be another by now: that of a `catch` whose own condition failed. */
  | { readonly kind: "nobody"; readonly error: TaskError };

/**
 * The nearest enclosing `try` that takes the error, from the inside out. A `catch` whose only answer is a retry takes nothing once its
 * retries are used up or not allowed: an error is never swallowed because its retries ran out.
 */
export function findCatcher(
  machine: Machine,
  task: Task,
  error: TaskError,
  options: { readonly mayRetry: boolean; readonly inside?: boolean },
): Catcher {
  let current = error;
  for (let outer = options.inside === true ? task : machine.task(task.parent); outer !== undefined; outer = machine.task(outer.parent)) {
    const { frame } = outer;
    if (frame?.kind !== "list" || outer.node < 0) continue;
    if (frame.role === "undo") return { kind: "undo", task: outer, error: current };
    if (frame.role === "find") return { kind: "look-up", task: outer, error: current };
    const node = machine.node(outer);
    if (node.kind !== "try" || frame.role !== "body") continue;
    try {
      const catcher = catches(machine, outer, node, current, options.mayRetry);
      if (catcher !== undefined) return catcher;
    } catch (cause) {
      // The clause's own expression failed: that is the error from here on, for the scopes around this one.
      if (!(cause instanceof TaskFailure)) throw cause;
      current = { ...cause.error, instance: node.pointer } as TaskError;
    }
  }
  return { kind: "nobody", error: current };
}

function catches(machine: Machine, task: Task, node: TryNode, error: TaskError, mayRetry: boolean): Catcher | undefined {
  const clause = node.catch;
  if (!matchesFilter(clause.filter, error)) {
    machine.observer?.declined?.(machine, task, "its filter means other errors");
    return undefined;
  }
  if (!holds(machine, task, clause, error, "catch")) return undefined;
  if (clause.retry !== undefined && mayRetry) {
    const delayMs = retryDelay(machine, task, clause.retry, error);
    if (delayMs !== undefined) return { kind: "retry", task, delayMs, error };
  }
  const isHandled = clause.retry === undefined || clause.body !== undefined || clause.then !== undefined;
  if (isHandled) return { kind: "handle", task, clause, error };
  machine.observer?.declined?.(
    machine,
    task,
    mayRetry ? "its retries are used up or not meant for this" : "nobody knows whether the effect happened, so a retry would be blind",
  );
  return undefined;
}

function matchesFilter(filter: CatchClause["filter"], error: TaskError): boolean {
  return (
    (filter.type === undefined || sameErrorType(filter.type, error.type)) &&
    (filter.status === undefined || filter.status === error.status) &&
    (filter.instance === undefined || filter.instance === error["instance"]) &&
    (filter.title === undefined || filter.title === error.title) &&
    (filter.detail === undefined || filter.detail === error["detail"])
  );
}

function holds(
  machine: Machine,
  task: Task,
  clause: { readonly when: CatchClause["when"]; readonly exceptWhen: CatchClause["exceptWhen"] },
  error: TaskError,
  of: "catch" | "retry",
): boolean {
  const seen = { dot: task.input, sight: { locals: [...task.locals, error as Json] } };
  if (clause.when !== undefined && !machine.asks(task, { of: `${of}.when`, expression: clause.when, ...seen })) return false;
  return clause.exceptWhen === undefined || !machine.asks(task, { of: `${of}.exceptWhen`, expression: clause.exceptWhen, ...seen });
}

/**
 * The pause before the next retry in milliseconds, or undefined when the policy allows none.
 *
 * The n-th retry (from 1) waits `delay` (constant), n × `delay` (linear) or 2ⁿ⁻¹ × `delay` (exponential), plus a jitter from its range that is
 * derived from the token, so that replay finds the same.
 */
function retryDelay(machine: Machine, task: Task, policy: RetryPolicy, error: TaskError): number | undefined {
  if (!holds(machine, task, policy, error, "retry")) return undefined;
  const retries = task.retries?.count ?? 0;
  if (retries >= Math.min(policy.attemptsMax ?? ATTEMPTS_MAX, ATTEMPTS_MAX)) return undefined;
  const { evaluator } = machine;
  const sight = { locals: [...task.locals, error as Json] };
  const base = policy.delay === undefined ? 0 : evaluator.duration(policy.delay, task.input, task, sight);
  const factor = policy.backoff === "constant" ? 1 : policy.backoff === "linear" ? retries + 1 : EXPONENTIAL_FACTOR ** retries;
  let delayMs = Math.min(base * factor, RETRY_DELAY_MS_MAX);
  if (policy.jitter !== undefined) {
    const from = evaluator.duration(policy.jitter.from, task.input, task, sight);
    const to = evaluator.duration(policy.jitter.to, task.input, task, sight);
    delayMs += Math.round(from + Math.max(0, to - from) * deriveFraction(machine.tokenOf(task), retries));
  }
  if (policy.durationMax !== undefined) {
    const limit = evaluator.duration(policy.durationMax, task.input, task, sight);
    const since = task.retries?.count ? task.retries.firstErrorAtMs : machine.now;
    if (machine.now - since + delayMs > limit) return undefined;
  }
  return delayMs;
}
