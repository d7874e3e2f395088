import { resolve } from "node:path";
import { restoreBackup } from "@tutti/host";
import { AppError } from "@tutti/model";
import { type Cli, newCommand } from "../cli.ts";
import { EXIT } from "../exit-code.ts";
import { plural } from "../render/text.ts";
import { type CommonOptions, dataDirectoryOf, tuttiCommand, withCommonOptions } from "../session.ts";

/** `tutti admin restore DIR --data NEW`: makes a data directory out of a backup; nothing in it goes on before `admin release`. */
export function adminRestore(cli: Cli): ReturnType<typeof newCommand> {
  const command = newCommand("restore", "make a data directory out of a backup; its runs are paused").argument("<dir>", "the backup");
  return withCommonOptions(command).action((source: string, options: CommonOptions) =>
    cli.act(async () => {
      const { io } = cli;
      if (options.data === undefined && (io.environment["TUTTI_DATA"] ?? "") === "")
        throw new AppError("usage", "A restore needs the data directory by name.", {
          hint: "`--data DIR`, a directory that is empty or not there.",
        });
      const directory = dataDirectoryOf(io, options);
      const report = await restoreBackup(resolve(io.currentDirectory, source), directory, () => io.now());
      const made = new Date(report.createdAtMs).toISOString();
      if (options.json) io.out(`${JSON.stringify(report)}\n`);
      else {
        io.out(`Restored ${plural(report.runs, "run")}, ${plural(report.records, "record")} of ${made} to ${report.directory}\n`);
        io.error(`Nothing in it goes on yet. \`${tuttiCommand(options)} admin release --dry-run\` shows what would.\n`);
      }
      return EXIT.ok;
    }),
  );
}
