import { type Document, isAlias, isMap, isPair, isScalar, isSeq, type LineCounter, type Node, type Pair, type Scalar } from "yaml";
import type { Position } from "./finding.ts";
import { pointerSegments } from "./json-pointer.ts";

/** Whether a position is wanted of the key of an entry or of its value. */
export type Place = "key" | "value";

/** A value of the document with the entry that holds it. */
interface Located {
  readonly key: Node | undefined;
  readonly value: Node | undefined;
}

/**
 * Finds the places of values in the text of a document. It walks the syntax tree at each question instead of keeping a table: findings are
 * few, documents may be large.
 */
export class SourceMap {
  readonly #document: Document;
  readonly #lines: LineCounter;
  readonly #text: string;

  constructor(document: Document, lines: LineCounter, text: string) {
    this.#document = document;
    this.#lines = lines;
    this.#text = text;
  }

  /**
   * The position of what a JSON pointer names, of its nearest existing ancestor when it is missing. For `value` that is the value itself
   * when it is a scalar, and the key when it is a collection: "`with` needs `endpoint`" belongs to the word `with`.
   */
  positionOf(pointer: string, place: Place = "value"): Position {
    const { key, value } = this.#locate(pointer);
    if (place === "key" && key !== undefined) return this.#at(key);
    if (value !== undefined && (key === undefined || isScalar(value) || isAlias(value)) && !isEmptyScalar(value)) return this.#at(value);
    return this.#at(key ?? value);
  }

  /**
   * The position of character `offset` of the string at `pointer`, for errors inside expressions. Exact for plain and quoted scalars on one
   * line and for literal blocks; for folded and multi-line ones, the start of the scalar.
   */
  positionInText(pointer: string, offset: number): Position {
    const { value } = this.#locate(pointer);
    if (value === undefined || !isScalar(value) || typeof value.value !== "string" || !value.range) return this.positionOf(pointer);
    const [start, end] = value.range;
    const source = this.#text.slice(start, end);
    const sourceOffset =
      value.type === "BLOCK_LITERAL" ? offsetInLiteralBlock(source, value.value, offset) : offsetInLine(value, source, offset);
    return sourceOffset === undefined ? this.positionOf(pointer) : this.atOffset(start + sourceOffset);
  }

  /** The position of a character of the text. */
  atOffset(offset: number): Position {
    const { line, col } = this.#lines.linePos(Math.min(Math.max(offset, 0), this.#text.length));
    // Lines are counted from the first one that was read; a text without any counts as one empty line.
    return { line: Math.max(line, 1), column: Math.max(col, 1) };
  }

  #at(node: Node | undefined): Position {
    return this.atOffset(node?.range?.[0] ?? 0);
  }

  #locate(pointer: string): Located {
    let located: Located = { key: undefined, value: (this.#document.contents as Node | null) ?? undefined };
    for (const segment of pointerSegments(pointer)) {
      const collection = isAlias(located.value) ? located.value.resolve(this.#document) : located.value;
      const next = child(collection, segment);
      if (next === undefined) return located;
      located = next;
    }
    return located;
  }
}

function child(collection: unknown, segment: string): Located | undefined {
  if (isSeq(collection)) {
    const item = collection.items[Number(segment)];
    if (isPair(item)) return { key: item.key as Node, value: item.value as Node };
    return item === undefined ? undefined : { key: undefined, value: item as Node };
  }
  if (!isMap(collection)) return undefined;
  const pair = collection.items.find((entry: Pair) => keyText(entry.key) === segment);
  return pair === undefined ? undefined : { key: pair.key as Node, value: (pair.value as Node | null) ?? undefined };
}

/** The text of a mapping key as JSON knows it: `1:` and `true:` are the strings that stand there. Undefined when it is no scalar. */
export function keyText(key: unknown): string | undefined {
  if (!isScalar(key)) return undefined;
  if (typeof key.value === "string") return key.value;
  return key.source ?? String(key.value);
}

/** `key:` without a value has an invisible scalar behind it. */
function isEmptyScalar(node: Node): boolean {
  return isScalar(node) && node.value === null && node.range?.[0] === node.range?.[1];
}

/** Where character `offset` of a plain or quoted scalar stands in its source, undefined when the scalar spans lines. */
function offsetInLine(scalar: Scalar, source: string, offset: number): number | undefined {
  if (source.includes("\n")) return undefined;
  if (scalar.type === "PLAIN") return offset;
  if (scalar.type === "QUOTE_SINGLE") return skip(source, offset, (at) => (source.startsWith("''", at) ? 2 : 1));
  if (scalar.type === "QUOTE_DOUBLE") return skip(source, offset, (at) => escapeLength(source, at));
  return undefined;
}

/** Walks `count` characters of the value through the source behind its opening quote. */
function skip(source: string, count: number, lengthAt: (at: number) => number): number {
  let at = 1;
  for (let done = 0; done < count && at < source.length; done++) at += lengthAt(at);
  return at;
}

const HEX_ESCAPE_DIGITS: Readonly<Record<string, number>> = { x: 2, u: 4, U: 8 };

function escapeLength(source: string, at: number): number {
  if (source[at] !== "\\") return 1;
  return 2 + (HEX_ESCAPE_DIGITS[source[at + 1] ?? ""] ?? 0);
}

/** In a literal block each line of the value is a line of the source behind the block's indentation. */
function offsetInLiteralBlock(source: string, value: string, offset: number): number | undefined {
  const bodyStart = source.indexOf("\n") + 1;
  if (bodyStart === 0) return undefined;
  const before = value.slice(0, offset);
  const line = before.split("\n").length - 1;
  const column = offset - (before.lastIndexOf("\n") + 1);
  const lines = source.slice(bodyStart).split("\n");
  const valueLines = value.split("\n");
  const sample = valueLines.findIndex((text) => text.trim() !== "");
  const indent = sample < 0 ? 0 : (lines[sample]?.length ?? 0) - (valueLines[sample]?.length ?? 0);
  let at = bodyStart;
  for (let index = 0; index < line; index++) at += (lines[index]?.length ?? 0) + 1;
  return at + Math.max(indent, 0) + column;
}
