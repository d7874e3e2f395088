import type { Json } from "@tutti/model";
import { jsonBeginning } from "./json-write.ts";
import type { Run } from "./run.ts";

/** An object under construction. Its prototype is null, so every key, `__proto__` included, is an ordinary one. */
export type MutableObject = Record<string, Json>;
export type ReadonlyObject = { readonly [key: string]: Json };

export function newObject(): MutableObject {
  // Object.create is typed `any`.
  return Object.create(null) as MutableObject;
}

export function isArray(value: Json | undefined): value is readonly Json[] {
  return Array.isArray(value);
}

export function isObject(value: Json | undefined): value is ReadonlyObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Own properties only: data may have keys such as `constructor`, and reading one that is missing gives null, as jq wants. */
export function member(object: ReadonlyObject, key: string): Json {
  return Object.hasOwn(object, key) ? (object[key] as Json) : null;
}

export function copyObject(run: Run, object: ReadonlyObject): MutableObject {
  run.object(Object.keys(object).length);
  return Object.assign(newObject(), object);
}

export function isTruthy(value: Json): boolean {
  return value !== null && value !== false;
}

export type TypeName = "null" | "boolean" | "number" | "string" | "array" | "object";

export function typeName(value: Json): TypeName {
  if (value === null) return "null";
  if (typeof value !== "object") return typeof value as "boolean" | "number" | "string";
  return Array.isArray(value) ? "array" : "object";
}

// jq's error texts quote at most this many bytes of a value.
const EXCERPT_LENGTH = 14;

/** `number (12)`, `string ("very-long-...)`: how jq names a value in an error. */
export function describe(run: Run, value: Json): string {
  return `${typeName(value)} (${excerpt(run, value, EXCERPT_LENGTH)})`;
}

/** The beginning of a value as JSON, at a cost that does not depend on the value's size. */
export function excerpt(run: Run, value: Json, length: number): string {
  const text = jsonBeginning(run, value, length + 1);
  return text.length > length ? `${text.slice(0, length - 3)}...` : text;
}

/** The number of code points; a lone surrogate counts as one. */
export function codePointLength(text: string): number {
  if (!hasSurrogates(text)) return text.length;
  let length = 0;
  for (let index = 0; index < text.length; index++, length++) {
    if ((text.codePointAt(index) as number) > 0xffff) index++;
  }
  return length;
}

export function hasSurrogates(text: string): boolean {
  return /[\ud800-\udfff]/.test(text);
}
