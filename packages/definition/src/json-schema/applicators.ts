import { isJsonObject, type Json, type JsonObject, ownProperty } from "@tutti/model";
import { namesOf } from "./assertions.ts";
import { type Check, Evaluated, isArray, isObject, type Place } from "./evaluation.ts";
import { compilePattern } from "./pattern.ts";
import { SchemaError } from "./schema-error.ts";

/** What an applicator needs of the compiler: a check for a schema below it. */
export type CompileSub = (...segments: readonly (string | number)[]) => Check;

/** One keyword group of a schema object; returns undefined when the schema does not have it. */
type Applicator = (schema: JsonObject, sub: CompileSub, pointer: string) => Check | undefined;

/**
 * Keywords that apply schemas to the value or to parts of it, in an order in which `if` knows its branches and `additionalProperties` its
 * neighbours. `unevaluated…` are not here: they run after all others.
 */
export const APPLICATORS: readonly Applicator[] = [
  allOf,
  anyOf,
  oneOf,
  not,
  conditional,
  properties,
  propertyNames,
  dependents,
  items,
  contains,
];

function allOf(schema: JsonObject, sub: CompileSub, pointer: string): Check | undefined {
  const checks = list(schema, "allOf", sub, pointer);
  return checks && ((value, place, run, evaluated) => checks.map((check) => check(value, place, run, evaluated)).every(Boolean));
}

function anyOf(schema: JsonObject, sub: CompileSub, pointer: string): Check | undefined {
  const checks = list(schema, "anyOf", sub, pointer);
  return (
    checks &&
    ((value, place, run, evaluated) => {
      let isValid = false;
      for (const check of checks) {
        const seen = evaluated && new Evaluated();
        if (!run.attempt(check, value, place, seen)) continue;
        isValid = true;
        if (seen) evaluated?.add(seen);
        // All branches count for `unevaluated…`; without it the first is enough.
        else break;
      }
      return isValid || run.fail(place, "fits none of the alternatives of `anyOf`");
    })
  );
}

function oneOf(schema: JsonObject, sub: CompileSub, pointer: string): Check | undefined {
  const checks = list(schema, "oneOf", sub, pointer);
  return (
    checks &&
    ((value, place, run, evaluated) => {
      let fitting = 0;
      const { unknowns } = run;
      for (const check of checks) {
        const seen = evaluated && new Evaluated();
        if (!run.attempt(check, value, place, seen)) continue;
        fitting++;
        if (seen) evaluated?.add(seen);
      }
      // With a value that is not known, several may fit of which one will be left.
      if (fitting === 1 || (fitting > 1 && run.unknowns > unknowns)) return true;
      return run.fail(
        place,
        fitting === 0 ? "fits none of the alternatives of `oneOf`" : `fits ${fitting} alternatives of \`oneOf\`, but may fit only one`,
      );
    })
  );
}

function not(schema: JsonObject, sub: CompileSub): Check | undefined {
  if (!Object.hasOwn(schema, "not")) return undefined;
  const check = sub("not");
  return (value, place, run) => {
    const { unknowns } = run;
    return !run.attempt(check, value, place, undefined) || run.unknowns > unknowns || run.fail(place, "is what `not` forbids");
  };
}

function conditional(schema: JsonObject, sub: CompileSub): Check | undefined {
  if (!Object.hasOwn(schema, "if")) return undefined;
  const condition = sub("if");
  const then = Object.hasOwn(schema, "then") ? sub("then") : undefined;
  const otherwise = Object.hasOwn(schema, "else") ? sub("else") : undefined;
  return (value, place, run, evaluated) => {
    const seen = evaluated && new Evaluated();
    const holds = run.attempt(condition, value, place, seen);
    if (holds && seen) evaluated?.add(seen);
    const branch = holds ? then : otherwise;
    return branch === undefined || branch(value, place, run, evaluated);
  };
}

function properties(schema: JsonObject, sub: CompileSub, pointer: string): Check | undefined {
  const named = new Map(Object.keys(object(schema, "properties", pointer)).map((name) => [name, sub("properties", name)] as const));
  const patterned = Object.keys(object(schema, "patternProperties", pointer)).map(
    (pattern) => [compilePattern(pattern, `${pointer}/patternProperties`), sub("patternProperties", pattern)] as const,
  );
  const additional = Object.hasOwn(schema, "additionalProperties") ? sub("additionalProperties") : undefined;
  const isClosed = ownProperty(schema, "additionalProperties") === false;
  if (named.size === 0 && patterned.length === 0 && additional === undefined) return undefined;
  return (value, place, run, evaluated) => {
    if (!isObject(value)) return true;
    let isValid = true;
    for (const key of Object.keys(value)) {
      const item = value[key] as Json;
      const at: Place = { parent: place, key };
      const check = named.get(key);
      const matching = patterned.filter(([test]) => test(key));
      if (check !== undefined && !check(item, at, run, evaluated && new Evaluated())) isValid = false;
      for (const [, patternCheck] of matching) if (!patternCheck(item, at, run, evaluated && new Evaluated())) isValid = false;
      const isKnown = check !== undefined || matching.length > 0;
      if (!isKnown && isClosed) isValid = run.fail(at, "is not allowed here");
      else if (!isKnown && additional !== undefined && !additional(item, at, run, evaluated && new Evaluated())) isValid = false;
      if (isKnown || additional !== undefined) evaluated?.keys.add(key);
    }
    return isValid;
  };
}

function propertyNames(schema: JsonObject, sub: CompileSub): Check | undefined {
  if (!Object.hasOwn(schema, "propertyNames")) return undefined;
  const check = sub("propertyNames");
  return (value, place, run) =>
    !isObject(value) ||
    Object.keys(value).every(
      (key) => run.attempt(check, key, place, undefined) || run.fail({ parent: place, key }, "has a name that is not allowed here"),
    );
}

/** `dependentSchemas`, and `dependencies` of draft 7, which are either schemas or names. */
function dependents(schema: JsonObject, sub: CompileSub, pointer: string): Check | undefined {
  const checks: (readonly [string, Check])[] = Object.keys(object(schema, "dependentSchemas", pointer)).map((name) => [
    name,
    sub("dependentSchemas", name),
  ]);
  for (const [name, needed] of Object.entries(object(schema, "dependencies", pointer))) {
    if (!isArray(needed)) {
      checks.push([name, sub("dependencies", name)]);
      continue;
    }
    const names = namesOf(needed, "dependencies", pointer);
    checks.push([
      name,
      (value, place, run) => {
        const missing = names.find((other) => !Object.hasOwn(value as object, other));
        return missing === undefined || run.fail(place, `needs \`${missing}\` beside \`${name}\``);
      },
    ]);
  }
  if (checks.length === 0) return undefined;
  return (value, place, run, evaluated) =>
    !isObject(value) || checks.map(([name, check]) => !Object.hasOwn(value, name) || check(value, place, run, evaluated)).every(Boolean);
}

/** `prefixItems` and `items`; in draft 7 a list of `items` and `additionalItems`. */
function items(schema: JsonObject, sub: CompileSub, pointer: string): Check | undefined {
  const isTuple = isArray(ownProperty(schema, "items") ?? null);
  const prefix = list(schema, isTuple ? "items" : "prefixItems", sub, pointer) ?? [];
  const restKeyword = isTuple ? "additionalItems" : "items";
  const rest = Object.hasOwn(schema, restKeyword) ? sub(restKeyword) : undefined;
  if (prefix.length === 0 && rest === undefined) return undefined;
  return (value, place, run, evaluated) => {
    if (!isArray(value)) return true;
    let isValid = true;
    for (const [index, item] of value.entries()) {
      const check = prefix[index] ?? rest;
      if (check === undefined) break;
      evaluated?.items.add(index);
      if (!check(item, { parent: place, key: index }, run, evaluated && new Evaluated())) isValid = false;
    }
    return isValid;
  };
}

function contains(schema: JsonObject, sub: CompileSub): Check | undefined {
  if (!Object.hasOwn(schema, "contains")) return undefined;
  const check = sub("contains");
  const atLeast = Number(ownProperty(schema, "minContains") ?? 1);
  const atMost = Number(ownProperty(schema, "maxContains") ?? Number.POSITIVE_INFINITY);
  return (value, place, run, evaluated) => {
    if (!isArray(value)) return true;
    let fitting = 0;
    for (const [index, item] of value.entries()) {
      if (!run.attempt(check, item, { parent: place, key: index }, undefined)) continue;
      fitting++;
      evaluated?.items.add(index);
    }
    if (fitting < atLeast) return run.fail(place, `must contain at least ${atLeast} fitting items, but has ${fitting}`);
    return fitting <= atMost || run.fail(place, `must contain at most ${atMost} fitting items, but has ${fitting}`);
  };
}

function list(schema: JsonObject, keyword: string, sub: CompileSub, pointer: string): readonly Check[] | undefined {
  const given = ownProperty(schema, keyword);
  if (given === undefined) return undefined;
  if (!isArray(given)) throw new SchemaError(`\`${keyword}\` must be a list of schemas.`, pointer);
  return given.map((_, index) => sub(keyword, index));
}

function object(schema: JsonObject, keyword: string, pointer: string): JsonObject {
  const given = ownProperty(schema, keyword) ?? {};
  if (!isJsonObject(given)) throw new SchemaError(`\`${keyword}\` must be an object.`, pointer);
  return given;
}
