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
    .option("--at <record>", "as it was after this record (`tutti run events` numbers them), or at this moment (ISO 8601)");
  return withCommonOptions(command).action((run: string, options: ShowOptions) =>
    cli.act(() => withSession(cli.io, options, true, (session) => show(session, run, options))),
  );
}

async function show(session: Session, run: string, options: ShowOptions): Promise<number> {
  const { io, service, style } = session;
  const at = options.at === undefined ? undefined : parseAt(options.at);
  const view = await service.show(await service.resolveRunId(run), at);
  if (session.isJson) {
    io.out(`${JSON.stringify(runJson(view))}\n`);
    return EXIT.ok;
  }
  // What was possible then is no use now.
  const steps = at === undefined ? nextSteps(view, session.tutti, isDrivenElsewhere(session)) : [];
  const nowMs = at === undefined ? io.now() : view.atMs;
  io.out(renderRunDetail(view, { style, columns: io.size().columns, nowMs, linesMax: undefined }, steps));
  return EXIT.ok;
}

/** Only what is unmistakable: `Date.parse` alone takes `7` for a month and a date for one in some time zone. */
const MOMENT = /^\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:\d\d))?$/;

/** A record's number or a moment. @throws AppError `usage`. */
export function parseAt(text: string): { readonly atSeq: number } | { readonly atMs: number } {
  const atSeq = /^\d+$/.test(text) ? Number(text) : 0;
  if (Number.isSafeInteger(atSeq) && atSeq > 0) return { atSeq };
  const atMs = MOMENT.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isFinite(atMs)) return { atMs };
  throw new AppError("usage", `--at takes the number of a record or a moment, and got \`${text}\`.`, {
    hint: "`--at 7`, or `--at 2026-01-31T08:30:00Z`; a date alone is its first moment in UTC. `tutti run events` shows both.",
  });
}
