import type { Json } from "@tutti/model";
import { type Cli, collect, newCommand } from "../cli.ts";
import { EXIT } from "../exit-code.ts";
import { followRun } from "../follow.ts";
import { parseTimeout, readInputOptions } from "../run-options.ts";
import { type CommonOptions, type Session, withCommonOptions, withSession } from "../session.ts";
import { parseName } from "../workflow-name.ts";
import { printSchedule } from "./schedule-show.ts";

interface FireOptions extends CommonOptions {
  readonly input?: string;
  readonly set: readonly string[];
  readonly wait?: boolean;
  readonly timeout?: string;
  readonly dryRun?: boolean;
  readonly reason?: string;
}

/** `tutti schedule fire`: starts a run now, as the schedule would, besides its instants. */
export function scheduleFire(cli: Cli): ReturnType<typeof newCommand> {
  const command = newCommand("fire", "start a run of a scheduled workflow now")
    .alias("trigger")
    .argument("<workflow>", "NAMESPACE/NAME")
    .option("-f, --input <file>", "input, JSON or YAML (default {}; for events an array of them); - is standard input")
    .option("--set <name=value>", "sets a member of the input; dots nest; may be repeated", collect, [])
    .option("--wait", "until the run is at rest, or only a person moves it on; the exit code mirrors it")
    .option("--timeout <duration>", "give up waiting after this long (30s, 5m, 2h)")
    .option("--dry-run", "show the schedule, start nothing")
    .option("--reason <text>", "why; told in the answer only, until there is an audit log");
  return withCommonOptions(command).action((workflow: string, options: FireOptions) =>
    cli.act(async () => {
      const isGiven = options.input !== undefined || options.set.length > 0;
      const input = isGiven ? await readInputOptions(cli.io, options) : undefined;
      return withSession(cli.io, options, true, (session) => fire(session, workflow, input, options));
    }),
  );
}

async function fire(session: Session, workflow: string, input: Json | undefined, options: FireOptions): Promise<number> {
  const { service, io } = session;
  const { namespace, name } = parseName(workflow);
  if (options.dryRun) {
    printSchedule(session, await service.showSchedule(namespace, name));
    return EXIT.ok;
  }
  const { runId } = await service.fireSchedule({ namespace, name, actor: session.actor, ...(input === undefined ? {} : { input }) });
  if (service.owner.where === "elsewhere" && !options.wait) {
    io.out(session.isJson ? `${JSON.stringify({ runId })}\n` : `${runId}\n`);
    return EXIT.ok;
  }
  return followRun(session, runId, {
    until: options.wait ? "person" : "parked",
    timeoutMs: parseTimeout(options.timeout),
    mirrors: options.wait === true,
  });
}
