import { isJsonObject, type Json } from "@tutti/model";

/** What stands where a secret was. */
export const MASK = "***";
/** Shorter texts occur by chance everywhere: masking them would garble logs and hide nothing. */
const SECRET_LENGTH_MIN = 6;
/** Lines of a secret of many lines (a key file) are looked for one by one, since logs come by lines; short lines are left alone. */
const SECRET_LINE_LENGTH_MIN = 16;

interface Pattern {
  readonly text: string;
  /** Longest proper prefix of `text` that is a suffix of its first i+1 characters (Knuth, Morris, Pratt). */
  readonly fallback: readonly number[];
}

/**
 * Knows the values of all secrets that were resolved in this process and masks them wherever they turn up, raw or encoded as base64,
 * base64url, hex, for URLs, JSON or the shell. What is recorded or logged goes through it first.
 */
export class Redactor {
  readonly #patterns = new Map<string, Pattern>();
  #matcher: RegExp | undefined;

  /** Registers every text inside `value`; numbers count as their digits. */
  register(value: Json): void {
    for (const text of textsOf(value)) this.#registerText(text);
  }

  get isEmpty(): boolean {
    return this.#patterns.size === 0;
  }

  maskText(text: string): string {
    if (this.isEmpty || text.length < SECRET_LENGTH_MIN) return text;
    this.#matcher ??= this.#compile();
    return text.replace(this.#matcher, MASK);
  }

  /** The same value when nothing in it is secret, so that untouched data is shared and not copied. */
  maskJson(value: Json): Json {
    if (this.isEmpty) return value;
    if (typeof value === "string") return this.maskText(value);
    if (typeof value === "number") return this.#isSecretNumber(value) ? MASK : value;
    if (Array.isArray(value)) return this.#maskArray(value as readonly Json[]);
    if (!isJsonObject(value)) return value;
    let changed = false;
    const entries = Object.keys(value).map((key): readonly [string, Json] => {
      // Own key of the object that is being walked.
      const member = value[key] as Json;
      const masked = this.maskJson(member);
      const maskedKey = this.maskText(key);
      changed ||= masked !== member || maskedKey !== key;
      return [maskedKey, masked];
    });
    return changed ? Object.fromEntries(entries) : value;
  }

  /** Where secrets stand in `text`. */
  find(text: string): readonly { readonly start: number; readonly end: number }[] {
    if (this.isEmpty) return [];
    this.#matcher ??= this.#compile();
    return [...text.matchAll(this.#matcher)].map((match) => ({ start: match.index, end: match.index + match[0].length }));
  }

  /** Length of the longest end of `text` that may be the beginning of a secret: a stream holds it back until more has come. */
  openEnd(text: string): number {
    let longest = 0;
    for (const pattern of this.#patterns.values()) longest = Math.max(longest, matchedPrefix(pattern, text));
    return longest;
  }

  #maskArray(items: readonly Json[]): Json {
    const masked = items.map((item) => this.maskJson(item));
    return masked.some((item, index) => item !== items[index]) ? masked : items;
  }

  #isSecretNumber(value: number): boolean {
    const text = String(value);
    return text.length >= SECRET_LENGTH_MIN && this.#patterns.has(text);
  }

  #registerText(text: string): void {
    if (text.length < SECRET_LENGTH_MIN || this.#patterns.has(text)) return;
    for (const variant of variantsOf(text)) {
      if (variant.length >= SECRET_LENGTH_MIN) this.#patterns.set(variant, { text: variant, fallback: fallbackOf(variant) });
    }
    this.#matcher = undefined;
  }

  #compile(): RegExp {
    // The longest first: an encoded form may contain a shorter one.
    const texts = [...this.#patterns.keys()].toSorted((a, b) => b.length - a.length);
    return new RegExp(texts.map((text) => text.replaceAll(/[\\^$.*+?()[\]{}|/-]/g, String.raw`\$&`)).join("|"), "g");
  }
}

/**
 * Masks lines that arrive one by one, or a text that arrives in pieces; a secret across the border of two is found too. Lines stay the lines
 * they were: a masked secret belongs to the line in which it began.
 */
export class StreamRedactor {
  readonly #redactor: Redactor;
  /** What is held back: pieces without their borders, and where the borders are. */
  #held = "";
  #borders: number[] = [];

  constructor(redactor: Redactor) {
    this.#redactor = redactor;
  }

  /** The pieces that may be passed on now. */
  push(piece: string): readonly string[] {
    this.#held += piece;
    this.#borders.push(this.#held.length);
    const open = this.#redactor.openEnd(this.#held);
    return this.#take(this.#held.length - open);
  }

  /** The rest, at the end of the stream. */
  end(): readonly string[] {
    return this.#take(this.#held.length);
  }

  /** Passes on the pieces that end at or before `safe`. */
  #take(safe: number): readonly string[] {
    const secrets = this.#redactor.find(this.#held);
    const pieces: string[] = [];
    let from = 0;
    let taken = 0;
    for (const border of this.#borders) {
      // A secret that crosses the border is masked as a whole in the piece where it begins.
      const crossing = secrets.find((secret) => secret.start < border && border < secret.end);
      const to = Math.max(from, crossing === undefined ? border : crossing.end);
      if (to > safe) break;
      pieces.push(this.#redactor.maskText(this.#held.slice(from, to)));
      from = to;
      taken += 1;
    }
    this.#borders = this.#borders.slice(taken).map((border) => border - from);
    this.#held = this.#held.slice(from);
    return pieces;
  }
}

function* textsOf(value: Json): Generator<string> {
  if (typeof value === "string") {
    yield value;
    const trimmed = value.trim();
    if (trimmed !== value) yield trimmed;
    if (trimmed.includes("\n")) yield* trimmed.split(/\r?\n/).filter((line) => line.length >= SECRET_LINE_LENGTH_MIN);
  } else if (typeof value === "number") yield String(value);
  else if (Array.isArray(value)) for (const item of value as readonly Json[]) yield* textsOf(item);
  else if (isJsonObject(value)) for (const key of Object.keys(value)) yield* textsOf(value[key] as Json);
}

function variantsOf(text: string): ReadonlySet<string> {
  const variants = new Set<string>([text]);
  const bytes = Buffer.from(text, "utf8");
  for (let offset = 0; offset < 3; offset += 1) {
    const inner = base64At(bytes, offset);
    variants.add(inner);
    variants.add(inner.replaceAll("+", "-").replaceAll("/", "_"));
  }
  const hex = bytes.toString("hex");
  variants.add(hex).add(hex.toUpperCase());
  const url = encodeUrl(text);
  variants.add(url).add(lowerEscapes(url)).add(url.replaceAll("%20", "+"));
  const strict = url.replaceAll(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`);
  variants.add(strict).add(lowerEscapes(strict));
  const form = new URLSearchParams([["", text]]).toString().slice(1);
  variants.add(form).add(lowerEscapes(form));
  const json = JSON.stringify(text).slice(1, -1);
  variants.add(json).add(JSON.stringify(json).slice(1, -1));
  variants.add(text.replaceAll("'", String.raw`'\''`)).add(text.replaceAll("'", `'"'"'`));
  variants.add(text.replaceAll(/[^A-Za-z0-9_./:=@%+,-]/g, String.raw`\$&`));
  variants.add(text.replaceAll(/["$`\\]/g, String.raw`\$&`));
  return variants;
}

/** The characters of base64 that depend on nothing but the secret when it begins `offset` bytes into a group (as in `user:password`). */
function base64At(bytes: Buffer, offset: number): string {
  const encoded = Buffer.concat([Buffer.alloc(offset), bytes])
    .toString("base64")
    .replaceAll("=", "");
  const from = offset === 0 ? 0 : offset + 1;
  const isWhole = (offset + bytes.length) % 3 === 0;
  return encoded.slice(from, isWhole ? undefined : encoded.length - 1);
}

function encodeUrl(text: string): string {
  // A lone surrogate has no UTF-8 and so no URL form.
  return text.isWellFormed() ? encodeURIComponent(text) : text;
}

function lowerEscapes(text: string): string {
  return text.replaceAll(/%[0-9A-F]{2}/g, (escape) => escape.toLowerCase());
}

function fallbackOf(text: string): readonly number[] {
  const fallback = [0];
  let matched = 0;
  for (let index = 1; index < text.length; index += 1) {
    while (matched > 0 && text[index] !== text[matched]) matched = fallback[matched - 1] ?? 0;
    if (text[index] === text[matched]) matched += 1;
    fallback.push(matched);
  }
  return fallback;
}

function matchedPrefix(pattern: Pattern, text: string): number {
  let matched = 0;
  for (let index = Math.max(0, text.length - pattern.text.length + 1); index < text.length; index += 1) {
    while (matched > 0 && text[index] !== pattern.text[matched]) matched = pattern.fallback[matched - 1] ?? 0;
    if (text[index] === pattern.text[matched]) matched += 1;
  }
  return matched;
}
