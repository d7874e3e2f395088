import { analyse } from "@tutti/expression";
import type { Json } from "@tutti/model";
import type { Locals } from "./compile-template.ts";
import type { EventConstant, EventFilter, Expression, Template } from "./program.ts";

/**
 * What of a filter can be looked up: comparisons of one member of the event with one value that is known when the listening begins. What is left
 * out costs time only, since every event that is found is compared with the whole filter; what is in here must never change while the task listens.
 */
export function constantsOf(filter: Omit<EventFilter, "constants">, locals: Locals): readonly EventConstant[] {
  const constants: EventConstant[] = [];
  for (const attribute of filter.attributes) {
    // Subscriptions have a column for a literal type.
    if (attribute.kind !== "equals" || (attribute.name === "type" && filter.type !== undefined)) continue;
    constants.push(...constantOf([attribute.name], attribute.value, locals));
  }
  for (const { from, expect } of filter.correlate) {
    const path = plainPath(from.program.source);
    if (path !== undefined && expect !== undefined) constants.push(...constantOf(path, expect, locals));
  }
  // The same set of members makes the same key, in whichever order it was written.
  return constants.toSorted((left, right) => compare(JSON.stringify(left.path), JSON.stringify(right.path)));
}

function constantOf(path: readonly string[], value: Template, locals: Locals): readonly EventConstant[] {
  switch (value.kind) {
    case "literal":
      return isScalar(value.value) ? [{ path, value, readsContext: false }] : [];
    case "uri":
      // Reads the task's input, which is made once.
      return [{ path, value, readsContext: false }];
    case "expression": {
      const { isFixed, readsContext } = fixednessOf(value.expression, locals);
      return isFixed ? [{ path, value, readsContext }] : [];
    }
    case "array":
    case "object":
      return [];
  }
}

/**
 * Whether an expression gives the same all the time that a task listens. Its input and its local variables do. `$task` has the token, which an
 * operator's decision changes, `$runtime` the outputs of other tasks, `$workflow` the run's input, which may be edited; `now` moves by itself.
 */
function fixednessOf({ program }: Expression, locals: Locals): { readonly isFixed: boolean; readonly readsContext: boolean } {
  const standard = program.freeVariables.filter((name) => !locals.includes(name));
  const { usesNow, reads } = analyse(program.source);
  const readsOnlyFixed = reads.every(({ variable, path }) => variable !== "workflow" || path[0] === "id" || path[0] === "definition");
  const isFixed = !usesNow && readsOnlyFixed && standard.every((name) => name === "input" || name === "context" || name === "workflow");
  return { isFixed, readsContext: standard.includes("context") };
}

const NAME = String.raw`[A-Za-z_][A-Za-z0-9_]*`;
const QUOTED = String.raw`\["[^"\\]*"\]`;
const PLAIN_PATH = new RegExp(String.raw`^\s*\.(?:${NAME}|${QUOTED})(?:\.${NAME}|\.?${QUOTED})*\s*$`);
const STEP = new RegExp(String.raw`\.(${NAME})|\["([^"\\]*)"\]`, "g");

/** The members that `.data.order` or `.data["order"]` names; undefined when the source is anything else. */
function plainPath(source: string): readonly string[] | undefined {
  if (!PLAIN_PATH.test(source)) return undefined;
  return [...source.matchAll(STEP)].map(([, name, quoted]) => name ?? quoted ?? "");
}

function isScalar(value: Json): boolean {
  return typeof value === "string" || typeof value === "number" || typeof value === "boolean";
}

function compare(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0;
}
