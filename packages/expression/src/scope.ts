import type { FunctionNode } from "./ast.ts";
import type { Code } from "./code.ts";

/** A definition of the program, compiled when it is first called. */
export class FunctionUnit {
  readonly node: FunctionNode;
  readonly scope: Scope;
  code: Code | undefined;
  isCompiling = false;
  isRecursive = false;
  /** While the body is compiled: whether calls of itself are taken to yield exactly one output. */
  assumesOne = false;

  constructor(node: FunctionNode, scope: Scope) {
    this.node = node;
    this.scope = scope;
  }
}

type Binding =
  | { readonly kind: "variable"; readonly name: string }
  /** A value parameter `$x` is also callable as `x`. */
  | { readonly kind: "value-parameter"; readonly name: string }
  | { readonly kind: "closure-parameter"; readonly name: string }
  | { readonly kind: "label"; readonly name: string }
  | { readonly kind: "function"; readonly name: string; readonly arity: number; readonly unit: FunctionUnit };

export type Callee =
  | { readonly kind: "value" | "closure"; readonly hops: number }
  | { readonly kind: "function"; readonly unit: FunctionUnit; readonly hops: number };

/** The names visible at one place of a source. Its chain of cells has the shape of the `Env` at run time. */
export class Scope {
  static readonly EMPTY: Scope = new Scope(undefined, undefined, 0);
  /** How many cells the environment has here. */
  readonly cells: number;
  readonly #parent: Scope | undefined;
  readonly #binding: Binding | undefined;

  private constructor(parent: Scope | undefined, binding: Binding | undefined, cells: number) {
    this.#parent = parent;
    this.#binding = binding;
    this.cells = cells;
  }

  withCell(kind: "variable" | "value-parameter" | "closure-parameter" | "label", name: string): Scope {
    return new Scope(this, { kind, name }, this.cells + 1);
  }

  withVariables(names: readonly string[]): Scope {
    return names.reduce((scope: Scope, name) => scope.withCell("variable", name), this);
  }

  withFunction(unit: FunctionUnit): Scope {
    const { name, parameters } = unit.node;
    return new Scope(this, { kind: "function", name, arity: parameters.length, unit }, this.cells);
  }

  /** How many cells to walk up to the variable, undefined when it is not bound in the source. */
  variable(name: string): number | undefined {
    return this.#find((binding) => (binding.kind === "variable" || binding.kind === "value-parameter") && binding.name === name)?.hops;
  }

  label(name: string): number | undefined {
    return this.#find((binding) => binding.kind === "label" && binding.name === name)?.hops;
  }

  callee(name: string, arity: number): Callee | undefined {
    const found = this.#find((binding) => {
      if (binding.name !== name) return false;
      if (binding.kind === "function") return binding.arity === arity;
      return arity === 0 && (binding.kind === "value-parameter" || binding.kind === "closure-parameter");
    });
    if (found === undefined) return undefined;
    const { binding, hops } = found;
    if (binding.kind === "function") return { kind: "function", unit: binding.unit, hops: this.cells - binding.unit.scope.cells };
    return { kind: binding.kind === "closure-parameter" ? "closure" : "value", hops };
  }

  #find(matches: (binding: Binding) => boolean): { binding: Binding; hops: number } | undefined {
    // oxlint-disable-next-line typescript/no-this-alias -- the walk up starts here
    for (let scope: Scope | undefined = this; scope !== undefined; scope = scope.#parent) {
      if (scope.#binding !== undefined && matches(scope.#binding)) return { binding: scope.#binding, hops: this.cells - scope.cells };
    }
    return undefined;
  }
}
