import { type Cli, newCommand } from "../cli.ts";
import { EXIT } from "../exit-code.ts";
import { definitionJson } from "../json/run-json.ts";
import { formatNear } from "../render/duration.ts";
import { renderTable } from "../render/table.ts";
import { oneLine } from "../render/text.ts";
import { type CommonOptions, type Session, withCommonOptions, withSession } from "../session.ts";

/** `tutti workflow list`: the published versions. */
export function workflowList(cli: Cli): ReturnType<typeof newCommand> {
  const command = newCommand("list", "published workflows and their versions").alias("ls");
  return withCommonOptions(command).action((options: CommonOptions) => cli.act(() => withSession(cli.io, options, true, list)));
}

async function list(session: Session): Promise<number> {
  const { io, service, style } = session;
  const definitions = await service.listDefinitions();
  if (session.isJson) io.out(`${JSON.stringify({ workflows: definitions.map(definitionJson) })}\n`);
  else if (definitions.length === 0) io.error(`No workflows. \`${session.tutti} workflow apply FILE\` publishes one.\n`);
  else {
    const rows = definitions.map((definition) => [
      oneLine(`${definition.namespace}/${definition.name}`),
      definition.version,
      formatNear(definition.publishedAtMs, io.now()),
      definition.digest.slice(0, 12),
    ]);
    io.out(
      renderTable(
        [{ title: "WORKFLOW" }, { title: "VERSION" }, { title: "PUBLISHED" }, { title: "DIGEST" }],
        rows,
        io.size().columns,
        style.dim,
      ),
    );
  }
  return EXIT.ok;
}
