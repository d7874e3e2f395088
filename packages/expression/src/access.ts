import type { Json } from "@tutti/model";
import { equal } from "./order.ts";
import type { Raised, Run } from "./run.ts";
import { copyObject, hasSurrogates, isArray, isObject, member, newObject, type ReadonlyObject, typeName } from "./values.ts";

/** `target[key]`, as jq reads: null for what is missing, an error for a key that does not fit the target. */
export function index(run: Run, target: Json, key: Json): Json {
  if (typeof key === "string") return field(run, target, key);
  if (typeof key === "number") {
    if (isArray(target)) return element(run, target, key);
    if (target === null) return null;
  } else if (isObject(key)) {
    if (target === null) return null;
    if (isArray(target) || typeof target === "string") return slice(run, target, ...edgesOf(run, key));
  } else if (isArray(key) && isArray(target)) {
    return indicesOfArray(run, target, key);
  }
  throw cannotIndex(run, target, key);
}

export function field(run: Run, target: Json, key: string): Json {
  if (isObject(target)) return member(target, key);
  if (target === null) return null;
  throw cannotIndex(run, target, key);
}

/** A slice as a key of a path names both of its edges; an object without them is none. */
function edgesOf(run: Run, key: ReadonlyObject): [from: Json, to: Json] {
  if (Object.hasOwn(key, "start") && Object.hasOwn(key, "end")) return [member(key, "start"), member(key, "end")];
  throw run.raise("Start and end indices of an array slice must be numbers");
}

/** Parts of an index are dropped, as in jq 1.7.1; under the older rules a negative one was rounded down. */
function wholeIndex(run: Run, key: number): number {
  return run.hasOlderRules ? Math.floor(key) : Math.trunc(key);
}

function element(run: Run, target: readonly Json[], key: number): Json {
  const position = wholeIndex(run, key);
  return target[position < 0 ? position + target.length : position] ?? null;
}

function cannotIndex(run: Run, target: Json, key: Json): Raised {
  const what = typeof key === "string" ? `string "${key}"` : typeName(key);
  return run.raise(`Cannot index ${typeName(target)} with ${what}`);
}

export function slice(run: Run, target: Json, from: Json, to: Json): Json {
  if (target === null) return null;
  if (typeof target === "string") {
    run.string(target.length);
    const isPlain = !hasSurrogates(target);
    const units = isPlain ? target : Array.from(target);
    const [start, end] = sliceBounds(run, { length: units.length, from, to });
    return isPlain ? target.slice(start, end) : (units.slice(start, end) as string[]).join("");
  }
  if (!isArray(target)) throw run.raise(`Cannot index ${typeName(target)} with object`);
  const [start, end] = sliceBounds(run, { length: target.length, from, to });
  run.array(end - start);
  return target.slice(start, end);
}

function sliceBounds(run: Run, slice: { length: number; from: Json; to: Json }): [number, number] {
  const { length } = slice;
  const from = slice.from ?? 0;
  const to = slice.to ?? length;
  if (typeof from !== "number" || typeof to !== "number") throw run.raise("Start and end indices of an array slice must be numbers");
  const clamp = (bound: number): number => Math.min(Math.max(bound < 0 ? bound + length : bound, 0), length);
  const start = Number.isNaN(from) ? 0 : Math.floor(clamp(from));
  const end = Number.isNaN(to) ? length : Math.ceil(clamp(to));
  return [start, Math.max(start, end)];
}

/** The positions at which `wanted` occurs in `target`, overlaps included. */
export function indicesOfArray(run: Run, target: readonly Json[], wanted: readonly Json[]): Json {
  if (wanted.length === 0) return [];
  const found: number[] = [];
  for (let start = 0; start + wanted.length <= target.length; start++) {
    run.spend(1);
    let offset = 0;
    while (offset < wanted.length && equal(run, target[start + offset] as Json, wanted[offset] as Json)) offset++;
    run.spend(offset >>> 2);
    if (offset === wanted.length) found.push(start);
  }
  return found;
}

/** `target` with `key` set to `value`, the rest shared. */
export function setIndex(run: Run, target: Json, key: Json, value: Json): Json {
  if (typeof key === "string" && (target === null || isObject(target))) {
    const copy = target === null ? newObject() : copyObject(run, target);
    copy[key] = value;
    run.spend(1);
    return copy;
  }
  if (typeof key === "number" && (target === null || isArray(target))) return setElement(run, target ?? [], key, value);
  if (isObject(key) && (target === null || isArray(target))) return setSlice(run, target ?? [], key, value);
  if (isObject(key) && typeof target === "string") throw run.raise("Cannot update string slices");
  if (isObject(key)) throw run.raise(`Cannot update field at object index of ${typeName(target)}`);
  if (isArray(key) && isArray(target)) throw run.raise("Cannot update field at array index of array");
  throw cannotIndex(run, target, key);
}

function setElement(run: Run, target: readonly Json[], key: number, value: Json): Json {
  if (Number.isNaN(key)) throw run.raise("Cannot set array element at NaN index");
  const whole = wholeIndex(run, key);
  const position = whole < 0 ? whole + target.length : whole;
  if (position < 0) throw run.raise("Out of bounds negative array index");
  run.array(Math.max(position + 1, target.length));
  const copy = target.slice();
  while (copy.length < position) copy.push(null);
  copy[position] = value;
  return copy;
}

function setSlice(run: Run, target: readonly Json[], key: ReadonlyObject, value: Json): Json {
  const [from, to] = edgesOf(run, key);
  const [start, end] = sliceBounds(run, { length: target.length, from, to });
  if (!isArray(value)) throw run.raise("A slice of an array can only be assigned another array");
  run.array(target.length - (end - start) + value.length);
  return [...target.slice(0, start), ...value, ...target.slice(end)];
}

/** `target` without the members named by `keys`, which all belong to this level. */
export function deleteIndices(run: Run, target: Json, keys: readonly Json[]): Json {
  if (target === null || keys.length === 0) return target;
  if (isArray(target)) return deleteElements(run, target, keys);
  if (!isObject(target)) throw run.raise(`Cannot delete fields from ${typeName(target)}`);
  const copy = copyObject(run, target);
  for (const key of keys) {
    if (typeof key !== "string") throw run.raise(`Cannot delete ${typeName(key)} field of object`);
    delete copy[key];
  }
  return copy;
}

function deleteElements(run: Run, target: readonly Json[], keys: readonly Json[]): Json {
  const doomed = new Set<number>();
  for (const key of keys) {
    if (typeof key === "number") {
      const whole = wholeIndex(run, key);
      // Here jq counts -0.5 from the end as well, where nothing is; everywhere else it is the index 0.
      doomed.add(key < 0 ? whole + target.length : whole);
    } else if (isObject(key)) {
      const [from, to] = edgesOf(run, key);
      const [start, end] = sliceBounds(run, { length: target.length, from, to });
      run.array(end - start);
      for (let position = start; position < end; position++) doomed.add(position);
    } else {
      throw run.raise(`Cannot delete ${typeName(key)} element of array`);
    }
  }
  run.array(target.length);
  return target.filter((_, position) => !doomed.has(position));
}

export function has(run: Run, target: Json, key: Json): boolean {
  if (isObject(target) && typeof key === "string") return Object.hasOwn(target, key);
  if (target === null) return false;
  if (isArray(target) && typeof key === "number") {
    const position = wholeIndex(run, key);
    return position >= 0 && position < target.length;
  }
  throw run.raise(`Cannot check whether ${typeName(target)} has a ${typeof key === "string" ? "string" : typeName(key)} key`);
}
