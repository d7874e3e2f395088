import type { TaskNode } from "@tutti/definition";
import { liveChildren, type Task } from "../state.ts";
import type { WaitView } from "../view.ts";
import { waitsOf } from "../view-run.ts";
import type { Reason } from "./explanation.ts";
import { cancelReason, conditionText, reason, stepText, type Told } from "./sentences.ts";
import { outlineOf, type Standing } from "./outline.ts";
import { type Step, type Story, targetOf } from "./story.ts";

/** Places named at which control is instead; of a wide fork the first ones tell enough. */
const LEAVES_MAX = 5;

/**
 * Why control never came to a task: looks for the innermost task around it to which control did come, and says what became of the way from
 * there.
 */
export function whyNotReached(told: Told, node: number): readonly Reason[] {
  const { context, teller } = told;
  const outline = outlineOf(context.program);
  let inner = node;
  for (;;) {
    const standing = outline[inner];
    if (standing === undefined) return [reason("not-yet", "Control did not come to it.", {})];
    const around = teller.latest.get(standing.parent);
    if (around !== undefined || standing.parent < 0) {
      const outer = inner === node ? [] : [inside(context.program.nodes[inner])];
      return [...outer, ...fromHere(told, standing, around)];
    }
    inner = standing.parent;
  }
}

function inside(node: TaskNode | undefined): Reason {
  return reason("not-yet", `It stands inside ${node?.path ?? "/"}, to which control did not come.`, {
    from: { path: node?.path ?? "/", task: undefined },
  });
}

/** `around` was reached, what stands at `standing` in it was not. */
function fromHere(told: Told, standing: Standing, around: Story | undefined): readonly Reason[] {
  const { state, context } = told;
  const node = context.program.nodes[standing.parent];
  const path = node?.path ?? "/";
  const live = around === undefined ? undefined : state.tasks.get(around.task);
  const place = { path, task: around?.task };
  if (live === undefined && around?.end !== undefined) {
    const over = [...whyOver(told, around, standing, node), ...passedBy(around, standing)];
    // Such as tasks of an extension that stood in for it.
    return over.length > 0 ? over : [reason("passed-by", `${path} was done without it.`, { from: place, atMs: around.end.atMs })];
  }
  const now = live === undefined ? [] : whereControlIs(told, live);
  const aside = around === undefined ? [] : roleReasons(told, around, standing);
  const jump = around === undefined ? [] : passedBy(around, standing);
  const reasons = [...jump, ...aside, ...now];
  if (reasons.length > 0) return reasons;
  const { endedBy } = told.teller;
  if (state.phase === "completed" && endedBy !== undefined)
    return [reason("passed-by", `${endedBy.path} ended the run before control came to it (\`then: end\`).`, { from: endedBy })];
  return [reason("not-yet", `Control is in ${path} and has not come to it.`, { from: place })];
}

/** The task around it is over. */
function whyOver(told: Told, around: Story, standing: Standing, node: TaskNode | undefined): readonly Reason[] {
  const path = node?.path ?? "/";
  const place = { path, task: around.task };
  const { end } = around;
  if (end?.how === "skipped") {
    const condition = around.conditions.get("if");
    const text = condition === undefined ? `${path} was skipped.` : `${path} was skipped: ${conditionText(condition)}`;
    return [reason("passed-by", text, { from: place, condition, atMs: end.atMs })];
  }
  if (around.failure !== undefined && end?.how === "cancelled")
    return [
      reason("cancelled", `${path} failed before control came to it: ${around.failure.error.title}.`, { from: place, atMs: end.atMs }),
    ];
  if (end?.how === "cancelled") {
    const why = cancelReason(end.cause, end.atMs);
    return [{ ...why, text: `${path} ended before control came to it. ${why.text.replace("It was", "That was")}` }];
  }
  const aside = roleReasons(told, around, standing);
  if (aside.length > 0) return aside;
  if (standing.role === "iteration" && around.steps.size === 0) {
    const condition = around.conditions.get("while");
    const text =
      node?.kind === "listen"
        ? `${path} had no event to go through.`
        : node?.kind === "call"
          ? `${path} had no message to go through.`
          : condition?.holds === false
            ? `The loop ${path} ended before its first iteration: ${conditionText(condition)}`
            : `The loop ${path} had no items.`;
    return [reason("passed-by", text, { from: place, condition: condition?.holds === false ? condition : undefined, atMs: end?.atMs })];
  }
  return [];
}

/** Lists that are entered for a reason of their own. */
function roleReasons({ context, teller }: Told, around: Story, standing: Standing): readonly Reason[] {
  const node = context.program.nodes[standing.parent];
  const path = node?.path ?? "/";
  const place = { path, task: around.task };
  const extension = standing.extension ?? "";
  const condition = around.conditions.get(`extension ${extension}`);
  switch (standing.role) {
    case "catch":
      if (around.caught === undefined) return [reason("passed-by", `The catch of ${path} had no error to take.`, { from: place })];
      return around.caught.how === "handle"
        ? []
        : [
            reason("passed-by", `The catch of ${path} took an error of ${around.caught.from.path} to run its block again.`, {
              from: around.caught.from,
            }),
          ];
    case "find":
      return [reason("passed-by", `No attempt of ${path} needed to be looked up.`, { from: place })];
    case "undo":
      return [
        around.end?.how === "completed"
          ? reason("passed-by", `What ${path} did was not undone.`, { from: place })
          : reason("passed-by", `${path} has done nothing that could be undone.`, { from: place }),
      ];
    case "before":
    case "after":
      if (condition?.holds === false)
        return [
          reason("passed-by", `The extension ${extension} did not apply to ${path}: ${conditionText(condition)}`, {
            from: place,
            condition,
          }),
        ];
      if (standing.role === "before") return [];
      if (around.end === undefined) return [reason("not-yet", `The extension ${extension} follows when ${path} is done.`, { from: place })];
      return node?.extensions.find(({ name }) => name === extension)?.after.some((one) => teller.latest.has(one)) === true
        ? []
        : [
            reason("passed-by", `What the extension ${extension} put before ${path} stood in for it, so nothing follows it.`, {
              from: place,
            }),
          ];
    default:
      return [];
  }
}

/** The step by which control went past the place, the latest first. */
function passedBy(around: Story, standing: Standing): readonly Reason[] {
  const steps = [...around.steps.values()].filter((step) => goesPast(step, standing.position)).toSorted((a, b) => b.order - a.order);
  const [step] = steps;
  if (step === undefined) return [];
  return [reason("passed-by", `Control went past it. ${stepText(step)}`, { from: step.from, condition: step.decision?.condition })];
}

/** Whether the step led from before the place to behind it, or out of the list. */
function goesPast(step: Step, position: number): boolean {
  if (step.position >= position) return false;
  const target = targetOf(step);
  return target === undefined || target > position;
}

/** Which tasks the run has come to instead, and what they wait for. */
function whereControlIs(told: Told, live: Task): readonly Reason[] {
  const { state, context } = told;
  const waits = waitsOf(state, context);
  const own = waits.find((wait) => wait.task === live.id);
  const path = context.program.nodes[live.node]?.path ?? "/";
  if (own !== undefined) return [reason("not-yet", `${path} itself ${own.reason}.`, { from: { path, task: live.id }, atMs: own.sinceMs })];
  return leavesOf(told, live).map((leaf) => {
    const at = context.program.nodes[leaf.node]?.path ?? "/";
    const wait = waits.find((one) => one.task === leaf.id);
    return reason("not-yet", `Control has come to ${at}, which ${leafText(leaf, wait)}.`, {
      from: { path: at, task: leaf.id },
      atMs: leaf.phaseAtMs,
    });
  });
}

function leafText(leaf: Task, wait: WaitView | undefined): string {
  if (leaf.phase === "failed") return `failed: ${leaf.error?.title ?? ""}`;
  if (wait === undefined) return "is under way";
  return wait.reason.startsWith("attempt ") ? `is under way: ${wait.reason}` : wait.reason;
}

/** The innermost live tasks inside `task`, the first ones when there are many. */
function leavesOf({ state }: Told, task: Task): readonly Task[] {
  const leaves: Task[] = [];
  const open = [...liveChildren(task)];
  while (open.length > 0 && leaves.length < LEAVES_MAX) {
    const inner = state.tasks.get(open.shift() ?? 0);
    if (inner === undefined) continue;
    const children = inner.phase === "active" ? liveChildren(inner) : [];
    if (children.length === 0) leaves.push(inner);
    else open.unshift(...children);
  }
  return leaves;
}
