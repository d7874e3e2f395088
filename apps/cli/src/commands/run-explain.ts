import { type Cli, newCommand } from "../cli.ts";
import { EXIT } from "../exit-code.ts";
import { isDrivenElsewhere } from "../follow.ts";
import { explanationJson } from "../json/explanation-json.ts";
import { explainSteps } from "../render/explain-steps.ts";
import { renderExplanation, renderNoWait } from "../render/explanation.ts";
import { type CommonOptions, type Session, withCommonOptions, withSession } from "../session.ts";

/** `tutti run explain`: why a task ran, did not run or waits, from the records of its run. */
export function runExplain(cli: Cli): ReturnType<typeof newCommand> {
  const command = newCommand("explain", "why a task ran, did not run or waits")
    .argument("<run>", "id, a unique beginning of it, or @latest")
    .argument("[task]", "path, a unique end of it, or number of a task; without it: what the run waits for now");
  return withCommonOptions(command).action((run: string, task: string | undefined, options: CommonOptions) =>
    cli.act(() => withSession(cli.io, options, true, (session) => explain(session, run, task))),
  );
}

async function explain(session: Session, run: string, task: string | undefined): Promise<number> {
  const { io, service, style, tutti } = session;
  const runId = await service.resolveRunId(run);
  const explanation = await service.explain(runId, task === undefined ? {} : { task });
  const isDriven = isDrivenElsewhere(session);
  const tasks = explanation.tasks.map((one) => ({ task: one, next: explainSteps(explanation, one, tutti, isDriven) }));
  if (session.isJson) {
    io.out(`${JSON.stringify(explanationJson(explanation, tasks))}\n`);
    return EXIT.ok;
  }
  const options = { style, columns: io.size().columns, nowMs: io.now() };
  if (tasks.length === 0) io.out(renderNoWait(explanation));
  else io.out(tasks.map((one) => renderExplanation(one.task, one.next, options)).join("\n"));
  return EXIT.ok;
}
