import type { Json } from "@tutti/model";
import type { Raised, Run } from "./run.ts";
import { newObject } from "./values.ts";

const SPACE = /[ \t\r\n]*/y;
const NUMBER = /-?(?:nan[0-9]*|NaN[0-9]*|Infinity|infinity|(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)/y;
const WORD = /true|false|null/y;
const STRING = /"(?:[^"\\\u0000-\u001f]|\\["\\/bfnrt]|\\u[0-9a-fA-F]{4})*"/y;

/** Parses one JSON text with jq's extensions (`nan`, `Infinity`). Objects get no prototype; depth and size are bounded. */
export function fromJson(run: Run, text: string): Json {
  run.string(text.length);
  return new JsonReader(run, text).whole();
}

class JsonReader {
  readonly #run: Run;
  readonly #text: string;
  #offset = 0;
  #depth = 0;

  constructor(run: Run, text: string) {
    this.#run = run;
    this.#text = text;
  }

  whole(): Json {
    const value = this.#value();
    this.#take(SPACE);
    if (this.#offset < this.#text.length) throw this.#invalid("Unexpected extra JSON values");
    return value;
  }

  #value(): Json {
    this.#run.spend(1);
    this.#take(SPACE);
    const first = this.#text[this.#offset];
    if (first === "[" || first === "{") {
      if (++this.#depth > this.#run.limits.nesting) throw this.#invalid("Exceeds depth limit for parsing");
      this.#offset++;
      const value = first === "[" ? this.#array() : this.#object();
      this.#depth--;
      return value;
    }
    if (first === '"') return this.#string();
    const word = this.#take(WORD);
    if (word !== undefined) return word === "null" ? null : word === "true";
    const number = this.#take(NUMBER);
    if (number === undefined) throw this.#invalid(first === undefined ? "Expected JSON value" : "Invalid literal");
    return this.#run.number(parseNumber(number));
  }

  #string(): string {
    const literal = this.#take(STRING);
    if (literal === undefined) throw this.#invalid("Invalid or unfinished string");
    this.#run.spend(literal.length >>> 4);
    return literal.includes("\\") ? (JSON.parse(literal) as string).toWellFormed() : literal.slice(1, -1);
  }

  #array(): Json {
    const items: Json[] = [];
    if (this.#accept("]")) return items;
    do {
      items.push(this.#value());
      if (items.length > this.#run.limits.arrayLength) this.#run.array(items.length);
    } while (this.#accept(","));
    if (!this.#accept("]")) throw this.#invalid("Expected separator between values");
    return items;
  }

  #object(): Json {
    const object = newObject();
    if (this.#accept("}")) return object;
    let keys = 0;
    do {
      this.#take(SPACE);
      if (this.#text[this.#offset] !== '"') throw this.#invalid("Object keys must be strings");
      const key = this.#string();
      if (!this.#accept(":")) throw this.#invalid("Objects must consist of key:value pairs");
      object[key] = this.#value();
      this.#run.spend(1);
      if (++keys > this.#run.limits.objectKeys) this.#run.object(keys);
    } while (this.#accept(","));
    if (!this.#accept("}")) throw this.#invalid("Expected separator between values");
    return object;
  }

  #accept(symbol: string): boolean {
    this.#take(SPACE);
    if (this.#text[this.#offset] !== symbol) return false;
    this.#offset++;
    return true;
  }

  #take(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#offset;
    const match = pattern.exec(this.#text);
    if (match === null) return undefined;
    this.#offset = pattern.lastIndex;
    return match[0];
  }

  #invalid(reason: string): Raised {
    const excerpt = this.#text.length > 30 ? `${this.#text.slice(0, 27)}...` : this.#text;
    return this.#run.raise(`${reason} at column ${this.#offset + 1} (while parsing '${excerpt}')`);
  }
}

/** The number of a JSON-like literal; what is beyond the doubles becomes the largest one, as in jq. */
export function parseNumber(literal: string): number {
  if (/nan/i.test(literal)) return Number.NaN;
  if (/inf/i.test(literal)) return literal.startsWith("-") ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
  const value = Number(literal);
  if (Number.isFinite(value)) return value;
  return value < 0 ? -Number.MAX_VALUE : Number.MAX_VALUE;
}

const NUMERIC_STRING = /^[ \t\r\n]*[+-]?(?:nan|(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)[ \t\r\n]*$/;

/** `tonumber` of a string: undefined when the text is no number. */
export function stringToNumber(text: string): number | undefined {
  return text.length <= 400 && NUMERIC_STRING.test(text) ? parseNumber(text.trim()) : undefined;
}
