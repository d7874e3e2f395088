import { type Cli, newCommand } from "../cli.ts";
import { EXIT } from "../exit-code.ts";
import { providerJson } from "../json/provider-json.ts";
import { formatNear } from "../render/duration.ts";
import { healthText } from "../render/provider-text.ts";
import { renderTable } from "../render/table.ts";
import { type CommonOptions, type Session, withCommonOptions, withSession } from "../session.ts";

/** `tutti provider list`: the configured systems and how they were when somebody last looked. */
export function providerList(cli: Cli): ReturnType<typeof newCommand> {
  const command = newCommand("list", "the systems that workflows work on, and how they were at the last check").alias("ls");
  return withCommonOptions(command).action((options: CommonOptions) => cli.act(() => withSession(cli.io, options, true, list)));
}

async function list(session: Session): Promise<number> {
  const { io, service, style } = session;
  const providers = await service.listProviders();
  if (session.isJson) io.out(`${JSON.stringify({ providers: providers.map(providerJson) })}\n`);
  else if (providers.length === 0)
    io.error(`There is no provider. \`${session.tutti} provider add NAME --connector CONNECTOR\` makes one.\n`);
  else {
    const rows = providers.map((view) => [
      view.name,
      view.connector,
      view.health === undefined ? "" : formatNear(view.health.atMs, io.now()),
      healthText(view),
    ]);
    io.out(
      renderTable(
        [{ title: "NAME" }, { title: "CONNECTOR" }, { title: "CHECKED" }, { title: "HEALTH" }],
        rows,
        io.size().columns,
        style.dim,
      ),
    );
  }
  return EXIT.ok;
}
