import { DEPTH_MAX, isJsonObject } from "@tutti/model";
import { joinPointer } from "../json-pointer.ts";
import { didYouMean } from "../nearest-name.ts";
import { type LintContext, listAt, member, textAt } from "./context.ts";
import type { TaskGroup, TaskSite } from "./task-sites.ts";

const DIRECTIVES: ReadonlySet<string> = new Set(["continue", "exit", "end"]);
/** Tasks that let time pass: a loop with one of them does not spin. */
const WAITING_KINDS: ReadonlySet<string> = new Set(["call", "listen", "run", "wait"]);

/** Tasks of a loop that is checked for one that waits. */
const LOOP_LENGTH_MAX = 100;

/** How control moves: targets of `then`, names, cases, empty lists, loops without end. */
export function checkFlow(context: LintContext): void {
  const order = new Map(context.groups.map((group) => [group, orderOf(group)] as const));
  const waiting = waitingTasks(context);
  const names = new Set(context.sites.map((site) => site.name));
  for (const group of context.groups) checkGroup(context, group);
  for (const site of context.sites) {
    if (site.depth === DEPTH_MAX + 1) {
      context.error("nesting-too-deep", { pointer: site.pointer, message: `Tasks are nested more than ${DEPTH_MAX} deep.` });
    }
    for (const [target, pointer] of targets(site)) {
      const found = order.get(site.group)?.get(target);
      if (checkTarget(context, { site, target, found, pointer, isElsewhere: names.has(target) }) && spins(site, found, waiting))
        reportLoop(context, target, pointer);
    }
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

/** The tasks of a list by name; of two with one name, the first. */
function orderOf(group: TaskGroup): ReadonlyMap<string, TaskSite> {
  return new Map(group.sites.toReversed().map((site) => [site.name, site] as const));
}

interface Jump {
  readonly site: TaskSite;
  readonly target: string;
  /** The task of the same list that the target names. */
  readonly found: TaskSite | undefined;
  readonly pointer: string;
  readonly isElsewhere: boolean;
}

/** Whether a jump goes to a task of its list; reports one that leads nowhere. */
function checkTarget(context: LintContext, { site, target, found, pointer, isElsewhere }: Jump): boolean {
  if (DIRECTIVES.has(target)) return false;
  if (site.group.kind !== "sequence") {
    const what = site.group.kind === "branches" ? "A branch of a fork" : "A function";
    const message = `${what} stands alone: \`then\` may be \`continue\`, \`exit\` or \`end\`, but not \`${target}\`.`;
    context.error("unknown-then-target", { pointer, message });
    return false;
  }
  if (found !== undefined) return true;
  const hint = (): string | undefined =>
    isElsewhere
      ? "`then` reaches tasks of the same list only."
      : didYouMean(target, [...DIRECTIVES, ...site.group.sites.map(({ name }) => name)]);
  context.error("unknown-then-target", { pointer, message: `\`then\` names no task of this list: \`${target}\`.`, hint });
  return false;
}

/** Tasks that wait for time or for another system, themselves or by a task inside of them. */
function waitingTasks(context: LintContext): ReadonlySet<TaskSite> {
  const waiting = new Set<TaskSite>();
  for (const site of context.sites) {
    if (!WAITING_KINDS.has(site.kind)) continue;
    for (let at: TaskSite | undefined = site; at !== undefined && !waiting.has(at); at = at.parent) waiting.add(at);
  }
  return waiting;
}

/** Whether a jump back makes a loop in which nothing waits. Only short loops are looked at: a long one without a call is no accident. */
function spins(site: TaskSite, found: TaskSite | undefined, waiting: ReadonlySet<TaskSite>): boolean {
  if (found === undefined || found.position > site.position || site.position - found.position > LOOP_LENGTH_MAX) return false;
  return !site.group.sites.slice(found.position, site.position + 1).some((candidate) => waiting.has(candidate));
}

function reportLoop(context: LintContext, target: string, pointer: string): void {
  context.warning("busy-loop", {
    pointer,
    message: `This jumps back to \`${target}\`, and nothing in between waits.`,
    hint: "Add a `wait` to the loop, or use `for` with `while`.",
  });
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
