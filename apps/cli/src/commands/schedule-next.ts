import { type Cli, newCommand } from "../cli.ts";
import { EXIT } from "../exit-code.ts";
import { iso } from "../json/schedule-json.ts";
import { parseCount } from "../run-options.ts";
import { type CommonOptions, type Session, withCommonOptions, withSession } from "../session.ts";
import { parseName } from "../workflow-name.ts";

const COUNT_MAX = 1000;

interface NextOptions extends CommonOptions {
  readonly count: string;
}

/** `tutti schedule next`: the coming instants, whether the schedule is enabled or not. */
export function scheduleNext(cli: Cli): ReturnType<typeof newCommand> {
  const command = newCommand("next", "the next instants of a schedule, enabled or not")
    .argument("<workflow>", "NAMESPACE/NAME")
    .option("-n, --count <count>", "instants", "5");
  return withCommonOptions(command).action((workflow: string, options: NextOptions) =>
    cli.act(() => withSession(cli.io, options, true, (session) => next(session, workflow, options))),
  );
}

async function next(session: Session, workflow: string, options: NextOptions): Promise<number> {
  const { io, service } = session;
  const { namespace, name } = parseName(workflow);
  const instants = await service.nextInstants(namespace, name, parseCount(options.count, "--count", COUNT_MAX));
  const { timezone = "UTC", isEnabled } = await service.showSchedule(namespace, name);
  if (session.isJson) {
    io.out(`${JSON.stringify({ workflow: `${namespace}/${name}`, timezone, enabled: isEnabled, instants: instants.map(iso) })}\n`);
    return EXIT.ok;
  }
  const format = new Intl.DateTimeFormat("en-GB", {
    timeZone: timezone,
    weekday: "short",
    year: "numeric",
    month: "2-digit",
    day: "2-digit",
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
    timeZoneName: "short",
  });
  for (const atMs of instants) io.out(`${iso(atMs)}  ${format.format(atMs)}\n`);
  if (instants.length === 0) io.error("Its runs do not start by the clock: an event, or the end of a run, starts the next.\n");
  else if (!isEnabled) io.error(`The schedule is off; \`${session.tutti} schedule enable ${namespace}/${name}\` starts its runs.\n`);
  return EXIT.ok;
}
