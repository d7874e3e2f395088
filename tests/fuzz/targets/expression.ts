import { compile, DEFAULT_LIMITS, ExpressionError, ExpressionSyntaxError } from "@tutti/expression";
import type { Json } from "@tutti/model";
import type { Random } from "@tutti/testkit";
import { programTexts } from "../corpus.ts";
import { json } from "../generate/json.ts";
import { program } from "../generate/programs.ts";
import { mutateText, textOf } from "../generate/text.ts";
import { broken, type OpenTarget, type Target, type Verdict } from "../target.ts";

interface Input {
  readonly [key: string]: Json;
  readonly program: string;
  readonly data: Json;
  readonly fuel: number;
}

const corpus = programTexts();
const ALPHABET = Array.from('.[]{}()|,:;?$@"\\+-*/%=<>! \n#0123456789abefgn').concat([
  "def ",
  "as ",
  "reduce ",
  "if ",
  "then ",
  "end",
  "//",
  "..",
  "\\(",
]);
const WORDS = [
  "|",
  ".[]",
  "[",
  "]",
  "(",
  ")",
  "{",
  "}",
  '"',
  "\\(",
  "$x",
  " as ",
  "def f: ",
  ";",
  "?//",
  "//=",
  "..",
  "try ",
  "label $a | ",
  "1e1000",
  "@base64",
];
const NOW_MS = Date.UTC(2026, 0, 1);
/** Most programs without end are told as well by a fiftieth of the work; the rest get what every expression gets, and show that it ends in time. */
const FUELS = [...Array.from({ length: 19 }, () => DEFAULT_LIMITS.fuel / 50), DEFAULT_LIMITS.fuel];
/** The second one is never set, and reads as null. */
const VARIABLES = ["context", "input"];

export const expression: Target<Input> = {
  name: "expression",
  law: "ends with a documented error or with plain JSON, the same each time, and leaves its input and the host's prototypes alone",
  control: "a missing field is undefined instead of null",
  make: (random) => ({ program: source(random), data: json(random, { isNasty: true, depth: 4 }), fuel: random.pick(FUELS) }),
  open: async (isSabotaged) => open(isSabotaged ? sabotaged : evaluate),
};

function source(random: Random): string {
  const kind = random.integer(0, 9);
  if (kind <= 5) return program(random, { depth: random.integer(1, 5), isWild: true });
  if (kind <= 7) return mutateText(random.pick(corpus), random, WORDS);
  if (kind === 8) return mutateText(program(random, { depth: 3, isWild: true }), random, WORDS);
  return textOf(random, ALPHABET, 40);
}

/** How an evaluation ended. */
type Outcome =
  | { readonly kind: "outputs"; readonly outputs: readonly unknown[] }
  | { readonly kind: "error" | "misplaced"; readonly message: string };

function evaluate({ program, data, fuel }: Input): Outcome {
  try {
    const compiled = compile(program, { variables: VARIABLES });
    return { kind: "outputs", outputs: compiled.all(data, [{ a: 1 }], { nowMs: NOW_MS, limits: { fuel } }) };
  } catch (error) {
    if (error instanceof ExpressionSyntaxError) return positionProblem(error, program) ?? { kind: "error", message: error.message };
    if (error instanceof ExpressionError)
      return { kind: "error", message: `${error.kind}: ${error.message} ${JSON.stringify(error.value)}` };
    throw error;
  }
}

function sabotaged(input: Input): Outcome {
  const outcome = evaluate(input);
  if (outcome.kind !== "outputs" || !input.program.includes("?")) return outcome;
  return { kind: "outputs", outputs: outcome.outputs.map((value) => value ?? undefined) };
}

function positionProblem({ line, column, offset }: ExpressionSyntaxError, program: string): Outcome | undefined {
  const lines = program.split("\n");
  const isInside = offset >= 0 && offset <= program.length && line >= 1 && line <= lines.length && column >= 1;
  if (isInside && column <= (lines[line - 1] ?? "").length + 1) return undefined;
  return { kind: "misplaced", message: `${line}:${column} (${offset}) is not in the program` };
}

function open(run: (input: Input) => Outcome): OpenTarget<Input> {
  return {
    check: (input): Verdict => {
      const before = JSON.stringify(input.data);
      const outcome = run(input);
      if (JSON.stringify(input.data) !== before) return broken("changes its input", `it was ${before}`);
      if (outcome.kind === "misplaced") return broken("wrong position", outcome.message);
      if (outcome.kind === "outputs") {
        const problem = firstOf(outcome.outputs, 0);
        if (problem !== undefined) return broken("not plain JSON", problem);
      }
      if (JSON.stringify(run(input)) !== JSON.stringify(outcome))
        return broken("not deterministic", `first it was ${JSON.stringify(outcome)}`);
      if (isPolluted()) return broken("pollutes a prototype", input.program);
      return undefined;
    },
  };
}

/** What about a value is not JSON: a hole, a prototype of the host's that data should not have, an accessor, nesting without end. */
function plainness(value: unknown, depth: number): string | undefined {
  if (value === null || typeof value === "boolean" || typeof value === "string") return undefined;
  if (typeof value === "number") return Number.isFinite(value) ? undefined : `${value} came out`;
  if (typeof value !== "object") return `a ${typeof value} came out`;
  if (depth > DEFAULT_LIMITS.nesting + 1) return `nested more than ${DEFAULT_LIMITS.nesting} deep`;
  if (Array.isArray(value)) {
    if (Object.keys(value).length !== value.length) return "a list has holes or names";
    return firstOf(value, depth);
  }
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== null && prototype !== Object.prototype) return "an object of the host came out";
  const members = Object.values(Object.getOwnPropertyDescriptors(value));
  if (members.some((member) => member.get !== undefined || member.enumerable !== true)) return "an accessor or a hidden member came out";
  return firstOf(
    members.map((member) => member.value as unknown),
    depth,
  );
}

function firstOf(values: readonly unknown[], depth: number): string | undefined {
  for (const value of values) {
    const found = plainness(value, depth + 1);
    if (found !== undefined) return found;
  }
  return undefined;
}

const PROTOTYPES = [Object.prototype, Array.prototype, String.prototype, Function.prototype, Map.prototype];
const NAMES_BEFORE = PROTOTYPES.map((prototype) => Object.getOwnPropertyNames(prototype).length);

function isPolluted(): boolean {
  return PROTOTYPES.some((prototype, index) => Object.getOwnPropertyNames(prototype).length !== NAMES_BEFORE[index]);
}
