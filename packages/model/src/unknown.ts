import { isJsonObject, type Json, type JsonObject } from "./json.ts";

/**
 * Values that are not known before a run: what a change preview calculates with. Such a value is an ordinary JSON object for whoever only shows or
 * stores it (`{"$unknown": "the output of /do/0/make"}`), and is known by its identity: data that happens to look so is data, and a copy is no unknown
 * any more. Wherever a preview would look into a value, it asks here first.
 */

/** The member that says, where an unknown is shown, what it is. */
export const UNKNOWN_MEMBER = "$unknown";

/** By identity: what the value is, in words that follow "depends on". */
const unknowns = new WeakMap<object, string>();
/** The first unknown inside a value that has been looked through; false when there is none. Values of runs never change. */
const looked = new WeakMap<object, string | false>();

/** A value of which nothing is known. `of` says what it is: `the output of /do/0/make`. */
export function unknownValue(of: string): JsonObject {
  return partlyUnknown({}, of);
}

/** An object of which some members are known; whatever else there is to read of it is unknown. */
export function partlyUnknown(known: JsonObject, of: string): JsonObject {
  // Without a prototype, so that no name a document asks for is there by accident.
  const value = Object.freeze(Object.assign(Object.create(null) as Record<string, Json>, known, { [UNKNOWN_MEMBER]: of }));
  unknowns.set(value, of);
  return value;
}

/** What the value itself is when it is unknown, or known in part only; undefined for any other value, whatever is inside it. */
export function unknownOf(value: Json | undefined): string | undefined {
  return typeof value === "object" && value !== null ? unknowns.get(value) : undefined;
}

/** Whether `value` is an object known in part: it is certain to be an object. */
export function isPartlyKnown(value: Json | undefined): boolean {
  return unknownOf(value) !== undefined && Object.keys(value as JsonObject).length > 1;
}

/** What the first unknown anywhere in the value is; undefined when all of it is known. Linear in the size of what was not looked through before. */
export function unknownIn(value: Json | undefined): string | undefined {
  if (typeof value !== "object" || value === null) return undefined;
  const own = unknowns.get(value);
  if (own !== undefined) return own;
  const before = looked.get(value);
  if (before !== undefined) return before === false ? undefined : before;
  let found: string | undefined;
  for (const member of isJsonObject(value) ? Object.values(value) : value) {
    found = unknownIn(member);
    if (found !== undefined) break;
  }
  looked.set(value, found ?? false);
  return found;
}
