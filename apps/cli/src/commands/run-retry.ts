import { type Cli, newCommand } from "../cli.ts";
import { operate, type OperateOptions, withOperateOptions } from "../operate.ts";
import { withSession } from "../session.ts";

/** `tutti run retry`: runs what failed again now, with the same inputs, as the next attempt. */
export function runRetry(cli: Cli): ReturnType<typeof newCommand> {
  const command = newCommand("retry", "run the failed task again now, with the same inputs")
    .argument("<run>", "id, a unique beginning of it, or @latest")
    .argument("[task]", "name or path; without it every failed task");
  return withOperateOptions(command).action((run: string, task: string | undefined, options: OperateOptions) =>
    cli.act(() => withSession(cli.io, options, true, (session) => operate(session, run, options, async () => ({ kind: "retry", task })))),
  );
}
