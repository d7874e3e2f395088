import { AppError } from "@tutti/model";
import { type Cli, newCommand } from "../cli.ts";
import { EXIT } from "../exit-code.ts";
import { type CommonOptions, withCommonOptions, withSession } from "../session.ts";

interface RemoveOptions extends CommonOptions {
  readonly dryRun?: boolean;
  readonly reason?: string;
}

/** `tutti provider remove`: workflows no longer work on this system; nothing in the system changes. */
export function providerRemove(cli: Cli): ReturnType<typeof newCommand> {
  const command = newCommand("remove", "forget a system; nothing in it changes")
    .alias("rm")
    .argument("<name>", "the provider")
    .option("--dry-run", "say whether it is there, remove nothing")
    .option("--reason <text>", "why; told in the answer only, until there is an audit log");
  return withCommonOptions(command).action((name: string, options: RemoveOptions) =>
    cli.act(() =>
      withSession(cli.io, options, true, async ({ service, io, isJson }) => {
        const isThere = (await service.listProviders()).some((view) => view.name === name);
        if (!isThere) throw new AppError("provider-not-found", `There is no provider ${name}.`, { details: { provider: name } });
        if (options.dryRun !== true) await service.removeProvider(name);
        const removed = options.dryRun !== true;
        io.out(isJson ? `${JSON.stringify({ name, removed })}\n` : `${name} ${removed ? "removed" : "would be removed"}\n`);
        return EXIT.ok;
      }),
    ),
  );
}
