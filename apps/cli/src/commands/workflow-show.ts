import { type Cli, newCommand } from "../cli.ts";
import { EXIT } from "../exit-code.ts";
import { definitionJson } from "../json/run-json.ts";
import { type CommonOptions, withCommonOptions, withSession } from "../session.ts";
import { parseName } from "../workflow-name.ts";

/** `tutti workflow show`: the document of a published version, as its author wrote it. */
export function workflowShow(cli: Cli): ReturnType<typeof newCommand> {
  const command = newCommand("show", "the document of a published workflow").argument(
    "<workflow>",
    "NAMESPACE/NAME[:VERSION]; without a version the latest",
  );
  return withCommonOptions(command).action((workflow: string, options: CommonOptions) =>
    cli.act(() => {
      const wanted = parseName(workflow);
      return withSession(cli.io, options, true, async ({ io, service, isJson }) => {
        const found = await service.loadDefinition(wanted.namespace, wanted.name, wanted.version);
        io.out(
          isJson
            ? `${JSON.stringify({ ...definitionJson(found), text: found.text })}\n`
            : found.text.endsWith("\n")
              ? found.text
              : `${found.text}\n`,
        );
        return EXIT.ok;
      });
    }),
  );
}
