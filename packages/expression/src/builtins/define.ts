import type { Json } from "@tutti/model";
import { type Code, combinations, type Emit, type Env, many, type One, single } from "../code.ts";
import type { Run } from "../run.ts";

/** One call of a builtin, as the compiler sees it. */
export interface BuiltinCall {
  readonly args: readonly Code[];
  readonly at: number;
}

/** Compiles a call. `args` has as many codes as the name's arity says. */
export type Builtin = (call: BuiltinCall) => Code;
export type BuiltinTable = Readonly<Record<string, Builtin>>;

export function arg({ args }: BuiltinCall, position: number): Code {
  return args[position] as Code;
}

/** A function of its input alone, one output. */
export function ofInput(apply: (run: Run, input: Json) => Json, growth = 1): Builtin {
  return ({ at }) =>
    single((run, input) => {
      run.at = at;
      run.spend(1);
      return apply(run, input);
    }, growth);
}

/** A function of its input and one value argument: one output per value. */
export function ofValue(apply: (run: Run, input: Json, value: Json) => Json, growth = Number.POSITIVE_INFINITY): Builtin {
  return ({ args: [value], at }) => {
    const code = value as Code;
    const call = (run: Run, input: Json, argument: Json): Json => {
      run.at = at;
      run.spend(1);
      return apply(run, input, argument);
    };
    const { one } = code;
    if (one !== undefined) return single((run, input, env) => call(run, input, one(run, input, env)), growth);
    return many((run, input, env, emit) => code.each(run, input, env, (argument) => emit(call(run, input, argument))), growth);
  };
}

/** A function of its input and several value arguments. The last argument is the outermost loop, as in jq's C functions. */
export function ofValues(apply: (run: Run, input: Json, values: readonly Json[]) => Json): Builtin {
  return ({ args, at }) => {
    const call = (run: Run, input: Json, values: readonly Json[]): Json => {
      run.at = at;
      run.spend(1);
      return apply(run, input, values);
    };
    const ones = args.map((code) => code.one);
    if (ones.every((one) => one !== undefined)) {
      return single(
        (run, input, env) =>
          call(
            run,
            input,
            (ones as One[]).map((one) => one(run, input, env)),
          ),
        Number.POSITIVE_INFINITY,
      );
    }
    return many(combinations(args, (run, input, values, emit) => emit(call(run, input, values))));
  };
}

/**
 * A function with value parameters written `$x` in jq's own definitions: the first argument is the outermost loop, and each
 * combination may have any number of outputs.
 */
export function ofParameters(each: (run: Run, input: Json, values: readonly Json[], emit: Emit) => boolean): Builtin {
  return ({ args, at }) => {
    const reversed = args.toReversed();
    return many(
      combinations(reversed, (run, input, values, emit) => {
        run.at = at;
        run.spend(1);
        return each(run, input, values.toReversed(), emit);
      }),
    );
  };
}

/** A function of its input and one closure, one output. */
export function ofClosure(apply: (run: Run, input: Json, closure: (value: Json) => Json[]) => Json): Builtin {
  return ({ args: [closure], at }) =>
    single((run, input, env) => {
      run.at = at;
      run.spend(1);
      return apply(run, input, outputsOf(run, closure as Code, env));
    }, Number.POSITIVE_INFINITY);
}

function outputsOf(run: Run, code: Code, env: Env): (value: Json) => Json[] {
  return (value) => {
    const outputs: Json[] = [];
    code.each(run, value, env, (output) => {
      run.spend(1);
      outputs.push(output);
      if (outputs.length > run.limits.arrayLength) run.array(outputs.length);
      return false;
    });
    return outputs;
  };
}
