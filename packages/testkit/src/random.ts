/** A repeatable source of chance: the same seed gives the same sequence on every machine. */
export interface Random {
  /** At least 0, below 1; 32 bits of it are random. */
  next(): number;
  /** A whole number from `from` up to and including `to`. */
  integer(from: number, to: number): number;
  /** True with probability `probability`. */
  chance(probability: number): boolean;
  pick<T>(items: readonly T[]): T;
  /** A new array in random order. */
  shuffle<T>(items: readonly T[]): T[];
  /** A source of its own for one part of a test: what one part draws does not shift what the others get. */
  fork(label: string): Random;
}

/**
 * Makes a source of chance from a seed: sfc32 (Chris Doty-Humphrey's small fast counter, 128 bits of state), its state filled from the seed's
 * text by FNV-1a and a final mix. Not for secrets.
 */
export function createRandom(seed: number | string): Random {
  const text = String(seed);
  const nextWord = smallFastCounter(hash(text, 1), hash(text, 2), hash(text, 3));
  const next = (): number => nextWord() / 2 ** 32;
  const integer = (from: number, to: number): number => {
    if (!(Number.isSafeInteger(from) && Number.isSafeInteger(to) && from <= to))
      throw new RangeError(`No whole number from ${from} to ${to}.`);
    return from + Math.floor(next() * (to - from + 1));
  };
  return {
    next,
    integer,
    chance: (probability) => next() < probability,
    pick: (items) => {
      if (items.length === 0) throw new RangeError("Nothing to pick from.");
      return items[integer(0, items.length - 1)] as (typeof items)[number];
    },
    shuffle: (items) => {
      const shuffled = [...items];
      for (let last = shuffled.length - 1; last > 0; last -= 1) {
        const other = integer(0, last);
        [shuffled[last], shuffled[other]] = [shuffled[other] as (typeof items)[number], shuffled[last] as (typeof items)[number]];
      }
      return shuffled;
    },
    fork: (label) => createRandom(`${text}/${label}`),
  };
}

function smallFastCounter(first: number, second: number, third: number): () => number {
  let a = first;
  let b = second;
  let c = third;
  let counter = 1;
  const nextWord = (): number => {
    const word = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + word) | 0;
    return word >>> 0;
  };
  // The first words still show the seed; the author of sfc32 discards twelve.
  for (let round = 0; round < 12; round += 1) nextWord();
  return nextWord;
}

function hash(text: string, lane: number): number {
  let value = (0x811c9dc5 ^ Math.imul(lane, 0x9e3779b9)) | 0;
  for (let index = 0; index < text.length; index += 1) value = Math.imul(value ^ text.charCodeAt(index), 0x01000193);
  value = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35);
  return value ^ (value >>> 16);
}
