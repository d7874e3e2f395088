import type { EventFilter, EventStrategy, Expression, Template } from "@tutti/definition";
import { type CloudEvent, type Json, jsonEqual, type JsonObject, ownProperty } from "@tutti/model";
import { TaskFailure } from "./evaluate.ts";

/** Which events a `listen` or a `schedule.on` means. */

/** A filter that takes any event: what `any: []` stands for. */
const ANY_EVENT: EventFilter = { type: undefined, attributes: [], correlate: [], constants: [] };

/** How the expressions of a filter are evaluated. Both throw TaskFailure. */
export interface FilterEvaluation {
  expression(expression: Expression, dot: Json): Json;
  template(template: Template): Json;
}

/** The strategy's own filters, then those of an `until` strategy. */
export function allFilters(strategy: EventStrategy): readonly EventFilter[] {
  const own = strategy.kind === "any" && strategy.filters.length === 0 ? [ANY_EVENT] : strategy.filters;
  if (strategy.kind !== "any" || strategy.until === undefined || !("kind" in strategy.until)) return own;
  return [...own, ...allFilters(strategy.until)];
}

export function ownFilterCount(strategy: EventStrategy): number {
  return strategy.kind === "any" && strategy.filters.length === 0 ? 1 : strategy.filters.length;
}

/** Whether a filter takes one more event, given which filters have had theirs. Those of `all` take one; those of `any` all that come. */
export function isFilterOpen(strategy: EventStrategy, matched: readonly boolean[], index: number): boolean {
  const own = ownFilterCount(strategy);
  if (index < own) return strategy.kind !== "all" || matched[index] !== true;
  return (
    strategy.kind === "any" &&
    strategy.until !== undefined &&
    "kind" in strategy.until &&
    (strategy.until.kind !== "all" || matched[index] !== true)
  );
}

/** Whether the event fits, given the values that earlier events have fixed. A filter that cannot be evaluated on an event does not fit it. */
export function fitsFilter(evaluation: FilterEvaluation, filter: EventFilter, correlations: JsonObject, event: CloudEvent): boolean {
  try {
    for (const attribute of filter.attributes) {
      const value = ownProperty(event, attribute.name);
      if (attribute.kind === "holds") {
        if (evaluation.expression(attribute.expression, value ?? null) !== true) return false;
      } else if (attribute.kind === "matches") {
        if (typeof value !== "string" || !attribute.test(value)) return false;
      } else if (!jsonEqual(value ?? null, evaluation.template(attribute.value))) return false;
    }
    return filter.correlate.every(({ name, from, expect }) => {
      const found = evaluation.expression(from, event);
      if (found === null) return false;
      if (expect !== undefined) return jsonEqual(found, evaluation.template(expect));
      const first = ownProperty(correlations, name);
      return first === undefined || jsonEqual(found, first);
    });
  } catch (cause) {
    // Other events are none of its business.
    if (cause instanceof TaskFailure) return false;
    throw cause;
  }
}

/** The correlations with those that the event is the first to fix. */
export function correlationsWith(
  evaluation: FilterEvaluation,
  filter: EventFilter,
  correlations: JsonObject,
  event: CloudEvent,
): JsonObject {
  const added: [string, Json][] = [];
  for (const { name, from, expect } of filter.correlate)
    if (expect === undefined && !Object.hasOwn(correlations, name)) added.push([name, evaluation.expression(from, event)]);
  return added.length === 0 ? correlations : { ...correlations, ...Object.fromEntries(added) };
}

/** `data`: the event's data. `envelope`: the whole event. `raw`: the data as it came, as text. */
export function readEvent(event: CloudEvent, read: "data" | "envelope" | "raw"): Json {
  if (read === "envelope") return event;
  const data = ownProperty(event, "data") ?? null;
  if (read === "data") return data;
  return ownProperty(event, "data_base64") ?? (typeof data === "string" ? data : JSON.stringify(data));
}
