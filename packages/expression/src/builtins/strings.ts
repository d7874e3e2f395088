import type { Json } from "@tutti/model";
import { add, splitString } from "../arithmetic.ts";
import { FORMATS, toText } from "../formats.ts";
import { fromJson, stringToNumber } from "../json-read.ts";
import { toJson } from "../json-write.ts";
import type { Run } from "../run.ts";
import { codePointLength, describe, hasSurrogates, isArray, type ReadonlyObject } from "../values.ts";
import { type BuiltinTable, ofInput, ofParameters, ofValue } from "./define.ts";

/** Builtins about strings, and conversions from and to them. Regular expressions are next door. */
export const STRINGS: BuiltinTable = {
  "tostring/0": ofInput(toText),
  "tojson/0": ofInput(toJson),
  "fromjson/0": ofInput((run, input) => fromJson(run, stringFor(run, input, "only strings can be parsed")), Number.POSITIVE_INFINITY),
  "tonumber/0": ofInput(toNumber, 0),
  "utf8bytelength/0": ofInput(utf8Length, 0),
  "ascii_downcase/0": ofInput((run, input) =>
    mapAscii(run, input, { name: "ascii_downcase", pattern: /[A-Z]+/g, change: (text) => text.toLowerCase() }),
  ),
  "ascii_upcase/0": ofInput((run, input) =>
    mapAscii(run, input, { name: "ascii_upcase", pattern: /[a-z]+/g, change: (text) => text.toUpperCase() }),
  ),
  "ascii/0": ofInput((run, input) => implode(run, [input])),
  "explode/0": ofInput(explode, Number.POSITIVE_INFINITY),
  "implode/0": ofInput(implode),
  "startswith/1": ofValue(
    (run, input, part) => bothStrings(run, input, part, "startswith() requires string inputs").text.startsWith(part as string),
    0,
  ),
  "endswith/1": ofValue(
    (run, input, part) => bothStrings(run, input, part, "endswith() requires string inputs").text.endsWith(part as string),
    0,
  ),
  "ltrimstr/1": ofValue((_run, input, part) => withoutPrefix(input, part), 1),
  "rtrimstr/1": ofValue((_run, input, part) => withoutSuffix(input, part), 1),
  "trimstr/1": ofValue((_run, input, part) => withoutSuffix(withoutPrefix(input, part), part), 1),
  "trim/0": ofInput((run, input) => trimmed(run, input).replace(LEADING_SPACE, "").replace(TRAILING_SPACE, "")),
  "ltrim/0": ofInput((run, input) => trimmed(run, input).replace(LEADING_SPACE, "")),
  "rtrim/0": ofInput((run, input) => trimmed(run, input).replace(TRAILING_SPACE, "")),
  "split/1": ofValue((run, input, separator) => {
    const { text } = bothStrings(run, input, separator, "split input and separator must be strings");
    return splitString(run, text, separator as string);
  }),
  "join/1": ofParameters((run, input, [separator], emit) => emit(join(run, input, separator as Json))),
  "format/1": ofValue(format),
};

// What C's isspace calls space; anchored and with one class each, so they cannot backtrack beyond the spaces themselves.
const LEADING_SPACE = /^[ \t\n\v\f\r]+/;
const TRAILING_SPACE = /(?<![ \t\n\v\f\r])[ \t\n\v\f\r]+$/;

export function stringFor(run: Run, input: Json, message: string): string {
  if (typeof input === "string") return input;
  throw run.raise(`${describe(run, input)} ${message}`);
}

function bothStrings(run: Run, input: Json, part: Json, message: string): { text: string } {
  if (typeof input !== "string" || typeof part !== "string") throw run.raise(message);
  run.spend(input.length >>> 6);
  return { text: input };
}

function toNumber(run: Run, input: Json): Json {
  if (typeof input === "number") return input;
  if (typeof input !== "string") throw run.raise(`${describe(run, input)} cannot be parsed as a number`);
  const number = stringToNumber(input);
  if (number === undefined) throw run.raise(`${describe(run, input)} cannot be parsed as a number`);
  return run.number(number);
}

function utf8Length(run: Run, input: Json): Json {
  const text = stringFor(run, input, "only strings have UTF-8 byte length");
  run.spend(text.length >>> 4);
  if (!/[^\u0000-\u007f]/.test(text)) return text.length;
  let length = 0;
  for (const character of text) {
    const code = character.codePointAt(0) as number;
    length += code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
  }
  return length;
}

interface AsciiMapping {
  readonly name: string;
  readonly pattern: RegExp;
  readonly change: (text: string) => string;
}

function mapAscii(run: Run, input: Json, { name, pattern, change }: AsciiMapping): Json {
  if (typeof input !== "string") throw run.raise(`${name} input must be a string`);
  run.string(input.length);
  return input.replace(pattern, change);
}

function explode(run: Run, input: Json): Json {
  if (typeof input !== "string") throw run.raise("explode input must be a string");
  const text = input;
  const length = codePointLength(text);
  run.array(length);
  return Array.from(text, (character) => character.codePointAt(0) as number);
}

function implode(run: Run, input: Json): Json {
  if (!isArray(input)) throw run.raise("implode input must be an array");
  run.string(input.length);
  let text = "";
  for (const item of input) {
    run.spend(1);
    if (typeof item !== "number" || Number.isNaN(item)) {
      throw run.raise(`${describe(run, item)} can't be imploded, unicode codepoint needs to be numeric`);
    }
    const code = Math.trunc(item);
    const isScalar = code >= 0 && code <= 0x10ffff && !(code >= 0xd800 && code <= 0xdfff);
    text += isScalar ? String.fromCodePoint(code) : "\uFFFD";
  }
  return text;
}

function withoutPrefix(input: Json, part: Json): Json {
  return typeof input === "string" && typeof part === "string" && input.startsWith(part) ? input.slice(part.length) : input;
}

function withoutSuffix(input: Json, part: Json): Json {
  if (typeof input !== "string" || typeof part !== "string" || !input.endsWith(part)) return input;
  return input.slice(0, input.length - part.length);
}

function trimmed(run: Run, input: Json): string {
  const text = stringFor(run, input, "cannot be trimmed");
  run.string(text.length);
  return text;
}

/** Null and nothing join as empty strings, numbers and booleans as their text; anything else cannot be added to a string. */
function join(run: Run, input: Json, separator: Json): Json {
  if (typeof input !== "object" || input === null) throw run.raise(`Cannot iterate over ${describe(run, input)}`);
  const items: readonly Json[] = isArray(input) ? input : Object.values(input as ReadonlyObject);
  let joined: Json = null;
  for (const item of items) {
    run.spend(1);
    const text: Json = item === null ? "" : typeof item === "boolean" || typeof item === "number" ? toText(run, item) : item;
    joined = add(run, joined === null ? "" : add(run, joined, separator), text);
  }
  return joined ?? "";
}

/** Code point positions at which `wanted` occurs, overlaps included. */
export function stringIndices(run: Run, text: string, wanted: string): Json {
  if (wanted === "") return [];
  run.spend(text.length >>> 3);
  const found: number[] = [];
  const isPlain = !hasSurrogates(text);
  let counted = 0;
  let countedTo = 0;
  for (let position = text.indexOf(wanted); position !== -1; position = text.indexOf(wanted, position + 1)) {
    // An overlapping search compares up to the whole of `wanted` per position.
    run.spend(1 + (wanted.length >>> 4));
    if (!isPlain) {
      counted += codePointLength(text.slice(countedTo, position));
      countedTo = position;
    }
    found.push(isPlain ? position : counted);
  }
  return found;
}

function format(run: Run, input: Json, name: Json): Json {
  if (typeof name !== "string") throw run.raise(`${describe(run, name)} is not a valid format`);
  const apply = FORMATS.get(`@${name}`);
  if (apply === undefined) throw run.raise(`${name} is not a valid format`);
  return apply(run, input);
}
