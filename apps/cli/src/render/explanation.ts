import type { ExplainedTask, RunExplanation } from "../run-status.ts";
import { formatNear, localizeMoments } from "./duration.ts";
import type { NextStep } from "./next-steps.ts";
import { renderSteps } from "./run-detail.ts";
import type { Style } from "./style.ts";
import { oneLine, plural } from "./text.ts";

export interface ExplanationOptions {
  readonly style: Style;
  readonly columns: number;
  readonly nowMs: number;
}

/** The explanation of one task: head, why in order, attempts, what it waits for outside of its run, and what to do next. */
export function renderExplanation(task: ExplainedTask, steps: readonly NextStep[], options: ExplanationOptions): string {
  const { style } = options;
  const number = task.task === undefined ? "" : style.dim(`  #${task.task}`);
  const times = task.activations > 1 ? style.dim(`  came here ${task.activations} times`) : "";
  const lines = [`${style.bold(oneLine(task.path))}  ${oneLine(task.kind)}  ${task.status}${number}${times}`];
  for (const { text, atMs } of task.reasons) {
    const at = atMs === undefined ? "" : style.dim(`  (${formatNear(atMs, options.nowMs)})`);
    lines.push(`  ${localizeMoments(oneLine(text), options.nowMs)}${at}`);
  }
  lines.push(...attemptLines(task, options), ...slotLines(task), ...childLines(task), ...eventLines(task, options));
  if (steps.length > 0) lines.push(style.bold("You can"), ...renderSteps(steps, options));
  return `${lines.join("\n")}\n`;
}

/** What is said of a run at which no task waits. */
export function renderNoWait(run: RunExplanation): string {
  const why = run.reason === undefined ? "" : `: ${oneLine(run.reason)}`;
  const isFinal = run.status === "completed" || run.status === "cancelled";
  return isFinal ? `The run is ${run.status} and waits for nothing.\n` : `The run is ${run.status}${why}.\n`;
}

function attemptLines(task: ExplainedTask, { style, nowMs }: ExplanationOptions): readonly string[] {
  return task.attempts.map(({ attempt, kind, outcome, error, startedAtMs, endedAtMs }) => {
    const at = endedAtMs ?? startedAtMs;
    const when = at === undefined ? "" : style.dim(`  (${formatNear(at, nowMs)})`);
    const what = kind === "look-up" ? "look-up of attempt" : "attempt";
    return `  ${what} ${attempt}: ${outcome}${error === undefined ? "" : `, ${oneLine(error.title)}`}${when}`;
  });
}

function slotLines({ slot }: ExplainedTask): readonly string[] {
  if (slot === undefined) return [];
  const holders = slot.holders.map((holder) => `${holder.runId} (task ${holder.task})`).join(", ");
  const place = slot.place === undefined ? "" : `; place ${slot.place} of ${slot.queued} in the queue`;
  return [`  slot ${oneLine(slot.key)} (limit ${slot.limit}): held by ${holders === "" ? "nobody now" : holders}${place}`];
}

function childLines({ child }: ExplainedTask): readonly string[] {
  if (child === undefined) return [];
  return [`  run ${child.runId}: ${child.status ?? "not started yet"}${child.reason === undefined ? "" : `, ${oneLine(child.reason)}`}`];
}

function eventLines({ events, wait }: ExplainedTask, { nowMs, style }: ExplanationOptions): readonly string[] {
  if (wait?.kind !== "event") return [];
  const untaken = events.filter((event) => !event.isTaken);
  if (untaken.length === 0) return ["  no event has come since the run began that it could have taken"];
  return [
    `  ${plural(untaken.length, "event")} came and did not match:`,
    ...untaken.map(
      (event) =>
        `    ${oneLine(event.type)} from ${oneLine(event.source)}, id ${oneLine(event.id)}${style.dim(`  (${formatNear(event.acceptedAtMs, nowMs)})`)}: ${oneLine(event.why.join("; "))}`,
    ),
  ];
}
