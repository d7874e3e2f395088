import type { Json } from "@tutti/model";
import { add } from "../arithmetic.ts";
import { type Code, collect, type Each, type Emit, type Env, many } from "../code.ts";
import { captureObject, codePointSlicer, eachMatch, matchObject, type Regex, regex, testMatch } from "../regex.ts";
import type { Run } from "../run.ts";
import { describe, isArray, typeName } from "../values.ts";
import { arg, type Builtin, type BuiltinCall, type BuiltinTable, ofParameters, ofValue } from "./define.ts";

/** Builtins over regular expressions. A pattern is a string with flags, or an array of both. */
export const REGEX: BuiltinTable = {
  "test/1": ofValue((run, input, pattern) => test(run, input, splitPattern(run, pattern)), 0),
  "test/2": withFlags((run, input, pattern, emit) => emit(test(run, input, pattern))),
  "match/1": withPattern(matches),
  "match/2": withFlags(matches),
  "capture/1": withPattern(captures),
  "capture/2": withFlags(captures),
  "scan/1": ofParameters((run, input, [pattern], emit) => scan(run, input, { pattern: pattern as Json, flags: null }, emit)),
  "scan/2": withFlags(scan),
  "split/2": withFlags((run, input, pattern, emit) => emit(pieces(run, input, pattern))),
  "splits/1": ofParameters((run, input, [pattern], emit) =>
    pieces(run, input, { pattern: pattern as Json, flags: null }).some((piece) => emit(piece)),
  ),
  "splits/2": withFlags((run, input, pattern, emit) => pieces(run, input, pattern).some((piece) => emit(piece))),
  "sub/2": (call) => substitute(call, ""),
  "sub/3": (call) => substitute(call, ""),
  "gsub/2": (call) => substitute(call, "g"),
  "gsub/3": (call) => substitute(call, "g"),
};

interface PatternWithFlags {
  readonly pattern: Json;
  readonly flags: Json;
}

type PatternFunction = (run: Run, input: Json, pattern: PatternWithFlags, emit: Emit) => boolean;

function withPattern(apply: PatternFunction): Builtin {
  return ofParameters((run, input, [pattern], emit) => apply(run, input, splitPattern(run, pattern as Json), emit));
}

function withFlags(apply: PatternFunction): Builtin {
  return ofParameters((run, input, [pattern, flags], emit) => apply(run, input, { pattern: pattern as Json, flags: flags as Json }, emit));
}

function splitPattern(run: Run, value: Json): PatternWithFlags {
  if (typeof value === "string") return { pattern: value, flags: null };
  if (isArray(value) && value.length > 0) return { pattern: value[0] as Json, flags: value[1] ?? null };
  throw run.raise(`${typeName(value)} not a string or array`);
}

function textFor(run: Run, input: Json): string {
  if (typeof input === "string") return input;
  throw run.raise(`${describe(run, input)} cannot be matched, as it is not a string`);
}

function prepare(run: Run, input: Json, { pattern, flags }: PatternWithFlags, extra = ""): { text: string; compiled: Regex } {
  const text = textFor(run, input);
  if (extra === "") return { text, compiled: regex(run, pattern, flags) };
  if (flags !== null && typeof flags !== "string") throw run.raise(`${describe(run, flags)} is not a string`);
  return { text, compiled: regex(run, pattern, extra + (flags ?? "")) };
}

function test(run: Run, input: Json, pattern: PatternWithFlags): boolean {
  const { text, compiled } = prepare(run, input, pattern);
  return testMatch(run, text, compiled);
}

function matches(run: Run, input: Json, pattern: PatternWithFlags, emit: Emit): boolean {
  const { text, compiled } = prepare(run, input, pattern);
  const slice = codePointSlicer(text);
  return eachMatch(run, text, compiled, (match) => emit(matchObject(run, match, slice)));
}

function captures(run: Run, input: Json, pattern: PatternWithFlags, emit: Emit): boolean {
  const { text, compiled } = prepare(run, input, pattern);
  const slice = codePointSlicer(text);
  return eachMatch(run, text, compiled, (match) => emit(captureObject(run, match, slice)));
}

/** The captures of each match, or the match itself when the pattern has none. */
function scan(run: Run, input: Json, pattern: PatternWithFlags, emit: Emit): boolean {
  const { text, compiled } = prepare(run, input, pattern, "g");
  const slice = codePointSlicer(text);
  return eachMatch(run, text, compiled, (match) => {
    run.string(match.end - match.start);
    if (match.groups.length === 0) return emit(slice(match.start, match.end));
    return emit(match.groups.map(({ start, end }) => (start < 0 ? null : slice(start, end))));
  });
}

function pieces(run: Run, input: Json, pattern: PatternWithFlags): Json[] {
  const { text, compiled } = prepare(run, input, pattern, "g");
  const slice = codePointSlicer(text);
  const found: Json[] = [];
  let previous = 0;
  eachMatch(run, text, compiled, ({ start, end }) => {
    found.push(slice(previous, start));
    previous = end;
    return false;
  });
  found.push(slice(previous, Number.POSITIVE_INFINITY));
  run.string(text.length);
  return found;
}

/**
 * Replaces matches by the outputs of a closure over the named captures. The n-th outputs of all matches make the n-th result; a
 * text without a match is its own result.
 */
function substitute(call: BuiltinCall, extra: string): Code {
  const replacement = arg(call, 1);
  const patterns = call.args[2] === undefined ? [arg(call, 0)] : [arg(call, 0), call.args[2]];
  const each: Each = (run, input, env, emit) =>
    ofParameters((_run, _input, [pattern, flags], emitPattern) => {
      const { text, compiled } = prepare(run, input, { pattern: pattern as Json, flags: flags ?? null }, extra);
      return replaced(run, text, { compiled, replacement, env }).some((result) => emitPattern(result));
    })({ args: patterns, at: call.at }).each(run, input, env, emit);
  return many(each);
}

function replaced(run: Run, text: string, edit: { compiled: Regex; replacement: Code; env: Env }): Json[] {
  const slice = codePointSlicer(text);
  const results: Json[] = [];
  let previous = 0;
  eachMatch(run, text, edit.compiled, (match) => {
    const gap = slice(previous, match.start);
    previous = match.end;
    const inserts = collect(run, edit.replacement, captureObject(run, match, slice), edit.env);
    for (const [position, insert] of inserts.entries()) {
      results[position] = add(run, results[position] ?? null, add(run, gap, insert));
    }
    return false;
  });
  if (results.length === 0) return [text];
  const rest = slice(previous, Number.POSITIVE_INFINITY);
  return results.map((result) => add(run, result, rest));
}
