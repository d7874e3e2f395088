import type { Json } from "@tutti/model";
import { has, index, indicesOfArray } from "../access.ts";
import { add } from "../arithmetic.ts";
import { type Code, firstOf, many, single } from "../code.ts";
import { toText } from "../formats.ts";
import { compare, equal, sortedKeys, sortValues } from "../order.ts";
import type { Run } from "../run.ts";
import { codePointLength, describe, isArray, isObject, member, newObject, typeName } from "../values.ts";
import { arg, type BuiltinTable, ofClosure, ofInput, ofParameters, ofValue } from "./define.ts";
import { ITERATE } from "./iterate.ts";
import { stringIndices } from "./strings.ts";

/** Builtins about arrays and objects as a whole. */
export const COLLECTIONS: BuiltinTable = {
  "length/0": ofInput(length, 0),
  "type/0": ofInput((_run, input) => typeName(input), 0),
  "keys/0": ofInput((run, input) => keysOf(run, input, true)),
  "keys_unsorted/0": ofInput((run, input) => keysOf(run, input, false)),
  "has/1": ofValue(has, 0),
  "in/1": ofValue((run, input, container) => has(run, container, input), 0),
  "contains/1": ofValue((run, input, part) => contains(run, input, part), 0),
  "inside/1": ofValue((run, input, whole) => contains(run, whole, input), 0),
  "add/0": ofInput((run, input) => sum(run, ITERATE, input)),
  "add/1": (call) => single((run, input, env) => sum(run, arg(call, 0), input, env), Number.POSITIVE_INFINITY),
  "reverse/0": ofInput(reverse),
  "sort/0": ofInput((run, input) => sortValues(run, arrayFor(run, input, "sorted"))),
  "sort_by/1": ofClosure((run, input, key) => keyed(run, input, key).map((item) => item.value)),
  "group_by/1": ofClosure((run, input, key) => groups(run, keyed(run, input, key)).map((group) => group.map((item) => item.value))),
  "unique/0": ofInput((run, input) => uniqueSorted(run, sortValues(run, arrayFor(run, input, "sorted")))),
  "unique_by/1": ofClosure((run, input, key) => groups(run, keyed(run, input, key)).map((group) => (group[0] as Keyed).value)),
  "min/0": ofInput((run, input) => extreme(run, plain(run, input), -1)),
  "max/0": ofInput((run, input) => extreme(run, plain(run, input), 1)),
  "min_by/1": ofClosure((run, input, key) => extreme(run, unsorted(run, input, key), -1)),
  "max_by/1": ofClosure((run, input, key) => extreme(run, unsorted(run, input, key), 1)),
  "flatten/0": ofInput((run, input) => flatten(run, input, Number.POSITIVE_INFINITY)),
  "flatten/1": ofValue((run, input, depth) => flattenTo(run, input, depth)),
  "transpose/0": ofInput(transpose, Number.POSITIVE_INFINITY),
  "first/0": () => fixedIndex(0),
  "last/0": () => fixedIndex(-1),
  "nth/1": (call) => nth(arg(call, 0)),
  "indices/1": ofValue(indices),
  "index/1": ofValue((run, input, wanted) => at(run, indices(run, input, wanted), 0)),
  "rindex/1": ofValue((run, input, wanted) => at(run, indices(run, input, wanted), -1)),
  "combinations/0": () => many((run, input, _env, emit) => combine(run, isEmptyAsJq(input) ? [] : arrayFor(run, input, "combined"), emit)),
  "combinations/1": ofParameters((run, input, [count], emit) => combine(run, copies(run, input, count as Json), emit)),
  "bsearch/1": ofValue((run, input, target) => (isEmptyAsJq(input) ? -1 : search(run, arrayFor(run, input, "searched from"), target)), 0),
  "toarray/0": ofInput((_run, input) => (isArray(input) ? input : [input])),
  "IN/1": (call) => contained(call.args[0] as Code, (run, input, value) => equal(run, input, value)),
  "IN/2": (call) => anyIn(arg(call, 0), arg(call, 1)),
  "INDEX/1": (call) => indexBy(ITERATE, arg(call, 0)),
  "INDEX/2": (call) => indexBy(arg(call, 0), arg(call, 1)),
};

function length(run: Run, input: Json): Json {
  if (input === null) return 0;
  if (typeof input === "string") {
    run.spend(input.length >>> 6);
    return codePointLength(input);
  }
  if (typeof input === "number") return Math.abs(input);
  if (typeof input === "boolean") throw run.raise(`${describe(run, input)} has no length`);
  return isArray(input) ? input.length : Object.keys(input).length;
}

function keysOf(run: Run, input: Json, isSorted: boolean): Json {
  if (isObject(input)) {
    const keys = isSorted ? sortedKeys(run, input) : Object.keys(input);
    run.array(keys.length);
    return keys;
  }
  if (!isArray(input)) throw run.raise(`${describe(run, input)} has no keys`);
  run.array(input.length);
  return input.map((_, position) => position);
}

/** A string contains its substrings, an array for each part something that contains it, an object likewise by key. */
function contains(run: Run, whole: Json, part: Json): boolean {
  if (sameKind(whole, part)) return containsKind(run, whole, part);
  throw run.raise(`${describe(run, whole)} and ${describe(run, part)} cannot have their containment checked`);
}

/** Inside of others, what is of another kind is not contained. */
function containsKind(run: Run, whole: Json, part: Json): boolean {
  run.spend(1);
  if (!sameKind(whole, part)) return false;
  if (isObject(whole) && isObject(part)) {
    return Object.keys(part).every((key) => Object.hasOwn(whole, key) && containsKind(run, member(whole, key), member(part, key)));
  }
  if (isArray(whole) && isArray(part)) return part.every((wanted) => whole.some((item) => containsKind(run, item, wanted)));
  if (typeof whole === "string" && typeof part === "string") {
    run.spend(whole.length >>> 4);
    return whole.includes(part);
  }
  return equal(run, whole, part);
}

/** jq's kinds: `true` and `false` are two. */
function sameKind(left: Json, right: Json): boolean {
  return typeof left === "boolean" || typeof right === "boolean" ? left === right : typeName(left) === typeName(right);
}

/** `reduce .[] as $x (null; . + $x)`, with strings and arrays joined once at the end instead of copied per step. */
function sum(run: Run, code: Code, input: Json, env?: Parameters<Code["each"]>[2]): Json {
  let total: Json = null;
  let joined: Json[] | undefined;
  code.each(run, input, env, (value) => {
    run.spend(1);
    if (joined !== undefined && isArray(value)) {
      for (const item of value) joined.push(item);
      run.array(value.length);
      if (joined.length > run.limits.arrayLength) run.array(joined.length);
    } else if (joined === undefined && isArray(total) && isArray(value)) {
      run.array(total.length + value.length);
      joined = [...total, ...value];
      total = joined;
    } else {
      joined = undefined;
      total = add(run, total, value);
    }
    return false;
  });
  return total;
}

/** `[.[length - 1 - range(0; length)]]`: what has no length, or the length 0, gives an empty list; texts can't be indexed. */
function reverse(run: Run, input: Json): Json {
  if (input === null) return [];
  if (run.hasOlderRules && typeof input === "string") {
    run.string(input.length);
    return Array.from(input).toReversed().join("");
  }
  if (!isArray(input)) {
    if (!run.hasOlderRules && length(run, input) === 0) return [];
    throw run.raise(`Cannot index ${typeName(input)} with number`);
  }
  const items = input;
  run.array(items.length);
  return items.toReversed();
}

function arrayFor(run: Run, input: Json, verb: string): readonly Json[] {
  if (isArray(input)) return input;
  throw run.raise(`${describe(run, input)} cannot be ${verb}, as it is not an array`);
}

interface Keyed {
  readonly key: Json;
  readonly value: Json;
}

function plain(run: Run, input: Json): Keyed[] {
  const items = arrayFor(run, input, "iterated over");
  run.array(items.length);
  return items.map((value) => ({ key: value, value }));
}

function unsorted(run: Run, input: Json, key: (value: Json) => Json[]): Keyed[] {
  if (typeof input !== "object" || input === null) throw run.raise(`Cannot iterate over ${describe(run, input)}`);
  // jq asks for the keys first, also of the values of an object, which it then cannot sort.
  const items: readonly Json[] = isArray(input) ? input : Object.values(input);
  run.array(items.length);
  const keyed = items.map((value) => ({ key: key(value), value }));
  arrayFor(run, input, "sorted");
  return keyed;
}

function keyed(run: Run, input: Json, key: (value: Json) => Json[]): Keyed[] {
  return unsorted(run, input, key).sort((left, right) => compare(run, left.key, right.key));
}

function groups(run: Run, items: readonly Keyed[]): Keyed[][] {
  const result: Keyed[][] = [];
  for (const item of items) {
    const current = result.at(-1);
    if (current !== undefined && compare(run, (current[0] as Keyed).key, item.key) === 0) current.push(item);
    else result.push([item]);
  }
  return result;
}

function uniqueSorted(run: Run, items: readonly Json[]): Json {
  return items.filter((item, position) => position === 0 || compare(run, items[position - 1] as Json, item) !== 0);
}

/** The smallest (`sign` -1; the first of equals) or largest (1; the last of equals). */
function extreme(run: Run, items: readonly Keyed[], sign: number): Json {
  let best: Keyed | undefined;
  for (const item of items) {
    const order = best === undefined ? 1 : compare(run, item.key, best.key) * sign;
    if (order > 0 || (order === 0 && sign > 0)) best = item;
  }
  return best?.value ?? null;
}

function flattenTo(run: Run, input: Json, depth: Json): Json {
  if (typeof depth !== "number") throw run.raise("flatten depth must be a number");
  if (depth < 0) throw run.raise("flatten depth must not be negative");
  return flatten(run, input, depth);
}

function flatten(run: Run, input: Json, depth: number): Json {
  const items: Json[] = [];
  const visit = (value: Json, left: number): void => {
    for (const item of (isObject(value) ? Object.values(value) : value) as readonly Json[]) {
      run.spend(1);
      if (isArray(item) && left > 0) visit(item, left - 1);
      else items.push(item);
    }
    if (items.length > run.limits.arrayLength) run.array(items.length);
  };
  if (!isArray(input) && !isObject(input)) throw run.raise(`Cannot iterate over ${describe(run, input)}`);
  visit(input, depth);
  return items;
}

function transpose(run: Run, input: Json): Json {
  const rows = arrayFor(run, input, "transposed");
  if (!rows.every(isArray)) throw run.raise("transpose needs an array of arrays");
  const width = rows.reduce((widest, row) => Math.max(widest, row.length), 0);
  run.array(width);
  return Array.from({ length: width }, (_, column) => {
    run.array(rows.length);
    return rows.map((row) => row[column] ?? null);
  });
}

/** `first`, `last`: ordinary indices, hence usable in paths. */
function fixedIndex(position: number): Code {
  return nth(single(() => position, 0));
}

function nth(position: Code): Code {
  const { one } = position;
  return {
    one: one === undefined ? undefined : (run, input, env) => index(run, input, one(run, input, env)),
    each: (run, input, env, emit) =>
      position.each(run, input, env, (key) => {
        run.spend(1);
        return emit(index(run, input, key));
      }),
    paths: (run, input, env, emit) =>
      position.each(run, input.value, env, (key) => {
        input.requireForAccess(run, key);
        return emit(input.step(run, key, index(run, input.value, key)));
      }),
    growth: 1,
    constant: undefined,
  };
}

function indices(run: Run, input: Json, wanted: Json): Json {
  if (typeof input === "string" && typeof wanted === "string") return stringIndices(run, input, wanted);
  if (isArray(input)) return indicesOfArray(run, input, isArray(wanted) ? wanted : [wanted]);
  return index(run, input, wanted);
}

/** Of an object `indices` gives a member, which need not be a list. */
function at(run: Run, found: Json, position: number): Json {
  if (isArray(found)) return found.at(position) ?? null;
  return run.hasOlderRules ? null : index(run, found, position);
}

function combine(run: Run, lists: readonly Json[], emit: (value: Json) => boolean): boolean {
  const chosen: Json[] = [];
  const loop = (position: number): boolean => {
    if (position === lists.length) {
      run.array(chosen.length);
      return emit(chosen.slice());
    }
    const list = lists[position] as Json;
    if (!isArray(list) && !isObject(list)) throw run.raise(`Cannot iterate over ${describe(run, list)}`);
    const items: readonly Json[] = isArray(list) ? list : Object.values(list);
    return items.some((item) => {
      run.spend(1);
      chosen[position] = item;
      return loop(position + 1);
    });
  };
  return loop(0);
}

function copies(run: Run, input: Json, count: Json): readonly Json[] {
  if (typeof count !== "number") throw run.raise("combinations needs a number of repetitions");
  // Each repetition is one level of host recursion.
  if (count > run.limits.nesting) throw run.limit(`combinations are at most ${run.limits.nesting} wide`);
  return Array.from({ length: Math.max(0, Math.ceil(count)) }, () => input);
}

/** Whether its `length` is 0: jq finds nothing in it, whatever it is. */
function isEmptyAsJq(input: Json): boolean {
  return input === null || input === "" || input === 0 || (isObject(input) && Object.keys(input).length === 0);
}

/** The position of `target` in a sorted array, or -1 - where it would be put. */
function search(run: Run, items: readonly Json[], target: Json): Json {
  let low = 0;
  let high = items.length - 1;
  while (low <= high) {
    const middle = (low + high) >>> 1;
    const order = compare(run, items[middle] as Json, target);
    if (order === 0) return middle;
    if (order < 0) low = middle + 1;
    else high = middle - 1;
  }
  return -1 - low;
}

function contained(source: Code, matches: (run: Run, input: Json, value: Json) => boolean): Code {
  return single(
    (run, input, env) =>
      source.each(run, input, env, (value) => {
        run.spend(1);
        return matches(run, input, value);
      }),
    0,
  );
}

function anyIn(source: Code, candidates: Code): Code {
  return single(
    (run, input, env) =>
      source.each(run, input, env, (value) =>
        candidates.each(run, input, env, (candidate) => {
          run.spend(1);
          return equal(run, value, candidate);
        }),
      ),
    0,
  );
}

function indexBy(source: Code, key: Code): Code {
  return single((run, input, env) => {
    const object = newObject();
    source.each(run, input, env, (row) => {
      run.spend(3);
      const name = firstOf(run, key, row, env) ?? null;
      object[toText(run, name)] = row;
      return false;
    });
    run.object(Object.keys(object).length);
    return object;
  }, Number.POSITIVE_INFINITY);
}
