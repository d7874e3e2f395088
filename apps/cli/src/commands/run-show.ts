import { AppError } from "@tutti/model";
import { type Cli, newCommand } from "../cli.ts";
import { EXIT } from "../exit-code.ts";
import { isDrivenElsewhere } from "../follow.ts";
import { runJson } from "../json/run-json.ts";
import { nextSteps } from "../render/next-steps.ts";
import { renderRunDetail } from "../render/run-detail.ts";
import { type CommonOptions, type Session, withCommonOptions, withSession } from "../session.ts";

interface ShowOptions extends CommonOptions {
  readonly at?: string;
}

/** `tutti run show`: everything about a run, now or as it was after any record. */
export function runShow(cli: Cli): ReturnType<typeof newCommand> {
  const command = newCommand("show", "tasks, waits, doubts, error and what to do next")
    .argument("<run>", "id, a unique beginning of it, or @latest")
    .option("--at <seq>", "as it was after this record (`tutti run events` numbers them)");
  return withCommonOptions(command).action((run: string, options: ShowOptions) =>
    cli.act(() => withSession(cli.io, options, true, (session) => show(session, run, options))),
  );
}

async function show(session: Session, run: string, options: ShowOptions): Promise<number> {
  const { io, service, style } = session;
  const atSeq = options.at === undefined ? undefined : Number(options.at);
  if (atSeq !== undefined && (!Number.isSafeInteger(atSeq) || atSeq < 1))
    throw new AppError("usage", `--at takes the number of a record, and got \`${options.at ?? ""}\`.`);
  const view = await service.show(await service.resolveRunId(run), { atSeq });
  if (session.isJson) {
    io.out(`${JSON.stringify(runJson(view))}\n`);
    return EXIT.ok;
  }
  // What was possible then is no use now.
  const steps = atSeq === undefined ? nextSteps(view, session.tutti, isDrivenElsewhere(session)) : [];
  const nowMs = atSeq === undefined ? io.now() : view.atMs;
  io.out(renderRunDetail(view, { style, columns: io.size().columns, nowMs, linesMax: undefined }, steps));
  return EXIT.ok;
}
