import { isJsonObject, type Json, ownProperty } from "@tutti/model";
import { isLocatedFunction } from "../external/external-reference.ts";
import { joinPointer } from "../json-pointer.ts";
import { compileSchema } from "../json-schema/compile-schema.ts";
import { Run, UNKNOWN_VALUE } from "../json-schema/evaluation.ts";
import { SchemaError } from "../json-schema/schema-error.ts";
import { didYouMean } from "../nearest-name.ts";
import { BUILT_IN_CALLS } from "../schema/call.ts";
import { isWrappedExpression } from "../schema/text.ts";
import { type LintContext, member, textAt } from "./context.ts";
import type { TaskSite } from "./task-sites.ts";
import { checkUnfolding } from "./unfolding-rules.ts";

/** `<resource>.<operation>:<version>@<connector>`. */
const CONNECTOR_FUNCTION = /^[a-z0-9-]+(?:\.[a-z0-9-]+)+:\d+(?:\.\d+){0,2}@[a-z0-9-]+$/;
/** `<name>:<version>@<catalog>`. */
const CATALOG_FUNCTION = /^([^@\s]+):([^@:\s]+)@([^@\s]+)$/;

/** Calls of functions: names, catalogs, arguments, and functions that call themselves. */
export function checkFunctions(context: LintContext): void {
  for (const site of context.sites) {
    const name = textAt(site.task, "call");
    if (name !== undefined && !BUILT_IN_CALLS.some((builtIn) => builtIn === name)) checkCall(context, site, name);
  }
  checkUnfolding(context, calledFunctions);
}

function checkCall(context: LintContext, site: TaskSite, name: string): void {
  const pointer = joinPointer(site.pointer, "call");
  const functions = member(context.use, "functions");
  if (Object.hasOwn(functions, name)) {
    const body = functions[name];
    const input = isJsonObject(body) ? member(member(body, "input"), "schema") : {};
    return checkArguments(context, site, ownProperty(input, "document"));
  }
  const known = context.options.functions;
  const found = known?.get(name);
  if (found !== undefined) return checkArguments(context, site, found.inputSchema);
  if (isLocatedFunction(name)) return;
  const catalog = CATALOG_FUNCTION.exec(name)?.[3];
  const isConnector = CONNECTOR_FUNCTION.test(name);
  if (catalog !== undefined && Object.hasOwn(member(context.use, "catalogs"), catalog)) return;
  if (isConnector && known === undefined) return;
  if (catalog !== undefined && !isConnector) {
    // The specification's own catalog needs no declaration.
    if (catalog === "default" && known === undefined) return;
    const hint = (): string | undefined => didYouMean(catalog, Object.keys(member(context.use, "catalogs")));
    return context.error("unknown-catalog", { pointer, message: `There is no catalog \`${catalog}\` in \`use.catalogs\`.`, hint });
  }
  const candidates = (): string[] => [...Object.keys(functions), ...BUILT_IN_CALLS, ...(known?.keys() ?? [])];
  context.error("unknown-function", {
    pointer,
    message: `There is no function \`${name}\`.`,
    hint: () => didYouMean(name, candidates()) ?? "Define it in `use.functions`, or name a connector's: `vm.create:1@libvirt`.",
  });
}

/** Arguments against the function's schema. What expressions will give is unknown, and fits everything. */
function checkArguments(context: LintContext, site: TaskSite, schema: Json | undefined): void {
  if (schema === undefined) return;
  const pointer = joinPointer(site.pointer, "with");
  const run = new Run();
  try {
    const isValid = compileSchema(schema)(withoutExpressions(ownProperty(site.task, "with") ?? {}), undefined, run, undefined);
    if (isValid || run.exhausted !== undefined) return;
  } catch (error) {
    // A schema of the document that cannot be used is reported where it stands.
    if (error instanceof SchemaError) return;
    throw error;
  }
  const missingWith = Object.hasOwn(site.task, "with") ? pointer : joinPointer(site.pointer, "call");
  for (const { place, message } of run.problems()) {
    context.error("function-arguments", {
      pointer: place === "" ? missingWith : pointer + place,
      place: "key",
      message: `${place === "" ? "`with`" : `\`with${place}\``} ${message}.`,
    });
  }
}

function withoutExpressions(value: Json): Json {
  if (isWrappedExpression(value)) return UNKNOWN_VALUE;
  if (Array.isArray(value)) return (value as readonly Json[]).map(withoutExpressions);
  if (!isJsonObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, withoutExpressions(item)]));
}

function* calledFunctions(site: TaskSite): Generator<readonly [name: string, pointer: string]> {
  const call = textAt(site.task, "call");
  if (call !== undefined) yield [call, joinPointer(site.pointer, "call")];
  const effect = member(member(member(site.task, "metadata"), "tutti"), "effect");
  const find = textAt(effect, "find");
  if (find !== undefined) yield [find, joinPointer(site.pointer, "metadata", "tutti", "effect", "find")];
}
