import { DEPTH_MAX, isJsonObject, type Json, ownProperty } from "@tutti/model";
import { joinPointer } from "../json-pointer.ts";
import { compileSchema } from "../json-schema/compile-schema.ts";
import { Run, UNKNOWN_VALUE } from "../json-schema/evaluation.ts";
import { SchemaError } from "../json-schema/schema-error.ts";
import { didYouMean } from "../nearest-name.ts";
import { BUILT_IN_CALLS } from "../schema/call.ts";
import { isWrappedExpression } from "../schema/text.ts";
import { type LintContext, member, textAt } from "./context.ts";
import type { TaskSite } from "./task-sites.ts";

/** `<resource>.<operation>:<version>@<connector>`. */
const CONNECTOR_FUNCTION = /^[a-z0-9-]+(?:\.[a-z0-9-]+)+:\d+(?:\.\d+){0,2}@[a-z0-9-]+$/;
/** `<name>:<version>@<catalog>`. */
const CATALOG_FUNCTION = /^([^@\s]+):([^@:\s]+)@([^@\s]+)$/;
/** Tasks of a document when the bodies of its functions stand at each of their calls. */
const UNFOLDED_TASKS_MAX = 100_000;

/** Calls of functions: names, catalogs, arguments, and functions that call themselves. */
export function checkFunctions(context: LintContext): void {
  for (const site of context.sites) {
    const name = textAt(site.task, "call");
    if (name !== undefined && !BUILT_IN_CALLS.some((builtIn) => builtIn === name)) checkCall(context, site, name);
  }
  checkUnfolding(context);
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
  if (/^https?:\/\//.test(name)) return;
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

/**
 * Functions are put in at their calls, so one that calls itself would have no end, and a few that call each other twice would be very many
 * tasks. Reported are the call that closes a circle, and the first call with which the document becomes too large or too deep.
 */
function checkUnfolding(context: LintContext): void {
  const bodies = new Map<string, TaskSite[]>();
  const outside: TaskSite[] = [];
  for (const site of context.sites) {
    let top = site;
    while (top.parent !== undefined) top = top.parent;
    const body = top.group.kind === "function" ? (bodies.get(top.name) ?? []) : outside;
    body.push(site);
    if (body !== outside) bodies.set(top.name, body);
  }
  const sizes = new Map<string, { readonly tasks: number; readonly depth: number }>();
  const open = new Set<string>();
  const measure = (name: string): { readonly tasks: number; readonly depth: number } => {
    const known = sizes.get(name);
    if (known !== undefined) return known;
    // A chain of that many functions is too deep however it goes on; without an end here it could exhaust our own stack.
    if (open.size > DEPTH_MAX) return { tasks: 1, depth: DEPTH_MAX + 1 };
    open.add(name);
    const size = measureSites(bodies.get(name) ?? []);
    open.delete(name);
    sizes.set(name, size);
    return size;
  };
  const measureSites = (sites: readonly TaskSite[]): { readonly tasks: number; readonly depth: number } => {
    let tasks = 0;
    let depth = 0;
    for (const site of sites) {
      tasks += 1;
      depth = Math.max(depth, site.depth);
      for (const [called, pointer] of calledFunctions(site)) {
        if (!bodies.has(called)) continue;
        if (open.has(called)) {
          context.error("recursive-function", { pointer, message: `The function \`${called}\` calls itself here.` });
          continue;
        }
        const wasWithin = tasks <= UNFOLDED_TASKS_MAX && depth <= DEPTH_MAX;
        const size = measure(called);
        tasks = Math.min(tasks + size.tasks, UNFOLDED_TASKS_MAX + 1);
        depth = Math.max(depth, site.depth + size.depth);
        if (wasWithin && tasks > UNFOLDED_TASKS_MAX)
          context.error("too-many-tasks", {
            pointer,
            message: `With its functions put in at their calls, the document has more than ${UNFOLDED_TASKS_MAX} tasks.`,
          });
        if (wasWithin && depth > DEPTH_MAX)
          context.error("nesting-too-deep", {
            pointer,
            message: `With its functions put in at their calls, tasks are nested more than ${DEPTH_MAX} deep.`,
          });
      }
    }
    return { tasks, depth };
  };
  for (const name of bodies.keys()) measure(name);
  measureSites(outside);
}

function* calledFunctions(site: TaskSite): Generator<readonly [name: string, pointer: string]> {
  const call = textAt(site.task, "call");
  if (call !== undefined) yield [call, joinPointer(site.pointer, "call")];
  const effect = member(member(member(site.task, "metadata"), "tutti"), "effect");
  const find = textAt(effect, "find");
  if (find !== undefined) yield [find, joinPointer(site.pointer, "metadata", "tutti", "effect", "find")];
}
