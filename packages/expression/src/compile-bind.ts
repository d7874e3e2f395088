import type { Json } from "@tutti/model";
import type { ForeachNode, Node, Pattern, ReduceNode } from "./ast.ts";
import { patternVariables } from "./ast.ts";
import { Cell, type Code, type Each, type EachLocation, type Env, type One, single } from "./code.ts";
import type { Compiler } from "./compile.ts";
import { guarded } from "./compile-control.ts";
import type { Location } from "./paths.ts";
import { compilePattern, type Matcher } from "./pattern.ts";
import type { Run } from "./run.ts";
import type { Scope } from "./scope.ts";

/** Calls `use` with the environment of each way in which a value can be taken apart. */
type Binder = (run: Run, value: Json, env: Env, use: (env: Env) => boolean) => boolean;

interface Binding {
  readonly bind: Binder;
  /** The body's scope. */
  readonly scope: Scope;
  /** One variable: `$x`. */
  readonly isPlain: boolean;
}

function compileBinding(compiler: Compiler, patterns: readonly Pattern[], scope: Scope): Binding {
  const [first] = patterns;
  if (patterns.length === 1 && first?.kind === "variable") {
    return {
      bind: (_run, value, env, use) => use(new Cell(value, env)),
      scope: scope.withCell("variable", first.name),
      isPlain: true,
    };
  }
  const names = [...new Set(patterns.flatMap((pattern) => patternVariables(pattern)))];
  const matchers = patterns.map((pattern) => compilePattern(compiler, pattern, { scope, names }));
  return { bind: bindAlternatives(matchers, names.length), scope: scope.withVariables(names), isPlain: false };
}

/** With `?//`, an error in one pattern or in the body under it moves on to the next pattern; the last one's errors count. */
function bindAlternatives(matchers: readonly Matcher[], size: number): Binder {
  const attempt = (position: number, step: { run: Run; value: Json; env: Env; use: (env: Env) => boolean }): boolean => {
    const { run, value, env, use } = step;
    const values: Json[] = Array.from({ length: size }, () => null);
    const match = matchers[position] as Matcher;
    const body = (): boolean =>
      match(run, value, { env, values }, () => use(values.reduce((parent: Env, bound) => new Cell(bound, parent), env)));
    if (position === matchers.length - 1) return body();
    return guarded<never>(run, () => false, { body, recover: () => attempt(position + 1, step) });
  };
  return (run, value, env, use) => attempt(0, { run, value, env, use });
}

export function compileBind(compiler: Compiler, node: Extract<Node, { kind: "bind" }>, scope: Scope): Code {
  const source = compiler.compile(node.source, scope);
  const { bind, scope: bodyScope, isPlain } = compileBinding(compiler, node.patterns, scope);
  const body = compiler.compile(node.body, bodyScope);
  const guards = node.patterns.length > 1;
  const each: Each = (run, input, env, emit) => {
    const pass = guards ? passing<Json>(emit) : emit;
    return source.each(run, input, env, (value) => {
      run.spend(1);
      return bind(run, value, env, (bound) => body.each(run, input, bound, pass));
    });
  };
  const paths: EachLocation = (run, input, env, emit) => {
    const pass = guards ? passing<Location>(emit) : emit;
    return source.each(run, input.value, env, (value) => bind(run, value, env, (bound) => body.paths(run, input, bound, pass)));
  };
  return {
    one: isPlain ? bindOne(source.one, body.one) : undefined,
    each: guards ? unwrapping(each) : each,
    paths: guards ? unwrapping(paths) : paths,
    growth: Math.max(1, source.growth) * Math.max(1, body.growth),
    constant: undefined,
  };
}

function bindOne(source: One | undefined, body: One | undefined): One | undefined {
  if (source === undefined || body === undefined) return undefined;
  return (run, input, env) => body(run, input, new Cell(source(run, input, env), env));
}

/** An error of a consumer, wrapped so that no `?//` on the way takes it for an error of the body. */
class Downstream {
  readonly error: unknown;

  constructor(error: unknown) {
    this.error = error;
  }
}

function passing<T>(emit: (output: T) => boolean): (output: T) => boolean {
  return (output) => {
    try {
      return emit(output);
    } catch (error) {
      throw new Downstream(error);
    }
  };
}

function unwrapping<I, T>(
  each: (run: Run, input: I, env: Env, emit: (output: T) => boolean) => boolean,
): (run: Run, input: I, env: Env, emit: (output: T) => boolean) => boolean {
  return (run, input, env, emit) => {
    try {
      return each(run, input, env, emit);
    } catch (error) {
      throw error instanceof Downstream ? error.error : error;
    }
  };
}

export function compileReduce(compiler: Compiler, node: ReduceNode, scope: Scope): Code {
  const source = compiler.compile(node.source, scope);
  const initial = compiler.compile(node.initial, scope);
  const { bind, scope: bodyScope } = compileBinding(compiler, node.patterns, scope);
  const update = compiler.compile(node.update, bodyScope);
  const fold = (run: Run, input: Json, env: Env, start: Json): Json => {
    let state = start;
    source.each(run, input, env, (value) => {
      run.spend(1);
      return bind(run, value, env, (bound) => {
        state = lastOf(run, update, state, bound) ?? null;
        return false;
      });
    });
    return state;
  };
  const initialOne = initial.one;
  const each: Each = (run, input, env, emit) => initial.each(run, input, env, (start) => emit(fold(run, input, env, start)));
  const paths: EachLocation = (run, input, env, emit) =>
    initial.paths(run, input, env, (start) => {
      let state = start;
      source.each(run, input.value, env, (value) => {
        run.spend(1);
        return bind(run, value, env, (bound) => {
          let last = start.computed(null);
          update.paths(run, state, bound, (location) => {
            last = location;
            return false;
          });
          state = last;
          return false;
        });
      });
      return emit(state);
    });
  if (initialOne === undefined) return { one: undefined, each, paths, growth: Number.POSITIVE_INFINITY, constant: undefined };
  return { ...single((run, input, env) => fold(run, input, env, initialOne(run, input, env)), Number.POSITIVE_INFINITY), paths };
}

/** The last output: what `reduce` goes on with. */
function lastOf(run: Run, code: Code, input: Json, env: Env): Json | undefined {
  if (code.one !== undefined) return code.one(run, input, env);
  let last: Json | undefined;
  code.each(run, input, env, (value) => {
    last = value;
    return false;
  });
  return last;
}

export function compileForeach(compiler: Compiler, node: ForeachNode, scope: Scope): Code {
  const source = compiler.compile(node.source, scope);
  const initial = compiler.compile(node.initial, scope);
  const { bind, scope: bodyScope } = compileBinding(compiler, node.patterns, scope);
  const update = compiler.compile(node.update, bodyScope);
  const extract = node.extract === undefined ? undefined : compiler.compile(node.extract, bodyScope);
  const each: Each = (run, input, env, emit) =>
    initial.each(run, input, env, (start) => {
      let state = start;
      return source.each(run, input, env, (value) => {
        run.spend(1);
        return bind(run, value, env, (bound) => {
          const before = state;
          state = null;
          return update.each(run, before, bound, (next) => {
            state = next;
            return extract === undefined ? emit(next) : extract.each(run, next, bound, emit);
          });
        });
      });
    });
  const paths: EachLocation = (run, input, env, emit) =>
    initial.paths(run, input, env, (start) => {
      let state = start;
      return source.each(run, input.value, env, (value) => {
        run.spend(1);
        return bind(run, value, env, (bound) => {
          const before = state;
          state = before.computed(null);
          return update.paths(run, before, bound, (next) => {
            state = next;
            return extract === undefined ? emit(next) : extract.paths(run, next, bound, emit);
          });
        });
      });
    });
  return { one: undefined, each, paths, growth: Number.POSITIVE_INFINITY, constant: undefined };
}
