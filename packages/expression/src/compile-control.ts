import type { Json } from "@tutti/model";
import { BINARY, negate } from "./arithmetic.ts";
import type { Node } from "./ast.ts";
import {
  ancestor,
  Cell,
  type Code,
  combinations,
  computedPaths,
  type Each,
  type EachLocation,
  EMPTY,
  type Env,
  folded,
  IDENTITY,
  many,
  type One,
  single,
} from "./code.ts";
import type { Compiler } from "./compile.ts";
import type { Location } from "./paths.ts";
import { Raised, type Run } from "./run.ts";
import type { Scope } from "./scope.ts";
import { isTruthy } from "./values.ts";

type NodeOf<Kind extends Node["kind"]> = Extract<Node, { kind: Kind }>;

export function compilePipe(compiler: Compiler, node: NodeOf<"pipe">, scope: Scope): Code {
  return node.stages.map((stage) => compiler.compile(stage, scope)).reduce(pipe);
}

export function pipe(first: Code, second: Code): Code {
  if (first === IDENTITY) return second;
  if (second === IDENTITY) return first;
  const firstOne = first.one;
  const secondOne = second.one;
  // A constant has no growth, but what follows multiplies it all the same.
  const growth = Math.max(1, first.growth) * Math.max(1, second.growth);
  const paths: EachLocation = (run, input, env, emit) => first.paths(run, input, env, (location) => second.paths(run, location, env, emit));
  let one: One | undefined;
  let each: Each;
  if (firstOne !== undefined && secondOne !== undefined) {
    one = (run, input, env) => secondOne(run, firstOne(run, input, env), env);
    each = (run, input, env, emit) => emit(secondOne(run, firstOne(run, input, env), env));
  } else if (firstOne !== undefined) {
    each = (run, input, env, emit) => second.each(run, firstOne(run, input, env), env, emit);
  } else if (secondOne !== undefined) {
    each = (run, input, env, emit) => first.each(run, input, env, (value) => emit(secondOne(run, value, env)));
  } else {
    each = (run, input, env, emit) => first.each(run, input, env, (value) => second.each(run, value, env, emit));
  }
  return { one, each, paths, growth, constant: undefined };
}

export function compileComma(compiler: Compiler, node: NodeOf<"comma">, scope: Scope): Code {
  return comma(node.items.map((item) => compiler.compile(item, scope)));
}

export function comma(codes: readonly Code[]): Code {
  return {
    one: undefined,
    each: (run, input, env, emit) => {
      run.spend(codes.length);
      return codes.some((code) => code.each(run, input, env, emit));
    },
    paths: (run, input, env, emit) => codes.some((code) => code.paths(run, input, env, emit)),
    growth: Math.max(...codes.map((code) => code.growth)),
    constant: undefined,
  };
}

export function compileBinary(compiler: Compiler, node: NodeOf<"binary">, scope: Scope): Code {
  const left = compiler.compile(node.left, scope);
  const right = compiler.compile(node.right, scope);
  const apply = BINARY[node.operator];
  const { at } = node;
  const leftOne = left.one;
  const rightOne = right.one;
  const growth = left.growth + right.growth;
  if (leftOne === undefined || rightOne === undefined) return many(binaryEach(left, right, { apply, at }), growth);
  const one: One = (run, input, env) => {
    const rightValue = rightOne(run, input, env);
    const leftValue = leftOne(run, input, env);
    run.at = at;
    run.spend(1);
    return apply(run, leftValue, rightValue);
  };
  return folded(single(one, growth), [left, right]);
}

/** The right operand is the outer loop: `(1,2) + (10,20)` gives 11, 12, 21, 22. */
function binaryEach(left: Code, right: Code, { apply, at }: { apply: (run: Run, left: Json, right: Json) => Json; at: number }): Each {
  return combinations([left, right], (run, _input, [leftValue, rightValue], emit) => {
    run.at = at;
    return emit(apply(run, leftValue as Json, rightValue as Json));
  });
}

export function compileNegate(compiler: Compiler, node: NodeOf<"negate">, scope: Scope): Code {
  const operand = compiler.compile(node.operand, scope);
  const each: Each = (run, input, env, emit) =>
    operand.each(run, input, env, (value) => {
      run.at = node.at;
      return emit(negate(run, value));
    });
  const operandOne = operand.one;
  if (operandOne === undefined) return many(each, 1);
  const one: One = (run, input, env) => {
    const value = operandOne(run, input, env);
    run.at = node.at;
    return negate(run, value);
  };
  return folded(single(one, 1), [operand]);
}

export function compileLogic(compiler: Compiler, node: NodeOf<"and" | "or">, scope: Scope): Code {
  const left = compiler.compile(node.left, scope);
  const right = compiler.compile(node.right, scope);
  // The value of the left side that decides alone.
  const decisive = node.kind === "or";
  const leftOne = left.one;
  const rightOne = right.one;
  if (leftOne !== undefined && rightOne !== undefined) {
    return single(
      (run, input, env) => (isTruthy(leftOne(run, input, env)) === decisive ? decisive : isTruthy(rightOne(run, input, env))),
      0,
    );
  }
  return many(
    (run, input, env, emit) =>
      left.each(run, input, env, (value) => {
        run.spend(1);
        return isTruthy(value) === decisive ? emit(decisive) : right.each(run, input, env, (other) => emit(isTruthy(other)));
      }),
    0,
  );
}

/**
 * Runs `body`, which must call the `emit` that it is given, and hands an error of the body itself to `recover`. Errors that were
 * thrown by what consumes the outputs pass: `try` guards its body, not what follows it.
 */
export function guarded<T>(run: Run, emit: (output: T) => boolean, guard: Guard<T>): boolean {
  const depth = run.depth;
  let isDownstream = false;
  try {
    return guard.body((output) => {
      isDownstream = true;
      const stop = emit(output);
      isDownstream = false;
      return stop;
    });
  } catch (error) {
    if (isDownstream || !(error instanceof Raised)) throw error;
    run.depth = depth;
    return guard.recover(error);
  }
}

interface Guard<T> {
  readonly body: (emit: (output: T) => boolean) => boolean;
  readonly recover: (error: Raised) => boolean;
}

/** `a // b`: the true outputs of `a`, or else the outputs of `b`. An error of `a` is the error of the whole, as in jq since 1.5. */
export function compileAlternative(compiler: Compiler, node: NodeOf<"alternative">, scope: Scope): Code {
  return alternative(compiler.compile(node.left, scope), compiler.compile(node.right, scope));
}

export function alternative(left: Code, right: Code): Code {
  const each: Each = (run, input, env, emit) => {
    let found = false;
    const stopped = outputsOfLeft<Json>(run, emit, (pass) =>
      left.each(run, input, env, (value) => {
        if (!isTruthy(value)) return false;
        found = true;
        return pass(value);
      }),
    );
    return stopped || (!found && right.each(run, input, env, emit));
  };
  const paths: EachLocation = (run, input, env, emit) => {
    let found = false;
    const stopped = outputsOfLeft<Location>(run, emit, (pass) =>
      left.paths(run, input, env, (location) => {
        if (!isTruthy(location.value)) return false;
        found = true;
        return pass(location);
      }),
    );
    return stopped || (!found && right.paths(run, input, env, emit));
  };
  const growth = Math.max(left.growth, right.growth);
  return { one: alternativeOne(left.one, right.one), each, paths, growth, constant: undefined };
}

/** Under the older rules an error only ended the outputs. */
function outputsOfLeft<T>(run: Run, emit: (output: T) => boolean, produce: (emit: (output: T) => boolean) => boolean): boolean {
  return run.hasOlderRules ? guarded<T>(run, emit, { body: produce, recover: () => false }) : produce(emit);
}

function alternativeOne(left: One | undefined, right: One | undefined): One | undefined {
  if (left === undefined || right === undefined) return undefined;
  return (run, input, env) => {
    const value = run.hasOlderRules ? leftOrNull(left, run, input, env) : left(run, input, env);
    return isTruthy(value) ? value : right(run, input, env);
  };
}

function leftOrNull(left: One, run: Run, input: Json, env: Env): Json {
  const { depth } = run;
  try {
    return left(run, input, env);
  } catch (error) {
    if (!(error instanceof Raised)) throw error;
    run.depth = depth;
    return null;
  }
}

export function compileIf(compiler: Compiler, node: NodeOf<"if">, scope: Scope): Code {
  const condition = compiler.compile(node.condition, scope);
  const consequent = compiler.compile(node.consequent, scope);
  const otherwise = node.otherwise === undefined ? IDENTITY : compiler.compile(node.otherwise, scope);
  const choose = (value: Json): Code => (isTruthy(value) ? consequent : otherwise);
  const paths: EachLocation = (run, input, env, emit) =>
    condition.each(run, input.value, env, (value) => choose(value).paths(run, input, env, emit));
  const growth = Math.max(consequent.growth, otherwise.growth);
  const conditionOne = condition.one;
  if (conditionOne === undefined) {
    const each: Each = (run, input, env, emit) => condition.each(run, input, env, (value) => choose(value).each(run, input, env, emit));
    return { one: undefined, each, paths, growth, constant: undefined };
  }
  const each: Each = (run, input, env, emit) => {
    run.spend(1);
    return choose(conditionOne(run, input, env)).each(run, input, env, emit);
  };
  const consequentOne = consequent.one;
  const otherwiseOne = otherwise.one;
  const one: One | undefined =
    consequentOne === undefined || otherwiseOne === undefined
      ? undefined
      : (run, input, env) => {
          run.spend(1);
          return isTruthy(conditionOne(run, input, env)) ? consequentOne(run, input, env) : otherwiseOne(run, input, env);
        };
  return { one, each, paths, growth, constant: undefined };
}

export function compileTry(compiler: Compiler, node: NodeOf<"try">, scope: Scope): Code {
  const body = compiler.compile(node.body, scope);
  const handler = node.handler === undefined ? EMPTY : compiler.compile(node.handler, scope);
  const each: Each = (run, input, env, emit) =>
    guarded<Json>(run, emit, {
      body: (guardedEmit) => body.each(run, input, env, guardedEmit),
      recover: (error) => handler.each(run, error.value, env, emit),
    });
  const handlerPaths = computedPaths(handler.each);
  const paths: EachLocation = (run, input, env, emit) =>
    guarded(run, emit, {
      body: (guardedEmit) => body.paths(run, input, env, guardedEmit),
      recover: (error) => handlerPaths(run, input.computed(error.value), env, emit),
    });
  return { one: tryOne(body.one, handler.one), each, paths, growth: Number.POSITIVE_INFINITY, constant: undefined };
}

function tryOne(body: One | undefined, handler: One | undefined): One | undefined {
  if (body === undefined || handler === undefined) return undefined;
  return (run, input, env) => {
    const depth = run.depth;
    try {
      return body(run, input, env);
    } catch (error) {
      if (!(error instanceof Raised)) throw error;
      run.depth = depth;
      return handler(run, error.value, env);
    }
  };
}

/** Identity of one entry into a `label`; thrown by its `break`. */
class Label {}

export function compileLabel(compiler: Compiler, node: NodeOf<"label">, scope: Scope): Code {
  const body = compiler.compile(node.body, scope.withCell("label", node.name));
  const each: Each = (run, input, env, emit) => labelled(run, (label) => body.each(run, input, new Cell(label, env), emit));
  const paths: EachLocation = (run, input, env, emit) => labelled(run, (label) => body.paths(run, input, new Cell(label, env), emit));
  return { one: undefined, each, paths, growth: body.growth, constant: undefined };
}

function labelled(run: Run, body: (label: Label) => boolean): boolean {
  const label = new Label();
  const depth = run.depth;
  try {
    return body(label);
  } catch (error) {
    if (error !== label) throw error;
    run.depth = depth;
    return false;
  }
}

export function compileBreak(compiler: Compiler, node: NodeOf<"break">, scope: Scope): Code {
  const hops = scope.label(node.name);
  if (hops === undefined) throw compiler.error(`$*label-${node.name} is not defined`, node.at);
  const each: Each = (_run, _input, env) => {
    throw (ancestor(env, hops) as Cell).value;
  };
  return { one: undefined, each, paths: (run, input, env) => each(run, input.value, env, () => false), growth: 0, constant: undefined };
}
