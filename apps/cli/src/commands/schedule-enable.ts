import type { Cli, newCommand } from "../cli.ts";
import { switchCommand } from "../schedule-switch.ts";

/** `tutti schedule enable`: from now on the workflow starts by itself. */
export function scheduleEnable(cli: Cli): ReturnType<typeof newCommand> {
  return switchCommand(cli, "enable", "let a workflow start by its schedule, from now on");
}
