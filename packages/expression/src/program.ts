import type { Json } from "@tutti/model";
import type { Node } from "./ast.ts";
import { analyseNode } from "./analysis.ts";
import { type Code, firstOf } from "./code.ts";
import { compileNode, type Compiler } from "./compile.ts";
import { ExpressionError, ExpressionSyntaxError, positionOf } from "./errors.ts";
import { DEFAULT_LIMITS, type Limits, PROGRAM_CACHE_SIZE } from "./limits.ts";
import { LruCache } from "./lru-cache.ts";
import { parse } from "./parser.ts";
import { checkResult, withFiniteNumbers } from "./result-check.ts";
import { LimitReached, Raised, Run } from "./run.ts";
import { Scope } from "./scope.ts";
import { excerpt } from "./values.ts";

/** How one evaluation differs from the default. */
export interface EvaluationOptions {
  /** What `now` gives, in milliseconds since 1970. Without it `now` is an error: expressions have no clock. */
  readonly nowMs?: number | undefined;
  readonly limits?: Partial<Limits> | undefined;
  /**
   * Where older versions were not as jq is, for runs that replay under their rules: an error in `a` of `a // b` ends the outputs of `a` and is
   * forgotten, `repeat` is `recurse`, `reverse` takes texts, `isnan` and its like refuse what is no number, `index` and `rindex` of an object whose
   * member is no list give null, and a negative index with a part is rounded down.
   */
  readonly hasOlderRules?: boolean | undefined;
}

/** A compiled expression. Immutable, and safe to share: an evaluation keeps its state to itself. */
export interface Program {
  readonly source: string;
  /** The variables that the source really reads, without `$`, in order of first appearance. */
  readonly freeVariables: readonly string[];
  /** The names that it may read, without `$`, in slot order: as given to `compile`. */
  readonly variables: readonly string[];
  /** The source is just `.`: callers may skip the evaluation. */
  readonly isIdentity: boolean;
  /**
   * The first output, undefined when there is none. `slots` are the values of the variables in the order given to `compile`; one
   * that is undefined reads as null. The result may share structure with input and slots, and must not be changed. Its numbers are finite.
   *
   * @throws ExpressionError the expression raised an error or reached a limit.
   */
  first(input: Json, slots: readonly (Json | undefined)[], options?: EvaluationOptions): Json | undefined;
  /** All outputs, as `first`. */
  all(input: Json, slots: readonly (Json | undefined)[], options?: EvaluationOptions): Json[];
}

/** Characters of an error value in the message. */
const ERROR_EXCERPT_LENGTH = 100;

// A result with at most this many times the nodes of its inputs is no bomb, and is not walked again to see.
const UNCHECKED_GROWTH_MAX = 64;

const programs = new LruCache<string, Program>(PROGRAM_CACHE_SIZE);

/**
 * Compiles a source, or finds it compiled. `variables` are the names that it may read, without `$`, in slot order.
 *
 * @throws ExpressionSyntaxError with the position of what is wrong: bad syntax, an unknown function, an unknown variable.
 */
export function compile(source: string, options: { readonly variables: readonly string[] }): Program {
  // No name contains a newline, so the key is unambiguous.
  const key = `${options.variables.join(" ")}\n${source}`;
  return programs.getOrCreate(key, () => new CompiledProgram(source, options.variables));
}

/** Compiles a part of a source, with what replaced parts of it. `source` is the whole text that positions in the tree count in. */
export function compilePart(source: string, tree: Node, variables: readonly string[]): Program {
  return new CompiledProgram(source, variables, tree);
}

class CompiledProgram implements Program {
  readonly source: string;
  readonly freeVariables: readonly string[];
  readonly isIdentity: boolean;
  readonly variables: readonly string[];
  readonly #code: Code;
  readonly #mustCheck: boolean;
  /** Its text has a constant that is no finite number; any other such number is noted when it is computed. */
  readonly #namesNonFinite: boolean;

  constructor(source: string, variables: readonly string[], tree = parse(source)) {
    this.source = source;
    this.variables = variables;
    this.#code = compileTree(source, tree, variables);
    this.#mustCheck = !(this.#code.growth <= UNCHECKED_GROWTH_MAX);
    this.#namesNonFinite = /\b(?:nan|infinite)\b/.test(source);
    this.isIdentity = tree.kind === "identity";
    this.freeVariables = [...new Set(analyseNode(source, tree).freeVariables.map(({ name }) => name))];
  }

  first(input: Json, slots: readonly (Json | undefined)[], options?: EvaluationOptions): Json | undefined {
    const run = newRun(slots, options);
    try {
      const value = firstOf(run, this.#code, input, undefined);
      return value === undefined ? undefined : this.#result(run, value);
    } catch (error) {
      throw this.#publicError(run, error);
    }
  }

  all(input: Json, slots: readonly (Json | undefined)[], options?: EvaluationOptions): Json[] {
    const run = newRun(slots, options);
    const outputs: Json[] = [];
    try {
      this.#code.each(run, input, undefined, (value) => {
        run.spend(1);
        if (outputs.length >= run.limits.outputs) throw run.limit(`the expression has more than ${run.limits.outputs} outputs`);
        outputs.push(this.#result(run, value));
        return false;
      });
      return outputs;
    } catch (error) {
      throw this.#publicError(run, error);
    }
  }

  #result(run: Run, value: Json): Json {
    if (this.#mustCheck) checkResult(run, value);
    return run.hasNonFinite || this.#namesNonFinite ? withFiniteNumbers(run, value) : value;
  }

  #publicError(run: Run, error: unknown): unknown {
    if (error instanceof Raised) {
      try {
        // An error's value travels as far as a result does.
        checkResult(run, error.value);
        const value = run.hasNonFinite || this.#namesNonFinite ? withFiniteNumbers(run, error.value) : error.value;
        const message = typeof value === "string" ? value : `${excerpt(run, value, ERROR_EXCERPT_LENGTH)} (not a string)`;
        return new ExpressionError(message, { kind: "error", value, position: positionOf(this.source, error.offset) });
      } catch (limit) {
        return this.#publicError(run, limit);
      }
    }
    if (error instanceof LimitReached) {
      return new ExpressionError(error.message, { kind: "limit", value: error.message, position: positionOf(this.source, error.offset) });
    }
    // The host's stack ended before our own count did: deep calls inside deeply nested source.
    if (error instanceof RangeError) {
      const message = "the evaluation is nested too deeply";
      return new ExpressionError(message, { kind: "limit", value: message, position: undefined });
    }
    return error;
  }
}

function newRun(slots: readonly (Json | undefined)[], options: EvaluationOptions | undefined): Run {
  const limits = options?.limits === undefined ? DEFAULT_LIMITS : { ...DEFAULT_LIMITS, ...options.limits };
  return new Run(limits, slots, options);
}

function compileTree(source: string, tree: Node, variables: readonly string[]): Code {
  const slots = new Map(variables.map((name, slot) => [name, slot]));
  const compiler: Compiler = {
    compile: (node, scope) => compileNode(compiler, node, scope),
    slotOf: (name) => slots.get(name),
    functionDepth: 0,
    error: (message, at) => new ExpressionSyntaxError(message, positionOf(source, at)),
  };
  try {
    return compiler.compile(tree, Scope.EMPTY);
  } catch (error) {
    if (error instanceof RangeError) throw compiler.error("the expression is nested too deeply", 0);
    throw error;
  }
}
