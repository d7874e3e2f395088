import { type Cli, newCommand } from "../cli.ts";
import { operate, type OperateOptions, withOperateOptions } from "../operate.ts";
import { withSession } from "../session.ts";

/** `tutti run pause`: takes no new task until it is resumed. */
export function runPause(cli: Cli): ReturnType<typeof newCommand> {
  const command = newCommand("pause", "stop dispatching; what is in flight ends").argument(
    "<run>",
    "id, a unique beginning of it, or @latest",
  );
  return withOperateOptions(command).action((run: string, options: OperateOptions) =>
    cli.act(() => withSession(cli.io, options, true, (session) => operate(session, run, options, async () => ({ kind: "pause" })))),
  );
}
