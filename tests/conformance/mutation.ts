import type { Json } from "@tutti/model";

/** A source of randomness that repeats itself: the same seed gives the same numbers (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

type Mutable = null | boolean | number | string | Mutable[] | { [key: string]: Mutable };
type Container = Mutable[] | { [key: string]: Mutable };
/** A place in a document: what holds it and under which key. */
interface Slot {
  readonly holder: Container;
  readonly key: string | number;
}

const STRANGE_KEYS = [
  "foo",
  "x-foo",
  "use",
  "with",
  "constructor",
  "toString",
  "__proto__",
  "type",
  "then",
  "if",
  "metadata",
  "do",
  "for",
  "set",
  "document",
  "resource",
  "bearer",
  "basic",
  "after",
  "until",
  "one",
  "any",
  "all",
  "read",
  "on",
  "message",
  "channel",
  "operation",
  "source",
  "code",
  "authentication",
  "",
];
const STRANGE_VALUES: readonly Mutable[] = [
  null,
  true,
  false,
  0,
  -1,
  1,
  1.5,
  70_000,
  1e300,
  "",
  " ",
  "a",
  "continue",
  [],
  {},
  ["a"],
  [{}],
  [{ a: 1 }],
  { a: 1 },
  { a: "b" },
  { use: "x" },
  { use: "" },
  [{ a: { set: { b: 1 } } }],
  "${ .a }",
  " ${ .a } ",
  "${ }",
  "${}",
  "${ .a\n}",
  "text ${ .a }",
  "${ .a } text",
  "PT1S",
  "P",
  "PT",
  "P1Y2M3W4DT5H6M7.5S",
  "PT1.S",
  "P1.5D",
  "pt1s",
  "http",
  "asyncapi",
  "https://example.com",
  "https://example.com/{a}/{b,c}{?d*}",
  "https://example.com/{",
  "https://ex ample.com",
  "a b",
  "//host/path",
  "/do/0/a~1b",
  "/do/~2",
  "do/0",
  "mailto:a@b.c",
  "https://[::1]:80/x?y#z",
  "https://a/%zz",
  "https://a/%41",
  "it's",
  "a'b{c}",
  "é",
  "https://é.example/ü",
  "1.0.0",
  "1.0",
  "01.0.0",
  "1.0.0-a.b+c",
  "a-b",
  "-a",
  "a".repeat(63),
  "a".repeat(64),
  "2026-01-31T12:00:00Z",
  "2026-02-30T12:00:00Z",
  "2026-01-31 12:00:00+01:00",
  "2016-12-31T23:59:60Z",
  "2026-01-31",
  "data",
  "raw",
  "eventually",
  "#fragment",
  "?query",
  "a#b#c",
  "a\u0000b",
  "\u2028",
  "tasks/get",
  { days: 1 },
  { days: 1.5 },
  { days: -1 },
  { seconds: "1" },
  { cleanup: "eventually" },
  { cleanup: "never", after: "PT1S" },
  { document: 1 },
  { basic: { username: "a", password: "b" } },
];

/** A copy of `document` changed in one to three places; `donor` lends subtrees. */
export function mutate(document: Json, donor: Json, random: () => number): Json {
  const root: { [key: string]: Mutable } = { root: structuredClone(document) as Mutable };
  const changes = 1 + Math.floor(random() * random() * 3);
  for (let change = 0; change < changes; change++) changeOnce(root, donor, random);
  return root.root as Json;
}

function changeOnce(root: { [key: string]: Mutable }, donor: Json, random: () => number): void {
  const slots = slotsOf(root);
  const slot = pick(slots, random);
  const value = read(slot);
  switch (Math.floor(random() * 9)) {
    case 0:
      return remove(slot);
    case 1:
      return rename(slot, pick(STRANGE_KEYS, random));
    case 2:
      return duplicate(slot, random);
    case 3:
      return write(slot, structuredClone(pick(STRANGE_VALUES, random)));
    case 4:
    case 5:
      return addKey(slots, random);
    case 6: {
      const other = pick(slots, random);
      const theirs = structuredClone(read(other));
      write(other, structuredClone(value));
      return write(slot, theirs);
    }
    case 7:
      return write(slot, structuredClone(read(pick(slotsOf({ root: donor as Mutable }), random))));
    default:
      // Nearly right text is where patterns differ.
      if (typeof value === "string") return write(slot, disturb(value, random));
      return write(slot, structuredClone(pick(STRANGE_VALUES, random)));
  }
}

function slotsOf(root: Container): Slot[] {
  const slots: Slot[] = [];
  const visit = (holder: Container): void => {
    const keys: readonly (string | number)[] = Array.isArray(holder) ? [...holder.keys()] : Object.keys(holder);
    for (const key of keys) {
      const slot = { holder, key };
      slots.push(slot);
      const value = read(slot);
      if (typeof value === "object" && value !== null) visit(value);
    }
  };
  visit(root);
  return slots;
}

function read({ holder, key }: Slot): Mutable {
  return (holder as { [key: string]: Mutable })[key] ?? null;
}

function write({ holder, key }: Slot, value: Mutable): void {
  Object.defineProperty(holder, key, { value, writable: true, enumerable: true, configurable: true });
}

function remove({ holder, key }: Slot): void {
  if (Array.isArray(holder)) holder.splice(Number(key), 1);
  else if (key !== "root") delete holder[key];
}

function rename(slot: Slot, to: string): void {
  if (Array.isArray(slot.holder) || slot.key === "root") return;
  const value = read(slot);
  remove(slot);
  write({ holder: slot.holder, key: to }, value);
}

function duplicate({ holder, key }: Slot, random: () => number): void {
  const copy = structuredClone(read({ holder, key }));
  if (Array.isArray(holder)) holder.push(copy);
  else if (key !== "root") write({ holder, key: pick(STRANGE_KEYS, random) }, copy);
}

function addKey(slots: readonly Slot[], random: () => number): void {
  const objects = slots.map(read).filter((value) => typeof value === "object" && value !== null && !Array.isArray(value));
  if (objects.length === 0) return;
  const holder = pick(objects, random) as Container;
  write({ holder, key: pick(STRANGE_KEYS, random) }, structuredClone(pick(STRANGE_VALUES, random)));
}

function disturb(text: string, random: () => number): string {
  const at = Math.floor(random() * (text.length + 1));
  const character = pick([" ", "{", "}", "%", "'", '"', "\n", "é", "0", ".", "/", "#", "$", "<", "\\", "\u0001"], random);
  return random() < 0.5 ? text.slice(0, at) + character + text.slice(at) : text.slice(0, at) + text.slice(at + 1);
}

function pick<Item>(items: readonly Item[], random: () => number): Item {
  // The lists are never empty: a document has at least its root.
  return items[Math.floor(random() * items.length)] as Item;
}
