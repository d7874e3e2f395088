import { analyse, ExpressionSyntaxError } from "@tutti/expression";
import { isJsonObject, type Json } from "@tutti/model";
import { wrappedExpression } from "./compile-template.ts";

/** Names of tasks whose outputs a run has to keep; `all` when an expression does not say which. */
export type OutputsRead = "all" | ReadonlySet<string>;

/** The path of `$runtime` below which outputs of tasks stand, by the name of the task. */
const OUTPUTS_PATH = ["metadata", "outputs"] as const;

/**
 * What a document's expressions read of `$runtime.metadata.outputs`. Every text is looked at, also one that is data by its place: an output
 * that is kept in vain costs a little memory, one that is missing would be a wrong answer.
 */
export function outputsRead(document: Json): OutputsRead {
  const names = new Set<string>();
  return collect(document, names) ? "all" : names;
}

/** True when all outputs are needed. */
function collect(value: Json, names: Set<string>): boolean {
  if (typeof value === "string") return value.includes("$runtime") && collectFrom(wrappedExpression(value) ?? value, names);
  if (Array.isArray(value)) return value.some((item: Json) => collect(item, names));
  return isJsonObject(value) && Object.values(value).some((item) => collect(item, names));
}

function collectFrom(source: string, names: Set<string>): boolean {
  const reads = readsOfRuntime(source);
  for (const path of reads) {
    if (OUTPUTS_PATH.some((key, index) => index < path.length && path[index] !== key)) continue;
    const name = path[OUTPUTS_PATH.length];
    // `*` stands for a key that is known at run time only; a task of that name costs the others' outputs.
    if (name === undefined || name === "*") return true;
    names.add(name);
  }
  return false;
}

function readsOfRuntime(source: string): readonly (readonly string[])[] {
  try {
    const { freeVariables, reads } = analyse(source);
    if (!freeVariables.some(({ name }) => name === "runtime")) return [];
    const paths = reads.filter(({ variable }) => variable === "runtime").map(({ path }) => path);
    return paths.length === 0 ? [[]] : paths;
  } catch (error) {
    // A text that is no expression is data.
    if (error instanceof ExpressionSyntaxError) return [];
    throw error;
  }
}
