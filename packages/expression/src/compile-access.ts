import type { Json } from "@tutti/model";
import { field, index } from "./access.ts";
import type { Node } from "./ast.ts";
import { type Code, type Each, type EachLocation, type Emit, type EmitLocation, IDENTITY, type One, computedPaths } from "./code.ts";
import type { Compiler } from "./compile.ts";
import type { Location } from "./paths.ts";
import { Raised, type Run } from "./run.ts";
import type { Scope } from "./scope.ts";
import { describe, isArray, isObject, member, newObject } from "./values.ts";

type NodeOf<Kind extends Node["kind"]> = Extract<Node, { kind: Kind }>;

export function compileIndex(compiler: Compiler, node: NodeOf<"index">, scope: Scope): Code {
  const target = compiler.compile(node.target, scope);
  const key = compiler.compile(node.key, scope);
  const fixed = key.constant;
  if (fixed !== undefined && !node.optional && target.one !== undefined) return indexOne(target, fixed, node.at);
  return accessCode({ keys: key, target, read: index, optional: node.optional, at: node.at });
}

/** `.a`, `.a.b`, `$x[0]`: the commonest expressions of all. */
function indexOne(target: Code, key: Json, at: number): Code {
  const targetOne = target.one as One;
  const isIdentity = target === IDENTITY;
  let one: One;
  if (typeof key === "string") {
    one = isIdentity
      ? (run, input) => {
          run.at = at;
          run.spend(1);
          return field(run, input, key);
        }
      : (run, input, env) => {
          const value = targetOne(run, input, env);
          run.at = at;
          run.spend(1);
          return field(run, value, key);
        };
  } else {
    one = (run, input, env) => {
      const value = targetOne(run, input, env);
      run.at = at;
      run.spend(1);
      return index(run, value, key);
    };
  }
  const paths: EachLocation = (run, input, env, emit) =>
    target.paths(run, input, env, (location) => {
      run.at = at;
      location.requireForAccess(run, key);
      return emit(location.step(run, key, index(run, location.value, key)));
    });
  return { one, each: (run, input, env, emit) => emit(one(run, input, env)), paths, growth: target.growth, constant: undefined };
}

interface Access {
  /** Outer loop. */
  readonly keys: Code;
  /** Inner loop. */
  readonly target: Code;
  readonly read: (run: Run, target: Json, key: Json) => Json;
  readonly optional: boolean;
  readonly at: number;
}

/** Access with any number of keys and targets. Keys are the outer loop, as in jq: `[[1,2],[3,4]] | .[0,1][0,1]` gives 1,3,2,4. */
function accessCode({ keys, target, read, optional, at }: Access): Code {
  const readOptional = (run: Run, value: Json, key: Json): Json | undefined => {
    run.at = at;
    run.spend(1);
    if (!optional) return read(run, value, key);
    try {
      return read(run, value, key);
    } catch (error) {
      if (error instanceof Raised) return undefined;
      throw error;
    }
  };
  const each: Each = (run, input, env, emit) =>
    keys.each(run, input, env, (key) =>
      target.each(run, input, env, (value) => {
        const result = readOptional(run, value, key);
        return result !== undefined && emit(result);
      }),
    );
  const paths: EachLocation = (run, input, env, emit) =>
    keys.each(run, input.value, env, (key) =>
      target.paths(run, input, env, (location) => {
        run.at = at;
        if (!location.isPlace && optional) return false;
        location.requireForAccess(run, key);
        const result = readOptional(run, location.value, key);
        return result !== undefined && emit(location.step(run, key, result));
      }),
    );
  const isOne = !optional && keys.one !== undefined && target.one !== undefined;
  const one = isOne ? accessOne(keys.one as One, target.one as One, { read, at }) : undefined;
  return { one, each, paths, growth: target.growth, constant: undefined };
}

function accessOne(key: One, target: One, { read, at }: { read: Access["read"]; at: number }): One {
  return (run, input, env) => {
    const keyValue = key(run, input, env);
    const value = target(run, input, env);
    run.at = at;
    run.spend(1);
    return read(run, value, keyValue);
  };
}

export function compileSlice(compiler: Compiler, node: NodeOf<"slice">, scope: Scope): Code {
  const target = compiler.compile(node.target, scope);
  const from = node.from === undefined ? undefined : compiler.compile(node.from, scope);
  const to = node.to === undefined ? undefined : compiler.compile(node.to, scope);
  return accessCode({ keys: sliceKeys(from, to), target, read: index, optional: node.optional, at: node.at });
}

/** The key of a slice is an object {start, end}; it is what paths hold. */
function sliceKeys(from: Code | undefined, to: Code | undefined): Code {
  const key = (start: Json, end: Json): Json => {
    const object = newObject();
    object["start"] = start;
    object["end"] = end;
    return object;
  };
  const each: Each = (run, input, env, emit) => {
    const withStart = (start: Json): boolean => {
      run.spend(2);
      return to === undefined ? emit(key(start, null)) : to.each(run, input, env, (end) => emit(key(start, end)));
    };
    return from === undefined ? withStart(null) : from.each(run, input, env, withStart);
  };
  const isOne = (from === undefined || from.one !== undefined) && (to === undefined || to.one !== undefined);
  const one: One = (run, input, env) => key(from?.one?.(run, input, env) ?? null, to?.one?.(run, input, env) ?? null);
  return { one: isOne ? one : undefined, each, paths: computedPaths(each), growth: 1, constant: undefined };
}

export function compileIterate(compiler: Compiler, node: NodeOf<"iterate">, scope: Scope): Code {
  const target = compiler.compile(node.target, scope);
  const { at, optional } = node;
  const targetOne = target.one;
  const each: Each =
    targetOne === undefined
      ? (run, input, env, emit) => target.each(run, input, env, (value) => iterate(run, value, { emit, optional, at }))
      : (run, input, env, emit) => iterate(run, targetOne(run, input, env), { emit, optional, at });
  const paths: EachLocation = (run, input, env, emit) =>
    target.paths(run, input, env, (location) => {
      run.at = at;
      if (!location.isPlace && optional) return false;
      location.requireForIteration(run);
      return iterateLocation(run, location, { emit, optional });
    });
  return { one: undefined, each, paths, growth: target.growth, constant: undefined };
}

function iterate(run: Run, value: Json, { emit, optional, at }: { emit: Emit; optional: boolean; at: number }): boolean {
  run.at = at;
  if (isArray(value)) {
    for (let position = 0; position < value.length; position++) {
      run.spend(1);
      if (emit(value[position] as Json)) return true;
    }
    return false;
  }
  if (isObject(value)) {
    for (const key of Object.keys(value)) {
      run.spend(1);
      if (emit(value[key] as Json)) return true;
    }
    return false;
  }
  if (optional) return false;
  throw cannotIterate(run, value);
}

export function iterateLocation(run: Run, location: Location, { emit, optional }: { emit: EmitLocation; optional: boolean }): boolean {
  const { value } = location;
  if (isArray(value)) {
    for (let position = 0; position < value.length; position++) {
      if (emit(location.step(run, position, value[position] as Json))) return true;
    }
    return false;
  }
  if (isObject(value)) {
    for (const key of Object.keys(value)) {
      if (emit(location.step(run, key, member(value, key)))) return true;
    }
    return false;
  }
  if (optional) return false;
  throw cannotIterate(run, value);
}

export function cannotIterate(run: Run, value: Json): Raised {
  return run.raise(`Cannot iterate over ${describe(run, value)}`);
}

/** `..`: the value and everything in it, parents first. */
export const RECURSE: Code = {
  one: undefined,
  each: (run, input, _env, emit) => recurse(run, input, { emit, depth: 0 }),
  paths: (run, input, _env, emit) => recurseLocation(run, input, emit),
  growth: 1,
  constant: undefined,
};

function recurse(run: Run, value: Json, { emit, depth }: { emit: Emit; depth: number }): boolean {
  if (depth > run.limits.nesting) throw run.limit(`a value is nested more than ${run.limits.nesting} deep`);
  run.spend(1);
  if (emit(value)) return true;
  if (typeof value !== "object" || value === null) return false;
  return iterate(run, value, { emit: (child) => recurse(run, child, { emit, depth: depth + 1 }), optional: true, at: run.at });
}

function recurseLocation(run: Run, location: Location, emit: EmitLocation): boolean {
  if (emit(location)) return true;
  return iterateLocation(run, location, { emit: (child) => recurseLocation(run, child, emit), optional: true });
}
