import { resolve } from "node:path";
import { type Cli, newCommand } from "../cli.ts";
import { EXIT } from "../exit-code.ts";
import { formatBytes, plural } from "../render/text.ts";
import { type CommonOptions, withCommonOptions, withSession } from "../session.ts";

interface BackupOptions extends CommonOptions {
  readonly secrets?: boolean;
  readonly logs?: boolean;
}

/** `tutti admin backup DIR`: the store as it is at one moment, while runs go on. */
export function adminBackup(cli: Cli): ReturnType<typeof newCommand> {
  const command = newCommand("backup", "back the data directory up into a new directory while runs go on")
    .argument("<dir>", "a directory that is not there yet")
    .option("--secrets", "with the secrets folder; without it the backup holds none")
    .option("--logs", "with the logs of attempts");
  return withCommonOptions(command).action((target: string, options: BackupOptions) =>
    cli.act(() =>
      withSession(cli.io, options, true, async ({ io, service, isJson }) => {
        const report = await service.backup({
          target: resolve(io.currentDirectory, target),
          withSecrets: options.secrets === true,
          withLogs: options.logs === true,
        });
        if (isJson) io.out(`${JSON.stringify(report)}\n`);
        else
          io.out(
            `Backed up ${plural(report.runs, "run")}, ${plural(report.records, "record")}, ${formatBytes(report.bytes)} to ${report.target}\n`,
          );
        for (const damage of report.damage)
          io.error(`The store is damaged, and so is the backup: ${damage.runId ?? "store"}: ${damage.what}\n`);
        return report.damage.length > 0 ? EXIT.runFailed : EXIT.ok;
      }),
    ),
  );
}
