import { type Cli, newCommand } from "../cli.ts";
import { operate, type OperateOptions, withOperateOptions } from "../operate.ts";
import { withSession } from "../session.ts";

/** `tutti run cancel`: ends a run in order. */
export function runCancel(cli: Cli): ReturnType<typeof newCommand> {
  const command = newCommand("cancel", "end a run in order: no new task, locks released").argument(
    "<run>",
    "id, a unique beginning of it, or @latest",
  );
  return withOperateOptions(command).action((run: string, options: OperateOptions) =>
    cli.act(() => withSession(cli.io, options, true, (session) => operate(session, run, options, async () => ({ kind: "cancel" })))),
  );
}
