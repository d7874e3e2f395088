import { type Place, ProtoSyntaxError } from "./proto-syntax-error.ts";

/** A word of the Protocol Buffers language. `text` of a string is its value, that of everything else its spelling. */
export interface Token extends Place {
  readonly kind: "identifier" | "number" | "string" | "symbol" | "end";
  readonly text: string;
}

const SPACE = /(?:[ \t\r\n\f\v\uFEFF]+|\/\/[^\n]*|\/\*[^]*?\*\/)+/y;
const IDENTIFIER = /[A-Za-z_][A-Za-z0-9_]*/y;
const NUMBER = /0[xX][0-9a-fA-F]+|(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?/y;
const STRING = /"(?:[^"\\\n]|\\[^\n])*"|'(?:[^'\\\n]|\\[^\n])*'/y;
const SYMBOLS = ";,{}()=[]<>.-+:/";
const ESCAPE = /\\(?:([abfnrtv\\'"?])|([0-7]{1,3})|[xX]([0-9a-fA-F]{1,2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8}))/g;
const PLAIN_ESCAPES: Readonly<Record<string, string>> = { a: "\x07", b: "\b", f: "\f", n: "\n", r: "\r", t: "\t", v: "\v" };
/** The last code point of Unicode. */
const CODE_POINT_MAX = 0x10_ff_ff;

/**
 * Splits a .proto file into its words; the last one is `end`. Source: protobuf.dev, "Protocol Buffers Language Specification", lexical elements.
 *
 * @throws ProtoSyntaxError for a character that begins no word, and a comment or string without its end.
 */
export function tokensOf(text: string): readonly Token[] {
  const tokens: Token[] = [];
  let line = 1;
  let lineStart = 0;
  let at = 0;
  const take = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = at;
    return pattern.exec(text)?.[0];
  };
  const advance = (length: number): void => {
    const end = at + length;
    for (; at < end; at += 1)
      if (text[at] === "\n") {
        line += 1;
        lineStart = at + 1;
      }
  };
  for (;;) {
    advance(take(SPACE)?.length ?? 0);
    const place = { line, column: at - lineStart + 1 };
    if (at >= text.length) return [...tokens, { kind: "end", text: "", ...place }];
    const first = text[at] as string;
    const string = first === '"' || first === "'" ? take(STRING) : undefined;
    const identifier = take(IDENTIFIER);
    const number = /[0-9.]/.test(first) ? take(NUMBER) : undefined;
    if (string !== undefined) tokens.push({ kind: "string", text: unescaped(string.slice(1, -1), place), ...place });
    else if (identifier !== undefined) tokens.push({ kind: "identifier", text: identifier, ...place });
    else if (number !== undefined) tokens.push({ kind: "number", text: number, ...place });
    else if (text.startsWith("/*", at)) throw new ProtoSyntaxError("this comment has no end", place);
    else if (SYMBOLS.includes(first)) tokens.push({ kind: "symbol", text: first, ...place });
    else if (first === '"' || first === "'") throw new ProtoSyntaxError("this string has no end", place);
    else throw new ProtoSyntaxError(`${JSON.stringify(first)} begins nothing`, place);
    advance((string ?? identifier ?? number ?? first).length);
  }
}

function unescaped(text: string, place: Place): string {
  return text.replace(ESCAPE, (whole, plain?: string, octal?: string, hex?: string, short?: string, long?: string) => {
    if (plain !== undefined) return PLAIN_ESCAPES[plain] ?? plain;
    const code = octal === undefined ? Number.parseInt(hex ?? short ?? long ?? "", 16) : Number.parseInt(octal, 8);
    if (code > CODE_POINT_MAX) throw new ProtoSyntaxError(`${whole} is no character`, place);
    return String.fromCodePoint(code);
  });
}
