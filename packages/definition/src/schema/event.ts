import { z } from "zod";
import { choice, closed, hasKey, mapOf, notEmpty, open, textOr } from "./building-blocks.ts";
import { Export, Output } from "./data-flow.ts";
import type { TaskListSchema } from "./task.ts";
import { TimeOrExpression, UriOrExpression } from "./text.ts";

const eventAttributes = {
  id: z.string().optional(),
  source: UriOrExpression.optional(),
  type: z.string().optional(),
  time: TimeOrExpression.optional(),
  subject: z.string().optional(),
  datacontenttype: z.string().optional(),
  dataschema: UriOrExpression.optional(),
  data: z.unknown().optional(),
};

/** The attributes of an event to emit. */
export const EventToEmit = open({ ...eventAttributes, type: z.string() });

const EventFilter = closed({
  with: notEmpty(open(eventAttributes)),
  correlate: mapOf(open({ from: z.string(), expect: z.string().optional() })).optional(),
});

const All = closed({ all: z.array(EventFilter) });
const One = closed({ one: EventFilter });

function strategyOf(value: unknown): number | string {
  if (typeof value !== "object" || value === null) return "must be an object with one of `one`, `any`, `all`";
  const present = ["all", "any", "one"].filter((key) => hasKey(value, key));
  if (present.length === 1) return present[0] === "all" ? 0 : present[0] === "any" ? 1 : 2;
  return present.length === 0 ? "needs one of `one`, `any`, `all`" : "takes only one of `one`, `any`, `all`";
}

/** Ends a listening when its events have come; it has no end condition of its own. */
const EndingStrategy = choice([All, closed({ any: z.array(EventFilter) }), One], strategyOf);

/** Which events to wait for. */
export const EventStrategy = choice(
  [All, closed({ any: z.array(EventFilter), until: textOr(z.string(), EndingStrategy).optional() }), One],
  strategyOf,
);

export const EventReadMode = z.enum(["data", "envelope", "raw"]);

/** What to do with each event or message while listening. Lists of tasks are handed in, since they contain what this is part of. */
export function subscriptionIterator(tasks: TaskListSchema) {
  return closed({
    item: z.string().optional(),
    at: z.string().optional(),
    do: tasks.optional(),
    output: Output.optional(),
    export: Export.optional(),
  });
}
