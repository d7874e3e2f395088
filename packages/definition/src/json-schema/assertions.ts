import { isJsonObject, type Json, jsonEqual } from "@tutti/model";
import { type Check, isArray, isObject, type Run, type Place, typeOf } from "./evaluation.ts";
import { compilePattern } from "./pattern.ts";
import { SchemaError } from "./schema-error.ts";

/** Keywords that look at a value alone, without any schema below them. */
export const ASSERTIONS: Readonly<Record<string, (given: Json, pointer: string) => Check>> = {
  type: (given, pointer) => {
    const types = (isArray(given) ? given : [given]).map((type) => typeName(type, pointer));
    const wanted = types.map((type) => ARTICLES[type] ?? type).join(" or ");
    return (value, place, run) => {
      const type = typeOf(value);
      return (
        types.includes(type) ||
        (type === "integer" && types.includes("number")) ||
        run.fail(place, `must be ${wanted}, but is ${ARTICLES[type] ?? type}`)
      );
    };
  },
  enum: (given, pointer) => {
    if (!isArray(given)) throw new SchemaError("`enum` must be a list.", pointer);
    const names = given
      .slice(0, 10)
      .map((item) => JSON.stringify(item))
      .join(", ");
    return (value, place, run) => given.some((item) => jsonEqual(item, value)) || run.fail(place, `must be one of ${names}`);
  },
  const: (given) => (value, place, run) => jsonEqual(given, value) || run.fail(place, `must be ${JSON.stringify(given)}`),
  multipleOf: number((value, limit) => isMultiple(value, limit), "must be a multiple of", { positive: true }),
  maximum: number((value, limit) => value <= limit, "must be at most"),
  exclusiveMaximum: number((value, limit) => value < limit, "must be less than"),
  minimum: number((value, limit) => value >= limit, "must be at least"),
  exclusiveMinimum: number((value, limit) => value > limit, "must be more than"),
  maxLength: count(
    (value) => (typeof value === "string" ? characters(value) : undefined),
    (size, limit) => size <= limit,
    "must have at most",
    "characters",
  ),
  minLength: count(
    (value) => (typeof value === "string" ? characters(value) : undefined),
    (size, limit) => size >= limit,
    "must have at least",
    "characters",
  ),
  maxItems: count(
    (value) => (isArray(value) ? value.length : undefined),
    (size, limit) => size <= limit,
    "must have at most",
    "items",
  ),
  minItems: count(
    (value) => (isArray(value) ? value.length : undefined),
    (size, limit) => size >= limit,
    "must have at least",
    "items",
  ),
  maxProperties: count(
    (value) => (isObject(value) ? Object.keys(value).length : undefined),
    (size, limit) => size <= limit,
    "must have at most",
    "entries",
  ),
  minProperties: count(
    (value) => (isObject(value) ? Object.keys(value).length : undefined),
    (size, limit) => size >= limit,
    "must have at least",
    "entries",
  ),
  pattern: (given, pointer) => {
    if (typeof given !== "string") throw new SchemaError("`pattern` must be a string.", pointer);
    const test = compilePattern(given, pointer);
    return (value, place, run) => typeof value !== "string" || test(value) || run.fail(place, `must match the pattern ${given}`);
  },
  uniqueItems: (given) => (value, place, run) =>
    given !== true || !isArray(value) || areUnique(value) || run.fail(place, "must not hold the same item twice"),
  required: (given, pointer) => {
    const names = namesOf(given, "required", pointer);
    return (value, place, run) => !isObject(value) || hasAll(value, names, place, run, "");
  },
  dependentRequired: (given, pointer) => {
    if (!isJsonObject(given)) throw new SchemaError("`dependentRequired` must be an object.", pointer);
    const dependencies = Object.entries(given).map(([name, names]) => [name, namesOf(names, "dependentRequired", pointer)] as const);
    return (value, place, run) =>
      !isObject(value) ||
      dependencies.every(([name, names]) => !Object.hasOwn(value, name) || hasAll(value, names, place, run, ` beside \`${name}\``));
  },
};

const ARTICLES: Readonly<Record<string, string>> = {
  string: "a string",
  number: "a number",
  integer: "a whole number",
  boolean: "a boolean",
  object: "an object",
  array: "an array",
  null: "null",
};

function typeName(type: Json, pointer: string): string {
  if (typeof type === "string" && Object.hasOwn(ARTICLES, type)) return type;
  throw new SchemaError(`There is no type ${JSON.stringify(type)}; the types are ${Object.keys(ARTICLES).join(", ")}.`, pointer);
}

/** A list of property names, as `required` has it. */
export function namesOf(given: Json, keyword: string, pointer: string): readonly string[] {
  if (isArray(given) && given.every((name) => typeof name === "string")) return given as readonly string[];
  throw new SchemaError(`\`${keyword}\` must be a list of names.`, pointer);
}

function hasAll(value: Json, names: readonly string[], place: Place | undefined, run: Run, why: string): boolean {
  const missing = names.find((name) => !Object.hasOwn(value as object, name));
  return missing === undefined || run.fail(place, `needs \`${missing}\`${why}`);
}

function number(holds: (value: number, limit: number) => boolean, words: string, options: { readonly positive?: boolean } = {}) {
  return (given: Json, pointer: string): Check => {
    if (typeof given !== "number" || (options.positive && given <= 0)) throw new SchemaError("This keyword wants a number.", pointer);
    return (value, place, run) => typeof value !== "number" || holds(value, given) || run.fail(place, `${words} ${given}, but is ${value}`);
  };
}

function count(sizeOf: (value: Json) => number | undefined, holds: (size: number, limit: number) => boolean, words: string, unit: string) {
  return (given: Json, pointer: string): Check => {
    if (typeof given !== "number" || !Number.isInteger(given) || given < 0)
      throw new SchemaError("This keyword wants a whole number from 0 on.", pointer);
    return (value, place, run) => {
      const size = sizeOf(value);
      return size === undefined || holds(size, given) || run.fail(place, `${words} ${given} ${unit}, but has ${size}`);
    };
  };
}

/** JSON Schema counts code points. */
function characters(text: string): number {
  let size = 0;
  for (const _ of text) size++;
  return size;
}

/** Decimal fractions are rarely exact in binary: 0.3 is a multiple of 0.1 although 0.3 / 0.1 is not whole. */
function isMultiple(value: number, divisor: number): boolean {
  const quotient = value / divisor;
  return Number.isInteger(quotient) || Math.abs(quotient - Math.round(quotient)) < 1e-9 * Math.max(1, Math.abs(quotient));
}

/** Items with one canonical text are equal: linear, where comparing all pairs would be quadratic in what users send. */
function areUnique(items: readonly Json[]): boolean {
  const seen = new Set<string>();
  for (const item of items) {
    const text = canonical(item);
    if (seen.has(text)) return false;
    seen.add(text);
  }
  return true;
}

function canonical(value: Json): string {
  if (isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (!isObject(value)) return JSON.stringify(value);
  return `{${Object.keys(value)
    .toSorted()
    .map((key) => `${JSON.stringify(key)}:${canonical(value[key] ?? null)}`)
    .join(",")}}`;
}
