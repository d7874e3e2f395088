import { ProtoSyntaxError } from "./proto-syntax-error.ts";
import { type Token, tokensOf } from "./tokens.ts";

/** An option as it stands: `deprecated`, `features.field_presence`, `(google.api.http).get`. Values of custom options are passed over. */
export interface ProtoOption {
  readonly name: string;
  /** Undefined for a message in braces. */
  readonly value: string | undefined;
  readonly at: Token;
}

/** Reads the words of a .proto file one after the other. */
export class TokenReader {
  readonly #tokens: readonly Token[];
  #next = 0;

  constructor(text: string) {
    this.#tokens = tokensOf(text);
  }

  get next(): Token {
    // The last one is `end`, and nobody reads past it.
    return this.#tokens[this.#next] as Token;
  }

  take(): Token {
    const { next } = this;
    if (next.kind !== "end") this.#next += 1;
    return next;
  }

  /** Whether the next word is this one, and perhaps the one behind it another. */
  sees(text: string, behind?: string): boolean {
    if (this.next.kind === "string" || this.next.kind === "end" || this.next.text !== text) return false;
    return behind === undefined || this.#tokens[this.#next + 1]?.text === behind;
  }

  /** Takes the next word if it is this one. */
  accept(text: string): boolean {
    if (!this.sees(text)) return false;
    this.take();
    return true;
  }

  expect(text: string): Token {
    return this.sees(text) ? this.take() : this.fail(`expected "${text}"`);
  }

  identifier(what: string): string {
    return this.next.kind === "identifier" ? this.take().text : this.fail(`expected ${what}`);
  }

  /** `a.b.C`, or `.a.b.C` from the root. */
  typeName(): string {
    let name = this.accept(".") ? "." : "";
    do name += (name.endsWith(".") || name === "" ? "" : ".") + this.identifier("the name of a type");
    while (this.accept("."));
    return name;
  }

  /** Strings that follow each other are one. */
  string(what: string): string {
    if (this.next.kind !== "string") return this.fail(`expected ${what} in quotes`);
    let text = "";
    while (this.next.kind === "string") text += this.take().text;
    return text;
  }

  /** A whole number, decimal, hexadecimal or octal. */
  integer(what: string): number {
    const sign = this.accept("-") ? -1 : 1;
    const { kind, text } = this.next;
    const value = kind === "number" ? Number(/^0[0-7]+$/.test(text) ? `0o${text.slice(1)}` : text) : Number.NaN;
    if (!Number.isInteger(value)) return this.fail(`expected ${what}, a whole number`);
    this.take();
    return sign * value;
  }

  /** `option a.b = value;` */
  optionStatement(): ProtoOption {
    this.expect("option");
    const option = this.#option();
    this.expect(";");
    return option;
  }

  /** `[a = 1, (b).c = { … }]`, if there is one. */
  optionList(): readonly ProtoOption[] {
    if (!this.accept("[")) return [];
    const options: ProtoOption[] = [];
    do options.push(this.#option());
    while (this.accept(","));
    this.expect("]");
    return options;
  }

  #option(): ProtoOption {
    const at = this.next;
    let name = "";
    do {
      if (name !== "") name += ".";
      if (this.accept("(")) {
        name += `(${this.typeName()})`;
        this.expect(")");
      } else name += this.identifier("the name of an option");
    } while (this.accept("."));
    this.expect("=");
    if (this.sees("{")) {
      this.skipBlock();
      return { name, value: undefined, at };
    }
    if (this.next.kind === "string") return { name, value: this.string("a value"), at };
    const sign = this.accept("-") ? "-" : this.accept("+") ? "" : "";
    if (this.next.kind !== "identifier" && this.next.kind !== "number") return this.fail("expected a value");
    return { name, value: sign + this.take().text, at };
  }

  /** Passes over a statement that means nothing here, up to its semicolon. */
  skipStatement(): void {
    while (!this.sees(";")) {
      if (this.next.kind === "end") this.fail('expected ";"');
      if (this.sees("{")) this.skipBlock();
      else this.take();
    }
    this.take();
  }

  /** Passes over everything in braces. */
  skipBlock(): void {
    let depth = 0;
    do {
      if (this.next.kind === "end") this.fail('expected "}"');
      if (this.sees("{")) depth += 1;
      if (this.sees("}")) depth -= 1;
      this.take();
    } while (depth > 0);
  }

  fail(reason: string, at: Token = this.next): never {
    const found = at.kind === "end" ? "the file ends" : `here is ${JSON.stringify(at.text)}`;
    throw new ProtoSyntaxError(`${reason}, but ${found}`, at);
  }
}
