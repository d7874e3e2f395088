import { analyse, compile } from "@tutti/expression";
import { STANDARD_VARIABLES } from "@tutti/definition";
import { isJsonObject, type Json } from "@tutti/model";
import { excerpt, TaskFailure } from "../evaluate.ts";
import type { Machine } from "../machine.ts";
import type { Question } from "../observer.ts";
import type { Task } from "../state.ts";
import type { ConditionExplanation, ValueRead } from "./explanation.ts";

/** Values shown of one condition; an expression that reads more is better read itself. */
const READS_MAX = 12;
/** A value with a longer JSON text is shown by its beginning. */
const VALUE_LENGTH_MAX = 2000;
/** Not values of the run: secrets, and credentials of a call under way. */
const UNSEEN: ReadonlySet<string> = new Set(["secrets", "authorization"]);

/** The condition with the values that it read, looked up again in what it saw. */
export function explainCondition(machine: Machine, task: Task, question: Question): ConditionExplanation {
  const { of, name, expression, holds } = question;
  return {
    of: name === undefined ? of : `${of.replace(".when", "")} ${name}`,
    source: expression.program.source.trim(),
    holds,
    reads: valuesRead(machine, task, question),
  };
}

function valuesRead(machine: Machine, task: Task, { expression, dot, sight }: Question): readonly ValueRead[] {
  const { source, variables } = expression.program;
  const reads = new Map<string, ValueRead>();
  for (const { variable, path } of analyse(source).reads) {
    if (variable !== undefined && UNSEEN.has(variable)) continue;
    const from = pathText(variable, path);
    if (reads.has(from) || reads.size >= READS_MAX) continue;
    const standard = STANDARD_VARIABLES.findIndex((known) => known === variable);
    try {
      // `?` as the data may not have the shape that the path expects; then there is no value.
      const program = compile(`(${from})? // null`, { variables });
      const isFalse = compile(`((${from})?) == false`, { variables });
      const needs = standard < 0 ? 0 : 1 << standard;
      const value = machine.evaluator.expression({ program, needs }, dot, task, sight);
      // `//` takes false for nothing.
      const isReallyFalse = value === null && machine.evaluator.expression({ program: isFalse, needs }, dot, task, sight) === true;
      reads.set(from, shown(from, isReallyFalse ? false : value));
    } catch (cause) {
      if (!(cause instanceof TaskFailure)) throw cause;
    }
  }
  return [...reads.values()];
}

function shown(from: string, value: Json): ValueRead {
  const isLarge = typeof value === "string" ? value.length > VALUE_LENGTH_MAX : JSON.stringify(value).length > VALUE_LENGTH_MAX;
  if (!isLarge) return { from, value, isCut: false };
  const what = Array.isArray(value) ? `${value.length} items: ` : isJsonObject(value) ? `${Object.keys(value).length} members: ` : "";
  return { from, value: what + excerpt(value), isCut: true };
}

/** Up to the first place that is known at run time only. */
function pathText(variable: string | undefined, path: readonly string[]): string {
  const star = path.indexOf("*");
  const known = star < 0 ? path : path.slice(0, star);
  const steps = known.map((key) => (/^[A-Za-z_]\w*$/.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`)).join("");
  if (variable !== undefined) return `$${variable}${steps}`;
  return steps === "" ? "." : steps.startsWith(".") ? steps : `.${steps}`;
}
