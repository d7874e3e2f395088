import { DEPTH_MAX, isJsonObject } from "@tutti/model";
import { joinPointer } from "../json-pointer.ts";
import { didYouMean } from "../nearest-name.ts";
import { type LintContext, listAt, member, textAt } from "./context.ts";
import type { TaskGroup, TaskSite } from "./task-sites.ts";

const DIRECTIVES: ReadonlySet<string> = new Set(["continue", "exit", "end"]);
/** Tasks that let time pass: a loop with one of them does not spin. */
const WAITING_KINDS: ReadonlySet<string> = new Set(["call", "listen", "run", "wait"]);

/** How control moves: targets of `then`, names, cases, empty lists, loops without end. */
export function checkFlow(context: LintContext): void {
  for (const group of context.groups) checkGroup(context, group);
  for (const site of context.sites) {
    if (site.depth === DEPTH_MAX + 1) {
      context.error("nesting-too-deep", { pointer: site.pointer, message: `Tasks are nested more than ${DEPTH_MAX} deep.` });
    }
    for (const [target, pointer] of targets(site)) checkTarget(context, site, target, pointer);
    if (site.kind === "switch") checkCases(context, site);
  }
}

function checkGroup(context: LintContext, group: TaskGroup): void {
  if (group.sites.length === 0) {
    const message = group.kind === "branches" ? "`fork` has no branches." : "This list has no tasks.";
    context.error(group.kind === "branches" ? "empty-fork" : "empty-do", { pointer: group.pointer, message });
  }
  const seen = new Set<string>();
  for (const site of group.sites) {
    if (seen.has(site.name)) {
      const hint = "Names are how tasks are found again after a restart, so each must be unique in its list.";
      context.error("duplicate-task", {
        pointer: site.pointer,
        place: "key",
        message: `There is another task \`${site.name}\` in this list.`,
        hint,
      });
    }
    if (DIRECTIVES.has(site.name)) {
      context.error("reserved-task-name", {
        pointer: site.pointer,
        place: "key",
        message: `A task cannot be named \`${site.name}\`: \`then: ${site.name}\` is a directive.`,
      });
    }
    seen.add(site.name);
  }
}

/** The flow directives of a task, with their places. */
function* targets(site: TaskSite): Generator<readonly [target: string, pointer: string]> {
  const then = textAt(site.task, "then");
  if (then !== undefined) yield [then, joinPointer(site.pointer, "then")];
  const caught = textAt(member(site.task, "catch"), "then");
  if (caught !== undefined) yield [caught, joinPointer(site.pointer, "catch", "then")];
  for (const [index, item] of listAt(site.task, "switch").entries()) {
    if (!isJsonObject(item)) continue;
    for (const name of Object.keys(item)) {
      const target = textAt(member(item, name), "then");
      if (target !== undefined) yield [target, joinPointer(site.pointer, "switch", index, name, "then")];
    }
  }
}

function checkTarget(context: LintContext, site: TaskSite, target: string, pointer: string): void {
  if (DIRECTIVES.has(target)) return;
  if (site.group.kind !== "sequence") {
    const what = site.group.kind === "branches" ? "A branch of a fork" : "A function";
    context.error("unknown-then-target", {
      pointer,
      message: `${what} stands alone: \`then\` may be \`continue\`, \`exit\` or \`end\`, but not \`${target}\`.`,
    });
    return;
  }
  const { sites } = site.group;
  const found = sites.find((candidate) => candidate.name === target);
  if (found === undefined) {
    const elsewhere = context.sites.some((candidate) => candidate.name === target);
    const hint = elsewhere
      ? "`then` reaches tasks of the same list only."
      : didYouMean(target, [...sites.map(({ name }) => name), ...DIRECTIVES]);
    context.error("unknown-then-target", { pointer, message: `\`then\` names no task of this list: \`${target}\`.`, hint });
    return;
  }
  if (found.position > site.position) return;
  const loop = sites.filter(({ position }) => position >= found.position && position <= site.position);
  if (loop.some((candidate) => waits(context, candidate))) return;
  context.warning("busy-loop", {
    pointer,
    message: `This jumps back to \`${target}\`, and nothing in between waits.`,
    hint: "Add a `wait` to the loop, or use `for` with `while`.",
  });
}

/** Whether a task, or one inside of it, waits for time or for another system. */
function waits(context: LintContext, site: TaskSite): boolean {
  const inner = `${site.pointer}/`;
  return (
    WAITING_KINDS.has(site.kind) ||
    context.sites.some((candidate) => candidate.pointer.startsWith(inner) && WAITING_KINDS.has(candidate.kind))
  );
}

function checkCases(context: LintContext, site: TaskSite): void {
  const names = new Set<string>();
  let hasDefault = false;
  for (const [index, item] of listAt(site.task, "switch").entries()) {
    if (!isJsonObject(item)) continue;
    const name = Object.keys(item)[0] ?? "";
    const pointer = joinPointer(site.pointer, "switch", index, name);
    if (names.has(name))
      context.error("duplicate-case", { pointer, place: "key", message: `There is another case \`${name}\` in this switch.` });
    names.add(name);
    if (textAt(member(item, name), "when") !== undefined) continue;
    if (hasDefault) {
      context.error("two-default-cases", {
        pointer,
        place: "key",
        message: "This switch has another case without `when`: only one can be the default.",
      });
    }
    hasDefault = true;
  }
}
