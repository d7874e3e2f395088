import type { AssignOperator, BinaryOperator, FunctionNode, Node, Parameter, Pattern, PatternEntry } from "./ast.ts";
import { ExpressionSyntaxError, positionOf } from "./errors.ts";
import { SOURCE_DEPTH_MAX, SOURCE_LENGTH_MAX } from "./limits.ts";
import { TokenReader } from "./token-reader.ts";

/** Words that are no function names; each may still be a field, an object key or a variable. */
const KEYWORDS: ReadonlySet<string> = new Set(
  "as import include module def if then else elif end reduce foreach try catch label and or __loc__".split(" "),
);

interface Infix {
  readonly precedence: number;
  readonly associativity: "left" | "right" | "none";
}

const left = (precedence: number): Infix => ({ precedence, associativity: "left" });
const none = (precedence: number): Infix => ({ precedence, associativity: "none" });
/** Binary operators above the comma, loosest first, as jq's grammar orders them. */
const INFIX: ReadonlyMap<string, Infix> = new Map<string, Infix>([
  ["//", { precedence: 1, associativity: "right" }],
  ...["=", "|=", "+=", "-=", "*=", "/=", "%=", "//="].map((symbol): [string, Infix] => [symbol, none(2)]),
  ["or", left(3)],
  ["and", left(4)],
  ...["==", "!=", "<", "<=", ">", ">="].map((symbol): [string, Infix] => [symbol, none(5)]),
  ["+", left(6)],
  ["-", left(6)],
  ["*", left(7)],
  ["/", left(7)],
  ["%", left(7)],
]);
const TIGHTER_THAN_MINUS = 7;
const ASSIGNMENTS: ReadonlySet<string> = new Set(["=", "|=", "+=", "-=", "*=", "/=", "%=", "//="]);

/** Parses a whole source. @throws ExpressionSyntaxError with the position of the first token that does not fit. */
export function parse(source: string): Node {
  if (source.length > SOURCE_LENGTH_MAX) {
    throw new ExpressionSyntaxError(`an expression has at most ${SOURCE_LENGTH_MAX} characters`, { line: 1, column: 1, offset: 0 });
  }
  try {
    return new Parser(source).program();
  } catch (error) {
    if (error instanceof RangeError) throw new ExpressionSyntaxError("the expression is nested too deeply", positionOf(source, 0));
    throw error;
  }
}

class Parser extends TokenReader {
  #depth = 0;

  program(): Node {
    // Only definitions, or nothing at all: the program is the identity.
    const node = this.token.kind === "end" ? this.#identity() : this.#pipe();
    if (this.token.kind !== "end") throw this.unexpected("the end of the expression");
    return node;
  }

  #identity(): Node {
    return { kind: "identity", at: this.token.at };
  }

  /** Recursion of every kind passes here or through `#prefix`; both count. */
  #nested<T>(parse: () => T): T {
    if (++this.#depth > SOURCE_DEPTH_MAX) throw this.error(`the expression is nested more than ${SOURCE_DEPTH_MAX} deep`, this.token.at);
    const result = parse();
    this.#depth--;
    return result;
  }

  #pipe(): Node {
    return this.#nested(() => {
      const stages = [this.#comma()];
      const at = this.token.at;
      while (this.accept("|")) stages.push(this.#comma());
      return stages.length === 1 ? (stages[0] as Node) : { kind: "pipe", stages, at };
    });
  }

  #comma(): Node {
    const items = [this.#infix(0)];
    const at = this.token.at;
    while (this.accept(",")) items.push(this.#infix(0));
    return items.length === 1 ? (items[0] as Node) : { kind: "comma", items, at };
  }

  #infix(minimum: number): Node {
    let node = this.#prefix();
    let length = 0;
    let forbidden = -1;
    for (;;) {
      const symbol = this.token.kind === "symbol" || this.token.kind === "name" ? this.token.text : "";
      const infix = INFIX.get(symbol);
      if (infix === undefined || infix.precedence < minimum) return node;
      if (infix.precedence === forbidden) throw this.error(`\`${symbol}\` needs parentheses here: it does not chain`, this.token.at);
      if (++length > SOURCE_DEPTH_MAX) throw this.error(`more than ${SOURCE_DEPTH_MAX} operators in a row`, this.token.at);
      const at = this.token.at;
      this.advance();
      const right = this.#nested(() => this.#infix(infix.associativity === "right" ? infix.precedence : infix.precedence + 1));
      if (infix.associativity === "none") forbidden = infix.precedence;
      node = combine(symbol, { left: node, right, at });
    }
  }

  /** Everything that binds tighter than a binary operator, with the forms that extend to the right as far as they can. */
  #prefix(): Node {
    return this.#nested(() => {
      const at = this.token.at;
      if (this.accept("-")) {
        // jq gives the sign the precedence of subtraction: -1 * . is -(1 * .), which matters where . is a text.
        const operand = this.#infix(TIGHTER_THAN_MINUS);
        if (operand.kind === "literal" && typeof operand.value === "number") return { kind: "literal", value: -operand.value, at };
        return { kind: "negate", operand, at };
      }
      if (this.acceptName("def")) return this.#functionDefinition(at);
      if (this.acceptName("label")) return this.#label(at);
      if (this.acceptName("try")) return this.#try(at);
      const term = this.#postfix(this.#term());
      return this.acceptName("as") ? this.#bind(term, at) : term;
    });
  }

  #functionDefinition(at: number): Node {
    const name = this.name("the name of a function");
    if (KEYWORDS.has(name)) throw this.error(`\`${name}\` is a keyword, not the name of a function`, at);
    const parameters: Parameter[] = [];
    if (this.accept("(")) {
      do {
        const isValue = this.token.kind === "variable";
        if (!isValue && this.token.kind !== "name") throw this.unexpected("a parameter");
        parameters.push({ name: this.token.text, isValue });
        this.advance();
      } while (this.accept(";"));
      this.expect(")");
    }
    this.expect(":");
    const body = this.#pipe();
    this.expect(";");
    const rest = this.token.kind === "end" ? this.#identity() : this.#pipe();
    return { kind: "function", name, parameters, body, rest, at } satisfies FunctionNode;
  }

  #label(at: number): Node {
    const name = this.variable();
    this.expect("|");
    return { kind: "label", name, body: this.#pipe(), at };
  }

  #try(at: number): Node {
    const body = this.#prefix();
    const handler = this.acceptName("catch") ? this.#prefix() : undefined;
    return { kind: "try", body, handler, at };
  }

  #bind(source: Node, at: number): Node {
    const patterns = this.#patterns();
    this.expect("|");
    return { kind: "bind", source, patterns, body: this.#pipe(), at };
  }

  #patterns(): Pattern[] {
    const patterns = [this.#pattern()];
    while (this.accept("?//")) patterns.push(this.#pattern());
    return patterns;
  }

  #pattern(): Pattern {
    return this.#nested(() => {
      const at = this.token.at;
      if (this.accept("[")) {
        const items: Pattern[] = [];
        do items.push(this.#pattern());
        while (this.accept(","));
        this.expect("]");
        return { kind: "array", items, at };
      }
      if (this.accept("{")) {
        const entries: PatternEntry[] = [];
        do entries.push(this.#patternEntry());
        while (this.accept(","));
        this.expect("}");
        return { kind: "object", entries, at };
      }
      return { kind: "variable", name: this.variable(), at };
    });
  }

  #patternEntry(): PatternEntry {
    const at = this.token.at;
    if (this.token.kind === "variable") {
      const variable = this.variable();
      const key: Node = { kind: "literal", value: variable, at };
      return { variable, key, value: this.accept(":") ? this.#pattern() : undefined };
    }
    const key = this.#key();
    this.expect(":");
    return { variable: undefined, key, value: this.#pattern() };
  }

  /** A key of an object or an object pattern: a word, a string or a program in parentheses. */
  #key(): Node {
    const at = this.token.at;
    if (this.token.kind === "name") return { kind: "literal", value: this.name("a key"), at };
    if (this.token.kind === "quote" || this.token.kind === "format") {
      const key = this.#term();
      if (key.kind === "format") throw this.unexpected("a string");
      return key;
    }
    this.expect("(");
    const key = this.#pipe();
    this.expect(")");
    return key;
  }

  #term(): Node {
    const { kind, text, at } = this.token;
    switch (kind) {
      case "number":
        this.advance();
        return { kind: "literal", value: finite(Number(text)), at };
      case "quote":
        return this.#string(undefined, at);
      case "format":
        this.advance();
        return (this.token.kind as string) === "quote" ? this.#string(text, at) : { kind: "format", format: text, at };
      case "variable":
        this.advance();
        return text === "__loc__" ? this.#location(at) : { kind: "variable", name: text, at };
      case "field":
        this.advance();
        return this.#index({ kind: "identity", at }, { kind: "literal", value: text, at }, at);
      case "name":
        return this.#word(text, at);
      case "symbol":
        return this.#symbol(text, at);
      case "end":
        throw this.unexpected("a value");
    }
  }

  #location(at: number): Node {
    return { kind: "literal", value: { file: "<top-level>", line: positionOf(this.source, at).line }, at };
  }

  #symbol(text: string, at: number): Node {
    switch (text) {
      case ".": {
        this.advance();
        const identity: Node = { kind: "identity", at };
        return this.token.kind === "quote" || this.token.kind === "format" ? this.#index(identity, this.#term(), at) : identity;
      }
      case "..":
        this.advance();
        return { kind: "recurse", at };
      case "(": {
        this.advance();
        const node = this.#pipe();
        this.expect(")");
        return node;
      }
      case "[": {
        this.advance();
        const body = this.is("]") ? undefined : this.#pipe();
        this.expect("]");
        return { kind: "array", body, at };
      }
      case "{":
        this.advance();
        return this.#object(at);
      default:
        throw this.unexpected("a value");
    }
  }

  #word(text: string, at: number): Node {
    this.advance();
    switch (text) {
      case "if":
        return this.#if(at);
      case "reduce": {
        const { source, patterns, initial, update } = this.#loopHead();
        this.expect(")");
        return { kind: "reduce", source, patterns, initial, update, at };
      }
      case "foreach": {
        const head = this.#loopHead();
        const extract = this.accept(";") ? this.#pipe() : undefined;
        this.expect(")");
        return { kind: "foreach", ...head, extract, at };
      }
      case "break":
        if (this.token.kind === "variable") return { kind: "break", name: this.variable(), at };
        break;
      case "true":
      case "false":
        if (!this.is("(")) return { kind: "literal", value: text === "true", at };
        break;
      case "null":
        if (!this.is("(")) return { kind: "literal", value: null, at };
        break;
      default:
        if (KEYWORDS.has(text)) throw this.error(`unexpected \`${text}\`, expected a value`, at);
    }
    return this.#call(text, at);
  }

  #call(name: string, at: number): Node {
    const args: Node[] = [];
    if (this.accept("(")) {
      do args.push(this.#pipe());
      while (this.accept(";"));
      this.expect(")");
    }
    return { kind: "call", name, args, at };
  }

  #loopHead(): { source: Node; patterns: Pattern[]; initial: Node; update: Node } {
    const source = this.#postfix(this.#term());
    if (!this.acceptName("as")) throw this.unexpected("`as`");
    const patterns = this.#patterns();
    this.expect("(");
    const initial = this.#pipe();
    this.expect(";");
    return { source, patterns, initial, update: this.#pipe() };
  }

  #if(at: number): Node {
    return this.#nested(() => {
      const condition = this.#pipe();
      if (!this.acceptName("then")) throw this.unexpected("`then`");
      const consequent = this.#pipe();
      const elseAt = this.token.at;
      if (this.acceptName("elif")) return { kind: "if", condition, consequent, otherwise: this.#if(elseAt), at };
      const otherwise = this.acceptName("else") ? this.#pipe() : undefined;
      if (!this.acceptName("end")) throw this.unexpected("`end`");
      return { kind: "if", condition, consequent, otherwise, at };
    });
  }

  #string(format: string | undefined, openedAt: number): Node {
    const parts: (string | Node)[] = [];
    for (;;) {
      const part = this.stringPart(openedAt);
      if (part.text !== "") parts.push(part.text);
      if (part.isLast) break;
      this.advance();
      parts.push(this.#pipe());
      if (!this.is(")")) throw this.unexpected("`)`");
    }
    this.advance();
    if (parts.every((part) => typeof part === "string")) return { kind: "literal", value: parts.join(""), at: openedAt };
    return { kind: "string", format, parts, at: openedAt };
  }

  #object(at: number): Node {
    const entries: { key: Node; value: Node }[] = [];
    if (!this.is("}")) {
      do entries.push(this.#objectEntry());
      while (this.accept(","));
    }
    this.expect("}");
    return { kind: "object", entries, at };
  }

  #objectEntry(): { key: Node; value: Node } {
    const { kind, text, at } = this.token;
    if (kind === "number") throw this.error(`Cannot use number (${text}) as object key`, at);
    if (kind === "variable") {
      this.advance();
      // `{$x: 1}` takes the value of the variable as the key, `{$x}` its name.
      if (this.accept(":")) return { key: { kind: "variable", name: text, at }, value: this.#objectValue() };
      const key: Node = { kind: "literal", value: text, at };
      return { key, value: text === "__loc__" ? this.#location(at) : { kind: "variable", name: text, at } };
    }
    const isProgram = this.is("(");
    const key = this.#key();
    if (isProgram && key.kind === "literal" && typeof key.value !== "string") {
      throw this.error(`Cannot use ${typeof key.value} (${JSON.stringify(key.value)}) as object key`, at);
    }
    if (this.accept(":")) return { key, value: this.#objectValue() };
    if (isProgram) throw this.unexpected("`:`");
    return { key, value: { kind: "index", target: { kind: "identity", at }, key, optional: false, at } };
  }

  /** The value of a member: terms joined by `|`. Other operators need parentheses, as in jq. */
  #objectValue(): Node {
    return this.#nested(() => {
      const stages: Node[] = [];
      const at = this.token.at;
      do stages.push(this.#objectTerm());
      while (this.accept("|"));
      return stages.length === 1 ? (stages[0] as Node) : { kind: "pipe", stages, at };
    });
  }

  #objectTerm(): Node {
    const at = this.token.at;
    if (!this.accept("-")) return this.#postfix(this.#term());
    return { kind: "negate", operand: this.#nested(() => this.#objectTerm()), at };
  }

  /** The suffixes of a term: fields, indices, slices, `[]` and `?`. */
  #postfix(term: Node): Node {
    let node = term;
    for (let length = 0; ; length++) {
      if (length > SOURCE_DEPTH_MAX) throw this.error(`more than ${SOURCE_DEPTH_MAX} suffixes in a row`, this.token.at);
      const { kind, text, at } = this.token;
      if (kind === "field") {
        this.advance();
        node = this.#index(node, { kind: "literal", value: text, at }, at);
      } else if (this.accept("[")) {
        node = this.#bracket(node, at);
      } else if (this.accept(".")) {
        if (this.accept("[")) node = this.#bracket(node, at);
        else if (this.token.kind === "quote" || this.token.kind === "format") node = this.#index(node, this.#term(), at);
        else throw this.unexpected("a field, a string or `[` after `.`");
      } else if (this.acceptOptional()) {
        node = { kind: "try", body: node, handler: undefined, at };
      } else {
        return node;
      }
    }
  }

  #index(target: Node, key: Node, at: number): Node {
    return { kind: "index", target, key, optional: this.acceptOptional(), at };
  }

  #bracket(target: Node, at: number): Node {
    if (this.accept("]")) return { kind: "iterate", target, optional: this.acceptOptional(), at };
    if (this.accept(":")) {
      const to = this.#pipe();
      this.expect("]");
      return { kind: "slice", target, from: undefined, to, optional: this.acceptOptional(), at };
    }
    const key = this.#pipe();
    if (this.accept(":")) {
      const to = this.is("]") ? undefined : this.#pipe();
      this.expect("]");
      return { kind: "slice", target, from: key, to, optional: this.acceptOptional(), at };
    }
    this.expect("]");
    return this.#index(target, key, at);
  }
}

function combine(symbol: string, operands: { left: Node; right: Node; at: number }): Node {
  if (symbol === "//") return { kind: "alternative", ...operands };
  if (symbol === "and" || symbol === "or") return { kind: symbol, ...operands };
  // The casts follow from INFIX: what is neither of the above nor an assignment is a binary operator.
  if (ASSIGNMENTS.has(symbol)) return { kind: "assign", operator: symbol as AssignOperator, ...operands };
  return { kind: "binary", operator: symbol as BinaryOperator, ...operands };
}

/** jq reads 1e1000 as the largest finite number. */
function finite(value: number): number {
  return Number.isFinite(value) ? value : Number.MAX_VALUE;
}
