import { lint } from "@tutti/host";
import { type Cli, newCommand } from "../cli.ts";
import { EXIT } from "../exit-code.ts";
import { definitionJson } from "../json/run-json.ts";
import { printFindings, refuseErrors } from "../lint-report.ts";
import { type CommonOptions, type Session, withCommonOptions, withSession } from "../session.ts";
import { baseDirectoryOf, readNamed } from "../values.ts";

interface ApplyOptions extends CommonOptions {
  readonly dryRun?: boolean;
  readonly reason?: string;
}

/** `tutti workflow apply`: publishes documents under their namespace, name and version. The same text again changes nothing. */
export function workflowApply(cli: Cli): ReturnType<typeof newCommand> {
  const command = newCommand("apply", "publish workflow documents")
    .argument("<files...>", "documents, YAML or JSON; - is standard input")
    .option("--dry-run", "check only, publish nothing")
    .option("--reason <text>", "why; told in the answer only, until there is an audit log");
  return withCommonOptions(command).action((files: readonly string[], options: ApplyOptions) =>
    cli.act(() => withSession(cli.io, options, false, (session) => apply(session, files, options))),
  );
}

async function apply(session: Session, files: readonly string[], options: ApplyOptions): Promise<number> {
  const { io, service, style } = session;
  // All are checked before the first is published: half of a set is worse than none.
  const documents: { readonly file: string; readonly text: string; readonly name: string }[] = [];
  for (const file of files) {
    const text = await readNamed(io, file);
    const report = await lint(text, { file, environment: io.environment });
    printFindings(io, style, [{ file, findings: report.findings }], { only: ["error", "warning"], isJson: session.isJson });
    refuseErrors(report.findings, file);
    documents.push({ file, text, name: report.name ?? file });
  }
  const published: object[] = [];
  for (const { file, text, name } of documents) {
    if (options.dryRun) {
      published.push({ file, workflow: name, dryRun: true });
      if (!session.isJson) io.out(`${name}  would be published\n`);
      continue;
    }
    const { definition, created } = await service.publish({ text, file, baseDirectory: baseDirectoryOf(io, file) });
    published.push({ file, ...definitionJson(definition), created });
    if (!session.isJson)
      io.out(
        `${definition.namespace}/${definition.name}:${definition.version}  ${created ? style.good("published") : style.dim("unchanged")}\n`,
      );
  }
  if (session.isJson) io.out(`${JSON.stringify({ workflows: published })}\n`);
  return EXIT.ok;
}
