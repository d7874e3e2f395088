import type { ExpressionSyntaxError } from "./errors.ts";
import { Lexer, type StringPart, type Token } from "./lexer.ts";

/** One token of look-ahead over a lexer, with the small questions that a recursive-descent parser asks. */
export class TokenReader {
  readonly source: string;
  readonly #lexer: Lexer;
  #token: Token;

  constructor(source: string) {
    this.source = source;
    this.#lexer = new Lexer(source);
    this.#token = this.#lexer.next();
  }

  get token(): Token {
    return this.#token;
  }

  advance(): void {
    this.#token = this.#lexer.next();
  }

  is(symbol: string): boolean {
    return this.#token.kind === "symbol" && this.#token.text === symbol;
  }

  accept(symbol: string): boolean {
    if (!this.is(symbol)) return false;
    this.advance();
    return true;
  }

  /** Takes the `?` of a suffix. `a?//b` is lexed as the pattern operator `?//`; after a term it reads as `a? // b`. */
  acceptOptional(): boolean {
    if (!this.is("?//")) return this.accept("?");
    this.#token = { kind: "symbol", text: "//", at: this.#token.at + 1 };
    return true;
  }

  acceptName(word: string): boolean {
    if (this.#token.kind !== "name" || this.#token.text !== word) return false;
    this.advance();
    return true;
  }

  expect(symbol: string): void {
    if (!this.accept(symbol)) throw this.unexpected(`\`${symbol}\``);
  }

  name(wanted: string): string {
    if (this.#token.kind !== "name") throw this.unexpected(wanted);
    const { text } = this.#token;
    this.advance();
    return text;
  }

  variable(): string {
    if (this.#token.kind !== "variable") throw this.unexpected("a variable");
    const { text } = this.#token;
    this.advance();
    return text;
  }

  /** The next part of the string whose quote, or whose interpolation's `)`, is the current token. Does not advance. */
  stringPart(openedAt: number): StringPart {
    return this.#lexer.readString(openedAt);
  }

  unexpected(wanted: string): ExpressionSyntaxError {
    const { kind, text, at } = this.#token;
    const found = kind === "end" ? text : kind === "field" ? `\`.${text}\`` : kind === "variable" ? `\`$${text}\`` : `\`${text}\``;
    return this.error(`unexpected ${found}, expected ${wanted}`, at);
  }

  error(message: string, at: number): ExpressionSyntaxError {
    return this.#lexer.error(message, at);
  }
}
