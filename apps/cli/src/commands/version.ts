import { connectOnly, TUTTI_VERSION } from "@tutti/host";
import { type Cli, newCommand } from "../cli.ts";
import { EXIT } from "../exit-code.ts";
import { type CommonOptions, dataDirectoryOf, withCommonOptions } from "../session.ts";

/** `tutti version`: of this program, and of the process that owns the data directory. */
export function version(cli: Cli): ReturnType<typeof newCommand> {
  return withCommonOptions(newCommand("version", "version of this program and of the process that drives runs")).action(
    (options: CommonOptions) =>
      cli.act(async () => {
        const client = await connectOnly(dataDirectoryOf(cli.io, options), cli.io.environment);
        const owner = client === undefined ? null : { version: client.hello.version, pid: client.hello.pid };
        client?.close();
        if (options.json) cli.io.out(`${JSON.stringify({ version: TUTTI_VERSION, node: process.version, owner })}\n`);
        else
          cli.io.out(
            `tutti ${TUTTI_VERSION} (node ${process.version})\n${owner === null ? "" : `owner ${owner.version} (process ${owner.pid})\n`}`,
          );
        return EXIT.ok;
      }),
  );
}
