import type { Json } from "@tutti/model";
import type { Run } from "./run.ts";
import { isArray, isObject, member, type ReadonlyObject } from "./values.ts";

/**
 * jq's total order: null < false < true < numbers < strings < arrays < objects. Strings by code point, objects by their sorted
 * keys first and then by their values. `nan` is below every number, itself included.
 */
export function compare(run: Run, left: Json, right: Json): number {
  run.spend(1);
  if (typeof left === "number" && typeof right === "number") return compareNumbers(left, right);
  if (typeof left === "string" && typeof right === "string") return compareStrings(run, left, right);
  const byRank = rank(left) - rank(right);
  if (byRank !== 0) return byRank;
  if (isArray(left) && isArray(right)) return compareArrays(run, left, right);
  if (isObject(left) && isObject(right)) return compareObjects(run, left, right);
  return 0;
}

/** Equality without ordering: cheaper for objects, and what `==` means. */
export function equal(run: Run, left: Json, right: Json): boolean {
  if (typeof left !== "object" || typeof right !== "object" || left === null || right === null) {
    if (typeof left === "string") run.spend(left.length >>> 6);
    return left === right;
  }
  run.spend(1);
  if (isArray(left)) {
    if (!isArray(right) || left.length !== right.length) return false;
    run.spend(left.length >>> 2);
    for (let index = 0; index < left.length; index++) {
      if (!equal(run, left[index] as Json, right[index] as Json)) return false;
    }
    return true;
  }
  if (isArray(right)) return false;
  const keys = Object.keys(left);
  if (keys.length !== Object.keys(right).length) return false;
  run.spend(keys.length);
  for (const key of keys) {
    if (!Object.hasOwn(right, key) || !equal(run, member(left as ReadonlyObject, key), member(right as ReadonlyObject, key))) return false;
  }
  return true;
}

export function compareNumbers(left: number, right: number): number {
  if (left < right || Number.isNaN(left)) return -1;
  return left === right ? 0 : 1;
}

/** UTF-16 order differs from code point order only where a surrogate meets a unit above the surrogates. */
export function compareStrings(run: Run, left: string, right: string): number {
  if (left === right) return 0;
  const shared = Math.min(left.length, right.length);
  let index = 0;
  while (index < shared && left.charCodeAt(index) === right.charCodeAt(index)) index++;
  run.spend(index >>> 4);
  if (index === shared) return left.length - right.length;
  return codePointRank(left.charCodeAt(index)) - codePointRank(right.charCodeAt(index));
}

/** The keys of an object, sorted by code point. */
export function sortedKeys(run: Run, object: ReadonlyObject): string[] {
  const keys = Object.keys(object);
  run.spend(keys.length);
  return keys.sort((left, right) => compareStrings(run, left, right));
}

/** A stable sort of `items` by `compareItems`, paid for as it goes. */
export function sortValues(run: Run, items: readonly Json[]): Json[] {
  run.array(items.length);
  return items.toSorted((left, right) => compare(run, left, right));
}

function codePointRank(unit: number): number {
  return unit >= 0xe000 ? unit - 0x800 : unit >= 0xd800 ? unit + 0x2000 : unit;
}

function rank(value: Json): number {
  switch (typeof value) {
    case "boolean":
      return value ? 2 : 1;
    case "number":
      return 3;
    case "string":
      return 4;
    default:
      return value === null || value === undefined ? 0 : Array.isArray(value) ? 5 : 6;
  }
}

function compareArrays(run: Run, left: readonly Json[], right: readonly Json[]): number {
  const shared = Math.min(left.length, right.length);
  for (let index = 0; index < shared; index++) {
    const order = compare(run, left[index] as Json, right[index] as Json);
    if (order !== 0) return order;
  }
  return left.length - right.length;
}

function compareObjects(run: Run, left: ReadonlyObject, right: ReadonlyObject): number {
  const leftKeys = sortedKeys(run, left);
  const byKeys = compareArrays(run, leftKeys, sortedKeys(run, right));
  if (byKeys !== 0) return byKeys;
  for (const key of leftKeys) {
    const order = compare(run, member(left, key), member(right, key));
    if (order !== 0) return order;
  }
  return 0;
}
