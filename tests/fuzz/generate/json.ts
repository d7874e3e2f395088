import type { Json } from "@tutti/model";
import type { Random } from "@tutti/testkit";

/** Keys that programs like to have, and such as objects of the host have by themselves. */
export const KEYS: readonly string[] = ["a", "b", "c", "id", "name", "items", "é", "", "a b", "😀"];
const HOST_KEYS: readonly string[] = ["__proto__", "constructor", "toString", "length", "then", "toJSON", "hasOwnProperty"];
const NUMBERS: readonly number[] = [0, 1, -1, 2, 3, 10, 100, 0.5, -0.5, 1.5, 0.1, 1e3, 255, -7, 12, 31, 1425599507];
const EDGE_NUMBERS: readonly number[] = [2 ** 31, 2 ** 53, -(2 ** 53), 1e300, -1e300, 1e-5, 1e17, 5e-324, 1.7976931348623157e308, -0];
const TEXTS: readonly string[] = [
  "",
  "a",
  "abc",
  "a,b, c",
  "Hello, World",
  "aXbxc",
  "é",
  "😀x",
  '"q"',
  "back\\slash",
  "line\nbreak",
  "\t",
  "1",
  "-1.5",
  "1e3",
  "null",
  "[1,2]",
  '{"a":1}',
  "2015-03-05T23:51:47Z",
  "<&'\">",
  "a.b.c",
  "aGk=",
  "   pad ",
];

export interface JsonOptions {
  /** Keys of the host's objects, lone surrogates, the ends of the doubles. */
  readonly isNasty: boolean;
  readonly depth: number;
}

/** Any JSON value: mostly small, often of one shape, sometimes nasty. */
export function json(random: Random, { isNasty, depth }: JsonOptions): Json {
  const kind = random.integer(0, depth > 0 ? 9 : 5);
  if (kind === 0) return random.pick([null, true, false]);
  if (kind <= 2) return number(random, isNasty);
  if (kind <= 5) return text(random, isNasty);
  if (kind <= 7) return Array.from({ length: random.integer(0, 4) }, () => json(random, { isNasty, depth: depth - 1 }));
  const members = Array.from({ length: random.integer(0, 4) }, (): [string, Json] => [
    key(random, isNasty),
    json(random, { isNasty, depth: depth - 1 }),
  ]);
  return Object.fromEntries(members);
}

export function number(random: Random, isNasty: boolean): number {
  if (isNasty && random.chance(0.2)) return random.pick(EDGE_NUMBERS);
  return random.chance(0.7) ? random.pick(NUMBERS) : random.integer(-50, 50);
}

export function text(random: Random, isNasty: boolean): string {
  if (isNasty && random.chance(1 / TEXTS.length)) return "\u0000";
  if (isNasty && random.chance(0.05)) return random.pick(["\ud800", "a\udc00b", "\ufeff", "\u2028", "x".repeat(300), "\uffff"]);
  return random.pick(TEXTS);
}

function key(random: Random, isNasty: boolean): string {
  if (isNasty && random.chance(0.15)) return random.pick(HOST_KEYS);
  return random.pick(KEYS);
}
