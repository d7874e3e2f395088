import { AppError, type Json } from "@tutti/model";
import type { EngineContext } from "../context.ts";
import { excerpt } from "../evaluate.ts";
import type { AttemptEnded, LookUpEnded, OperatorActed, RunRecord } from "../record.ts";
import { replay } from "../replay.ts";
import { RUN_FRAME, type RunState, type Task } from "../state.ts";
import { summarize } from "../summary.ts";
import type { WaitView } from "../view.ts";
import { taskStatusOf, waitsOf } from "../view-run.ts";
import type { AttemptExplanation, Reason, TaskExplanation } from "./explanation.ts";
import { whyNotReached } from "./not-reached.ts";
import { because, cancelReason, conditionText, reason, stepText, type Told } from "./sentences.ts";
import { type Declined, type Story, StoryTeller } from "./story.ts";

/** What is explained: one activation by its number, or the latest of a path. */
export type ExplainTarget = { readonly task: number } | { readonly path: string };

/** Tasks explained when nobody named one; a run that waits at more places is listed by `show`. */
const WAITS_EXPLAINED_MAX = 20;

/**
 * Says why a task ran, did not run or waits, by replaying the records with an ear to every decision. Pure: what it says was decided then, not
 * guessed now.
 *
 * @throws AppError `task-not-found` when the program has no such path or the run no such activation.
 */
export function explainTask(records: readonly RunRecord[], context: EngineContext, target: ExplainTarget): TaskExplanation {
  const teller = new StoryTeller("task" in target ? target.task : undefined);
  const state = replay(records, context, undefined, teller);
  const told = { records, context, state, teller };
  if ("task" in target) {
    const story = teller.wanted;
    if (story === undefined) throw new AppError("task-not-found", `The run has no activation ${target.task}.`);
    return explain(told, story.node, story);
  }
  const nodes = context.program.nodes.filter((node) => node.path === target.path);
  if (nodes.length === 0) throw new AppError("task-not-found", `The workflow has no task ${target.path}.`);
  const stories = nodes.flatMap((node) => teller.latest.get(node.index) ?? []);
  const latest = stories.toSorted((a, b) => b.task - a.task)[0];
  return explain(told, latest?.node ?? (nodes[0]?.index as number), latest);
}

/** Explains the tasks that the run waits for now, or that failed; none when it is at its end. */
export function explainWaits(records: readonly RunRecord[], context: EngineContext): readonly TaskExplanation[] {
  const teller = new StoryTeller();
  const state = replay(records, context, undefined, teller);
  const told = { records, context, state, teller };
  return waitsOf(state, context)
    .filter((wait) => wait.task !== RUN_FRAME)
    .slice(0, WAITS_EXPLAINED_MAX)
    .flatMap((wait) => {
      const story = teller.live(wait.task);
      return story === undefined ? [] : [explain(told, story.node, story)];
    });
}

function explain(told: Told, nodeIndex: number, story: Story | undefined): TaskExplanation {
  const { context, state, teller, records } = told;
  const node = context.program.nodes[nodeIndex];
  if (node === undefined) throw new AppError("task-not-found", "The run itself is shown by `tutti run show`.");
  const live = story === undefined ? undefined : state.tasks.get(story.task);
  const base = {
    path: node.path,
    kind: node.kind === "call" ? node.function : node.kind,
    activations: teller.activations.get(nodeIndex) ?? 0,
  };
  if (story === undefined)
    return {
      ...base,
      task: undefined,
      status: "not-reached",
      startedAtMs: undefined,
      endedAtMs: undefined,
      reasons: [...whyNotReached(told, nodeIndex), ...runReasons(state, records, undefined)],
      attempts: [],
      error: undefined,
      childRunId: undefined,
      slotKey: undefined,
      wait: undefined,
    };
  const wait = live === undefined ? undefined : waitsOf(state, context).find((one) => one.task === live.id);
  return {
    ...base,
    task: story.task,
    status: live === undefined ? statusOf(story, teller) : taskStatusOf(live.phase),
    startedAtMs: story.startedAtMs,
    endedAtMs: story.end?.atMs,
    reasons: [
      ...whyReached(story),
      ...whatWasAsked(story),
      ...operatorReasons(records, story.task),
      ...whyFailed(story),
      ...howEnded(story),
      ...howUndone(story, teller),
      ...(live === undefined ? [] : [...waitReasons(live, wait), ...runReasons(state, records, live)]),
    ],
    attempts: attemptsOf(records, story.task, live),
    error: live?.error ?? story.failure?.error,
    childRunId: live?.childRunId,
    slotKey: live?.phase === "queued" ? live.slotKey : undefined,
    wait,
  };
}

function statusOf(story: Story, teller: StoryTeller): TaskExplanation["status"] {
  if (teller.undone.has(story.task)) return "compensated";
  // A task whose error was taken leaves with it.
  if (story.end?.how === "cancelled" && story.failure !== undefined) return "failed";
  return story.end?.how ?? "completed";
}

function howUndone(story: Story, teller: StoryTeller): readonly Reason[] {
  const atMs = teller.undone.get(story.task);
  return atMs === undefined ? [] : [reason("decided", "Its scope was backed out: what it did was undone.", { atMs })];
}

/** How control came to the task. */
function whyReached(story: Story): readonly Reason[] {
  const { arrival } = story;
  const reasons: Reason[] = [];
  const { resumed, step, caught } = arrival;
  if (resumed !== undefined)
    reasons.push(reason("operator", `${resumed.actor} resumed the run from here${because(resumed)}.`, { atMs: resumed.at }));
  else if (step !== undefined)
    reasons.push(reason("reached", stepText(step), { from: step.from, condition: step.decision?.condition, atMs: story.startedAtMs }));
  else if (arrival.role === "catch" && caught !== undefined)
    reasons.push(
      reason("caught", `It belongs to the catch that took the error of ${caught.from.path}: ${caught.error.title}.`, {
        from: caught.from,
        atMs: story.startedAtMs,
      }),
    );
  else reasons.push(reason("reached", firstText(story), { condition: arrival.condition, atMs: story.startedAtMs }));
  if (arrival.retry > 0) reasons.push(reason("reached", `Its block is run again: retry ${arrival.retry}.`, {}));
  if (story.visit > 1) reasons.push(reason("reached", `Control came here for the ${ordinal(story.visit)} time, by a jump.`, {}));
  return reasons;
}

/** How control came to the first task of a list. */
function firstText({ arrival }: Story): string {
  switch (arrival.role) {
    case "iteration":
      return `It begins iteration ${(arrival.iteration ?? 0) + 1} of the loop around it.`;
    case "branch":
      return "It is a branch of the fork around it; all branches begin together.";
    case "find":
      return "The effect of an earlier attempt is looked up.";
    case "undo":
      return "Its scope is backed out: what the task around it did is undone.";
    case "before":
    case "after":
      return `The extension ${arrival.extension ?? ""} puts it ${arrival.role} the task it stands at.`;
    case "catch":
    case "body":
      return "It is the first of its list.";
  }
}

function whatWasAsked(story: Story): readonly Reason[] {
  const reasons: Reason[] = [];
  for (const condition of story.conditions.values()) {
    reasons.push(reason("condition", conditionText(condition), { condition }));
  }
  if (story.chosen !== undefined)
    reasons.push(
      reason("decided", story.chosen.name === undefined ? "No case of the switch applied." : `It took the case ${story.chosen.name}.`, {
        condition: story.conditions.get(`case ${story.chosen.name ?? ""}`),
      }),
    );
  return reasons;
}

function whyFailed(story: Story): readonly Reason[] {
  const { failure } = story;
  if (failure === undefined) return [];
  const { error, takenBy, declined, atMs } = failure;
  const reasons = [reason("failed", `It failed: ${error.title}${detailOf(error["detail"])}.`, { atMs })];
  for (const one of declined) reasons.push(declinedReason(one));
  if (takenBy === undefined) {
    if (declined.length === 0) reasons.push(reason("not-caught", "No try around it takes errors.", {}));
    return reasons;
  }
  const how =
    takenBy.how === "retry"
      ? `to run its block again${takenBy.delayMs > 0 ? ` after ${takenBy.delayMs} ms` : ""}`
      : takenBy.how === "handle"
        ? "to go on with its catch"
        : "as a look-up that failed";
  reasons.push(reason("caught", `The try ${takenBy.path} took the error, ${how}.`, { from: takenBy, atMs }));
  return reasons;
}

function declinedReason(declined: Declined): Reason {
  return reason("not-caught", `The try ${declined.path} did not take the error: ${declined.why}.`, { from: declined });
}

function howEnded(story: Story): readonly Reason[] {
  const { end } = story;
  if (end === undefined) return [];
  if (end.how === "completed") return [reason("ended", "It completed.", { atMs: end.atMs })];
  if (end.how === "skipped")
    return [reason("ended", "It was skipped, since its `if` was false.", { atMs: end.atMs, condition: story.conditions.get("if") })];
  if (story.failure?.takenBy !== undefined) return [];
  return [cancelReason(end.cause, end.atMs)];
}

function waitReasons(live: Task, wait: WaitView | undefined): readonly Reason[] {
  if (wait === undefined) return live.frame === undefined ? [] : [reason("waits", "What is inside it is under way.", {})];
  return [reason("waits", `It ${waitText(wait.reason)}.`, { atMs: wait.sinceMs })];
}

/** The waits of views begin with a verb, but for attempts. */
function waitText(text: string): string {
  return text.startsWith("attempt ") ? `waits for its end: ${text}` : text;
}

/** What holds the whole run, besides its tasks. */
function runReasons(state: RunState, records: readonly RunRecord[], live: Task | undefined): readonly Reason[] {
  const last = (kind: OperatorActed["action"]["kind"]): OperatorActed | undefined =>
    records.findLast((record): record is OperatorActed => record.type === "operator" && record.action.kind === kind);
  const { status } = summarize(state);
  if (status === "suspended") {
    const by = last("pause");
    return [reason("at-rest", `The run is suspended${by === undefined ? "" : ` by ${by.actor}${because(by)}`}.`, { atMs: by?.at })];
  }
  if (status === "quarantined") {
    const by = last("quarantine");
    return [reason("at-rest", `The run is quarantined${by === undefined ? "" : because(by)}.`, { atMs: by?.at })];
  }
  if (status === "faulted" && live?.phase !== "failed")
    return [reason("at-rest", `The run is faulted and stands still: ${state.error?.title ?? ""}.`, {})];
  if (status === "cancelled") {
    const by = last("kill") ?? last("cancel");
    return by === undefined
      ? []
      : [reason("at-rest", `The run was ended by ${by.actor} (${by.action.kind})${because(by)}.`, { atMs: by.at })];
  }
  return [];
}

/** What people did to this very task. */
function operatorReasons(records: readonly RunRecord[], task: number): readonly Reason[] {
  return records.flatMap((record) => {
    if (record.type !== "operator" || !("task" in record.action) || record.action.task !== task) return [];
    const { action } = record;
    const verdict =
      action.kind === "settle" ? ` as ${action.verdict.kind === "done" ? "done" : `not done, then ${action.verdict.then}`}` : "";
    return [reason("operator", `${record.actor} asked for ${action.kind}${verdict}${because(record)}.`, { atMs: record.at })];
  });
}

function attemptsOf(records: readonly RunRecord[], task: number, live: Task | undefined): readonly AttemptExplanation[] {
  const attempts: AttemptExplanation[] = [];
  const open = new Map<number, number>();
  for (const record of records) {
    if (!("task" in record) || record.task !== task) continue;
    if (record.type === "attempt-intended") open.set(record.attempt, record.at);
    else if (record.type === "attempt-ended") {
      attempts.push(endedAttempt(record, open.get(record.attempt)));
      open.delete(record.attempt);
    } else if (record.type === "look-up-ended") attempts.push(endedLookUp(record, attempts.at(-1)?.attempt ?? 1));
  }
  const running = live?.phase === "running" ? live.call?.attempt : undefined;
  if (running !== undefined && !open.has(running)) open.set(running, live?.call?.sentByMs ?? 0);
  for (const [attempt, startedAtMs] of open)
    attempts.push({ attempt, kind: "attempt", startedAtMs, endedAtMs: undefined, outcome: "under-way", error: undefined });
  return attempts;
}

function endedAttempt(record: AttemptEnded, startedAtMs: number | undefined): AttemptExplanation {
  const { attempt, at, outcome } = record;
  const error = outcome.kind === "completed" ? undefined : outcome.error;
  return { attempt, kind: "attempt", startedAtMs, endedAtMs: at, outcome: outcome.kind, error };
}

function endedLookUp({ at, outcome }: LookUpEnded, attempt: number): AttemptExplanation {
  const error = outcome.kind === "failed" ? outcome.error : undefined;
  return { attempt, kind: "look-up", startedAtMs: undefined, endedAtMs: at, outcome: outcome.kind, error };
}

function detailOf(detail: Json | undefined): string {
  return typeof detail === "string" ? ` (${excerpt(detail)})` : "";
}

function ordinal(count: number): string {
  const last = count % 10;
  const isTeen = count % 100 > 10 && count % 100 < 14;
  return `${count}${isTeen ? "th" : last === 1 ? "st" : last === 2 ? "nd" : last === 3 ? "rd" : "th"}`;
}
