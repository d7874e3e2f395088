import type { RunView } from "../run-status.ts";
import { formatElapsed, formatNear, formatTime } from "./duration.ts";
import type { NextStep } from "./next-steps.ts";
import { describeError, describeWait, renderRunHead, renderTree, type TreeOptions } from "./run-tree.ts";
import { oneLine, padEnd, textWidth, truncate, visible } from "./text.ts";

/** Of a value more than this is for `--json`. */
const VALUE_LINES_MAX = 40;

/** Everything `run show` tells a person: head, tree, what it waits for, doubts, error, output, and what to do next. */
export function renderRunDetail(view: RunView, options: TreeOptions, steps: readonly NextStep[]): string {
  return join([
    [renderRunHead(view, options), ...headLines(view, options)],
    renderTree(view, options),
    ...outcomeSections(view, options, steps),
  ]);
}

/** What is to be said when a run rests or parks, under the tree that is there already. Empty when there is nothing. */
export function renderOutcome(view: RunView, options: TreeOptions, steps: readonly NextStep[]): string {
  return join(outcomeSections(view, options, steps));
}

function outcomeSections(view: RunView, options: TreeOptions, steps: readonly NextStep[]): readonly (readonly string[])[] {
  const { style } = options;
  return [
    titled(style.bold("Waiting"), waitLines(view, options)),
    titled(style.bold("In doubt"), doubtLines(view, options)),
    titled(style.bold("Error"), errorLines(view, options)),
    titled(style.bold("Output"), view.status === "completed" ? valueLines(view.output) : []),
    titled(style.bold("You can"), renderSteps(steps, options)),
  ];
}

function join(sections: readonly (readonly string[])[]): string {
  const full = sections.filter((section) => section.length > 0).map((section) => section.join("\n"));
  return full.length === 0 ? "" : `${full.join("\n\n")}\n`;
}

/** Commands with their reasons beside them; under each other where the terminal is narrow. */
export function renderSteps(steps: readonly NextStep[], options: Pick<TreeOptions, "style" | "columns">): readonly string[] {
  const widest = Math.max(0, ...steps.map((step) => textWidth(step.command)));
  const fits = steps.every((step) => widest + 4 + textWidth(step.why) <= options.columns);
  // A command is never cut: it is there to be copied.
  return steps.flatMap((step) =>
    fits
      ? [`  ${padEnd(step.command, widest)}  ${options.style.dim(step.why)}`]
      : [`  ${step.command}`, `      ${options.style.dim(step.why)}`],
  );
}

function headLines(view: RunView, options: TreeOptions): readonly string[] {
  const labels = Object.entries(view.labels).map(([key, value]) => `${key}=${value}`);
  const lines = [`started ${formatTime(view.startedAtMs)}${view.endedAtMs === undefined ? "" : `, ended ${formatTime(view.endedAtMs)}`}`];
  if (labels.length > 0) lines.push(`labels ${labels.join(" ")}`);
  if (view.parent !== undefined) lines.push(`started by ${view.parent.runId}`);
  return lines.map((line) => options.style.dim(truncate(oneLine(line), options.columns)));
}

function waitLines(view: RunView, options: TreeOptions): readonly string[] {
  // That a faulted run waits for somebody is what the error and the commands say.
  const waits = view.waits.filter((wait) => wait.kind !== "operator" || view.error === undefined);
  return waits.map((wait) => {
    const since = options.style.dim(`(since ${formatNear(wait.sinceMs, options.nowMs)})`);
    return `  ${options.style.attention(oneLine(wait.path))}  ${describeWait(wait, options.nowMs)}  ${since}`;
  });
}

function doubtLines(view: RunView, options: TreeOptions): readonly string[] {
  return view.doubts.map((doubt) => {
    const state =
      doubt.settled === undefined ? `nobody knows for ${formatElapsed(options.nowMs - doubt.sinceMs)}` : `settled: ${doubt.settled}`;
    return `  ${options.style.attention(oneLine(doubt.path))}  ${oneLine(doubt.function)}  ${options.style.dim(`${state}, ${doubt.token}`)}`;
  });
}

function errorLines(view: RunView, options: TreeOptions): readonly string[] {
  if (view.error === undefined) return [];
  const instance = typeof view.error["instance"] === "string" ? [options.style.dim(`  at ${oneLine(view.error["instance"])}`)] : [];
  return [`  ${options.style.bad(describeError(view.error))}`, ...instance];
}

function valueLines(value: unknown): readonly string[] {
  if (value === undefined) return [];
  const lines = visible(JSON.stringify(value, undefined, 2)).split("\n");
  const shown =
    lines.length <= VALUE_LINES_MAX
      ? lines
      : [...lines.slice(0, VALUE_LINES_MAX), `… ${lines.length - VALUE_LINES_MAX} more lines: --json shows everything`];
  return shown.map((line) => `  ${line}`);
}

function titled(title: string, lines: readonly string[]): readonly string[] {
  return lines.length === 0 ? [] : [title, ...lines];
}
