import { toOtlp } from "@tutti/host";
import { type Cli, newCommand } from "../cli.ts";
import { EXIT } from "../exit-code.ts";
import { type CommonOptions, withCommonOptions, withSession } from "../session.ts";

/** `tutti run trace`: the OpenTelemetry trace of a run, derived from its records. */
export function runTrace(cli: Cli): ReturnType<typeof newCommand> {
  const command = newCommand("trace", "the OpenTelemetry trace of a run, as the body of an OTLP/HTTP request").argument(
    "<run>",
    "id, a unique beginning of it, or @latest",
  );
  return withCommonOptions(command).action((run: string, options: CommonOptions) =>
    cli.act(() =>
      withSession(cli.io, options, true, async ({ io, service }) => {
        io.out(`${JSON.stringify(toOtlp(await service.trace(await service.resolveRunId(run))))}\n`);
        return EXIT.ok;
      }),
    ),
  );
}
