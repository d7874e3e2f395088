import type { EventStrategy, Expression, ScheduleTrigger, Template } from "@tutti/definition";
import { type CloudEvent, EVENT_RETENTION_MS, FAN_OUT_MAX, type Json, type JsonObject } from "@tutti/model";
import type { EngineContext } from "./context.ts";
import { Evaluator, TaskFailure } from "./evaluate.ts";
import {
  allFilters,
  correlationsWith,
  type FilterEvaluation,
  fitsFilter,
  isFilterOpen,
  ownFilterCount,
  readEvent,
} from "./event-filter.ts";
import { CURRENT_FLAGS } from "./flags.ts";
import { emptyState } from "./run.ts";
import { RUN_FRAME } from "./state.ts";

/** Groups that wait for more events, per schedule: who correlates by something that never comes twice must not fill the store. The oldest go. */
const GROUPS_MAX = 1000;

/** Events of a `schedule.on` that belong together and are not complete. Plain data. */
export interface EventGroup {
  /** Places of its events in the inbox, in the order in which they came. The first one names the group: an event opens at most one. */
  readonly positions: readonly number[];
  readonly openedAtMs: number;
  readonly matched: readonly boolean[];
  readonly correlations: JsonObject;
}

export interface EventOffer {
  readonly trigger: ScheduleTrigger & { readonly kind: "on" };
  readonly groups: readonly EventGroup[];
  readonly event: CloudEvent;
  readonly position: number;
  readonly nowMs: number;
  /** Earlier events of open groups. */
  readonly eventAt: (position: number) => CloudEvent | undefined;
}

/**
 * Offers an event to a schedule: it joins the oldest group that it fits and that still needs it, else it opens one. `complete` is the group
 * that it completed, whose events start a run. Groups older than events are kept (seven days) are given up.
 */
export function collectEvent(
  offer: EventOffer,
  context: EngineContext,
): { readonly groups: readonly EventGroup[]; readonly complete: EventGroup | undefined } {
  const { trigger, event, position, nowMs } = offer;
  const { strategy } = trigger;
  const filters = allFilters(strategy);
  const evaluation = evaluationFor(context, nowMs);
  const groups = offer.groups.filter((group) => group.openedAtMs > nowMs - EVENT_RETENTION_MS && !group.positions.includes(position));
  const candidates: readonly (EventGroup | undefined)[] = [...groups, undefined];
  for (const candidate of candidates) {
    const group = candidate ?? { positions: [], openedAtMs: nowMs, matched: filters.map(() => false), correlations: {} };
    const index = filters.findIndex(
      (filter, at) => isFilterOpen(strategy, group.matched, at) && fitsFilter(evaluation, filter, group.correlations, event),
    );
    const filter = filters[index];
    if (filter === undefined) continue;
    const isUntil = index >= ownFilterCount(strategy);
    // What ends a group does not open one.
    if (isUntil && group.positions.length === 0) return { groups, complete: undefined };
    const joined: EventGroup = {
      ...group,
      // The events that end a group are not part of what it brings.
      positions: isUntil ? group.positions : [...group.positions, position],
      matched: group.matched.map((isMatched, at) => isMatched || at === index),
      correlations: correlationsWith(evaluation, filter, group.correlations, event),
    };
    const others = groups.filter((one) => one !== candidate);
    if (isComplete(offer, joined, evaluation, isUntil)) return { groups: others, complete: joined };
    const next = candidate === undefined ? [...groups, joined] : groups.map((one) => (one === candidate ? joined : one));
    return { groups: next.slice(-GROUPS_MAX), complete: undefined };
  }
  return { groups, complete: undefined };
}

/** The input of the run that a group starts: an array of its events. */
export function inputOfEvents(events: readonly CloudEvent[], read: "data" | "envelope" | "raw"): Json {
  return events.map((event) => readEvent(event, read));
}

/** Types of the events that the strategy can mean; undefined when it may mean any. */
export function eventTypesOf(strategy: EventStrategy): readonly string[] | undefined {
  const types = allFilters(strategy).map((filter) => filter.type);
  return types.every((type) => type !== undefined) ? types : undefined;
}

function isComplete(offer: EventOffer, group: EventGroup, evaluation: ConditionEvaluation, byUntil: boolean): boolean {
  const { strategy, read } = offer.trigger;
  if (strategy.kind === "one") return true;
  if (strategy.kind === "all") return group.matched.every(Boolean);
  if (strategy.until === undefined || group.positions.length >= FAN_OUT_MAX) return true;
  if ("kind" in strategy.until)
    return byUntil && (strategy.until.kind !== "all" || group.matched.slice(ownFilterCount(strategy)).every(Boolean));
  const events = group.positions.map((position) => (position === offer.position ? offer.event : offer.eventAt(position)));
  const values = events.filter((event) => event !== undefined).map((event) => readEvent(event, read));
  return evaluation.holds(strategy.until, values);
}

interface ConditionEvaluation extends FilterEvaluation {
  /** Whether a condition holds; one that cannot be evaluated does not. */
  holds(condition: Expression, dot: Json): boolean;
}

/** Expressions of a schedule see `$workflow.definition` and `$runtime`: there is no run yet. */
function evaluationFor(context: EngineContext, nowMs: number): ConditionEvaluation {
  const { namespace, name, version } = context.program;
  const state = emptyState({
    type: "run-started",
    at: nowMs,
    runId: "",
    tenant: "",
    workflow: { namespace, name, version, digest: "" },
    input: null,
    labels: {},
    actor: "",
    flags: CURRENT_FLAGS,
  });
  const frame = state.tasks.get(RUN_FRAME);
  if (frame === undefined) throw new Error("Invariant broken: a run has its own frame");
  const evaluator = new Evaluator(state, context);
  return {
    expression: (expression, dot) => evaluator.expression(expression, dot, frame),
    template: (template: Template) => evaluator.template(template, null, frame),
    holds: (condition, dot) => {
      try {
        return evaluator.condition(condition, dot, frame);
      } catch (cause) {
        if (cause instanceof TaskFailure) return false;
        throw cause;
      }
    },
  };
}
