import { AppError } from "@tutti/model";
import { EXIT, exitCodeOfRun } from "./exit-code.ts";
import { runJson } from "./json/run-json.ts";
import { ChangeLines } from "./render/change-lines.ts";
import { formatDuration } from "./render/duration.ts";
import { LiveRegion } from "./render/live-region.ts";
import { nextSteps, waitsForPersonOnly } from "./render/next-steps.ts";
import { renderOutcome } from "./render/run-detail.ts";
import { renderRunHead, renderTree } from "./render/run-tree.ts";
import { isAtRest, type RunView } from "./run-status.ts";
import type { Session } from "./session.ts";

/** Lines of the terminal that the live view leaves free: its own head, the gap, and the line of the prompt. */
const LINES_KEPT_FREE = 4;

export interface FollowOptions {
  /** What ends the following: only a person moves the run on (it is at rest, or in doubt), or nothing does soon. */
  readonly until: "person" | "parked";
  readonly timeoutMs: number | undefined;
  /** Whether a run that is not completed makes the command fail, even when it only waits. */
  readonly mirrors: boolean;
  /** The run as the user knows it: lines tell what changed since. */
  readonly known?: RunView;
}

/**
 * Shows a run while it moves, until it rests or parks, and says at the end how it stands and what to do: a live tree on a terminal, a line
 * per change in a pipe, one JSON object with `--json`.
 *
 * @returns the exit code.
 */
export async function followRun(session: Session, runId: string, options: FollowOptions): Promise<number> {
  const { service, interrupts } = session;
  const timeout = options.timeoutMs === undefined ? undefined : AbortSignal.timeout(options.timeoutMs);
  const ended = new AbortController();
  // A run that this process drives goes on without an audience; who only watches ends with it.
  const audience = service.owner.where === "elsewhere" ? [session.io.outputClosed] : [];
  const signal = AbortSignal.any([interrupts.signal, ended.signal, ...audience, ...(timeout === undefined ? [] : [timeout])]);
  const display = displayOf(session, options.known);
  const shown = watchInto(session, { runId, signal, display });
  let end: "over" | "left" | "failed" = "over";
  let failure: unknown;
  try {
    await service.waitFor(runId, options.until, signal);
  } catch (error) {
    end = signal.aborted ? "left" : "failed";
    failure = error;
  }
  ended.abort();
  await shown;
  // What is shown last is what is told below, not what the watch happened to see last.
  let view: RunView | undefined;
  try {
    if (end === "failed") throw failure;
    view = await service.show(runId);
  } finally {
    display?.end(view);
  }
  if (end === "left" && timeout?.aborted && !interrupts.signal.aborted) throw timedOut(session, runId, options.timeoutMs ?? 0);
  if (end === "left") return interrupted(session, view);
  report(session, view, options.until);
  if (view.status === "completed") return EXIT.ok;
  if (isAtRest(view.status) && view.status !== "suspended") return exitCodeOfRun(view.status);
  return options.mirrors || view.waits.some((wait) => wait.kind === "settle") ? EXIT.runFailed : EXIT.ok;
}

/** What shows a run while it moves. */
interface Display {
  show(view: RunView): void;
  /** The last view, where there is one; nothing is shown after it. */
  end(view: RunView | undefined): void;
}

function displayOf(session: Session, known: RunView | undefined): Display | undefined {
  if (session.isJson) return undefined;
  return session.io.isTerminal ? liveDisplay(session) : lineDisplay(session, known);
}

/** Shows the run until the signal. Never rejects: what ends the run's following is `waitFor`. */
async function watchInto(
  session: Session,
  watched: { readonly runId: string; readonly signal: AbortSignal; readonly display: Display | undefined },
): Promise<void> {
  const { runId, signal, display } = watched;
  if (display === undefined) return;
  try {
    for await (const view of session.service.watch(runId, signal)) display.show(view);
  } catch (error) {
    const isToldAnyway = error instanceof AppError && error.code === "owner-unreachable";
    if (!signal.aborted && !isToldAnyway)
      session.io.error(`The view of the run ended: ${error instanceof Error ? error.message : String(error)}\n`);
  }
}

function liveDisplay({ io, style }: Session): Display {
  let view: RunView | undefined;
  let isStarted = false;
  const region = new LiveRegion(
    (text) => io.out(text),
    () => {
      if (view === undefined) return [];
      const { columns, rows } = io.size();
      // The last column stays empty: some terminals wrap when it is written.
      const options = { style, columns: columns - 1, nowMs: io.now(), linesMax: Math.max(3, rows - LINES_KEPT_FREE) };
      return [renderRunHead(view, options), ...renderTree(view, options)];
    },
  );
  return {
    show: (next) => {
      view = next;
      if (isStarted) return region.changed();
      isStarted = true;
      region.start();
    },
    end: (last) => {
      view = last ?? view;
      if (!isStarted && view !== undefined) region.start();
      if (view !== undefined) region.stop();
    },
  };
}

function lineDisplay({ io }: Session, known: RunView | undefined): Display {
  const changes = new ChangeLines();
  if (known !== undefined) changes.skip(known);
  const show = (view: RunView): void => {
    for (const line of changes.next(view)) io.out(`${line}\n`);
  };
  return { show, end: (view) => void (view === undefined || show(view)) };
}

/** How the run stands at the end, and what can be done. */
function report(session: Session, view: RunView, until: FollowOptions["until"]): void {
  if (session.isJson) {
    session.io.out(`${JSON.stringify(runJson(view))}\n`);
    return;
  }
  const isDriven = isDrivenElsewhere(session);
  const steps = view.status === "completed" ? [] : nextSteps(view, session.tutti, isDriven);
  const text = renderOutcome(
    view,
    { style: session.style, columns: session.io.size().columns, nowMs: session.io.now(), linesMax: undefined },
    steps,
  );
  // Until a person's turn: it may be the turn of one who looks after a run that this one waits for.
  const parked = isAtRest(view.status)
    ? ""
    : until === "person" || waitsForPersonOnly(view)
      ? "The run waits for a person.\n\n"
      : isDriven
        ? ""
        : "The run waits; no process drives it from here on.\n\n";
  if (text !== "" || parked !== "") session.io.out(`\n${parked}${text}`);
}

/** Whether another process moves the run on after this one ends. */
export function isDrivenElsewhere(session: Session): boolean {
  return session.service.owner.where === "elsewhere" && session.service.owner.drive === "all";
}

function interrupted(session: Session, view: RunView): number {
  const { io, tutti } = session;
  if (session.isJson) io.out(`${JSON.stringify(runJson(view))}\n`);
  else if (session.service.owner.where === "elsewhere")
    io.error(`\nNo longer watching. The run goes on in process ${session.service.owner.pid}: ${tutti} run watch ${view.runId}\n`);
  else {
    io.error(
      `\nStopping: what is in flight may end (again Ctrl-C ends at once). The run stays; go on with\n  ${tutti} run resume ${view.runId}    this run only\n  ${tutti} up    all runs\n`,
    );
  }
  return EXIT.interrupted;
}

function timedOut(session: Session, runId: string, timeoutMs: number): AppError {
  const goesOn = session.service.owner.where === "elsewhere" ? "It goes on" : "It stays where it is";
  return new AppError("timed-out", `${runId} is not done after ${formatDuration(timeoutMs)}. ${goesOn}.`, {
    details: { runId },
    hint:
      session.service.owner.where === "elsewhere"
        ? `\`${session.tutti} run watch ${runId}\` follows it.`
        : `\`${session.tutti} run resume ${runId}\` goes on with it.`,
  });
}
