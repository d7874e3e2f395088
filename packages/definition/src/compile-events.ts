import { isJsonObject, type Json, type JsonObject } from "@tutti/model";
import { RE2JS } from "re2js";
import { compileExpression, compileTemplate, compileUri, type Locals, wrappedExpression } from "./compile-template.ts";
import { constantsOf } from "./event-constants.ts";
import type { EventAttribute, EventFilter, EventStrategy } from "./program.ts";

/** Compiles `listen.to`, and the strategy that ends an `any`. */
export function compileStrategy(strategy: JsonObject, locals: Locals): EventStrategy {
  if (isJsonObject(strategy["one"])) return { kind: "one", filters: [compileFilter(strategy["one"], locals)] };
  if (Array.isArray(strategy["all"])) return { kind: "all", filters: compileFilters(strategy["all"], locals) };
  const until = strategy["until"];
  return {
    kind: "any",
    filters: compileFilters(Array.isArray(strategy["any"]) ? strategy["any"] : [], locals),
    until: typeof until === "string" ? compileExpression(until, locals) : isJsonObject(until) ? compileStrategy(until, locals) : undefined,
  };
}

function compileFilters(filters: readonly Json[], locals: Locals): readonly EventFilter[] {
  return filters.filter(isJsonObject).map((filter) => compileFilter(filter, locals));
}

function compileFilter(filter: JsonObject, locals: Locals): EventFilter {
  const wanted = isJsonObject(filter["with"]) ? filter["with"] : {};
  const correlate = isJsonObject(filter["correlate"]) ? filter["correlate"] : {};
  const type = wanted["type"];
  const compiled = {
    type: typeof type === "string" && wrappedExpression(type) === undefined && !isPattern(type) ? type : undefined,
    attributes: Object.keys(wanted).map((name) => compileAttribute(name, wanted[name] as Json, locals)),
    correlate: Object.keys(correlate).flatMap((name) => {
      const entry = correlate[name];
      if (!isJsonObject(entry) || typeof entry["from"] !== "string") return [];
      const expect = entry["expect"];
      return [
        {
          name,
          from: compileExpression(entry["from"], locals),
          expect: expect === undefined ? undefined : compileTemplate(expect, locals),
        },
      ];
    }),
  };
  return { ...compiled, constants: constantsOf(compiled, locals) };
}

function compileAttribute(name: string, value: Json, locals: Locals): EventAttribute {
  if (name === "data" && typeof value === "string" && wrappedExpression(value) !== undefined)
    return { name, kind: "holds", expression: compileExpression(value, locals) };
  if (typeof value === "string" && isPattern(value)) {
    const pattern = RE2JS.compile(value);
    return { name, kind: "matches", test: (text) => pattern.matcher(text).find() };
  }
  if (typeof value === "string" && (name === "source" || name === "dataschema"))
    return { name, kind: "equals", value: compileUri(value, locals) };
  return { name, kind: "equals", value: compileTemplate(value, locals) };
}

/**
 * The specification lets an attribute be a text or a regular expression without saying how to tell them apart. Here a text is a regular
 * expression when it is anchored: `^com\.acme\..*$`. Every other text is compared as it is, so that the dots of a type are dots.
 */
function isPattern(text: string): boolean {
  return text.startsWith("^") || (text.endsWith("$") && !text.endsWith("\\$"));
}
