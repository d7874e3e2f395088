import { ExpressionSyntaxError, positionOf } from "./errors.ts";

export type TokenKind = "number" | "quote" | "name" | "field" | "format" | "variable" | "symbol" | "end";

/** One token. `text` is a field's or variable's name without `.` or `$`, a format with its `@`, otherwise the text itself. */
export interface Token {
  readonly kind: TokenKind;
  readonly text: string;
  readonly at: number;
}

/** Part of a string literal: the characters up to the closing quote or to the next `\(`. */
export interface StringPart {
  readonly text: string;
  readonly isLast: boolean;
}

// Longest first: `?//=` does not exist, `?//` does.
const SYMBOLS = [
  "?//",
  "//=",
  "!=",
  "==",
  "|=",
  "+=",
  "-=",
  "*=",
  "/=",
  "%=",
  "<=",
  ">=",
  "//",
  "..",
  ...Array.from(".?=;,:|+-*/%<>()[]{}"),
];
const SIMPLE_ESCAPES: ReadonlyMap<string, string> = new Map([
  ['"', '"'],
  ["\\", "\\"],
  ["/", "/"],
  ["b", "\b"],
  ["f", "\f"],
  ["n", "\n"],
  ["r", "\r"],
  ["t", "\t"],
]);

const SPACE = /(?:[ \t\r\n]+|#[^\n]*)*/y;
const NUMBER = /(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?/y;
const FIELD = /\.[A-Za-z_][A-Za-z_0-9]*/y;
const NAME = /(?:[A-Za-z_][A-Za-z_0-9]*::)*[A-Za-z_][A-Za-z_0-9]*/y;
const FORMAT = /@[A-Za-z0-9_]+/y;
const PLAIN_CHARACTERS = /[^"\\]+/y;

/**
 * Cuts a source into tokens on demand. String literals are read part by part because each `\(` starts a program of its own:
 * after a `quote` token the parser calls `readString` until it has the last part.
 */
export class Lexer {
  readonly source: string;
  #offset = 0;

  constructor(source: string) {
    this.source = source;
  }

  next(): Token {
    this.#take(SPACE);
    const at = this.#offset;
    if (at >= this.source.length) return { kind: "end", text: "end of expression", at };
    const first = this.source.charCodeAt(at);
    if (first === 0x22 /* " */) {
      this.#offset++;
      return { kind: "quote", text: '"', at };
    }
    const field = this.#take(FIELD);
    if (field !== undefined) return { kind: "field", text: field.slice(1), at };
    const number = this.#take(NUMBER);
    if (number !== undefined) return { kind: "number", text: number, at };
    const name = this.#take(NAME);
    if (name !== undefined) return { kind: "name", text: name, at };
    const format = this.#take(FORMAT);
    if (format !== undefined) return { kind: "format", text: format, at };
    if (first === 0x24 /* $ */) return this.#variable(at);
    for (const symbol of SYMBOLS) {
      if (this.source.startsWith(symbol, at)) {
        this.#offset += symbol.length;
        return { kind: "symbol", text: symbol, at };
      }
    }
    throw this.error(`unexpected character ${JSON.stringify(String.fromCodePoint(this.source.codePointAt(at) ?? 0))}`, at);
  }

  /** Reads on inside a string literal, from just after its quote or after the `)` of an interpolation. */
  readString(openedAt: number): StringPart {
    let text = "";
    for (;;) {
      text += this.#take(PLAIN_CHARACTERS) ?? "";
      const at = this.#offset;
      if (at >= this.source.length) throw this.error("this string is not closed", openedAt);
      this.#offset++;
      if (this.source[at] === '"') return { text: text.toWellFormed(), isLast: true };
      const escape = this.source[at + 1] ?? "";
      this.#offset++;
      if (escape === "(") return { text: text.toWellFormed(), isLast: false };
      text += escape === "u" ? this.#unicodeEscape(at) : this.#simpleEscape(escape, at);
    }
  }

  error(message: string, at: number): ExpressionSyntaxError {
    return new ExpressionSyntaxError(message, positionOf(this.source, at));
  }

  #variable(at: number): Token {
    this.#offset++;
    const name = this.#take(NAME);
    if (name === undefined) throw this.error("`$` must be followed by the name of a variable", at);
    return { kind: "variable", text: name, at };
  }

  #simpleEscape(escape: string, at: number): string {
    const character = SIMPLE_ESCAPES.get(escape);
    if (character === undefined) throw this.error(`invalid escape \\${escape} in a string`, at);
    return character;
  }

  #unicodeEscape(at: number): string {
    const digits = this.source.slice(at + 2, at + 6);
    if (!/^[0-9a-fA-F]{4}$/.test(digits)) throw this.error("\\u must be followed by four hexadecimal digits", at);
    this.#offset += 4;
    return String.fromCharCode(Number.parseInt(digits, 16));
  }

  #take(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#offset;
    const match = pattern.exec(this.source);
    if (match === null) return undefined;
    this.#offset = pattern.lastIndex;
    return match[0];
  }
}
