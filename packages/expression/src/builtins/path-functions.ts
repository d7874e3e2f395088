import type { Json } from "@tutti/model";
import { field } from "../access.ts";
import { type Code, type Each, type EachLocation, type Env, many, single } from "../code.ts";
import { iterateLocation, RECURSE } from "../compile-access.ts";
import { update } from "../compile-assign.ts";
import { pipe } from "../compile-control.ts";
import { toText } from "../formats.ts";
import { deletePaths, getPath, Location, setPath } from "../paths.ts";
import type { Run } from "../run.ts";
import { describe, isArray, isObject, isTruthy, member, newObject, type ReadonlyObject } from "../values.ts";
import { select } from "./control.ts";
import { arg, type BuiltinCall, type BuiltinTable, ofInput, ofValue, ofValues } from "./define.ts";
import { ITERATE } from "./iterate.ts";

/** Builtins about paths: where things are in a value, and changing them there. */
export const PATHS: BuiltinTable = {
  "path/1": (call) => pathOf(arg(call, 0), call.at),
  "paths/0": (call) => allPaths(call, undefined),
  "paths/1": (call) => allPaths(call, arg(call, 0)),
  // As `paths(scalars)`: leaves that are null or false are not listed, because the condition gives them.
  "leaf_paths/0": (call) =>
    allPaths(
      call,
      single((_run, input) => (typeof input === "object" ? false : input), 1),
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
        place = place.step(run, key, getPath(run, place.value, [key]));
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
  if (typeof input !== "object" || input === null) throw run.raise(`${describe(run, input)} has no keys`);
  if (isArray(input)) {
    run.spend(5 * input.length);
    return input.map((value, position) => entry(position, value));
  }
  const keys = Object.keys(input);
  run.spend(5 * keys.length);
  return keys.map((key) => entry(key, member(input as ReadonlyObject, key)));
}

function entry(key: string | number, value: Json): Json {
  const object = newObject();
  object["key"] = key;
  object["value"] = value;
  return object;
}

// What else an entry may call its key, in the order in which jq looks; `key` itself wins, even when it is false.
const OTHER_KEY_NAMES = ["k", "name", "Name", "K", "Key"];

function fromEntries(run: Run, input: Json): Json {
  const object = newObject();
  if (typeof input !== "object" || input === null) throw run.raise(`Cannot iterate over ${describe(run, input)}`);
  const items = isArray(input) ? input : Object.values(input as ReadonlyObject);
  for (const item of items) {
    run.spend(3);
    object[entryKey(run, item)] = entryValue(item);
  }
  run.object(Object.keys(object).length);
  return object;
}

function entryKey(run: Run, item: Json): string {
  const key = field(run, item, "key");
  if (key !== null) return toText(run, key);
  for (const name of OTHER_KEY_NAMES) {
    const other = field(run, item, name);
    if (isTruthy(other)) return toText(run, other);
  }
  return "null";
}

function entryValue(item: Json): Json {
  if (!isObject(item)) return null;
  const name = ["value", "v"].find((candidate) => Object.hasOwn(item, candidate)) ?? "Value";
  return member(item, name === "Value" && !Object.hasOwn(item, "Value") ? "V" : name);
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
