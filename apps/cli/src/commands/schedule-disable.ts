import type { Cli, newCommand } from "../cli.ts";
import { switchCommand } from "../schedule-switch.ts";

/** `tutti schedule disable`: the workflow starts no more by itself; runs under way go on. */
export function scheduleDisable(cli: Cli): ReturnType<typeof newCommand> {
  return switchCommand(cli, "disable", "start no more runs by the schedule; runs under way go on");
}
