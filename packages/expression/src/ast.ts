import type { Json } from "@tutti/model";

/** Operators with two values in and one value out. */
export type BinaryOperator = "+" | "-" | "*" | "/" | "%" | "==" | "!=" | "<" | "<=" | ">" | ">=";
export type AssignOperator = "=" | "|=" | "+=" | "-=" | "*=" | "/=" | "%=" | "//=";

interface At {
  /** Offset in the source, in UTF-16 units. */
  readonly at: number;
}

/** A program as written: the parser resolves precedence, nothing else. */
export type Node = At &
  (
    | { readonly kind: "identity" }
    | { readonly kind: "recurse" }
    | { readonly kind: "literal"; readonly value: Json }
    | { readonly kind: "format"; readonly format: string }
    | { readonly kind: "string"; readonly format: string | undefined; readonly parts: readonly (string | Node)[] }
    | { readonly kind: "index"; readonly target: Node; readonly key: Node; readonly optional: boolean }
    | {
        readonly kind: "slice";
        readonly target: Node;
        readonly from: Node | undefined;
        readonly to: Node | undefined;
        readonly optional: boolean;
      }
    | { readonly kind: "iterate"; readonly target: Node; readonly optional: boolean }
    | { readonly kind: "array"; readonly body: Node | undefined }
    | { readonly kind: "object"; readonly entries: readonly ObjectEntry[] }
    | { readonly kind: "negate"; readonly operand: Node }
    | { readonly kind: "pipe"; readonly stages: readonly Node[] }
    | { readonly kind: "comma"; readonly items: readonly Node[] }
    | { readonly kind: "binary"; readonly operator: BinaryOperator; readonly left: Node; readonly right: Node }
    | { readonly kind: "and"; readonly left: Node; readonly right: Node }
    | { readonly kind: "or"; readonly left: Node; readonly right: Node }
    | { readonly kind: "alternative"; readonly left: Node; readonly right: Node }
    | { readonly kind: "assign"; readonly operator: AssignOperator; readonly left: Node; readonly right: Node }
    | { readonly kind: "if"; readonly condition: Node; readonly consequent: Node; readonly otherwise: Node | undefined }
    | { readonly kind: "try"; readonly body: Node; readonly handler: Node | undefined }
    | ReduceNode
    | ForeachNode
    | FunctionNode
    | { readonly kind: "call"; readonly name: string; readonly args: readonly Node[] }
    | { readonly kind: "variable"; readonly name: string }
    | { readonly kind: "bind"; readonly source: Node; readonly patterns: readonly Pattern[]; readonly body: Node }
    | { readonly kind: "label"; readonly name: string; readonly body: Node }
    | { readonly kind: "break"; readonly name: string }
  );

export interface ReduceNode extends At {
  readonly kind: "reduce";
  readonly source: Node;
  readonly patterns: readonly Pattern[];
  readonly initial: Node;
  readonly update: Node;
}

export interface ForeachNode extends At {
  readonly kind: "foreach";
  readonly source: Node;
  readonly patterns: readonly Pattern[];
  readonly initial: Node;
  readonly update: Node;
  readonly extract: Node | undefined;
}

export interface FunctionNode extends At {
  readonly kind: "function";
  readonly name: string;
  readonly parameters: readonly Parameter[];
  readonly body: Node;
  /** What the definition is in scope for. */
  readonly rest: Node;
}

/** `f` is a closure, `$x` a value (one call per output of the argument). */
export interface Parameter {
  readonly name: string;
  readonly isValue: boolean;
}

export interface ObjectEntry {
  readonly key: Node;
  readonly value: Node;
}

/** The left side of `as`: what is taken apart into which variables. */
export type Pattern = At &
  (
    | { readonly kind: "variable"; readonly name: string }
    | { readonly kind: "array"; readonly items: readonly Pattern[] }
    | { readonly kind: "object"; readonly entries: readonly PatternEntry[] }
  );

export interface PatternEntry {
  /** `$name: pattern` binds the member as well as taking it apart. */
  readonly variable: string | undefined;
  readonly key: Node;
  readonly value: Pattern | undefined;
}

/** The variables of a pattern, in order of appearance. */
export function patternVariables(pattern: Pattern, into: string[] = []): string[] {
  switch (pattern.kind) {
    case "variable":
      into.push(pattern.name);
      return into;
    case "array":
      for (const item of pattern.items) patternVariables(item, into);
      return into;
    case "object":
      for (const entry of pattern.entries) {
        if (entry.variable !== undefined) into.push(entry.variable);
        if (entry.value !== undefined) patternVariables(entry.value, into);
      }
      return into;
  }
}
