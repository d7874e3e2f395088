import { SECRET_LENGTH_MIN } from "./secret-forms.ts";

/** A part of a text: from `start` up to `end`. */
export interface Range {
  readonly start: number;
  readonly end: number;
}

/** Texts are told apart by their beginnings of this length, the shortest that any of them has. */
const KEY_LENGTH = SECRET_LENGTH_MIN;
/** Places of the filter in front of the index: with the forms of a thousand secrets nine of ten places of a foreign text need no look-up. */
const FILTER_SIZE = 1 << 20;

/** The texts with one beginning: many secrets of one maker share it. */
interface Bucket {
  /** Lengths that occur, the longest first. */
  readonly lengths: number[];
  readonly texts: Set<string>;
}

/**
 * Finds many texts in another one in one pass, whatever their number: a filter over the first characters at each place, then a table of
 * beginnings. (One regular expression of all of them grows past what the engine compiles.)
 */
export class TextIndex {
  readonly #byKey = new Map<string, Bucket>();
  /** Beginnings that are shorter than a key. */
  readonly #shortBeginnings = new Set<string>();
  /** Made with the first text: most processes of a command line never have a secret. */
  #filter = new Uint8Array(0);
  #longest = 0;

  get isEmpty(): boolean {
    return this.#longest === 0;
  }

  /** Adds a text of at least `SECRET_LENGTH_MIN` characters. Adding it twice changes nothing. */
  add(text: string): void {
    const key = text.slice(0, KEY_LENGTH);
    let bucket = this.#byKey.get(key);
    if (bucket === undefined) {
      bucket = { lengths: [], texts: new Set() };
      this.#byKey.set(key, bucket);
    }
    if (bucket.texts.has(text)) return;
    bucket.texts.add(text);
    if (!bucket.lengths.includes(text.length)) {
      bucket.lengths.push(text.length);
      bucket.lengths.sort((a, b) => b - a);
    }
    for (let length = 1; length < KEY_LENGTH; length += 1) this.#shortBeginnings.add(key.slice(0, length));
    if (this.#filter.length === 0) this.#filter = new Uint8Array(FILTER_SIZE);
    this.#filter[bucketAt(text, 0)] = 1;
    this.#longest = Math.max(this.#longest, text.length);
  }

  has(text: string): boolean {
    return this.#byKey.get(text.slice(0, KEY_LENGTH))?.texts.has(text) ?? false;
  }

  /** Where texts stand, by their beginnings; they may overlap. Of those that begin at the same place the longest. */
  find(text: string): readonly Range[] {
    const found: Range[] = [];
    const last = text.length - KEY_LENGTH;
    for (let start = 0; start <= last; start += 1) {
      if (this.#filter[bucketAt(text, start)] === 0) continue;
      const bucket = this.#byKey.get(text.substring(start, start + KEY_LENGTH));
      const length = bucket?.lengths.find((one) => start + one <= text.length && bucket.texts.has(text.substring(start, start + one)));
      if (length !== undefined) found.push({ start, end: start + length });
    }
    return found;
  }

  /** Where the longest end of `text` begins that may go on to be one of the texts; its length when there is none. */
  openFrom(text: string): number {
    for (let start = Math.max(0, text.length - this.#longest + 1); start < text.length; start += 1) {
      const end = text.substring(start);
      if (end.length < KEY_LENGTH ? this.#shortBeginnings.has(end) : this.#isBeginning(end)) return start;
    }
    return text.length;
  }

  #isBeginning(end: string): boolean {
    if (this.#filter[bucketAt(end, 0)] === 0) return false;
    for (const one of this.#byKey.get(end.slice(0, KEY_LENGTH))?.texts ?? []) {
      if (one.length > end.length && one.startsWith(end)) return true;
    }
    return false;
  }
}

/** Of the key that begins at `start`. */
function bucketAt(text: string, start: number): number {
  const mixed =
    (Math.imul(text.charCodeAt(start), 0x9e3779b1) ^ Math.imul(text.charCodeAt(start + 1), 0x85ebca6b)) +
    (Math.imul(text.charCodeAt(start + 2), 0xc2b2ae35) ^ Math.imul(text.charCodeAt(start + 3), 0x27d4eb2f)) +
    (Math.imul(text.charCodeAt(start + 4), 0x165667b1) ^ Math.imul(text.charCodeAt(start + 5), 0xd3a2646d));
  return (mixed ^ (mixed >>> 12)) & (FILTER_SIZE - 1);
}
