import { newCommand, type Cli } from "./cli.ts";
import { printSchedule } from "./commands/schedule-show.ts";
import { EXIT } from "./exit-code.ts";
import { type CommonOptions, withCommonOptions, withSession } from "./session.ts";
import { parseName } from "./workflow-name.ts";

interface SwitchOptions extends CommonOptions {
  readonly dryRun?: boolean;
  readonly reason?: string;
}

/** `tutti schedule enable` and `disable` differ in one word. */
export function switchCommand(cli: Cli, verb: "enable" | "disable", summary: string): ReturnType<typeof newCommand> {
  const command = newCommand(verb, summary)
    .argument("<workflow>", "NAMESPACE/NAME; whatever version is the latest")
    .option("--dry-run", "show the schedule, change nothing")
    .option("--reason <text>", "why; told in the answer only, until there is an audit log");
  return withCommonOptions(command).action((workflow: string, options: SwitchOptions) =>
    cli.act(() =>
      withSession(cli.io, options, true, async (session) => {
        const { service, io } = session;
        const { namespace, name } = parseName(workflow);
        const view = options.dryRun
          ? await service.showSchedule(namespace, name)
          : await service.setSchedule(namespace, name, verb === "enable");
        printSchedule(session, view);
        if (view.isEnabled && service.owner.drive !== "all" && !session.isJson)
          io.error(`No process drives schedules here: \`${session.tutti} up\` starts the runs.\n`);
        return EXIT.ok;
      }),
    ),
  );
}
