import type { Json } from "@tutti/model";
import type { Location } from "./paths.ts";
import { LimitReached, Raised, Run } from "./run.ts";

/** Receives one output; answers true to stop the producer. */
export type Emit = (value: Json) => boolean;
export type EmitLocation = (location: Location) => boolean;
/** Evaluates an expression that yields exactly one output. */
export type One = (run: Run, input: Json, env: Env) => Json;
/** Calls `emit` per output, in order. Returns true when `emit` asked to stop; producers then return true at once themselves. */
export type Each = (run: Run, input: Json, env: Env, emit: Emit) => boolean;
/** As `Each`, for path expressions: each output with its place in the root value. */
export type EachLocation = (run: Run, input: Location, env: Env, emit: EmitLocation) => boolean;

/** What an expression compiles to. */
export interface Code {
  /** Present when the expression yields exactly one output or throws, whatever its input: the fast path. */
  readonly one: One | undefined;
  readonly each: Each;
  readonly paths: EachLocation;
  /** The output has at most this many times the nodes of what it reads, be it data or constants; infinite when loops build it. */
  readonly growth: number;
  /** The output when it depends on nothing. Deep-frozen. */
  readonly constant: Json | undefined;
}

/** One bound variable, closure parameter or label; the compiler knows how many parents away it is. */
export class Cell {
  readonly value: unknown;
  readonly parent: Env;

  constructor(value: unknown, parent: Env) {
    this.value = value;
    this.parent = parent;
  }
}
export type Env = Cell | undefined;

/** An argument that is not evaluated until the callee asks. */
export class Closure {
  readonly code: Code;
  readonly env: Env;

  constructor(code: Code, env: Env) {
    this.code = code;
    this.env = env;
  }
}

export function ancestor(env: Env, hops: number): Env {
  let current = env;
  for (let left = hops; left > 0; left--) current = (current as Cell).parent;
  return current;
}

/** Code of an expression with exactly one output that is computed, not found: in a path expression it has no place. */
export function single(one: One, growth: number): Code {
  const each: Each = (run, input, env, emit) => emit(one(run, input, env));
  return { one, each, paths: computedPaths(each), growth, constant: undefined };
}

/** Code of an expression with any number of computed outputs. */
export function many(each: Each, growth = Number.POSITIVE_INFINITY): Code {
  return { one: undefined, each, paths: computedPaths(each), growth, constant: undefined };
}

export function computedPaths(each: Each): EachLocation {
  return (run, input, env, emit) => each(run, input.value, env, (value) => emit(input.computed(value)));
}

export function constant(value: Json): Code {
  const frozen = deepFreeze(value);
  return { ...single(() => frozen, 0), constant: frozen };
}

export const IDENTITY: Code = {
  one: (_run, input) => input,
  each: (_run, input, _env, emit) => emit(input),
  paths: (_run, input, _env, emit) => emit(input),
  growth: 1,
  constant: undefined,
};

export const EMPTY: Code = { one: undefined, each: () => false, paths: () => false, growth: 0, constant: undefined };

/** Runs `code` and returns all its outputs. A stop is impossible: nothing downstream is called. */
export function collect(run: Run, code: Code, input: Json, env: Env): Json[] {
  if (code.one !== undefined) return [code.one(run, input, env)];
  const items: Json[] = [];
  const { arrayLength } = run.limits;
  code.each(run, input, env, (value) => {
    run.spend(1);
    items.push(value);
    if (items.length > arrayLength) run.array(items.length);
    return false;
  });
  return items;
}

/** The first output, undefined when there is none. */
export function firstOf(run: Run, code: Code, input: Json, env: Env): Json | undefined {
  if (code.one !== undefined) return code.one(run, input, env);
  let first: Json | undefined;
  code.each(run, input, env, (value) => {
    first = value;
    return true;
  });
  return first;
}

/**
 * Calls `use` for each combination of outputs of `codes`, with the last code in the outermost loop, as jq evaluates operands.
 * The array is reused between calls.
 */
export function combinations(codes: readonly Code[], use: (run: Run, input: Json, values: Json[], emit: Emit) => boolean): Each {
  return (run, input, env, emit) => {
    const values: Json[] = codes.map(() => null);
    const loop = (position: number): boolean => {
      if (position < 0) return use(run, input, values, emit);
      return (codes[position] as Code).each(run, input, env, (value) => {
        run.spend(1);
        values[position] = value;
        return loop(position - 1);
      });
    };
    return loop(codes.length - 1);
  };
}

// Folding is for small things such as `-1`, `[]` or `"a" + "b"`; a large constant would stay in the cache.
const FOLDING_LIMITS = {
  fuel: 500,
  depth: 1,
  nesting: 32,
  outputs: 1,
  stringLength: 1_000,
  arrayLength: 100,
  objectKeys: 100,
  regexLength: 100,
};

/** `code` as a constant when all it reads is constant and it succeeds; otherwise unchanged. */
export function folded(code: Code, parts: readonly Code[]): Code {
  if (code.one === undefined || parts.some((part) => part.constant === undefined)) return code;
  const run = new Run(FOLDING_LIMITS, [], undefined);
  try {
    const value = code.one(run, null, undefined);
    // That a number is infinite or none has to be noticed by the evaluation whose result it may become.
    return run.hasNonFinite ? code : constant(value);
  } catch (error) {
    if (error instanceof Raised || error instanceof LimitReached) return code;
    throw error;
  }
}

function deepFreeze(value: Json): Json {
  if (typeof value === "object" && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const child of Object.values(value)) deepFreeze(child as Json);
  }
  return value;
}
