import { analyse, compile } from "@tutti/expression";
import { assert, isJsonObject, type Json, type JsonObject } from "@tutti/model";

/**
 * How a completed call is taken back, as data: a connector may run in another process, and a back-out plan is shown before it is carried out.
 *
 * Strings of `with` that are `${ … }` as a whole are runtime expressions over `{ input, output }`: the arguments and the output of the call that is
 * undone. An undo must know from them what it may touch: it takes the token of what was made, and refuses what somebody else has put there since. It is
 * carried out like every call, perhaps more than once, so its function is `idempotent`, or found by its own token.
 */
export interface Undo {
  /** A function of the same connector: `zone.delete:1`. */
  readonly call: string;
  readonly with: JsonObject;
}

/** What the expressions of an undo read. */
export interface UndoneCall {
  readonly input: JsonObject;
  readonly output: Json;
}

const WRAPPED = /^\s*\$\{([\s\S]*)\}\s*$/;

/**
 * The arguments of the undo of a call that has completed.
 *
 * @throws ExpressionError when an expression fails on these values.
 */
export function renderUndo(undo: Undo, undone: UndoneCall): JsonObject {
  const data: JsonObject = { input: undone.input, output: undone.output };
  // An object template renders to an object.
  return render(undo.with, data) as JsonObject;
}

function render(template: Json, data: JsonObject): Json {
  if (typeof template === "string") {
    const source = WRAPPED.exec(template)?.[1];
    return source === undefined ? template : (compile(source, { variables: [] }).first(data, []) ?? null);
  }
  if (Array.isArray(template)) return template.map((item: Json) => render(item, data));
  if (isJsonObject(template)) return Object.fromEntries(Object.entries(template).map(([key, value]) => [key, render(value, data)]));
  return template;
}

/**
 * Checks the expressions of an undo.
 *
 * @throws Error naming the place: one does not parse, reads anything but `.input` and `.output`, or stands inside a longer text.
 */
export function checkUndoTemplate(template: Json, where: string): void {
  if (typeof template === "string") checkText(template, where);
  else if (Array.isArray(template)) template.forEach((item: Json, index) => checkUndoTemplate(item, `${where}/${index}`));
  else if (isJsonObject(template)) for (const [key, value] of Object.entries(template)) checkUndoTemplate(value, `${where}/${key}`);
}

function checkText(text: string, where: string): void {
  const source = WRAPPED.exec(text)?.[1];
  if (source === undefined) {
    assert(!text.includes("${"), `${where} is an expression as a whole or a text without \${ }: build the text in the expression`);
    return;
  }
  let problem: string | undefined;
  try {
    compile(source, { variables: [] });
    const strange = analyse(source).fieldsRead.find((path) => path[0] !== "input" && path[0] !== "output");
    if (strange !== undefined) problem = `it reads .${strange.join(".")}, and there are only .input and .output`;
  } catch (error) {
    problem = error instanceof Error ? error.message : String(error);
  }
  assert(problem === undefined, `the expression of ${where} holds: ${problem}`);
}
