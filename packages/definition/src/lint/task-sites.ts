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

/** All tasks of a document that the schema has accepted, outer ones before inner ones, in the order of the text. */
export function collectTasks(document: JsonObject): readonly TaskGroup[] {
  const groups: TaskGroup[] = [];
  const use = objectAt(document, "use");
  for (const [name, task] of Object.entries(objectAt(use, "functions"))) {
    collectGroup(groups, "function", joinPointer("/use/functions"), [[name, task, joinPointer("/use/functions", name)]], [], 0);
  }
  const extensions = ownProperty(use, "extensions");
  for (const [index, item] of (Array.isArray(extensions) ? (extensions as readonly Json[]) : []).entries()) {
    const [name, extension] = onlyEntry(item);
    for (const key of ["before", "after"]) collectList(groups, extension, key, joinPointer("/use/extensions", index, name), [], 0);
  }
  collectList(groups, document, "do", "", [], 0);
  return groups;
}

type Entry = readonly [name: string, task: Json, pointer: string];

function collectList(
  groups: TaskGroup[],
  owner: Json,
  key: string,
  ownerPointer: string,
  locals: readonly string[],
  depth: number,
  kind: TaskGroup["kind"] = "sequence",
): void {
  const list = isJsonObject(owner) ? ownProperty(owner, key) : undefined;
  if (!Array.isArray(list)) return;
  const pointer = joinPointer(ownerPointer, key);
  const entries = (list as readonly Json[]).map((item, index): Entry => {
    const [name, task] = onlyEntry(item);
    return [name, task, joinPointer(pointer, index, name)];
  });
  collectGroup(groups, kind, pointer, entries, locals, depth);
}

function collectGroup(
  groups: TaskGroup[],
  kind: TaskGroup["kind"],
  pointer: string,
  entries: readonly Entry[],
  locals: readonly string[],
  depth: number,
): void {
  const sites: TaskSite[] = [];
  const group: TaskGroup = { kind, pointer, sites };
  groups.push(group);
  for (const [position, [name, task, taskPointer]] of entries.entries()) {
    const taskKind = taskKeyOf(task);
    if (!isJsonObject(task) || taskKind === undefined) continue;
    const site: TaskSite = { name, task, kind: taskKind, pointer: taskPointer, locals, group, position, depth: depth + 1 };
    sites.push(site);
    collectInner(groups, site);
  }
}

function collectInner(groups: TaskGroup[], site: TaskSite): void {
  const { task, pointer, locals, depth } = site;
  switch (site.kind) {
    case "do":
      collectList(groups, task, "do", pointer, locals, depth);
      break;
    case "for":
      collectList(groups, task, "do", pointer, [...locals, ...loopVariables(site)], depth);
      break;
    case "fork":
      collectList(groups, objectAt(task, "fork"), "branches", joinPointer(pointer, "fork"), locals, depth, "branches");
      break;
    case "try":
      collectList(groups, task, "try", pointer, locals, depth);
      collectList(groups, objectAt(task, "catch"), "do", joinPointer(pointer, "catch"), [...locals, caughtVariable(site)], depth);
      break;
    case "listen":
      collectList(groups, objectAt(task, "foreach"), "do", joinPointer(pointer, "foreach"), [...locals, ...iteratorVariables(task)], depth);
      break;
    case "call": {
      const subscription = objectAt(objectAt(task, "with"), "subscription");
      if (ownProperty(task, "call") !== "asyncapi") break;
      const iterator = [...locals, ...iteratorVariables(subscription)];
      collectList(
        groups,
        objectAt(subscription, "foreach"),
        "do",
        joinPointer(pointer, "with", "subscription", "foreach"),
        iterator,
        depth,
      );
      break;
    }
    default:
  }
  // The list that finds an effect is ours, not the schema's: it is a list of tasks only when it looks like one.
  const effect = objectAt(objectAt(objectAt(task, "metadata"), "tutti"), "effect");
  if (TaskList.safeParse(ownProperty(effect, "find")).success)
    collectList(groups, effect, "find", joinPointer(pointer, "metadata", "tutti", "effect"), locals, depth);
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
