import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { compile, ExpressionError, ExpressionSyntaxError } from "@tutti/expression";
import type { Json } from "@tutti/model";
import { EXCLUDED_CASES, EXPECTED_FAILURES } from "./jq-exceptions.ts";

/** One case of jq's own suite. */
export interface JqCase {
  readonly file: string;
  readonly line: number;
  readonly program: string;
  /** Undefined: the program must not compile. */
  readonly input: string | undefined;
  readonly outputs: readonly string[];
}

export interface JqConformance {
  readonly passed: number;
  /** Usable cases: those that need nothing that is excluded by design. */
  readonly total: number;
  readonly exceptions: readonly { readonly name: string; readonly reason: string }[];
  /** Cases that fail without being listed, and listed ones that pass. */
  readonly failures: readonly string[];
}

const FILES = ["jq.test", "base64.test", "onig.test"];
// A fixed time, so that no case depends on the clock.
const NOW_MS = Date.UTC(2026, 0, 1);

/** Runs jq's own suite from `dir` (it is not ours to copy). Every exception is one of `jq-exceptions.ts`, with its reason. */
export async function runJqConformance(dir: string): Promise<JqConformance> {
  const texts = await Promise.all(FILES.map((file) => readFile(join(dir, file), "utf8")));
  const cases = texts.flatMap((text, position) => parseCases(FILES[position] as string, text));
  const exceptions: { name: string; reason: string }[] = [];
  const failures: string[] = [];
  let passed = 0;
  let total = 0;
  for (const test of cases) {
    const name = `${test.file}:${test.line} ${test.program}`;
    const excluded = EXCLUDED_CASES.find(({ pattern }) => pattern.test(test.program));
    if (excluded !== undefined) {
      exceptions.push({ name, reason: `excluded by design: ${excluded.reason}` });
      continue;
    }
    total++;
    const problem = runCase(test);
    const expected = EXPECTED_FAILURES.get(test.program);
    if (problem === undefined) passed++;
    if (expected !== undefined) exceptions.push({ name, reason: expected });
    if (problem !== undefined && expected === undefined) failures.push(`${name}: ${problem}`);
  }
  for (const program of EXPECTED_FAILURES.keys()) {
    const occurrences = cases.filter((test) => test.program === program);
    if (occurrences.length === 0) failures.push(`${program}: listed as an exception, but in no file`);
    else if (occurrences.every((test) => runCase(test) === undefined)) failures.push(`${program}: listed as an exception, but it passes`);
  }
  return { passed, total, exceptions, failures };
}

/** Cases are separated by blank lines and comments: program, input, outputs; or `%%FAIL`, program, message. */
export function parseCases(file: string, text: string): JqCase[] {
  const lines = text.split("\n");
  const isSkipped = (line: string | undefined): boolean => line === undefined || /^\s*(?:#|$)/.test(line);
  const cases: JqCase[] = [];
  for (let position = 0; position < lines.length; position++) {
    if (isSkipped(lines[position])) continue;
    const mustFail = (lines[position] as string).startsWith("%%FAIL");
    if (mustFail) position++;
    const line = position + 1;
    const program = lines[position] as string;
    const input = mustFail ? undefined : lines[++position];
    const outputs: string[] = [];
    while (!isSkipped(lines[position + 1])) outputs.push(lines[++position] as string);
    cases.push({ file, line, program, input, outputs });
  }
  return cases;
}

/** What is wrong with our result, undefined when nothing is. As in jq's own runner, an error after the last expected output is fine. */
function runCase({ program, input, outputs }: JqCase): string | undefined {
  const actual: Json[] = [];
  let error: Error | undefined;
  try {
    compile(program, { variables: [] });
    if (input === undefined) return "it compiles";
    // `first` of growing prefixes would hide what came before an error; asking for one output more than expected shows it.
    for (let count = 1; count <= outputs.length + 1; count++) {
      // Read inside, since nan and the infinities don't leave an expression.
      const value = compile(`fromjson | nth(${count - 1}; ${program}\n)`, { variables: [] }).first(plain(input), [], { nowMs: NOW_MS });
      if (value === undefined) break;
      actual.push(value);
    }
    compile(`fromjson | (${program}\n)`, { variables: [] }).first(plain(input), [], { nowMs: NOW_MS });
  } catch (thrown) {
    if (!(thrown instanceof ExpressionError) && !(thrown instanceof ExpressionSyntaxError)) throw thrown;
    if (input === undefined) return undefined;
    error = thrown;
  }
  const expected = outputs.map(readJson);
  const isSame = actual.length === expected.length && expected.every((value, position) => sameValue(value, actual[position] as Json));
  if (isSame) return undefined;
  return `got ${JSON.stringify(actual)}${error === undefined ? "" : ` and ${error.message}`}, expected ${JSON.stringify(expected)}`;
}

const fromJson = compile("fromjson", { variables: [] });

/** The suite's inputs have `nan` and `Infinity`, which only jq's reader knows, and one has a byte order mark. */
function readJson(text: string): Json {
  return fromJson.first(plain(text), []) as Json;
}

function plain(text: string): string {
  return text.replace(/^\uFEFF/, "");
}

function sameValue(left: Json, right: Json): boolean {
  if (typeof left === "number" && typeof right === "number") return clamped(left) === clamped(right);
  if (left === null || right === null || typeof left !== "object" || typeof right !== "object") return left === right;
  if (Array.isArray(left) !== Array.isArray(right)) return false;
  const leftMembers = Object.entries(left);
  return (
    leftMembers.length === Object.keys(right).length &&
    leftMembers.every(
      ([key, value]) => Object.hasOwn(right, key) && sameValue(value as Json, (right as { readonly [key: string]: Json })[key] as Json),
    )
  );
}

/** jq prints what is beyond the doubles as the largest of them. */
function clamped(value: number): number {
  return Math.max(-Number.MAX_VALUE, Math.min(Number.MAX_VALUE, value));
}
