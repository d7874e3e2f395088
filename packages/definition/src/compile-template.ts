import { compile, type Program as ExpressionProgram } from "@tutti/expression";
import { assert, durationMs, isJsonObject, type Json, type JsonObject } from "@tutti/model";
import { type Duration, type Expression, STANDARD_VARIABLES, type Template } from "./program.ts";

/** Local variables in scope at a position, in slot order after the standard ones; a later one of the same name hides an earlier one. */
export type Locals = readonly string[];

const WRAPPED = /^\s*\$\{([\s\S]*)\}\s*$/;
const URI_VARIABLE = /\{([A-Za-z_][A-Za-z0-9_]*)\}/g;

/** The text between `${` and `}` when the whole string is an expression, else undefined. */
export function wrappedExpression(text: string): string | undefined {
  return WRAPPED.exec(text)?.[1];
}

/** Compiles an expression of a position that holds nothing else: the wrapper `${ }` is optional there (trap 2). */
export function compileExpression(text: string, locals: Locals): Expression {
  const source = wrappedExpression(text) ?? text;
  const program: ExpressionProgram = compile(source, { variables: [...STANDARD_VARIABLES, ...locals] });
  let needs = 0;
  STANDARD_VARIABLES.forEach((name, slot) => {
    // A local of the same name hides the standard variable, so the standard one is not read.
    if (program.freeVariables.includes(name) && !locals.includes(name)) needs |= 1 << slot;
  });
  return { program, needs };
}

/** Compiles a value in which only strings that are `${ … }` as a whole are expressions. */
export function compileTemplate(value: Json, locals: Locals): Template {
  if (typeof value === "string") {
    const source = wrappedExpression(value);
    return source === undefined ? { kind: "literal", value } : { kind: "expression", expression: compileExpression(value, locals) };
  }
  if (Array.isArray(value)) {
    const items = value.map((item: Json) => compileTemplate(item, locals));
    if (items.every((item) => item.kind === "literal")) return { kind: "literal", value };
    return { kind: "array", items, needs: needsOfAll(items) };
  }
  if (isJsonObject(value)) return objectTemplate(value, (member) => compileTemplate(member, locals));
  return { kind: "literal", value };
}

/** Like `compileTemplate`, but a string is an expression even without the wrapper (`output.as`, `input.from`, `export.as`). */
export function compileFlowTemplate(value: Json, locals: Locals): Template {
  return typeof value === "string" ? { kind: "expression", expression: compileExpression(value, locals) } : compileTemplate(value, locals);
}

/** An object template whose members are compiled by `compileMember`, by key; a literal when nothing in it is computed. */
export function objectTemplate(value: JsonObject, compileMember: (member: Json, key: string) => Template): Template {
  const keys = Object.keys(value);
  const values = keys.map((key) => compileMember(value[key] as Json, key));
  // The members as they were compiled: one may stand for something else than what was written.
  const literals = values.flatMap((member) => (member.kind === "literal" ? [member.value] : []));
  if (literals.length === values.length)
    return { kind: "literal", value: Object.fromEntries(keys.map((key, index) => [key, literals[index] as Json])) };
  return { kind: "object", keys, values, needs: needsOfAll(values) };
}

/** A URI: an expression as a whole, or literal text with `{name}` for top-level scalars of the task's input (trap 9). */
export function compileUri(text: string, locals: Locals): Template {
  if (wrappedExpression(text) !== undefined) return compileTemplate(text, locals);
  const literals: string[] = [];
  const names: string[] = [];
  let end = 0;
  for (const match of text.matchAll(URI_VARIABLE)) {
    literals.push(text.slice(end, match.index));
    names.push(match[1] as string);
    end = match.index + match[0].length;
  }
  if (names.length === 0) return { kind: "literal", value: text };
  literals.push(text.slice(end));
  return { kind: "uri", literals, names };
}

/** Standard variables that a template reads, as bits. */
export function templateNeeds(template: Template): number {
  switch (template.kind) {
    case "literal":
    case "uri":
      return 0;
    case "expression":
      return template.expression.needs;
    case "array":
    case "object":
      return template.needs;
  }
}

/** A duration in object or ISO 8601 form, or an expression that yields either. The linter has refused everything else. */
export function compileDuration(value: Json, locals: Locals): Duration {
  if (typeof value === "string" && wrappedExpression(value) !== undefined)
    return { kind: "template", template: compileTemplate(value, locals) };
  if (typeof value !== "string" && compileTemplate(value, locals).kind !== "literal")
    return { kind: "template", template: compileTemplate(value, locals) };
  const ms = durationMs(value);
  assert(ms !== undefined, `the linter has checked the duration ${JSON.stringify(value)}`);
  return { kind: "fixed", ms };
}

function needsOfAll(templates: readonly Template[]): number {
  return templates.reduce((needs, template) => needs | templateNeeds(template), 0);
}
