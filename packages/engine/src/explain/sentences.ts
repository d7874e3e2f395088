import type { EngineContext } from "../context.ts";
import { excerpt } from "../evaluate.ts";
import type { OperatorActed, RunRecord } from "../record.ts";
import type { RunState } from "../state.ts";
import type { ConditionExplanation, Reason } from "./explanation.ts";
import type { Cause, Step, StoryTeller } from "./story.ts";

/** How what happened is said to people. */

/** A replay and what was heard of it. */
export interface Told {
  readonly records: readonly RunRecord[];
  readonly context: EngineContext;
  readonly state: RunState;
  readonly teller: StoryTeller;
}

/** What a step out of a task says of where control went. */
export function stepText(step: Step): string {
  const { from, flow, decision, wasSkipped } = step;
  const after = wasSkipped ? `after ${from.path}, which was skipped` : `after ${from.path}`;
  if (decision !== undefined) {
    if (decision.chosen === undefined) return `The switch ${from.path} took no case; control went on ${flowText(step)}.`;
    const what = decision.condition === undefined ? "its default" : `\`${decision.condition.source}\` held`;
    return `The switch ${from.path} took the case ${decision.chosen} (${what}); control went on ${flowText(step)}.`;
  }
  if (flow === "continue") return `It is the next ${after}.`;
  return `Control left ${from.path} ${flowText(step)}.`;
}

function flowText({ flow, to }: Step): string {
  if (flow === "continue") return "to the next task";
  if (flow === "exit") return "by `then: exit`, out of its list";
  if (flow === "end") return "by `then: end`, to the end of the run";
  return `by a jump to ${to ?? "another task"}`;
}

/** A condition with what it read and gave. */
export function conditionText({ of, source, holds, reads }: ConditionExplanation): string {
  const read = reads.map(({ from, value }) => `${from} was ${excerpt(value)}`).join(", ");
  return `${of} \`${source}\` was ${holds ? "true" : "false"}${read === "" ? "" : `: ${read}`}.`;
}

/** Why something ended before it was done. */
export function cancelReason(cause: Cause | undefined, atMs: number): Reason {
  switch (cause?.kind) {
    case undefined:
      return reason("cancelled", "It was cancelled with what is around it.", { atMs });
    case "operator":
      return reason(
        "cancelled",
        `It was cancelled when ${cause.record.actor} asked for ${cause.record.action.kind}${because(cause.record)}.`,
        { atMs },
      );
    case "error":
      return reason("cancelled", `It was cancelled since ${cause.from.path} failed: ${cause.error.title}.`, { from: cause.from, atMs });
    case "race":
      return reason("cancelled", `It was cancelled since ${cause.from.path} was first.`, { from: cause.from, atMs });
    case "end":
      return reason("cancelled", `It was cancelled since ${cause.from.path} ended the run.`, { from: cause.from, atMs });
  }
}

/** A reason with everything that it may have. */
export function reason(
  kind: Reason["kind"],
  text: string,
  more: {
    readonly from?: { readonly path: string; readonly task: number | undefined } | undefined;
    readonly condition?: ConditionExplanation | undefined;
    readonly atMs?: number | undefined;
  },
): Reason {
  const { from, condition, atMs } = more;
  return { kind, text, because: from === undefined ? undefined : { path: from.path, task: from.task }, condition, atMs };
}

/** The reason that a person gave, to be put behind what was done. */
export function because(record: OperatorActed): string {
  return record.reason === undefined ? "" : `: ${record.reason}`;
}
