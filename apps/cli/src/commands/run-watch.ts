import { type Cli, newCommand } from "../cli.ts";
import { EXIT } from "../exit-code.ts";
import { followRun } from "../follow.ts";
import { runJson } from "../json/run-json.ts";
import { nextSteps, waitsForPersonOnly } from "../render/next-steps.ts";
import { renderRunDetail } from "../render/run-detail.ts";
import { parseTimeout } from "../run-options.ts";
import { isAtRest } from "../run-status.ts";
import { type CommonOptions, type Session, withCommonOptions, withSession } from "../session.ts";

interface WatchOptions extends CommonOptions {
  readonly timeout?: string;
}

/**
 * `tutti run watch`: follows a run until it is at rest, or only a person moves it on; the exit code mirrors it. Watching never moves a run: a look
 * must have no effects.
 */
export function runWatch(cli: Cli): ReturnType<typeof newCommand> {
  const command = newCommand("watch", "follow a run until it is at rest, or only a person moves it on")
    .argument("<run>", "id, a unique beginning of it, or @latest")
    .option("--timeout <duration>", "give up waiting after this long (30s, 5m, 2h)");
  return withCommonOptions(command).action((run: string, options: WatchOptions) =>
    cli.act(() => withSession(cli.io, options, true, (session) => watch(session, run, options))),
  );
}

async function watch(session: Session, run: string, options: WatchOptions): Promise<number> {
  const { io, service, style } = session;
  const runId = await service.resolveRunId(run);
  const view = await service.show(runId);
  if (service.owner.where === "elsewhere" || isAtRest(view.status))
    return followRun(session, runId, { until: "person", timeoutMs: parseTimeout(options.timeout), mirrors: true });
  // Nobody owned the directory, so nobody drives the run: it would be watched for ever.
  const isPersonsTurn = waitsForPersonOnly(view);
  if (session.isJson) io.out(`${JSON.stringify(runJson(view))}\n`);
  else {
    io.out(
      renderRunDetail(
        view,
        { style, columns: io.size().columns, nowMs: io.now(), linesMax: undefined },
        nextSteps(view, session.tutti, false),
      ),
    );
    io.error(`\n${isPersonsTurn ? "The run waits for a person" : "No process drives this run"}, so there is nothing to watch.\n`);
  }
  return isPersonsTurn ? EXIT.runFailed : EXIT.unreachable;
}
