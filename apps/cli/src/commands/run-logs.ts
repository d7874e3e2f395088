import { type Cli, newCommand } from "../cli.ts";
import { EXIT } from "../exit-code.ts";
import { logLineJson } from "../json/run-json.ts";
import { formatClock } from "../render/duration.ts";
import { oneLine, visible } from "../render/text.ts";
import type { LogLine } from "../run-status.ts";
import { type CommonOptions, type Session, withCommonOptions, withSession } from "../session.ts";

interface LogsOptions extends CommonOptions {
  readonly task?: string;
  readonly follow?: boolean;
  readonly raw?: boolean;
}

/** `tutti run logs`: what the attempts of a run printed. */
export function runLogs(cli: Cli): ReturnType<typeof newCommand> {
  const command = newCommand("logs", "what the attempts of a run printed")
    .argument("<run>", "id, a unique beginning of it, or @latest")
    .option("--task <task>", "name or path: of this task only")
    .option("-f, --follow", "new lines as they come, until the run is final")
    .option("--raw", "the text only, without time and task");
  return withCommonOptions(command).action((run: string, options: LogsOptions) =>
    cli.act(() => withSession(cli.io, options, true, (session) => logs(session, run, options))),
  );
}

async function logs(session: Session, run: string, options: LogsOptions): Promise<number> {
  const { io, service } = session;
  const runId = await service.resolveRunId(run);
  // Without another process nobody drives the run, so nothing would ever come, and this process would only be in the way of one that does.
  const follows = options.follow === true && service.owner.where === "elsewhere";
  const signal = AbortSignal.any([session.interrupts.signal, io.outputClosed]);
  for await (const line of service.logs(runId, { task: options.task, follow: follows, signal })) {
    io.out(`${session.isJson ? JSON.stringify(logLineJson(line)) : options.raw ? visible(line.text) : renderLine(session, line)}\n`);
  }
  if (options.follow === true && !follows) io.error(`No process drives runs here, so no more lines come; \`${session.tutti} up\` does.\n`);
  return session.interrupts.signal.aborted ? EXIT.interrupted : EXIT.ok;
}

function renderLine(session: Session, line: LogLine): string {
  const { style } = session;
  const paint = { stdout: (text: string) => text, stderr: style.bad, info: style.dim }[line.stream];
  const name = line.path.slice(line.path.lastIndexOf("/") + 1);
  const attempt = line.attempt > 1 ? `#${line.attempt}` : "";
  return `${style.dim(formatClock(line.atMs))} ${style.active(oneLine(name) + attempt)} ${style.dim("│")} ${paint(visible(line.text))}`;
}
