import { type JsonObject, ownProperty } from "@tutti/model";
import { joinPointer } from "../json-pointer.ts";
import { type LintContext, member, textAt } from "./context.ts";
import type { TaskSite } from "./task-sites.ts";

/** The function of the default catalog that asks a person, in any version. */
const APPROVAL = /^approval:/;
/** Methods that change nothing, so that there is nothing to undo. */
const READING_METHODS: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS"]);
/** Calls of the language that may change another system, whatever they are told. */
const CHANGING_CALLS: ReadonlySet<string> = new Set(["openapi", "grpc", "asyncapi", "a2a", "mcp"]);
const PROCESSES: readonly string[] = ["shell", "script", "container"];

/**
 * Scopes that promise to undo what they did (`metadata.tutti.saga`): a task in them whose effect nothing can undo is reported unless a
 * person has approved before it, in the order of the document.
 */
export function checkSagas(context: LintContext): void {
  const isWhole = isSaga(member(context.document, "document"));
  const undoing = (pointer: string): boolean => /\/metadata\/tutti\/(?:compensate|effect\/find)\//.test(pointer);
  for (const site of context.sites) {
    if (undoing(site.pointer) || isInFunction(site)) continue;
    if (!isWhole && !ancestors(site).some(({ task }) => isSaga(task))) continue;
    const key = irreversibleKey(context, site.task, new Set());
    if (key === undefined || isApprovedBefore(site)) continue;
    context.warning("saga-without-approval", {
      pointer: joinPointer(site.pointer, key),
      place: "key",
      message: "This stands in a saga, and nothing can undo it: it has no `metadata.tutti.compensate`, and nobody approves it before.",
      hint: "Say how to undo it with `compensate`, or put a task that calls `approval:1` before it.",
    });
  }
}

function isSaga(owner: JsonObject): boolean {
  return Object.hasOwn(member(member(owner, "metadata"), "tutti"), "saga");
}

function isInFunction(site: TaskSite): boolean {
  let top = site;
  while (top.parent !== undefined) top = top.parent;
  return top.group.kind === "function";
}

/** The tasks around, from the nearest on. */
function ancestors(site: TaskSite): readonly TaskSite[] {
  const around: TaskSite[] = [];
  for (let outer = site.parent; outer !== undefined; outer = outer.parent) around.push(outer);
  return around;
}

/** The key under which the task says what it does, when that cannot be undone. */
function irreversibleKey(context: LintContext, task: JsonObject, open: Set<string>): "call" | "run" | undefined {
  const operations = member(member(task, "metadata"), "tutti");
  if (Object.hasOwn(operations, "compensate")) return undefined;
  if (textAt(member(operations, "effect"), "class") === "read") return undefined;
  if (PROCESSES.some((process) => Object.hasOwn(member(task, "run"), process))) return "run";
  const name = textAt(task, "call");
  if (name === undefined) return undefined;
  if (name === "http") return READING_METHODS.has((textAt(member(task, "with"), "method") ?? "").toUpperCase()) ? undefined : "call";
  if (CHANGING_CALLS.has(name)) return "call";
  const body = ownProperty(member(context.use, "functions"), name);
  if (body === undefined) return context.options.functions?.get(name)?.irreversible === true ? "call" : undefined;
  // A function that calls itself is reported elsewhere.
  if (open.has(name)) return undefined;
  open.add(name);
  return irreversibleKey(context, member(member(context.use, "functions"), name), open) === undefined ? undefined : "call";
}

/** Whether an approval stands before the task: in its list or a list around it, at any depth of an earlier task. */
function isApprovedBefore(site: TaskSite): boolean {
  return [site, ...ancestors(site)].some(
    ({ group, position }) => group.kind === "sequence" && group.sites.some((earlier) => earlier.position < position && asks(earlier.task)),
  );
}

function asks(task: JsonObject): boolean {
  const call = textAt(task, "call");
  if (call !== undefined) return APPROVAL.test(call);
  const lists = [ownProperty(task, "do"), ownProperty(task, "try"), ownProperty(member(task, "fork"), "branches")];
  return lists.some(
    (list) => Array.isArray(list) && list.some((item) => Object.values(item as JsonObject).some((inner) => asks(inner as JsonObject))),
  );
}
