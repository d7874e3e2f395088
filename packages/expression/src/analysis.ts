import type { Node, Pattern } from "./ast.ts";
import { positionOf } from "./errors.ts";
import { parse } from "./parser.ts";

/** One use of a variable that the source does not bind itself. */
export interface FreeVariable {
  readonly name: string;
  readonly line: number;
  readonly column: number;
}

/**
 * One place of the data that a source reads: a path from the input (`variable` undefined) or from a free variable. `*` stands
 * for any element or for a key that is only known at run time. Everything below the path may be read too; an empty path is the
 * whole value.
 */
export interface FieldRead {
  readonly variable: string | undefined;
  readonly path: readonly string[];
  readonly line: number;
  readonly column: number;
}

export interface Analysis {
  readonly freeVariables: readonly FreeVariable[];
  /** Paths of the input that are read, without duplicates; see `reads` for positions and for those of variables. */
  readonly fieldsRead: readonly (readonly string[])[];
  readonly reads: readonly FieldRead[];
  readonly usesNow: boolean;
}

/** What can be said about a source without running it. @throws ExpressionSyntaxError when it does not parse. */
export function analyse(source: string): Analysis {
  return analyseNode(source, parse(source));
}

export function analyseNode(source: string, node: Node): Analysis {
  const tracer = new Tracer(source);
  tracer.read(tracer.trace(node, { variable: undefined, path: [], at: node.at }, EMPTY_SCOPE));
  const inputReads = tracer.reads.filter(({ variable }) => variable === undefined).map(({ path }) => path);
  const distinct = new Map(inputReads.map((path) => [JSON.stringify(path), path]));
  return { freeVariables: tracer.freeVariables, fieldsRead: [...distinct.values()], reads: tracer.reads, usesNow: tracer.usesNow };
}

/** Where a value comes from, undefined when it is computed. */
interface Origin {
  readonly variable: string | undefined;
  readonly path: readonly string[];
  readonly at: number;
}

/** Variables bound by the source, and the names of functions that it defines. */
interface TraceScope {
  readonly variables: ReadonlyMap<string, Origin | undefined>;
  readonly functions: ReadonlySet<string>;
}

/** Longer than any path that people write. */
const PATH_LENGTH_MAX = 32;

const EMPTY_SCOPE: TraceScope = { variables: new Map(), functions: new Set() };
// These hand their input, or what their argument finds in it, to the output.
const PASSING: ReadonlySet<string> = new Set(
  "select/1 values/0 nulls/0 strings/0 numbers/0 booleans/0 arrays/0 objects/0 iterables/0 scalars/0".split(" "),
);
// These evaluate their argument on each element of their input.
const PER_ELEMENT: ReadonlySet<string> = new Set("map/1 sort_by/1 group_by/1 min_by/1 max_by/1 unique_by/1 any/1 all/1".split(" "));

/** Follows values through a program: each step either extends an origin or ends it, and an origin that ends is a read. */
class Tracer {
  readonly reads: FieldRead[] = [];
  readonly freeVariables: FreeVariable[] = [];
  usesNow = false;
  readonly #source: string;

  constructor(source: string) {
    this.#source = source;
  }

  read(origin: Origin | undefined): undefined {
    if (origin === undefined) return;
    const { line, column } = positionOf(this.#source, origin.at);
    this.reads.push({ variable: origin.variable, path: origin.path, line, column });
  }

  /** Traces `node` and reads all that it gives. */
  #consume(node: Node | undefined, input: Origin | undefined, scope: TraceScope): undefined {
    if (node !== undefined) this.read(this.trace(node, input, scope));
  }

  trace(node: Node, input: Origin | undefined, scope: TraceScope): Origin | undefined {
    switch (node.kind) {
      case "identity":
        return input;
      case "literal":
      case "break":
        return undefined;
      case "recurse":
      case "format":
        return this.read(input);
      case "variable":
        return this.#variable(node, scope);
      case "index":
        return this.#index(node, input, scope);
      case "slice":
        this.#consume(node.from, input, scope);
        this.#consume(node.to, input, scope);
        return this.trace(node.target, input, scope);
      case "iterate":
        return extended(this.trace(node.target, input, scope), "*", node.at);
      case "string":
        for (const part of node.parts) if (typeof part !== "string") this.#consume(part, input, scope);
        return undefined;
      case "array":
        return this.#consume(node.body, input, scope);
      case "object":
        for (const { key, value } of node.entries) {
          this.#consume(key, input, scope);
          this.#consume(value, input, scope);
        }
        return undefined;
      case "negate":
        return this.#consume(node.operand, input, scope);
      case "pipe":
        return node.stages.reduce((origin: Origin | undefined, stage) => this.trace(stage, origin, scope), input);
      case "comma":
        for (const item of node.items) this.#consume(item, input, scope);
        return undefined;
      case "binary":
      case "and":
      case "or":
      case "alternative":
        this.#consume(node.left, input, scope);
        return this.#consume(node.right, input, scope);
      case "assign":
        // The result is the whole input with something changed.
        this.#consume(node.left, input, scope);
        this.#consume(node.right, node.operator === "|=" ? undefined : input, scope);
        return this.read(input);
      case "if":
        this.#consume(node.condition, input, scope);
        this.#consume(node.consequent, input, scope);
        if (node.otherwise === undefined) return this.read(input);
        return this.#consume(node.otherwise, input, scope);
      case "try":
        this.#consume(node.handler, undefined, scope);
        return this.trace(node.body, input, scope);
      case "label":
        return this.trace(node.body, input, scope);
      case "bind":
        return this.trace(node.body, input, this.#bound(node.source, node.patterns, { input, scope }));
      case "reduce":
      case "foreach": {
        const inner = this.#bound(node.source, node.patterns, { input, scope }, "consumed");
        this.#consume(node.initial, input, scope);
        this.#consume(node.update, undefined, inner);
        return node.kind === "foreach" ? this.#consume(node.extract, undefined, inner) : undefined;
      }
      case "function":
        return this.#function(node, input, scope);
      case "call":
        return this.#call(node, input, scope);
    }
  }

  #variable({ name, at }: Node & { kind: "variable" }, scope: TraceScope): Origin | undefined {
    if (scope.variables.has(name)) {
      const origin = scope.variables.get(name);
      return origin === undefined ? undefined : { ...origin, at };
    }
    const { line, column } = positionOf(this.#source, at);
    this.freeVariables.push({ name, line, column });
    return { variable: name, path: [], at };
  }

  #index(node: Node & { kind: "index" }, input: Origin | undefined, scope: TraceScope): Origin | undefined {
    const target = this.trace(node.target, input, scope);
    if (node.key.kind === "literal") return extended(target, typeof node.key.value === "string" ? node.key.value : "*", node.at);
    this.#consume(node.key, input, scope);
    return extended(target, "*", node.at);
  }

  #bound(
    source: Node,
    patterns: readonly Pattern[],
    { input, scope }: { input: Origin | undefined; scope: TraceScope },
    use: "bound" | "consumed" = "bound",
  ): TraceScope {
    const origin = this.trace(source, input, scope);
    const variables = new Map(scope.variables);
    for (const pattern of patterns) this.#bindPattern(pattern, patterns.length > 1 ? this.read(origin) : origin, { scope, variables });
    if (use === "consumed" && origin !== undefined && patterns.every((pattern) => pattern.kind !== "variable")) this.read(origin);
    return { ...scope, variables };
  }

  #bindPattern(
    pattern: Pattern,
    origin: Origin | undefined,
    target: { scope: TraceScope; variables: Map<string, Origin | undefined> },
  ): void {
    switch (pattern.kind) {
      case "variable":
        target.variables.set(pattern.name, origin);
        return;
      case "array":
        for (const item of pattern.items) this.#bindPattern(item, extended(origin, "*", item.at), target);
        return;
      case "object":
        for (const { variable, key, value } of pattern.entries) {
          const name = key.kind === "literal" && typeof key.value === "string" ? key.value : "*";
          if (key.kind !== "literal") this.#consume(key, origin, target.scope);
          const member = extended(origin, name, key.at);
          if (variable !== undefined) target.variables.set(variable, member);
          if (value !== undefined) this.#bindPattern(value, member, target);
        }
        return;
    }
  }

  #function(node: Node & { kind: "function" }, input: Origin | undefined, scope: TraceScope): Origin | undefined {
    const functions = new Set(scope.functions).add(`${node.name}/${node.parameters.length}`);
    const inner = {
      variables: new Map([
        ...scope.variables,
        ...node.parameters.filter(({ isValue }) => isValue).map(({ name }): [string, undefined] => [name, undefined]),
      ]),
      functions: new Set([...functions, ...node.parameters.map(({ name }) => `${name}/0`)]),
    };
    // Its input is whatever the callers have; they read theirs.
    this.#consume(node.body, undefined, inner);
    return this.trace(node.rest, input, { variables: scope.variables, functions });
  }

  #call(node: Node & { kind: "call" }, input: Origin | undefined, scope: TraceScope): Origin | undefined {
    const signature = `${node.name}/${node.args.length}`;
    if (!scope.functions.has(signature)) {
      if (signature === "now/0") this.usesNow = true;
      if (signature === "empty/0" || signature === "now/0" || signature === "error/1") {
        for (const arg of node.args) this.#consume(arg, input, scope);
        return undefined;
      }
      if (PASSING.has(signature)) {
        for (const arg of node.args) this.#consume(arg, input, scope);
        return input;
      }
      if (signature === "first/0" || signature === "last/0") return extended(input, "*", node.at);
      if (signature === "first/1" || signature === "last/1") return this.trace(node.args[0] as Node, input, scope);
      if (signature === "has/1" || signature === "map/1") return this.#perElement(node, input, { scope, reads: signature === "has/1" });
    }
    const argumentInput = !scope.functions.has(signature) && PER_ELEMENT.has(signature) ? extended(input, "*", node.at) : input;
    for (const arg of node.args) this.#consume(arg, argumentInput, scope);
    return this.read(input);
  }

  /** `map(f)` reads what `f` reads of each element; `has(k)` reads the value. */
  #perElement(
    node: Node & { kind: "call" },
    input: Origin | undefined,
    { scope, reads }: { scope: TraceScope; reads: boolean },
  ): undefined {
    for (const arg of node.args) this.#consume(arg, reads ? input : extended(input, "*", node.at), scope);
    if (reads) this.read(input);
  }
}

function extended(origin: Origin | undefined, key: string, at: number): Origin | undefined {
  if (origin === undefined) return undefined;
  // A read covers everything below it, so a path may be cut; copying longer ones would take quadratic time.
  if (origin.path.length >= PATH_LENGTH_MAX) return { ...origin, at };
  return { variable: origin.variable, path: [...origin.path, key], at };
}
