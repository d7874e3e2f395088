import type { Json } from "@tutti/model";

/** PostgreSQL's numbers of its built-in types. */
const [BOOL, INT8, INT2, INT4, OID, JSON_TYPE, FLOAT4, FLOAT8, JSONB] = [16, 20, 21, 23, 26, 114, 700, 701, 3802];
const [BOOL_ARRAY, INT2_ARRAY, INT4_ARRAY, TEXT_ARRAY, VARCHAR_ARRAY, INT8_ARRAY, NAME_ARRAY] = [1000, 1005, 1007, 1009, 1015, 1016, 1003];

type Parser = (text: string) => Json;

const PARSERS: ReadonlyMap<number, Parser> = new Map<number, Parser>([
  [BOOL, readBoolean],
  [INT2, Number],
  [INT4, Number],
  [OID, Number],
  [INT8, readNumber],
  [FLOAT4, readNumber],
  [FLOAT8, readNumber],
  [JSON_TYPE, readJson],
  [JSONB, readJson],
  [BOOL_ARRAY, (text) => readArray(text, readBoolean)],
  [INT2_ARRAY, (text) => readArray(text, Number)],
  [INT4_ARRAY, (text) => readArray(text, Number)],
  [INT8_ARRAY, (text) => readArray(text, readNumber)],
  [TEXT_ARRAY, (text) => readArray(text, (each) => each)],
  [VARCHAR_ARRAY, (text) => readArray(text, (each) => each)],
  [NAME_ARRAY, (text) => readArray(text, (each) => each)],
]);

/**
 * How values become JSON: truth values, numbers that JSON holds exactly, JSON itself and flat lists of these and of texts as such; everything else (numeric,
 * dates, large numbers) as the text that PostgreSQL writes.
 */
export const VALUE_PARSERS = {
  getTypeParser: (type: number): Parser => PARSERS.get(type) ?? ((text) => text),
};

function readBoolean(text: string): boolean {
  return text === "t";
}

/** As a number where that is exact. */
function readNumber(text: string): Json {
  const number = Number(text);
  if (!Number.isFinite(number)) return text;
  return Number.isInteger(number) && !Number.isSafeInteger(number) ? text : number;
}

function readJson(text: string): Json {
  // The server has checked it.
  return JSON.parse(text) as Json;
}

/** `{a,"b c",NULL}`; lists in lists stay text. */
function readArray(text: string, read: Parser): Json {
  if (!text.startsWith("{") || text.startsWith("{{")) return text;
  const items: Json[] = [];
  const item = /"((?:[^"\\]|\\[\s\S])*)"|([^,{}"]+)/y;
  for (let at = 1; at < text.length - 1;) {
    item.lastIndex = at;
    const found = item.exec(text);
    if (found === null) return text;
    const [whole, inQuotes, plain = ""] = found;
    items.push(inQuotes === undefined ? (plain === "NULL" ? null : read(plain)) : read(inQuotes.replaceAll(/\\([\s\S])/g, "$1")));
    at += whole.length + 1;
  }
  return items;
}
