/** A JSON value. Values that travel through runs are never mutated once they are in a run's data: they are shared, not copied. */
export type Json = null | boolean | number | string | readonly Json[] | JsonObject;

/** A JSON object. Read own properties only: data may carry keys such as `constructor` or `__proto__`. */
export interface JsonObject {
  readonly [key: string]: Json;
}

/** Whether `value` is a JSON object (neither null nor an array). */
export function isJsonObject(value: Json | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The own property `key` of `object`, undefined when it has none: inherited names never leak into data. */
export function ownProperty(object: JsonObject, key: string): Json | undefined {
  return Object.hasOwn(object, key) ? object[key] : undefined;
}

/**
 * An empty object that is about to get members of these names, each of which will be an ordinary one. Without a prototype only where a name asks
 * for that: V8 keeps such objects as hash tables, which are several times slower to make, to read and to write as text.
 */
export function emptyObjectFor(names: readonly string[]): Record<string, Json> {
  return names.includes("__proto__") ? (Object.create(null) as Record<string, Json>) : {};
}

/**
 * Whether two JSON values are equal: same type, same members in any key order, same numbers.
 *
 * Recursion is as deep as the data; callers bound the depth of what they accept (JSON.parse of a bounded body does).
 */
export function jsonEqual(left: Json | undefined, right: Json | undefined): boolean {
  if (left === right) return true;
  if (typeof left !== "object" || typeof right !== "object" || left === null || right === null) return false;
  if (Array.isArray(left) || Array.isArray(right)) {
    if (!Array.isArray(left) || !Array.isArray(right) || left.length !== right.length) return false;
    return left.every((item, index) => jsonEqual(item as Json, right[index] as Json));
  }
  const leftObject = left as JsonObject;
  const rightObject = right as JsonObject;
  const keys = Object.keys(leftObject);
  return (
    keys.length === Object.keys(rightObject).length &&
    keys.every((key) => Object.hasOwn(rightObject, key) && jsonEqual(leftObject[key], rightObject[key]))
  );
}
