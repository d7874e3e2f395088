import { isJsonObject, type Json, type JsonObject, ownProperty } from "@tutti/model";
import { joinPointer } from "../json-pointer.ts";
import { type TaskKey, taskKeyOf, TaskList } from "../schema/task.ts";

/** A task of the document with where it stands. */
export interface TaskSite {
  readonly name: string;
  readonly task: JsonObject;
  readonly kind: TaskKey;
  readonly pointer: string;
  /** Local variables in scope: of loops, catches and iterators around it. */
  readonly locals: readonly string[];
  /** The list that it is an item of; a function of `use.functions` is alone in its own. */
  readonly group: TaskGroup;
  /** The task that contains its list, undefined at the top and in functions. */
  readonly parent: TaskSite | undefined;
  readonly position: number;
  /** 1 for a task of the document's own list. */
  readonly depth: number;
}

/**
 * Tasks that stand together. In a `sequence` they run in order and `then` may name any of them; `branches` of a fork and the single task of
 * a `function` stand alone.
 */
export interface TaskGroup {
  readonly kind: "sequence" | "branches" | "function";
  readonly pointer: string;
  readonly sites: readonly TaskSite[];
}

/** All tasks of a document that the schema has accepted; a list comes before the lists inside of it. */
export function collectTasks(document: JsonObject): readonly TaskGroup[] {
  const groups: TaskGroup[] = [];
  const use = objectAt(document, "use");
  const outside: Surroundings = { groups, parent: undefined, locals: [] };
  for (const [name, task] of Object.entries(objectAt(use, "functions"))) {
    collectGroup(outside, "function", "/use/functions", [[name, task, joinPointer("/use/functions", name)]]);
  }
  const extensions = ownProperty(use, "extensions");
  for (const [index, item] of (Array.isArray(extensions) ? (extensions as readonly Json[]) : []).entries()) {
    const [name, extension] = onlyEntry(item);
    const pointer = joinPointer("/use/extensions", index, name);
    for (const key of ["before", "after"])
      collectList(outside, isJsonObject(extension) ? ownProperty(extension, key) : undefined, joinPointer(pointer, key));
  }
  collectList(outside, ownProperty(document, "do"), "/do");
  return groups;
}

/** What a list of tasks has around it. */
interface Surroundings {
  readonly groups: TaskGroup[];
  readonly parent: TaskSite | undefined;
  readonly locals: readonly string[];
}
type Entry = readonly [name: string, task: Json, pointer: string];

function collectList(around: Surroundings, list: Json | undefined, pointer: string, kind: TaskGroup["kind"] = "sequence"): void {
  if (!Array.isArray(list)) return;
  const entries = (list as readonly Json[]).map((item, index): Entry => {
    const [name, task] = onlyEntry(item);
    return [name, task, joinPointer(pointer, index, name)];
  });
  collectGroup(around, kind, pointer, entries);
}

function collectGroup(around: Surroundings, kind: TaskGroup["kind"], pointer: string, entries: readonly Entry[]): void {
  const sites: TaskSite[] = [];
  const group: TaskGroup = { kind, pointer, sites };
  around.groups.push(group);
  const { parent, locals } = around;
  for (const [position, [name, task, taskPointer]] of entries.entries()) {
    const taskKind = taskKeyOf(task);
    if (!isJsonObject(task) || taskKind === undefined) continue;
    const site: TaskSite = {
      name,
      task,
      kind: taskKind,
      pointer: taskPointer,
      locals,
      group,
      parent,
      position,
      depth: (parent?.depth ?? 0) + 1,
    };
    sites.push(site);
    collectInner(around.groups, site);
  }
}

function collectInner(groups: TaskGroup[], site: TaskSite): void {
  const { task, pointer } = site;
  const collect = (owner: JsonObject, key: string, at: string, more: readonly string[] = [], kind: TaskGroup["kind"] = "sequence"): void =>
    collectList({ groups, parent: site, locals: [...site.locals, ...more] }, ownProperty(owner, key), joinPointer(at, key), kind);
  switch (site.kind) {
    case "do":
      collect(task, "do", pointer);
      break;
    case "for":
      collect(task, "do", pointer, loopVariables(site));
      break;
    case "fork":
      collect(objectAt(task, "fork"), "branches", joinPointer(pointer, "fork"), [], "branches");
      break;
    case "try":
      collect(task, "try", pointer);
      collect(objectAt(task, "catch"), "do", joinPointer(pointer, "catch"), [caughtVariable(site)]);
      break;
    case "listen":
      collect(objectAt(task, "foreach"), "do", joinPointer(pointer, "foreach"), iteratorVariables(task));
      break;
    case "call": {
      if (ownProperty(task, "call") !== "asyncapi") break;
      const subscription = objectAt(objectAt(task, "with"), "subscription");
      const at = joinPointer(pointer, "with", "subscription", "foreach");
      collect(objectAt(subscription, "foreach"), "do", at, iteratorVariables(subscription));
      break;
    }
    default:
  }
  // The lists that find and undo an effect are ours, not the schema's: they are lists of tasks only when they look like one.
  const operations = objectAt(objectAt(task, "metadata"), "tutti");
  const at = joinPointer(pointer, "metadata", "tutti");
  const effect = objectAt(operations, "effect");
  if (TaskList.safeParse(ownProperty(effect, "find")).success) collect(effect, "find", joinPointer(at, "effect"));
  const undo = ownProperty(operations, "compensate");
  // An empty one switches an undo off.
  if (TaskList.safeParse(undo).success && Array.isArray(undo) && undo.length > 0) collect(operations, "compensate", at);
}

/** The variables of a loop's body. */
export function loopVariables(site: TaskSite): readonly string[] {
  const loop = objectAt(site.task, "for");
  return [nameAt(loop, "each", "item"), nameAt(loop, "at", "index")];
}

/** The variable that holds the error in a `catch`. */
export function caughtVariable(site: TaskSite): string {
  return nameAt(objectAt(site.task, "catch"), "as", "error");
}

/** What is done with each event of a listen task, or each message of a subscription, and where it stands below the task. */
export function iteratorOf(task: JsonObject): { readonly clause: JsonObject; readonly at: readonly string[] } {
  if (ownProperty(task, "call") !== "asyncapi") return { clause: objectAt(task, "foreach"), at: ["foreach"] };
  const subscription = objectAt(objectAt(task, "with"), "subscription");
  return { clause: objectAt(subscription, "foreach"), at: ["with", "subscription", "foreach"] };
}

/** The variables of the `foreach` of `owner`: a listen task, or a subscription. */
export function iteratorVariables(owner: JsonObject): readonly string[] {
  const iterator = objectAt(owner, "foreach");
  return [nameAt(iterator, "item", "item"), nameAt(iterator, "at", "index")];
}

function nameAt(object: JsonObject, key: string, fallback: string): string {
  const value = ownProperty(object, key);
  return typeof value === "string" ? value : fallback;
}

function objectAt(object: JsonObject, key: string): JsonObject {
  const value = ownProperty(object, key);
  return isJsonObject(value) ? value : {};
}

/** Name and value of a named item; the schema has made sure that it has one. */
function onlyEntry(item: Json): readonly [string, Json] {
  return isJsonObject(item) ? (Object.entries(item)[0] ?? ["", null]) : ["", null];
}
