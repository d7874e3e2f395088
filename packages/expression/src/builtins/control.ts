import type { Json } from "@tutti/model";
import { type Code, constant, type Each, type EachLocation, EMPTY, type Env, IDENTITY, many, single } from "../code.ts";
import { RECURSE } from "../compile-access.ts";
import type { Location } from "../paths.ts";
import { Raised, type Run } from "../run.ts";
import { isTruthy, typeName } from "../values.ts";
import { arg, type Builtin, type BuiltinTable, ofInput, ofParameters } from "./define.ts";
import { ITERATE } from "./iterate.ts";
import { isEmpty, limitBuiltin, lastBuiltin, firstBuiltin, nthBuiltin, skipBuiltin } from "./take.ts";

/** Builtins that choose, repeat or stop: what jq's own library defines with `def`, closures and recursion. */
export const CONTROL: BuiltinTable = {
  "empty/0": () => EMPTY,
  "not/0": ofInput((_run, input) => !isTruthy(input), 0),
  "error/0": ({ at }) => raising(IDENTITY, at),
  "error/1": (call) => raising(arg(call, 0), call.at),
  "select/1": (call) => select(arg(call, 0)),
  "recurse/0": () => RECURSE,
  "recurse_down/0": () => RECURSE,
  "recurse/1": (call) => recurseWith(arg(call, 0)),
  "recurse/2": (call) => recurseWith(pipeSelect(arg(call, 0), arg(call, 1))),
  "range/1": (call) => range([constant(0), arg(call, 0)], call.at),
  "range/2": (call) => range(call.args, call.at),
  "range/3": ofParameters((run, _input, [from, upto, by], emit) => rangeBy(run, { from, upto, by } as RangeBy, emit)),
  "first/1": firstBuiltin,
  "last/1": lastBuiltin,
  "limit/2": limitBuiltin,
  "skip/2": skipBuiltin,
  "nth/2": nthBuiltin,
  "isempty/1": isEmpty,
  "until/2": (call) => until(arg(call, 0), arg(call, 1)),
  "while/2": (call) => whileLoop(arg(call, 0), arg(call, 1)),
  "repeat/1": (call) => repeat(arg(call, 0)),
  "any/0": ofInput((run, input) => anyOf(run, input, true), 0),
  "all/0": ofInput((run, input) => anyOf(run, input, false), 0),
  "any/1": (call) => quantifier(ITERATE, arg(call, 0), true),
  "all/1": (call) => quantifier(ITERATE, arg(call, 0), false),
  "any/2": (call) => quantifier(arg(call, 0), arg(call, 1), true),
  "all/2": (call) => quantifier(arg(call, 0), arg(call, 1), false),
  "isvalid/1": (call) => isValid(call),
  "infinite/0": () => constant(Number.POSITIVE_INFINITY),
  "nan/0": () => constant(Number.NaN),
  "null/0": () => constant(null),
  "now/0": ({ at }) =>
    single((run) => {
      run.at = at;
      if (run.nowMs === undefined) throw run.raise("now is not available here: no time was recorded");
      return run.nowMs / 1000;
    }, 0),
  ...typeSelectors(),
};

function raising(value: Code, at: number): Code {
  const each: Each = (run, input, env) =>
    value.each(run, input, env, (raised) => {
      run.at = at;
      throw run.raise(raised);
    });
  return { ...many(each, 0), paths: (run, input, env) => each(run, input.value, env, () => false) };
}

export function select(condition: Code): Code {
  const { one } = condition;
  const each: Each =
    one === undefined
      ? (run, input, env, emit) => condition.each(run, input, env, (value) => isTruthy(value) && emit(input))
      : (run, input, env, emit) => isTruthy(one(run, input, env)) && emit(input);
  const paths: EachLocation = (run, input, env, emit) => condition.each(run, input.value, env, (value) => isTruthy(value) && emit(input));
  return { one: undefined, each, paths, growth: 1, constant: undefined };
}

function pipeSelect(step: Code, condition: Code): Code {
  const filter = select(condition);
  return {
    ...many((run, input, env, emit) => step.each(run, input, env, (value) => filter.each(run, value, env, emit))),
    paths: (run, input, env, emit) => step.paths(run, input, env, (location) => filter.paths(run, location, env, emit)),
  };
}

/** `def recurse(f): def r: ., (f | r); r;` */
function recurseWith(step: Code): Code {
  const each: Each = (run, input, env, emit) => {
    if (emit(input)) return true;
    run.enter();
    const stopped = step.each(run, input, env, (value) => each(run, value, env, emit));
    run.depth--;
    return stopped;
  };
  const paths: EachLocation = (run, input, env, emit) => {
    if (emit(input)) return true;
    run.enter();
    const stopped = step.paths(run, input, env, (location) => paths(run, location, env, emit));
    run.depth--;
    return stopped;
  };
  const { one } = step;
  // With one output per step this is a loop, and may be long.
  const loop: Each = (run, input, env, emit) => {
    for (let value = input; ; value = (one as NonNullable<typeof one>)(run, value, env)) {
      run.spend(1);
      if (emit(value)) return true;
    }
  };
  return { one: undefined, each: one === undefined ? each : loop, paths, growth: Number.POSITIVE_INFINITY, constant: undefined };
}

function range(bounds: readonly Code[], at: number): Code {
  return ofParameters((run, _input, [from, upto], emit) => {
    if (typeof from !== "number" || typeof upto !== "number") throw run.raise("Range bounds must be numeric");
    for (let value = from; value < upto; value++) {
      run.spend(1);
      if (emit(value)) return true;
    }
    return false;
  })({ args: bounds, at });
}

interface RangeBy {
  readonly from: Json;
  readonly upto: Json;
  readonly by: Json;
}

function rangeBy(run: Run, { from, upto, by }: RangeBy, emit: (value: Json) => boolean): boolean {
  if (typeof from !== "number" || typeof upto !== "number" || typeof by !== "number") throw run.raise("Range bounds must be numeric");
  if (by === 0 || Number.isNaN(by)) return false;
  for (let value = from; by > 0 ? value < upto : value > upto; value += by) {
    run.spend(1);
    if (emit(value)) return true;
  }
  return false;
}

/** `def until(c; f): def u: if c then . else (f | u) end; u;` */
function until(condition: Code, step: Code): Code {
  const conditionOne = condition.one;
  const stepOne = step.one;
  if (conditionOne !== undefined && stepOne !== undefined) {
    return single((run, input, env) => {
      let value = input;
      while (!isTruthy(conditionOne(run, value, env))) {
        run.spend(1);
        value = stepOne(run, value, env);
      }
      return value;
    }, Number.POSITIVE_INFINITY);
  }
  const each: Each = (run, input, env, emit) => {
    run.enter();
    const stopped = condition.each(run, input, env, (isDone) =>
      isTruthy(isDone) ? emit(input) : step.each(run, input, env, (value) => each(run, value, env, emit)),
    );
    run.depth--;
    return stopped;
  };
  return many(each);
}

/** `def while(c; f): def w: if c then ., (f | w) else empty end; w;` */
function whileLoop(condition: Code, step: Code): Code {
  const conditionOne = condition.one;
  const stepOne = step.one;
  const loop: Each = (run, input, env, emit) => {
    let value = input;
    while (isTruthy((conditionOne as NonNullable<typeof conditionOne>)(run, value, env))) {
      run.spend(1);
      if (emit(value)) return true;
      value = (stepOne as NonNullable<typeof stepOne>)(run, value, env);
    }
    return false;
  };
  const each: Each = (run, input, env, emit) => {
    run.enter();
    const stopped = condition.each(
      run,
      input,
      env,
      (holds) => isTruthy(holds) && (emit(input) || step.each(run, input, env, (value) => each(run, value, env, emit))),
    );
    run.depth--;
    return stopped;
  };
  const paths: EachLocation = (run, input, env, emit) => {
    run.enter();
    const stopped = condition.each(
      run,
      input.value,
      env,
      (holds) => isTruthy(holds) && (emit(input) || step.paths(run, input, env, (next) => paths(run, next, env, emit))),
    );
    run.depth--;
    return stopped;
  };
  return { ...many(conditionOne !== undefined && stepOne !== undefined ? loop : each), paths };
}

/** `def repeat(f): def r: f, r; r;`: the same input again and again. Under the older rules it was `recurse`. */
function repeat(step: Code): Code {
  const older = recurseWith(step);
  const each: Each = (run, input, env, emit) => {
    if (run.hasOlderRules) return older.each(run, input, env, emit);
    for (;;) {
      // Ends a step that has no outputs as well.
      run.spend(1);
      if (step.each(run, input, env, emit)) return true;
    }
  };
  const paths: EachLocation = (run, input, env, emit) => {
    if (run.hasOlderRules) return older.paths(run, input, env, emit);
    for (;;) {
      run.spend(1);
      if (step.paths(run, input, env, emit)) return true;
    }
  };
  return { ...many(each), paths };
}

/** Whether some (`wanted` true) or all (`wanted` false: none is false) outputs hold. Stops at the first that decides. */
function quantifier(generator: Code, condition: Code, wanted: boolean): Code {
  return single((run, input, env) => {
    const decided = generator.each(run, input, env, (value) => {
      run.spend(1);
      return condition.each(run, value, env, (holds) => isTruthy(holds) === wanted);
    });
    return decided === wanted;
  }, 0);
}

function anyOf(run: Run, input: Json, wanted: boolean): boolean {
  return ITERATE.each(run, input, undefined, (value) => isTruthy(value) === wanted) === wanted;
}

function isValid(call: Parameters<Builtin>[0]): Code {
  const probe = arg(call, 0);
  return single((run, input, env) => {
    const depth = run.depth;
    try {
      probe.each(run, input, env, () => false);
      return true;
    } catch (error) {
      if (!(error instanceof Raised)) throw error;
      run.depth = depth;
      return false;
    }
  }, 0);
}

function typeSelectors(): BuiltinTable {
  const selecting = (matches: (value: Json) => boolean): Builtin => {
    const each: Each = (_run, input, _env, emit) => matches(input) && emit(input);
    const paths = (_run: Run, input: Location, _env: Env, emit: (location: Location) => boolean): boolean =>
      matches(input.value) && emit(input);
    return () => ({ one: undefined, each, paths, growth: 1, constant: undefined });
  };
  const isContainer = (value: Json): boolean => typeof value === "object" && value !== null;
  return {
    "nulls/0": selecting((value) => value === null),
    "values/0": selecting((value) => value !== null),
    "booleans/0": selecting((value) => typeof value === "boolean"),
    "numbers/0": selecting((value) => typeof value === "number"),
    "strings/0": selecting((value) => typeof value === "string"),
    "arrays/0": selecting((value) => Array.isArray(value)),
    "objects/0": selecting((value) => typeName(value) === "object"),
    "iterables/0": selecting(isContainer),
    "scalars/0": selecting((value) => !isContainer(value)),
    "finites/0": selecting((value) => typeof value === "number" && Number.isFinite(value)),
    "normals/0": selecting((value) => typeof value === "number" && isNormal(value)),
  };
}

/** C's `isnormal`: neither zero, subnormal, infinite nor nan. */
export function isNormal(value: number): boolean {
  return Number.isFinite(value) && Math.abs(value) >= 2.2250738585072014e-308;
}
