import type { Json } from "@tutti/model";
import { type Code, type Each, type EachLocation, type Env, many, single } from "../code.ts";
import { iterateLocation, RECURSE } from "../compile-access.ts";
import { update } from "../compile-assign.ts";
import { pipe } from "../compile-control.ts";
import { deletePaths, getPath, Location, setPath } from "../paths.ts";
import type { Run } from "../run.ts";
import { isArray, isObject, newObject } from "../values.ts";
import { select } from "./control.ts";
import { arg, type BuiltinCall, type BuiltinTable, ofInput, ofValue, ofValues } from "./define.ts";
import { ITERATE } from "./iterate.ts";

/** Builtins about paths: where things are in a value, and changing them there. */
export const PATHS: BuiltinTable = {
  "path/1": (call) => pathOf(arg(call, 0), call.at),
  "paths/0": (call) => allPaths(call, undefined),
  "paths/1": (call) => allPaths(call, arg(call, 0)),
  "leaf_paths/0": (call) =>
    allPaths(
      call,
      single((_run, input) => typeof input !== "object" || input === null, 0),
    ),
  "getpath/1": getPathBuiltin,
  "setpath/2": ofValues((run, input, [path, value]) => setPath(run, input, path as Json, value as Json)),
  "delpaths/1": ofValue(deletePaths, 1),
  "del/1": (call) => del(arg(call, 0), call.at),
  "to_entries/0": ofInput(toEntries),
  "from_entries/0": ofInput(fromEntries),
  "with_entries/1": (call) => withEntries(call),
  "map/1": (call) => map(arg(call, 0)),
  "map_values/1": (call) => update(ITERATE, arg(call, 0)),
  "walk/1": (call) => walk(arg(call, 0)),
  "pick/1": (call) => pick(arg(call, 0)),
  "tostream/0": () => many((run, input, _env, emit) => toStream(run, Location.root(input), emit)),
};

function pathOf(body: Code, at: number): Code {
  return many((run, input, env, emit) =>
    body.paths(run, Location.root(input), env, (location) => {
      run.at = at;
      return emit(location.path(run));
    }),
  );
}

function allPaths(call: BuiltinCall, condition: Code | undefined): Code {
  const all = condition === undefined ? RECURSE : pipe(RECURSE, select(condition));
  return many((run, input, env, emit) =>
    all.paths(run, Location.root(input), env, (location) => {
      run.at = call.at;
      return location.length > 0 && emit(location.path(run));
    }),
  );
}

function getPathBuiltin(call: BuiltinCall): Code {
  const path = arg(call, 0);
  const paths: EachLocation = (run, input, env, emit) =>
    path.each(run, input.value, env, (keys) => {
      run.at = call.at;
      getPath(run, input.value, keys);
      // The read above has checked that keys are an array.
      let place = input;
      for (const key of keys as readonly Json[]) {
        place.requireForAccess(run, key);
        place = place.step(run, key, place.value === null ? null : getPath(run, place.value, [key]));
      }
      return emit(place);
    });
  return { ...ofValue(getPath, 1)(call), paths };
}

function del(body: Code, at: number): Code {
  return single((run, input, env) => {
    const doomed: Json[] = [];
    body.paths(run, Location.root(input), env, (location) => {
      run.at = at;
      doomed.push(location.path(run));
      return false;
    });
    return deletePaths(run, input, doomed);
  }, 1);
}

export function map(body: Code): Code {
  const { one } = body;
  if (one === undefined) {
    const items = pipe(ITERATE, body);
    return single((run, input, env) => collected(run, items, input, env), Number.POSITIVE_INFINITY);
  }
  return single((run, input, env) => {
    if (!isArray(input)) return collected(run, pipe(ITERATE, body), input, env);
    run.array(input.length);
    const mapped: Json[] = [];
    for (let position = 0; position < input.length; position++) {
      run.spend(1);
      mapped.push(one(run, input[position] as Json, env));
    }
    return mapped;
  }, body.growth);
}

function collected(run: Run, code: Code, input: Json, env: Env): Json[] {
  const items: Json[] = [];
  code.each(run, input, env, (value) => {
    run.spend(1);
    items.push(value);
    if (items.length > run.limits.arrayLength) run.array(items.length);
    return false;
  });
  return items;
}

function toEntries(run: Run, input: Json): Json {
  if (!isObject(input)) throw run.raise("Cannot iterate over a value that is not an object: to_entries needs an object");
  const keys = Object.keys(input);
  run.spend(5 * keys.length);
  return keys.map((key) => entry(key, input[key] as Json));
}

function entry(key: string, value: Json): Json {
  const object = newObject();
  object["key"] = key;
  object["value"] = value;
  return object;
}

// Lower case wins; a name that is null or false falls through to the next, as `//` does in jq's definition.
const KEY_NAMES = ["key", "k", "name", "Name", "Key", "K"];
const VALUE_NAMES = ["value", "v", "Value", "V"];

function fromEntries(run: Run, input: Json): Json {
  const object = newObject();
  for (const item of isObject(input) ? Object.values(input) : isArray(input) ? input : []) {
    run.spend(3);
    if (!isObject(item as Json)) throw run.raise(`Cannot index ${item === null ? "null" : typeof item} with "key"`);
    object[entryKey(run, item as { readonly [key: string]: Json })] = entryValue(item as { readonly [key: string]: Json });
  }
  run.object(Object.keys(object).length);
  return object;
}

function entryKey(run: Run, item: { readonly [key: string]: Json }): string {
  let isFalse = false;
  for (const name of KEY_NAMES) {
    const key = Object.hasOwn(item, name) ? item[name] : undefined;
    if (key === undefined || key === null) continue;
    if (typeof key === "string") return key;
    if (typeof key === "number") return String(key);
    if (key === true) return "true";
    if (key !== false) throw run.raise("Cannot use a key that is an array or object: from_entries needs strings");
    isFalse = true;
  }
  return isFalse ? "false" : "null";
}

function entryValue(item: { readonly [key: string]: Json }): Json {
  for (const name of VALUE_NAMES) {
    if (Object.hasOwn(item, name)) return item[name] as Json;
  }
  return null;
}

function withEntries(call: BuiltinCall): Code {
  const entries = single((run, input) => toEntries(run, input), 1);
  const objects = single((run, input) => fromEntries(run, input), 1);
  return pipe(pipe(entries, map(arg(call, 0))), objects);
}

/** `def walk(f): def w: if type == "object" then map_values(w) elif type == "array" then map(w) else . end | f; w;` */
function walk(change: Code): Code {
  const each: Each = (run, input, env, emit) => {
    run.enter();
    const stopped = change.each(run, walkedChildren(run, input, env, each), env, emit);
    run.depth--;
    return stopped;
  };
  const { one } = change;
  return one === undefined ? many(each) : { ...single((run, input, env) => walkOne(run, input, env, one), Number.POSITIVE_INFINITY), each };
}

function walkOne(run: Run, input: Json, env: Env, one: NonNullable<Code["one"]>): Json {
  run.enter();
  let value = input;
  if (isArray(input)) {
    run.array(input.length);
    value = input.map((item) => walkOne(run, item, env, one));
  } else if (isObject(input)) {
    const keys = Object.keys(input);
    run.object(keys.length);
    const object = newObject();
    for (const key of keys) object[key] = walkOne(run, input[key] as Json, env, one);
    value = object;
  }
  run.depth--;
  return one(run, value, env);
}

/** Members keep their first output and vanish without one; elements are replaced by all their outputs. */
function walkedChildren(run: Run, input: Json, env: Env, each: Each): Json {
  if (isArray(input)) {
    const items: Json[] = [];
    for (const item of input) {
      each(run, item, env, (value) => {
        run.spend(1);
        items.push(value);
        if (items.length > run.limits.arrayLength) run.array(items.length);
        return false;
      });
    }
    return items;
  }
  if (!isObject(input)) return input;
  const object = newObject();
  for (const key of Object.keys(input)) {
    run.spend(2);
    each(run, input[key] as Json, env, (value) => {
      object[key] = value;
      return true;
    });
  }
  return object;
}

function pick(body: Code): Code {
  return single((run, input, env) => {
    let picked: Json = null;
    body.paths(run, Location.root(input), env, (location) => {
      const path = location.path(run);
      picked = setPath(run, picked, path, getPath(run, input, path));
      return false;
    });
    return picked;
  }, Number.POSITIVE_INFINITY);
}

/** Events [path, leaf] for every leaf and [path] after the last member of every container. */
function toStream(run: Run, location: Location, emit: (event: Json) => boolean): boolean {
  const { value } = location;
  let last: Location | undefined;
  if (typeof value === "object" && value !== null) {
    const stopped = iterateLocation(run, location, {
      optional: true,
      emit: (child) => {
        last = child;
        return toStream(run, child, emit);
      },
    });
    if (stopped) return true;
  }
  run.spend(2);
  return emit(last === undefined ? [location.path(run), value] : [(last as Location).path(run)]);
}
