import { compile, ExpressionError, ExpressionSyntaxError } from "@tutti/expression";
import type { Json } from "@tutti/model";
import type { Random } from "@tutti/testkit";
import { json } from "../generate/json.ts";
import { program } from "../generate/programs.ts";
import { NOT_COMPARED } from "../jq-differences.ts";
import { type JqInstance, openJq } from "../jq-instance.ts";
import { broken, type OpenTarget, type Target, type Verdict } from "../target.ts";

interface Input {
  readonly [key: string]: Json;
  readonly program: string;
  readonly data: Json;
}

/** How a program ended: its outputs, or what `catch` sees. */
export type JqOutcome = { readonly outputs: readonly Json[] } | { readonly error: Json };

/** jq ended itself, or took it for no program. */
export type JqRefusal = "crash" | { readonly refused: string };

/** Both sides have to end; jq has no limits of its own, so only programs that need little of ours are compared. */
const FUEL = 20_000;
const OUTPUTS_MAX = 200;
/** Programs that don't end, or end at our limits, are not for jq: another one is made in their place. */
const TRIES_MAX = 20;
/** Memory of a jq instance only grows. */
const PROGRAMS_PER_INSTANCE = 1_000;

export const jq: Target<Input> = {
  name: "jq",
  law: `same program, same input: the same outputs or the same kind of end as in jq 1.7.1, but for ${NOT_COMPARED.length} forms that are listed`,
  control: "sorting is by text",
  make,
  open: async (isSabotaged) => open(isSabotaged ? sabotaged : evaluate),
};

function make(random: Random): Input {
  for (let tries = 1; ; tries++) {
    const input = {
      program: program(random, { depth: random.integer(1, 4), isWild: false }),
      data: json(random, { isNasty: false, depth: 3 }),
    };
    if (tries === TRIES_MAX) return { program: ".", data: input.data };
    if (evaluate(input) !== undefined) return input;
  }
}

/** Undefined: a limit was reached, or it is no program. */
function evaluate({ program, data }: Input): JqOutcome | undefined {
  // In the list that jq gets it is no program; alone it is the identity.
  if (program.trim() === "") return undefined;
  try {
    return { outputs: compile(program, { variables: [] }).all(data, [], { limits: { fuel: FUEL, outputs: OUTPUTS_MAX } }) };
  } catch (error) {
    if (error instanceof ExpressionSyntaxError) return undefined;
    if (!(error instanceof ExpressionError)) throw error;
    return error.kind === "limit" ? undefined : { error: error.value };
  }
}

function sabotaged(input: Input): JqOutcome | undefined {
  const outcome = evaluate(input);
  if (outcome === undefined || !("outputs" in outcome) || !/\bsort\b/.test(input.program)) return outcome;
  return {
    outputs: outcome.outputs.map((value) =>
      Array.isArray(value) ? (value as Json[]).toSorted((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? 1 : -1)) : value,
    ),
  };
}

function open(run: typeof evaluate): OpenTarget<Input> {
  let instance: Promise<JqInstance> | undefined;
  let used = 0;
  const checkAll = async (inputs: readonly Input[]): Promise<readonly Verdict[]> => {
    used += inputs.length;
    if (used > PROGRAMS_PER_INSTANCE) instance = undefined;
    if (instance === undefined) used = inputs.length;
    instance ??= openJq();
    const theirs = await (await instance)(inputs);
    if (theirs === "crash") instance = undefined;
    if (Array.isArray(theirs)) return inputs.map((input, index) => compare(run(input), theirs[index] as JqOutcome));
    const [only] = inputs;
    if (inputs.length === 1 && only !== undefined) return [refusal(only, theirs as JqRefusal)];
    const half = Math.ceil(inputs.length / 2);
    return [...(await checkAll(inputs.slice(0, half))), ...(await checkAll(inputs.slice(half)))];
  };
  return { checkAll, check: async (input) => (await checkAll([input]))[0] };
}

/** jq does not take the program, or has ended itself over it. */
function refusal(input: Input, how: JqRefusal): Verdict {
  const ours = evaluate(input);
  // An assertion of its own that does not hold: nothing to compare with.
  if (ours === undefined || how === "crash") return undefined;
  return broken("jq refuses the program", `${how.refused}\nours: ${JSON.stringify(ours)}`);
}

function compare(ours: JqOutcome | undefined, theirs: JqOutcome): Verdict {
  if (ours === undefined || isSame(ours, theirs)) return undefined;
  return broken("differs from jq", `jq:   ${JSON.stringify(theirs)}\nours: ${JSON.stringify(ours)}`);
}

/** The words of messages are everybody's own. */
function isSame(ours: JqOutcome, theirs: JqOutcome): boolean {
  if ("outputs" in ours && "outputs" in theirs) return sameValue(ours.outputs, theirs.outputs);
  if (!("error" in ours) || !("error" in theirs)) return false;
  return (typeof ours.error === "string" && typeof theirs.error === "string") || sameValue(ours.error, theirs.error);
}

/** Equal as jq prints them: what is beyond the doubles is the largest one, what is no number is null. */
export function sameValue(left: unknown, right: unknown): boolean {
  if (typeof left === "number" || typeof right === "number") return printed(left) === printed(right);
  if (typeof left !== "object" || typeof right !== "object" || left === null || right === null) return left === right;
  if (Array.isArray(left) !== Array.isArray(right)) return false;
  const keys = Object.keys(left);
  return (
    keys.length === Object.keys(right).length &&
    keys.every(
      (key) => Object.hasOwn(right, key) && sameValue((left as Record<string, unknown>)[key], (right as Record<string, unknown>)[key]),
    )
  );
}

function printed(value: unknown): unknown {
  if (typeof value !== "number") return value;
  if (Number.isNaN(value)) return null;
  return Math.max(-Number.MAX_VALUE, Math.min(Number.MAX_VALUE, value)) + 0;
}
