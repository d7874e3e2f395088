import { type CallNode, STANDARD_VARIABLES, type Template, templateNeeds } from "@tutti/definition";
import { assert, isJsonObject, type Json, type JsonObject } from "@tutti/model";
import type { Machine } from "./machine.ts";
import type { Task } from "./state.ts";

/** What a call's function is asked with. Secrets are put in when an attempt is sent, and nowhere else. */

const SECRETS_BIT = 1 << STANDARD_VARIABLES.indexOf("secrets");

export function callNode(machine: Machine, task: Task): CallNode {
  const node = machine.node(task);
  assert(node.kind === "call", `task ${task.id} is a call`);
  return node;
}

/** The arguments when none of them needs secrets: rendered while the task's data is as it was; rendering is pure, so later would be the same. */
export function wholeArguments(machine: Machine, task: Task): JsonObject | undefined {
  const template = callNode(machine, task).arguments;
  return needsSecrets(template) ? undefined : asObject(machine.evaluator.template(template, task.input, task));
}

/** The arguments, without the members that need secrets. */
export function argumentsWithoutSecrets(machine: Machine, task: Task, node: CallNode): JsonObject {
  const template = node.arguments;
  if (template.kind !== "object") return {};
  const rendered: Record<string, Json> = {};
  template.keys.forEach((key, index) => {
    const member = template.values[index] as Template;
    if (!needsSecrets(member)) rendered[key] = machine.evaluator.template(member, task.input, task);
  });
  return rendered;
}

function needsSecrets(template: Template): boolean {
  return (templateNeeds(template) & SECRETS_BIT) !== 0;
}

export function asObject(value: Json): JsonObject {
  return isJsonObject(value) ? value : {};
}
