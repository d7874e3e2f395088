import type { Json } from "@tutti/model";
import { decodeBase32, decodeBase64, encodeBase32, encodeBase64 } from "./encodings.ts";
import { toJson } from "./json-write.ts";
import type { Run } from "./run.ts";
import { describe, isArray } from "./values.ts";

/** What `@name` does to a value. */
export type Format = (run: Run, value: Json) => string;

export const FORMATS: ReadonlyMap<string, Format> = new Map<string, Format>([
  ["@text", toText],
  ["@json", toJson],
  ["@csv", (run, value) => row(run, value, { name: "csv", separator: ",", text: csvText })],
  ["@tsv", (run, value) => row(run, value, { name: "tsv", separator: "\t", text: tsvText })],
  ["@html", (run, value) => escaped(run, toText(run, value), /[<>&'"]/g, (character) => HTML_ENTITIES.get(character) as string)],
  ["@uri", (run, value) => uri(run, toText(run, value))],
  ["@sh", (run, value) => (isArray(value) ? value.map((item) => shellWord(run, item)).join(" ") : shellWord(run, value))],
  ["@base64", (run, value) => base64(run, toText(run, value))],
  ["@base64d", (run, value) => sized(run, decodeBase64(run, toText(run, value), value))],
  ["@base32", (run, value) => sized(run, encodeBase32(run, toText(run, value)))],
  ["@base32d", (run, value) => sized(run, decodeBase32(run, toText(run, value), value))],
]);

const HTML_ENTITIES: ReadonlyMap<string, string> = new Map([
  ["<", "&lt;"],
  [">", "&gt;"],
  ["&", "&amp;"],
  ["'", "&apos;"],
  ['"', "&quot;"],
]);

/** `tostring`: strings as they are, everything else as JSON. */
export function toText(run: Run, value: Json): string {
  return typeof value === "string" ? value : toJson(run, value);
}

function sized(run: Run, text: string): string {
  run.string(text.length);
  return text;
}

function base64(run: Run, text: string): string {
  run.spend(text.length >>> 1);
  return sized(run, encodeBase64(text));
}

function escaped(run: Run, text: string, pattern: RegExp, replace: (character: string) => string): string {
  // One call per character in the worst case.
  run.spend(text.length >>> 1);
  return sized(run, text.replace(pattern, replace));
}

interface RowFormat {
  readonly name: string;
  readonly separator: string;
  readonly text: (text: string) => string;
}

function row(run: Run, value: Json, { name, separator, text }: RowFormat): string {
  if (!isArray(value)) throw run.raise(`${describe(run, value)} cannot be ${name}-formatted, only an array can be`);
  const cells = value.map((cell) => {
    run.spend(1);
    if (typeof cell === "string") return sized(run, text(cell));
    if (cell === null) return "";
    if (typeof cell === "object") throw run.raise(`${describe(run, cell)} is not valid in a csv row`);
    return Number.isNaN(cell) ? "" : toJson(run, cell);
  });
  return sized(run, cells.join(separator));
}

function csvText(text: string): string {
  return `"${text.replaceAll('"', '""')}"`;
}

function tsvText(text: string): string {
  return text.replace(/[\t\n\r\\]/g, (character) =>
    character === "\t" ? "\\t" : character === "\n" ? "\\n" : character === "\r" ? "\\r" : "\\\\",
  );
}

function shellWord(run: Run, value: Json): string {
  if (typeof value === "string") return sized(run, `'${value.replaceAll("'", "'\\''")}'`);
  if (typeof value === "object" && value !== null) throw run.raise(`${describe(run, value)} can not be escaped for shell`);
  return toJson(run, value);
}

/** Percent-encodes the UTF-8 bytes of everything but RFC 3986's unreserved characters. */
function uri(run: Run, text: string): string {
  // Up to nine characters, and a call for some of them, per unit.
  run.spend(text.length >>> 1);
  const encoded = encodeURIComponent(text.toWellFormed());
  return sized(
    run,
    encoded.replace(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`),
  );
}
