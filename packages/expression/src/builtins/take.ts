import type { Json } from "@tutti/model";
import { type Code, type Each, type EachLocation, firstOf, many, single } from "../code.ts";
import type { Location } from "../paths.ts";
import type { Run } from "../run.ts";
import { arg, type BuiltinCall } from "./define.ts";

/** Builtins that take some of an expression's outputs. Each stops its producer as soon as it has what it wants. */

export function firstBuiltin(call: BuiltinCall): Code {
  const body = arg(call, 0);
  const { one } = body;
  const each: Each = (run, input, env, emit) => {
    const first = firstOf(run, body, input, env);
    return first !== undefined && emit(first);
  };
  const paths: EachLocation = (run, input, env, emit) => {
    let first: Location | undefined;
    body.paths(run, input, env, (location) => {
      first = location;
      return true;
    });
    return first !== undefined && emit(first);
  };
  return { one, each, paths, growth: body.growth, constant: undefined };
}

export function lastBuiltin(call: BuiltinCall): Code {
  const body = arg(call, 0);
  const each: Each = (run, input, env, emit) => {
    // null when there is none, as in jq 1.7.
    let last: Json = null;
    body.each(run, input, env, (value) => {
      last = value;
      return false;
    });
    return emit(last);
  };
  const paths: EachLocation = (run, input, env, emit) => {
    let last: Location | undefined;
    body.paths(run, input, env, (location) => {
      last = location;
      return false;
    });
    return last !== undefined && emit(last);
  };
  return { one: body.one, each, paths, growth: body.growth, constant: undefined };
}

/** Loops over the outputs of a count, which must be numbers. */
function eachCount(
  call: BuiltinCall,
  use: (run: Run, count: number) => boolean,
): (run: Run, values: Each, input: Json, env: Parameters<Each>[2]) => boolean {
  return (run, values, input, env) =>
    values(run, input, env, (count) => {
      run.at = call.at;
      if (typeof count !== "number") throw run.raise("Invalid arguments: a count must be a number");
      return use(run, count);
    });
}

/** Passes on the first `count` outputs. jq 1.7: a negative count takes them all. */
function take<T>(count: number, emit: (output: T) => boolean, body: (emit: (output: T) => boolean) => boolean): boolean {
  if (count < 0) return body(emit);
  if (!(count > 0)) return false;
  let taken = 0;
  let isStopped = false;
  body((output) => {
    taken++;
    isStopped = emit(output);
    return isStopped || taken >= count;
  });
  return isStopped;
}

export function limitBuiltin(call: BuiltinCall): Code {
  const count = arg(call, 0);
  const body = arg(call, 1);
  const each: Each = (run, input, env, emit) =>
    eachCount(call, (_run, limit) => take<Json>(limit, emit, (limited) => body.each(run, input, env, limited)))(
      run,
      count.each,
      input,
      env,
    );
  const paths: EachLocation = (run, input, env, emit) =>
    eachCount(call, (_run, limit) => take<Location>(limit, emit, (limited) => body.paths(run, input, env, limited)))(
      run,
      count.each,
      input.value,
      env,
    );
  return { one: undefined, each, paths, growth: body.growth, constant: undefined };
}

/** Passes on all but the first `count` outputs. */
function drop<T>(count: number, emit: (output: T) => boolean, body: (emit: (output: T) => boolean) => boolean): boolean {
  let left = count;
  return body((output) => (left > 0 ? (left--, false) : emit(output)));
}

export function skipBuiltin(call: BuiltinCall): Code {
  const count = arg(call, 0);
  const body = arg(call, 1);
  const each: Each = (run, input, env, emit) =>
    eachCount(call, (_run, skipped) => drop<Json>(skipped, emit, (dropping) => body.each(run, input, env, dropping)))(
      run,
      count.each,
      input,
      env,
    );
  const paths: EachLocation = (run, input, env, emit) =>
    eachCount(call, (_run, skipped) => drop<Location>(skipped, emit, (dropping) => body.paths(run, input, env, dropping)))(
      run,
      count.each,
      input.value,
      env,
    );
  return { one: undefined, each, paths, growth: body.growth, constant: undefined };
}

/** The output number `n` of an expression, counted from 0; none when there are fewer. */
export function nthBuiltin(call: BuiltinCall): Code {
  const count = arg(call, 0);
  const body = arg(call, 1);
  return many(
    (run, input, env, emit) =>
      eachCount(call, (_run, position) => {
        if (position < 0) throw run.raise("nth doesn't support negative indices");
        let found: Json | undefined;
        let left = Math.floor(position);
        body.each(run, input, env, (value) => {
          if (left-- > 0) return false;
          found = value;
          return true;
        });
        return found !== undefined && emit(found);
      })(run, count.each, input, env),
    body.growth,
  );
}

export function isEmpty(call: BuiltinCall): Code {
  const body = arg(call, 0);
  return single((run, input, env) => firstOf(run, body, input, env) === undefined, 0);
}
