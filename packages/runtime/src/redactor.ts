import { MASK } from "@tutti/connector-kit";
import { isJsonObject, type Json } from "@tutti/model";
import { formsOf, SECRET_LENGTH_MIN, textsOf } from "./secret-forms.ts";
import { type Range, TextIndex } from "./text-index.ts";
import { unescapedViews } from "./unescaped-views.ts";

/** An end that was cut off is uncovered one layer of escapes after the other; there are no more than this. */
const OPEN_LAYERS_MAX = 3;

/**
 * Knows the values of all secrets of this process and masks them wherever they turn up, raw, encoded (`formsOf`) or escaped (`unescapedViews`).
 * What is recorded or logged goes through it first.
 */
export class Redactor {
  readonly #registered = new Set<string>();
  readonly #index = new TextIndex();

  /** Registers every text inside `value`; numbers count as their digits. */
  register(value: Json): void {
    for (const text of textsOf(value)) this.#registerText(text);
  }

  get isEmpty(): boolean {
    return this.#index.isEmpty;
  }

  maskText(text: string): string {
    const secrets = this.find(text);
    if (secrets.length === 0) return text;
    const parts: string[] = [];
    let from = 0;
    for (const { start, end } of secrets) {
      parts.push(text.slice(from, start), MASK);
      from = end;
    }
    parts.push(text.slice(from));
    return parts.join("");
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

  /** Where secrets stand in `text`, from the first to the last; those that overlap are one. */
  find(text: string): readonly Range[] {
    if (this.isEmpty || text.length < SECRET_LENGTH_MIN) return [];
    const found: Range[] = [...this.#index.find(text)];
    for (const view of unescapedViews(text)) {
      for (const { start, end } of this.#index.find(view.text)) found.push({ start: view.startOf(start), end: view.endOf(end - 1) });
    }
    return merged(found);
  }

  /** Length of the longest end of `text` that may be the beginning of a secret: a stream holds it back until more has come. */
  openEnd(text: string): number {
    if (this.isEmpty) return 0;
    let from = this.#index.openFrom(text);
    let head = text;
    for (let layer = 0; layer < OPEN_LAYERS_MAX; layer += 1) {
      let cut = head.length;
      for (const view of unescapedViews(head)) {
        cut = Math.min(cut, view.openFrom);
        const open = this.#index.openFrom(view.text);
        if (open < view.text.length) from = Math.min(from, view.startOf(open));
      }
      // An escape that is not whole yet says nothing: what stands before it may be the beginning, and the escape itself.
      from = Math.min(from, this.#index.openFrom(head), cut);
      if (cut === head.length) break;
      head = head.slice(0, cut);
    }
    return text.length - from;
  }

  #maskArray(items: readonly Json[]): Json {
    const masked = items.map((item) => this.maskJson(item));
    return masked.some((item, index) => item !== items[index]) ? masked : items;
  }

  #isSecretNumber(value: number): boolean {
    const text = String(value);
    return text.length >= SECRET_LENGTH_MIN && this.#index.has(text);
  }

  #registerText(text: string): void {
    if (text.length < SECRET_LENGTH_MIN || this.#registered.has(text)) return;
    this.#registered.add(text);
    for (const form of formsOf(text)) if (form.length >= SECRET_LENGTH_MIN) this.#index.add(form);
  }
}

function merged(ranges: Range[]): readonly Range[] {
  if (ranges.length < 2) return ranges;
  const result: { start: number; end: number }[] = [];
  for (const { start, end } of ranges.toSorted((a, b) => a.start - b.start)) {
    const last = result.at(-1);
    if (last !== undefined && start < last.end) last.end = Math.max(last.end, end);
    else result.push({ start, end });
  }
  return result;
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

  /** Whether pieces are held back. */
  get isHolding(): boolean {
    return this.#borders.length > 0;
  }

  /** Nothing more has come for a while: passes on what ends in less than the beginning of a secret that anybody could use. */
  idle(): readonly string[] {
    return this.#redactor.openEnd(this.#held) < SECRET_LENGTH_MIN ? this.#take(this.#held.length) : [];
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
