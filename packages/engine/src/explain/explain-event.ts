import type { EventFilter } from "@tutti/definition";
import { type CloudEvent, type Json, jsonEqual, ownProperty } from "@tutti/model";
import type { EngineContext } from "../context.ts";
import { Evaluator, excerpt, TaskFailure } from "../evaluate.ts";
import { allFilters, type FilterEvaluation, isFilterOpen } from "../event-filter.ts";
import type { RunRecord } from "../record.ts";
import { replay } from "../replay.ts";
import type { ListenFrame } from "../state.ts";

/** An event of the inbox. */
export interface OfferedEvent {
  readonly position: number;
  readonly acceptedAtMs: number;
  readonly event: CloudEvent;
}

/** What a listening task makes of an event that is there. */
export interface EventExplanation {
  readonly position: number;
  readonly acceptedAtMs: number;
  readonly id: string;
  readonly source: string;
  readonly type: string;
  readonly isTaken: boolean;
  /** Per filter why it does not take the event; one sentence for all when it is not a matter of filters. */
  readonly why: readonly string[];
}

/** Says of each event why the listening activation `task` has not taken it, as the filters answer now. Empty when the task does not listen. */
export function explainEvents(
  records: readonly RunRecord[],
  context: EngineContext,
  task: number,
  events: readonly OfferedEvent[],
): readonly EventExplanation[] {
  const state = replay(records, context);
  const listening = state.tasks.get(task);
  const node = context.program.nodes[listening?.node ?? -1];
  const frame = listening?.frame;
  if (listening === undefined || node?.kind !== "listen" || frame?.kind !== "listen") return [];
  const evaluator = new Evaluator(state, context);
  const evaluation: FilterEvaluation = {
    expression: (expression, dot) => evaluator.expression(expression, dot, listening),
    template: (template) => evaluator.template(template, listening.input, listening),
  };
  return events.map(({ position, acceptedAtMs, event }) => {
    const { id, source, type } = event;
    const isTaken = state.consumed.has(position);
    const why = isTaken
      ? []
      : allFilters(node.to).flatMap((filter, index) => {
          const number = `filter ${index + 1}`;
          if (!isFilterOpen(node.to, frame.matched, index)) return [`${number} has had its event`];
          const isEarly = filter.correlate.length === 0 && acceptedAtMs < listening.startedAtMs;
          const reason = isEarly ? "it came before the task listened" : whyNot(evaluation, filter, frame, event);
          return reason === undefined ? [] : [`${number}: ${reason}`];
        });
    return { position, acceptedAtMs, id, source, type, isTaken, why };
  });
}

/** The first thing about the event that the filter does not take; undefined when it fits. */
function whyNot(evaluation: FilterEvaluation, filter: EventFilter, frame: ListenFrame, event: CloudEvent): string | undefined {
  try {
    for (const attribute of filter.attributes) {
      const value = ownProperty(event, attribute.name) ?? null;
      if (attribute.kind === "holds") {
        if (evaluation.expression(attribute.expression, value) !== true)
          return `${attribute.name}: \`${attribute.expression.program.source.trim()}\` does not hold`;
      } else if (attribute.kind === "matches") {
        if (typeof value !== "string" || !attribute.test(value)) return `${attribute.name} does not match: it is ${shortly(value)}`;
      } else {
        const wanted = evaluation.template(attribute.value);
        if (!jsonEqual(value, wanted)) return `${attribute.name} is ${shortly(value)}, not ${shortly(wanted)}`;
      }
    }
    for (const { name, from, expect } of filter.correlate) {
      const found = evaluation.expression(from, event);
      if (found === null) return `it gives no value for the correlation ${name}`;
      const wanted = expect === undefined ? ownProperty(frame.correlations, name) : evaluation.template(expect);
      if (wanted !== undefined && !jsonEqual(found, wanted)) return `its ${name} is ${shortly(found)}, not ${shortly(wanted)}`;
    }
    return undefined;
  } catch (cause) {
    if (cause instanceof TaskFailure) return `the filter can't be evaluated on it: ${cause.error.title}`;
    throw cause;
  }
}

/** Long values, such as data, would hide what differs. */
function shortly(value: Json): string {
  const text = excerpt(value);
  return typeof value === "string" ? JSON.stringify(text) : text;
}
