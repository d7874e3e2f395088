import { type Cli, newCommand } from "../cli.ts";
import { operate, type OperateOptions, withOperateOptions } from "../operate.ts";
import { withSession } from "../session.ts";

/** `tutti run kill`: ends a run without waiting for what is in flight. */
export function runKill(cli: Cli): ReturnType<typeof newCommand> {
  const command = newCommand("kill", "end a run now; tasks in flight are left in doubt").argument(
    "<run>",
    "id, a unique beginning of it, or @latest",
  );
  return withOperateOptions(command).action((run: string, options: OperateOptions) =>
    cli.act(() => withSession(cli.io, options, true, (session) => operate(session, run, options, async () => ({ kind: "kill" })))),
  );
}
