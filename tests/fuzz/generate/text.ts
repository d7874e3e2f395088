import type { Random } from "@tutti/testkit";

/** Characters at which readers go wrong. */
const ODD = [
  "\u0000",
  "\n",
  "\r",
  "\t",
  " ",
  '"',
  "'",
  "\\",
  "{",
  "}",
  "[",
  "]",
  "(",
  ")",
  ":",
  ",",
  "%",
  "#",
  "&",
  "*",
  "!",
  "-",
  "é",
  "😀",
  "\ud800",
];
const CHANGES_MAX = 4;

/** A copy of `text` with a few places left out, doubled, swapped or written over; `words` are what its grammar is made of. */
export function mutateText(text: string, random: Random, words: readonly string[] = []): string {
  let result = text;
  for (let change = random.integer(1, CHANGES_MAX); change > 0; change--) result = changeOnce(result, random, words);
  return result;
}

function changeOnce(text: string, random: Random, words: readonly string[]): string {
  const at = random.integer(0, text.length);
  const length = random.integer(0, random.chance(0.8) ? 4 : 40);
  const end = Math.min(text.length, at + length);
  switch (random.integer(0, 6)) {
    case 0:
      return text.slice(0, at) + text.slice(end);
    case 1:
      return text.slice(0, end) + text.slice(at);
    case 2:
      return text.slice(0, at) + random.pick(ODD) + text.slice(at);
    case 3:
      return text.slice(0, at) + random.pick(ODD) + text.slice(end);
    case 4:
      return text.slice(0, at) + String.fromCharCode(random.integer(0, random.chance(0.9) ? 127 : 0xffff)) + text.slice(at + 1);
    case 5: {
      const other = random.integer(0, text.length);
      return text.slice(0, at) + text.slice(other, other + length) + text.slice(end);
    }
    default:
      return words.length === 0 ? text : text.slice(0, at) + random.pick(words) + text.slice(random.chance(0.5) ? at : end);
  }
}

/** The same for bytes, as text of one character a byte. */
export function mutateBytes(bytes: string, random: Random, words: readonly string[] = []): string {
  let result = mutateText(bytes, random, words).replace(/[^\u0000-\u00ff]/g, () => String.fromCharCode(random.integer(0x80, 0xff)));
  if (random.chance(0.3) && result.length > 0) {
    const at = random.integer(0, result.length - 1);
    result = result.slice(0, at) + String.fromCharCode(result.charCodeAt(at) ^ (1 << random.integer(0, 7))) + result.slice(at + 1);
  }
  return result;
}

/** Random characters from `alphabet`. */
export function textOf(random: Random, alphabet: readonly string[], lengthMax: number): string {
  return Array.from({ length: random.integer(0, lengthMax) }, () => random.pick(alphabet)).join("");
}

/** Cuts text into pieces, as a network does. */
export function cutsOf(random: Random, length: number, piecesMax: number): number[] {
  const cuts = Array.from({ length: random.integer(0, piecesMax) }, () => random.integer(0, length));
  return cuts.toSorted((left, right) => left - right);
}

export function piecesOf(text: string, cuts: readonly number[]): string[] {
  const ends = [...cuts.map((cut) => Math.min(cut, text.length)), text.length];
  return ends.map((end, index) => text.slice(index === 0 ? 0 : ends[index - 1], end));
}

/** Bytes of text of one character a byte. */
export function bytesOfText(text: string): Buffer {
  return Buffer.from(text, "latin1");
}
