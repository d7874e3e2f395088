import type { Json } from "@tutti/model";
import { index } from "./access.ts";
import type { Pattern } from "./ast.ts";
import type { Code, Env } from "./code.ts";
import type { Compiler } from "./compile.ts";
import type { Run } from "./run.ts";
import type { Scope } from "./scope.ts";
import { describe } from "./values.ts";

/** Fills `values` from a value and calls `next`, once per way of doing so: keys of object patterns may have several outputs. */
export type Matcher = (run: Run, value: Json, target: { readonly env: Env; readonly values: Json[] }, next: () => boolean) => boolean;

interface PatternContext {
  /** Where the pattern stands: keys see nothing that the pattern itself binds. */
  readonly scope: Scope;
  /** Every variable of the binding, in the order of its cells. */
  readonly names: readonly string[];
}

export function compilePattern(compiler: Compiler, pattern: Pattern, context: PatternContext): Matcher {
  switch (pattern.kind) {
    case "variable": {
      const position = context.names.indexOf(pattern.name);
      return (_run, value, target, next) => {
        target.values[position] = value;
        return next();
      };
    }
    case "array":
      return sequence(
        pattern.items.map((item, position): Matcher => {
          const inner = compilePattern(compiler, item, context);
          return (run, value, target, next) => {
            run.at = item.at;
            return inner(run, index(run, value, position), target, next);
          };
        }),
      );
    case "object":
      return sequence(pattern.entries.map((entry) => compileEntry(compiler, entry, context)));
  }
}

function compileEntry(
  compiler: Compiler,
  entry: Extract<Pattern, { kind: "object" }>["entries"][number],
  context: PatternContext,
): Matcher {
  const key: Code = compiler.compile(entry.key, context.scope);
  const inner = entry.value === undefined ? undefined : compilePattern(compiler, entry.value, context);
  const position = entry.variable === undefined ? -1 : context.names.indexOf(entry.variable);
  const { at } = entry.key;
  return (run, value, target, next) =>
    key.each(run, value, target.env, (name) => {
      run.at = at;
      run.spend(1);
      if (typeof name !== "string") throw run.raise(`Cannot use ${describe(run, name)} as object key`);
      const found = index(run, value, name);
      if (position >= 0) target.values[position] = found;
      return inner === undefined ? next() : inner(run, found, target, next);
    });
}

function sequence(matchers: readonly Matcher[]): Matcher {
  return (run, value, target, next) => {
    const step = (position: number): boolean => {
      const matcher = matchers[position];
      return matcher === undefined ? next() : matcher(run, value, target, () => step(position + 1));
    };
    return step(0);
  };
}
