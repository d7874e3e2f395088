import { isJsonObject, isPartlyKnown, type Json, type JsonObject, ownProperty, unknownIn, unknownOf, unknownValue } from "@tutti/model";
import { analyseNode } from "./analysis.ts";
import type { Node, ObjectEntry } from "./ast.ts";
import { ExpressionError } from "./errors.ts";
import { LruCache } from "./lru-cache.ts";
import { parse } from "./parser.ts";
import { compilePart, type EvaluationOptions, type Program } from "./program.ts";

/**
 * Evaluation on values of which some are unknown (`model/unknown.ts`), for change previews.
 *
 * What can be said without looking into an unknown is calculated, by the ordinary evaluator, part by part: `{name: .name, id: .made.id}` has its name
 * also while `.made` is unknown. All else is unknown. So the result never says more than every run would: known parts are what a run would have,
 * whatever the unknown turns out to be.
 */

const TREES_CACHED = 1024;
const trees = new LruCache<string, Node>(TREES_CACHED);

/**
 * The first output, `null` for none; parts of it may be unknown. Without unknowns in what the expression may read, exactly what `program.first` gives.
 * Expressions have no clock here: what depends on `now` is unknown.
 *
 * @throws ExpressionError when every run would fail here.
 */
export function evaluatePartly(
  program: Program,
  input: Json,
  slots: readonly (Json | undefined)[],
  options?: Omit<EvaluationOptions, "nowMs">,
): Json {
  if (program.isIdentity) return input;
  const tree = trees.getOrCreate(program.source, () => parse(program.source));
  const variables = new Map(program.variables.map((name, slot) => [name, slots[slot] ?? null]));
  const part = new PartialEvaluation(program.source, options);
  return part.first(program, tree, input, variables);
}

interface Reads {
  /** Of the caller's variables. */
  readonly names: readonly string[];
  readonly usesNow: boolean;
  readonly isOfInput: boolean;
}

const compiled = new WeakMap<Node, Program>();
const reads = new WeakMap<Node, Reads>();

function readsOf(source: string, node: Node): Reads {
  const known = reads.get(node);
  if (known !== undefined) return known;
  const { freeVariables, usesNow } = analyseNode(source, node);
  const made = { names: [...new Set(freeVariables.map(({ name }) => name))], usesNow, isOfInput: readsInput(node) };
  reads.set(node, made);
  return made;
}

type Variables = ReadonlyMap<string, Json>;

/** The tree has not exactly one output here, or it is not known how many: the whole is unknown. */
const UNCOUNTED = Symbol("uncounted");

class PartialEvaluation {
  readonly #source: string;
  readonly #options: EvaluationOptions | undefined;

  constructor(source: string, options: EvaluationOptions | undefined) {
    this.#source = source;
    this.#options = options;
  }

  first(whole: Program, node: Node, dot: Json, variables: Variables): Json {
    const blocked = this.#blocked(node, dot, variables);
    if (blocked === undefined) return whole.first(dot, [...variables.values()], this.#options) ?? null;
    const value = this.#value(node, dot, variables);
    return value === UNCOUNTED ? unknownValue(blocked) : value;
  }

  /** What unknown the tree may look at as a whole; undefined when it is free of them. */
  #blocked(node: Node, dot: Json, variables: Variables): string | undefined {
    const { names, usesNow, isOfInput } = readsOf(this.#source, node);
    if (usesNow) return "the time at which it runs";
    for (const name of names) {
      const inside = unknownIn(variables.get(name));
      if (inside !== undefined) return inside;
    }
    return isOfInput ? unknownIn(dot) : undefined;
  }

  /** Parts of the source are compiled once; those with values put in are for one use. */
  #program(node: Node, variables: Variables): Program {
    const names = [...variables.keys()];
    const known = compiled.get(node);
    if (known !== undefined && known.variables.length === names.length && known.variables.every((name, at) => name === names[at]))
      return known;
    const program = compilePart(this.#source, node, names);
    compiled.set(node, program);
    return program;
  }

  /** The single output of `node`, or why there is none. */
  #value(given: Node, dot: Json, variables: Variables): Json | typeof UNCOUNTED {
    const node = this.#withKnownVariables(given, variables);
    if (this.#blocked(node, dot, variables) === undefined) return this.#only(node, dot, variables);
    switch (node.kind) {
      case "identity":
        return dot;
      case "variable":
        return variables.get(node.name) ?? null;
      case "index":
        return this.#index(node, dot, variables);
      case "pipe": {
        let value: Json = dot;
        for (const stage of node.stages) {
          const next = this.#value(stage, value, variables);
          if (next === UNCOUNTED) return UNCOUNTED;
          value = next;
        }
        return value;
      }
      case "array":
        return this.#array(node.body, dot, variables);
      case "object":
        return this.#object(node.entries, dot, variables);
      case "string": {
        const parts = node.parts.map((part) => (typeof part === "string" ? part : this.#literal(part, dot, variables)));
        return this.#joined(parts, (known) => ({ ...node, parts: known as (string | Node)[] }));
      }
      case "negate":
        return this.#joined([this.#literal(node.operand, dot, variables)], ([operand]) => ({ ...node, operand: operand as Node }));
      case "binary":
        return this.#joined([this.#literal(node.left, dot, variables), this.#literal(node.right, dot, variables)], ([left, right]) => ({
          ...node,
          left: left as Node,
          right: right as Node,
        }));
      case "and":
      case "or":
        return this.#logic(node, dot, variables);
      case "alternative": {
        const left = this.#orNull(node.left, dot, variables);
        if (left === UNCOUNTED) return UNCOUNTED;
        const holds = truth(left);
        if (holds === undefined) return unknownValue(unknownOf(left) as string);
        return holds ? left : this.#value(node.right, dot, variables);
      }
      case "if": {
        const condition = this.#value(node.condition, dot, variables);
        if (condition === UNCOUNTED) return UNCOUNTED;
        const holds = truth(condition);
        if (holds === undefined) return unknownValue(unknownOf(condition) as string);
        if (holds) return this.#value(node.consequent, dot, variables);
        return node.otherwise === undefined ? dot : this.#value(node.otherwise, dot, variables);
      }
      case "bind": {
        const [pattern, ...others] = node.patterns;
        if (pattern?.kind !== "variable" || others.length > 0) return UNCOUNTED;
        const bound = this.#value(node.source, dot, variables);
        return bound === UNCOUNTED ? UNCOUNTED : this.#value(node.body, dot, new Map([...variables, [pattern.name, bound]]));
      }
      default:
        return UNCOUNTED;
    }
  }

  /** A tree without unknowns: the ordinary evaluator says it. */
  #only(node: Node, dot: Json, variables: Variables): Json | typeof UNCOUNTED {
    const outputs = this.#program(node, variables).all(dot, [...variables.values()], this.#options);
    return outputs.length === 1 ? (outputs[0] as Json) : UNCOUNTED;
  }

  /** As `a` of `a // b` is taken: its errors are no outputs. */
  #orNull(node: Node, dot: Json, variables: Variables): Json | typeof UNCOUNTED {
    try {
      return this.#value(node, dot, variables);
    } catch (error) {
      if (error instanceof ExpressionError) return null;
      throw error;
    }
  }

  #index(node: Node & { kind: "index" }, dot: Json, variables: Variables): Json | typeof UNCOUNTED {
    const target = this.#value(node.target, dot, variables);
    const key = this.#value(node.key, dot, variables);
    if (target === UNCOUNTED || key === UNCOUNTED) return UNCOUNTED;
    const of = unknownIn(key);
    if (of !== undefined) return unknownValue(of);
    return member(target, key) ?? this.#only({ ...node, target: literal(target, node.at), key: literal(key, node.at) }, dot, variables);
  }

  #array(body: Node | undefined, dot: Json, variables: Variables): Json | typeof UNCOUNTED {
    const items: Json[] = [];
    for (const item of body === undefined ? [] : body.kind === "comma" ? body.items : [body]) {
      const value = this.#value(item, dot, variables);
      if (value === UNCOUNTED) return UNCOUNTED;
      items.push(value);
    }
    return items;
  }

  #object(entries: readonly ObjectEntry[], dot: Json, variables: Variables): Json | typeof UNCOUNTED {
    const object: Record<string, Json> = Object.create(null) as Record<string, Json>;
    for (const entry of entries) {
      const key = this.#value(entry.key, dot, variables);
      const value = this.#value(entry.value, dot, variables);
      if (typeof key !== "string" || value === UNCOUNTED) return UNCOUNTED;
      object[key] = value;
    }
    return object;
  }

  #logic(node: Node & { kind: "and" | "or" }, dot: Json, variables: Variables): Json | typeof UNCOUNTED {
    const left = this.#value(node.left, dot, variables);
    if (left === UNCOUNTED) return UNCOUNTED;
    const leftHolds = truth(left);
    // The right side is not asked then: it may fail where a run would not come to it.
    if (leftHolds === undefined) return unknownValue(unknownOf(left) as string);
    if (leftHolds === (node.kind === "or")) return leftHolds;
    const right = this.#value(node.right, dot, variables);
    return right === UNCOUNTED ? UNCOUNTED : (truth(right) ?? unknownValue(unknownOf(right) as string));
  }

  /** The value of a part as a literal; its unknown instead when it has one. */
  #literal(node: Node, dot: Json, variables: Variables): Node | { readonly unknown: string } | typeof UNCOUNTED {
    const value = this.#value(node, dot, variables);
    if (value === UNCOUNTED) return UNCOUNTED;
    const unknown = unknownIn(value);
    return unknown === undefined ? literal(value, node.at) : { unknown };
  }

  /** A node whose parts are all known, calculated; unknown when one of them is. */
  #joined(
    parts: readonly (string | Node | { readonly unknown: string } | typeof UNCOUNTED)[],
    build: (known: readonly (string | Node)[]) => Node,
  ): Json | typeof UNCOUNTED {
    for (const part of parts) {
      if (part === UNCOUNTED) return UNCOUNTED;
      if (typeof part !== "string" && "unknown" in part) return unknownValue(part.unknown);
    }
    return this.#only(build(parts as readonly (string | Node)[]), null, new Map());
  }

  /**
   * The tree with `$name.path` of the caller's variables replaced by what is there, where that is known: `map(select(.env == $context.env))` does
   * not look at what else `$context` holds.
   */
  #withKnownVariables(node: Node, variables: Variables): Node {
    const bound = boundNames(node);
    const usable = [...variables].filter(([name, value]) => !bound.has(name) && unknownIn(value) !== undefined);
    if (usable.length === 0) return node;
    const values = new Map(usable);
    return mapIndexes(node, (index) => {
      const value = valueAt(index, values);
      return value === undefined || unknownIn(value) !== undefined ? undefined : literal(value, index.at);
    });
  }
}

function literal(value: Json, at: number): Node {
  return { kind: "literal", value, at };
}

/** Whether a value counts as true; undefined while that is not known. */
function truth(value: Json): boolean | undefined {
  if (unknownOf(value) !== undefined && !isPartlyKnown(value)) return undefined;
  return value !== false && value !== null;
}

/** A member of a value that is unknown, or holds unknowns; undefined when the ordinary evaluator is to say it. */
function member(target: Json, key: Json): Json | undefined {
  const of = unknownOf(target);
  if (of !== undefined) {
    const known = typeof key === "string" && isPartlyKnown(target) ? ownProperty(target as JsonObject, key) : undefined;
    return known ?? unknownValue(typeof key === "string" ? `${of}.${key}` : `${of}[${JSON.stringify(key)}]`);
  }
  if (isJsonObject(target) && typeof key === "string") return ownProperty(target, key) ?? null;
  if (!Array.isArray(target) || typeof key !== "number" || !Number.isSafeInteger(key)) return undefined;
  return (target as readonly Json[]).at(key) ?? null;
}

/** `$name.a.b` with known keys, looked up; undefined when it is anything else. */
function valueAt(node: Node, values: Variables): Json | undefined {
  if (node.kind === "variable") return values.get(node.name);
  if (node.kind !== "index" || node.key.kind !== "literal") return undefined;
  const target = valueAt(node.target, values);
  return target === undefined ? undefined : member(target, node.key.value);
}

/** Whether the tree may look at its input. Calls do, whatever they are of. */
function readsInput(node: Node): boolean {
  switch (node.kind) {
    case "literal":
    case "variable":
      return false;
    case "index":
      return readsInput(node.target) || readsInput(node.key);
    case "iterate":
      return readsInput(node.target);
    case "string":
      return node.parts.some((part) => typeof part !== "string" && readsInput(part));
    case "array":
      return node.body !== undefined && readsInput(node.body);
    case "object":
      return node.entries.some(({ key, value }) => readsInput(key) || readsInput(value));
    case "negate":
      return readsInput(node.operand);
    case "pipe":
      return readsInput(node.stages[0] as Node);
    case "comma":
      return node.items.some(readsInput);
    case "binary":
    case "and":
    case "or":
    case "alternative":
      return readsInput(node.left) || readsInput(node.right);
    default:
      return true;
  }
}

/** Names that the tree binds anywhere: they may hide the caller's variables. */
function boundNames(node: Node): ReadonlySet<string> {
  const names = new Set<string>();
  walk(node, (part) => {
    if (part.kind === "bind" || part.kind === "reduce" || part.kind === "foreach") collectNames(part.patterns, names);
    if (part.kind === "function") for (const parameter of part.parameters) names.add(parameter.name);
  });
  return names;
}

/** All names in patterns, whatever their place there. */
function collectNames(value: unknown, into: Set<string>): void {
  if (typeof value !== "object" || value === null) return;
  if (Array.isArray(value)) {
    for (const item of value) collectNames(item, into);
    return;
  }
  for (const [key, part] of Object.entries(value)) {
    if ((key === "name" || key === "variable") && typeof part === "string") into.add(part);
    else collectNames(part, into);
  }
}

function walk(value: unknown, visit: (node: Node) => void): void {
  if (typeof value !== "object" || value === null) return;
  if (Array.isArray(value)) {
    for (const item of value) walk(item, visit);
    return;
  }
  if ("kind" in value && typeof value.kind === "string") visit(value as Node);
  // The value of a literal is data, not tree.
  for (const [key, part] of Object.entries(value)) if (key !== "value" || !("kind" in value)) walk(part, visit);
}

/** The tree with index expressions replaced where `replace` says so; everything else is as it was. */
function mapIndexes(node: Node, replace: (node: Node & { kind: "index" }) => Node | undefined): Node {
  const map = (value: unknown): unknown => {
    if (typeof value !== "object" || value === null) return value;
    if (Array.isArray(value)) return value.map(map);
    const part = value as Node;
    if (part.kind === "literal") return value;
    const replaced = part.kind === "index" ? replace(part) : undefined;
    return replaced ?? Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, map(inner)]));
  };
  return map(node) as Node;
}
