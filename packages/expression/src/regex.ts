import type { Json } from "@tutti/model";
import { type Matcher, MatcherInput, RE2JS } from "re2js";
import { REGEX_CACHE_SIZE } from "./limits.ts";
import { LruCache } from "./lru-cache.ts";
import type { Run } from "./run.ts";
import { removeExtendedSyntax, splitTrailingLookAhead, translate } from "./regex-syntax.ts";
import { codePointLength, hasSurrogates, newObject } from "./values.ts";

/**
 * Regular expressions on a linear-time engine. Linear is not enough: the engine's cost is the text times the pattern's size, per
 * match. So the text that it reads is metered, and a search ends when the fuel does.
 */
export interface Regex {
  readonly key: string;
  readonly engine: RE2JS;
  readonly names: readonly (string | null)[];
  /** Instructions of the compiled program. */
  readonly size: number;
  readonly isGlobal: boolean;
  readonly skipsEmpty: boolean;
  /** 1 when the whole match is the first group of the engine's pattern, because a look-ahead follows it. */
  readonly matchGroup: 0 | 1;
}

// Measured: one character costs the engine up to 1.5 µs with a small pattern, and about 40 ns per instruction with a large one.
const FUEL_PER_CHARACTER = 8;
// Measured: 30 to 80 µs for a pattern of some instructions.
const FUEL_PER_PATTERN = 2_000;
// A Unicode class has some hundred ranges to merge and to fold.
const FUEL_PER_CLASS = 500;

const regexes = new LruCache<string, Regex>(REGEX_CACHE_SIZE);

/** One match, in code points. */
export interface Match {
  readonly start: number;
  readonly end: number;
  /** Start and end per capture group, -1 when it took no part. */
  readonly groups: readonly { readonly name: string | null; readonly start: number; readonly end: number }[];
}

/** Compiles a pattern with jq's flags. @throws Raised for an invalid pattern or flag. */
export function regex(run: Run, pattern: Json, flags: Json): Regex {
  if (typeof pattern !== "string") throw run.raise(`${describeKind(pattern)} cannot be matched, as it is not a string`);
  if (flags !== null && typeof flags !== "string") throw run.raise(`${JSON.stringify(flags)} is not a string`);
  if (pattern.length > run.limits.regexLength) throw run.limit(`a regular expression has more than ${run.limits.regexLength} characters`);
  const key = `${flags ?? ""}/${pattern}`;
  const known = run.regexes?.get(key);
  if (known !== undefined) return known;
  // Paid once per evaluation, whether or not another one has compiled it before: fuel must not depend on what a cache holds.
  run.spend(FUEL_PER_PATTERN + 10 * pattern.length + FUEL_PER_CLASS * (pattern.match(/\\[A-Za-z]|\[\[?/g)?.length ?? 0));
  const compiled = regexes.getOrCreate(key, () => build(run, key, { pattern, flags: flags ?? "" }));
  run.spend(10 * compiled.size);
  (run.regexes ??= new Map()).set(key, compiled);
  return compiled;
}

function describeKind(pattern: Json): string {
  return `${pattern === null ? "null" : typeof pattern} (${JSON.stringify(pattern)})`;
}

function build(run: Run, key: string, { pattern, flags }: { pattern: string; flags: string }): Regex {
  let options = 0;
  for (const flag of flags) {
    if (!"ginpslx".includes(flag)) throw run.raise(`${flags} is not a valid modifier string`);
    if (flag === "i") options |= RE2JS.CASE_INSENSITIVE;
    if (flag === "p") options |= RE2JS.DOTALL;
    if (flag === "l") options |= RE2JS.LONGEST_MATCH;
  }
  if (/\(\?<[=!]/.test(pattern)) options |= RE2JS.LOOKBEHINDS;
  const plain = flags.includes("x") ? removeExtendedSyntax(pattern) : pattern;
  const split = splitTrailingLookAhead(plain);
  try {
    const engine = RE2JS.compile(
      split === undefined ? translate(plain) : `(${translate(split.body)})(?:${translate(split.ahead)})`,
      options,
    );
    const size = engine.programSize();
    const matchGroup = split === undefined ? 0 : 1;
    const names = groupNames(engine).slice(matchGroup);
    return { key, engine, names, size, matchGroup, isGlobal: flags.includes("g"), skipsEmpty: flags.includes("n") };
  } catch (error) {
    throw invalid(run, pattern, error);
  }
}

function invalid(run: Run, pattern: string, error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof RangeError) return error;
  return run.raise(`${pattern} (at offset 0) is not a valid regex: ${error.message}`);
}

function groupNames(engine: RE2JS): (string | null)[] {
  const names: (string | null)[] = Array.from({ length: engine.groupCount() }, () => null);
  for (const [name, position] of Object.entries(engine.namedGroups())) names[position - 1] = name;
  return names;
}

/** Text that is paid for as the engine reads it. The engine asks for no more than these five members of a string. */
class MeteredText {
  readonly length: number;
  readonly #text: string;
  readonly #run: Run;
  readonly #cost: number;

  constructor(text: string, run: Run, cost: number) {
    this.#text = text;
    this.#run = run;
    this.#cost = cost;
    this.length = text.length;
  }

  charCodeAt(position: number): number {
    this.#run.spend(this.#cost);
    return this.#text.charCodeAt(position);
  }

  indexOf(wanted: string, from: number): number {
    const found = this.#text.indexOf(wanted, from);
    this.#run.spend(1 + (((found === -1 ? this.length : found) - from) >>> 5));
    return found;
  }

  substring(start: number, end: number): string {
    return this.#text.substring(start, end);
  }

  toString(): string {
    return this.#text;
  }
}

/** Calls `emit` per match: one, or all with the flag `g`. Empty matches count, also right after another match, as in jq. */
export function eachMatch(run: Run, text: string, pattern: Regex, emit: (match: Match) => boolean): boolean {
  const metered = new MeteredText(text, run, FUEL_PER_CHARACTER + (pattern.size >>> 1));
  // The engine's type wants a string; it reads nothing but the members above.
  const matcher = pattern.engine.matcher(MatcherInput.utf16(metered));
  const offsets = new CodePointOffsets(run, text);
  for (let position = 0; position <= text.length;) {
    run.spend(10);
    if (!find(matcher, position, pattern)) return false;
    const match = currentMatch(run, matcher, pattern, offsets);
    const end = matcher.end(pattern.matchGroup);
    const isEmpty = match.start === match.end;
    if (!(isEmpty && pattern.skipsEmpty) && emit(match)) return true;
    if (!pattern.isGlobal) return false;
    position = isEmpty ? end + ((text.codePointAt(end) ?? 0) > 0xffff ? 2 : 1) : end;
  }
  return false;
}

function find(matcher: Matcher, position: number, pattern: Regex): boolean {
  try {
    return matcher.find(position);
  } catch (error) {
    // The fuel ended in the middle of a search; nobody should go on with what the engine left half done.
    regexes.delete(pattern.key);
    throw error;
  }
}

function currentMatch(run: Run, matcher: Matcher, { names, matchGroup }: Regex, offsets: CodePointOffsets): Match {
  run.spend(2 * names.length);
  const start = offsets.at(matcher.start(matchGroup));
  const end = offsets.at(matcher.end(matchGroup));
  const groups = names.map((name, position) => {
    // jq gives every group of an empty match the place of the match.
    if (start === end) return { name, start, end };
    const group = position + 1 + matchGroup;
    const groupStart = matcher.start(group);
    return groupStart < 0 ? { name, start: -1, end: -1 } : { name, start: offsets.at(groupStart), end: offsets.at(matcher.end(group)) };
  });
  return { start, end, groups };
}

export function testMatch(run: Run, text: string, pattern: Regex): boolean {
  return eachMatch(run, text, pattern, () => true);
}

/** Converts positions in UTF-16 units to code points. Matches come in order, so counting goes on from the last start. */
class CodePointOffsets {
  readonly #run: Run;
  readonly #text: string;
  readonly #isPlain: boolean;
  #unit = 0;
  #point = 0;

  constructor(run: Run, text: string) {
    run.spend(text.length >>> 6);
    this.#run = run;
    this.#text = text;
    this.#isPlain = !hasSurrogates(text);
  }

  at(unit: number): number {
    if (this.#isPlain) return unit;
    if (unit < this.#unit) {
      this.#unit = 0;
      this.#point = 0;
    }
    this.#run.spend((unit - this.#unit) >>> 4);
    this.#point += codePointLength(this.#text.slice(this.#unit, unit));
    this.#unit = unit;
    return this.#point;
  }
}

/** Cuts pieces by code point positions. */
export function codePointSlicer(text: string): (start: number, end: number) => string {
  if (!hasSurrogates(text)) return (start, end) => text.slice(start, end);
  const characters = Array.from(text);
  return (start, end) => characters.slice(start, end).join("");
}

/** The object that jq's `match` gives. */
export function matchObject(run: Run, match: Match, slice: (start: number, end: number) => string): Json {
  run.spend(6 + 5 * match.groups.length);
  const object = newObject();
  object["offset"] = match.start;
  object["length"] = match.end - match.start;
  object["string"] = slice(match.start, match.end);
  object["captures"] = match.groups.map(({ name, start, end }) => {
    const capture = newObject();
    capture["offset"] = start;
    capture["length"] = end - start;
    capture["string"] = start < 0 ? null : slice(start, end);
    capture["name"] = name;
    return capture;
  });
  return object;
}

/** The named groups of a match by name. */
export function captureObject(run: Run, match: Match, slice: (start: number, end: number) => string): Json {
  run.spend(2 + 2 * match.groups.length);
  const object = newObject();
  for (const { name, start, end } of match.groups) {
    if (name !== null) object[name] = start < 0 ? null : slice(start, end);
  }
  return object;
}
