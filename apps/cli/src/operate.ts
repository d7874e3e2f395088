import type { Command } from "commander";
import { AppError } from "@tutti/model";
import { EXIT } from "./exit-code.ts";
import { followRun } from "./follow.ts";
import { runJson } from "./json/run-json.ts";
import { whyNotPossible } from "./operation-rules.ts";
import { parseTimeout } from "./run-options.ts";
import type { OperateAction, RunView } from "./run-status.ts";
import { type CommonOptions, type Session, withCommonOptions } from "./session.ts";

/** Options of every verb that changes a run. */
export interface OperateOptions extends CommonOptions {
  readonly reason?: string;
  readonly dryRun?: boolean;
  readonly wait?: boolean;
  readonly timeout?: string;
}

export function withOperateOptions(command: Command): Command {
  command
    .option("--reason <text>", "why; kept in the run's history")
    .option("--dry-run", "say whether it is possible, change nothing")
    .option("--wait", "until the run is at rest, or only a person moves it on; the exit code mirrors it")
    .option("--timeout <duration>", "give up waiting after this long (30s, 5m, 2h)");
  return withCommonOptions(command);
}

/**
 * Carries out an operator's word on a run. Without a server this process drives the run afterwards until it is at rest or parked, as
 * `run start` does; with one it asks, and follows only with `--wait`.
 */
export async function operate(
  session: Session,
  runText: string,
  options: OperateOptions,
  actionFor: (view: RunView) => Promise<OperateAction>,
): Promise<number> {
  const { service, io } = session;
  const runId = await service.resolveRunId(runText);
  const view = await service.show(runId);
  const action = await actionFor(view);
  if (options.dryRun) return dryRun(session, view, action);
  const after = isOnlyDriving(view, action)
    ? await driveOn(session, view)
    : await service.operate({ runId, actor: session.actor, reason: options.reason, action });
  const isElsewhere = service.owner.where === "elsewhere";
  if (isElsewhere && !options.wait) {
    io.out(session.isJson ? `${JSON.stringify(runJson(after))}\n` : `${runId} ${after.status}\n`);
    return EXIT.ok;
  }
  await service.drive(runId);
  const changed = await followRun(session, runId, {
    until: options.wait ? "person" : "parked",
    timeoutMs: parseTimeout(options.timeout),
    mirrors: options.wait === true,
    known: view,
  });
  // A run that was to be stopped and did stop is a success of the command.
  const wasStopped = action.kind === "pause" || action.kind === "cancel" || action.kind === "kill" || action.kind === "backout";
  return wasStopped && changed === EXIT.runFailed && !options.wait ? EXIT.ok : changed;
}

/** A run whose process is gone is neither paused nor faulted: resuming it means to drive it. */
function isOnlyDriving(view: RunView, action: OperateAction): boolean {
  return (
    action.kind === "resume" &&
    (view.status === "running" || view.status === "waiting") &&
    action.from === undefined &&
    action.setInput === undefined &&
    action.outputs === undefined
  );
}

async function driveOn(session: Session, view: RunView): Promise<RunView> {
  await session.service.drive(view.runId);
  return session.service.show(view.runId);
}

function dryRun(session: Session, view: RunView, action: OperateAction): number {
  const why = isOnlyDriving(view, action) ? undefined : whyNotPossible(view, action);
  if (why !== undefined)
    throw new AppError("operation-not-possible", `${view.runId}: ${why}`, { details: { runId: view.runId, status: view.status } });
  const { kind, ...rest } = action;
  const what = Object.entries(rest).filter(([, value]) => value !== undefined);
  session.io.out(
    session.isJson
      ? `${JSON.stringify({ dryRun: true, runId: view.runId, status: view.status, action })}\n`
      : `Would ${kind} ${view.runId} (${view.status})${what.map(([name, value]) => `, ${name} ${JSON.stringify(value)}`).join("")}. Nothing was changed.\n`,
  );
  return EXIT.ok;
}
