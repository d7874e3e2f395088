import { type Cli, newCommand } from "../cli.ts";
import { EXIT } from "../exit-code.ts";
import { operate, type OperateOptions, withOperateOptions } from "../operate.ts";
import { renderBackOutPlan } from "../render/back-out-plan.ts";
import { type Session, withSession } from "../session.ts";

interface BackOutOptions extends OperateOptions {
  readonly to?: string;
}

/** `tutti run backout`: undoes what a run did. With `--dry-run` it shows the plan. */
export function runBackout(cli: Cli): ReturnType<typeof newCommand> {
  const command = newCommand("backout", "undo what a run did, in reverse; --dry-run shows what that would be")
    .argument("<run>", "id, a unique beginning of it, or @latest")
    .option("--to <task>", "undo only what was done since the run came to this task, and wait there; without it everything");
  return withOperateOptions(command).action((run: string, options: BackOutOptions) =>
    cli.act(() =>
      withSession(cli.io, options, true, (session) =>
        options.dryRun === true
          ? showPlan(session, run, options.to)
          : operate(session, run, options, async () => ({ kind: "backout", ...(options.to !== undefined && { to: options.to }) })),
      ),
    ),
  );
}

async function showPlan(session: Session, run: string, to: string | undefined): Promise<number> {
  const { service, io, style } = session;
  const runId = await service.resolveRunId(run);
  const plan = await service.planBackOut(runId, to === undefined ? {} : { to });
  io.out(
    session.isJson ? `${JSON.stringify({ dryRun: true, runId, ...plan, to: plan.to ?? null })}\n` : renderBackOutPlan(runId, plan, style),
  );
  return EXIT.ok;
}
