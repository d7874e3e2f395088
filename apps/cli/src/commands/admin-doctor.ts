import { existsSync } from "node:fs";
import { type Cli, newCommand } from "../cli.ts";
import { type Check, checkMachine, checkService } from "../doctor.ts";
import { EXIT } from "../exit-code.ts";
import { padEnd } from "../render/text.ts";
import { type CommonOptions, dataDirectoryOf, styleFor, tuttiCommand, withCommonOptions, withSession } from "../session.ts";

/** `tutti admin doctor`: whether this machine, the data directory and the runs in it are well, and what to do where not. */
export function adminDoctor(cli: Cli): ReturnType<typeof newCommand> {
  const command = newCommand("doctor", "check machine, data directory, store and runs");
  return withCommonOptions(command).action((options: CommonOptions) =>
    cli.act(async () => {
      const directory = dataDirectoryOf(cli.io, options);
      const checks: Check[] = [...(await checkMachine(directory))];
      // Looking must not make a directory.
      if (existsSync(directory.path)) {
        checks.push(...(await withSession(cli.io, options, true, (session) => checkService(session.service, session.tutti))));
      } else
        checks.push({
          name: "data directory",
          status: "warning",
          what: `${directory.path} is not there yet`,
          fix: `${tuttiCommand(options)} run start FILE makes it`,
        });
      print(cli, checks, options);
      return checks.some((check) => check.status === "problem") ? EXIT.runFailed : EXIT.ok;
    }),
  );
}

function print(cli: Cli, checks: readonly Check[], options: CommonOptions): void {
  if (options.json) {
    cli.io.out(`${JSON.stringify({ checks: checks.map(({ name, status, what, fix }) => ({ name, status, what, fix: fix ?? null })) })}\n`);
    return;
  }
  const style = styleFor(cli.io, options);
  const signs = { ok: style.good("✓"), warning: style.attention("!"), problem: style.bad("✗") };
  const widest = Math.max(...checks.map((check) => check.name.length));
  for (const check of checks) {
    cli.io.out(`${signs[check.status]} ${padEnd(check.name, widest)}  ${check.what}\n`);
    if (check.fix !== undefined) cli.io.out(`  ${" ".repeat(widest)}  ${style.dim(check.fix)}\n`);
  }
}
