import { writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { AppError } from "@tutti/model";
import { type Cli, collect, newCommand } from "../cli.ts";
import { EXIT } from "../exit-code.ts";
import type { Io } from "../io.ts";
import { renderPreview } from "../render/preview.ts";
import { readInputOptions } from "../run-options.ts";
import type { ChangePreview } from "../run-status.ts";
import { type CommonOptions, withCommonOptions, withSession } from "../session.ts";
import { baseDirectoryOf, isDocumentFile, readNamed } from "../values.ts";
import { parseName } from "../workflow-name.ts";

interface PreviewOptions extends CommonOptions {
  readonly input?: string;
  readonly set: readonly string[];
  readonly tolerate: readonly string[];
  readonly output?: string;
}

/** `tutti workflow preview`: what a run would do, without doing it. */
export function workflowPreview(cli: Cli): ReturnType<typeof newCommand> {
  const command = newCommand("preview", "show what a run would do, without doing it")
    .argument("<workflow>", "FILE, which need not be published, or NAMESPACE/NAME[:VERSION]; - reads the document from standard input")
    .option("-f, --input <file>", "input, JSON or YAML; - is standard input")
    .option("--set <name=value>", "sets a member of the input; dots nest; may be repeated", collect, [])
    .option("--tolerate <what>", "may differ when the run starts: facts, or a task; may be repeated", collect, [])
    .option("-o, --output <file>", "also write the preview there, for `run start --preview`");
  return withCommonOptions(command).action((workflow: string, options: PreviewOptions) =>
    cli.act(async () => {
      const { io } = cli;
      if (workflow === "-" && options.input === "-")
        throw new AppError("usage", "Document and input cannot both come from standard input.");
      const document = isDocumentFile(io, workflow)
        ? { text: await readNamed(io, workflow), file: workflow, baseDirectory: baseDirectoryOf(io, workflow) }
        : undefined;
      const target = document === undefined ? parseName(workflow) : { document };
      const input = await readInputOptions(io, options);
      return withSession(io, options, false, async (session) => {
        const preview = await session.service.previewRun({ workflow: target, input, tolerances: options.tolerate });
        if (options.output !== undefined) write(io, options.output, preview);
        io.out(session.isJson ? `${JSON.stringify(preview)}\n` : renderPreview(preview, session.style));
        return EXIT.ok;
      });
    }),
  );
}

/** For its owner only: inputs and facts may be nobody else's business. */
function write(io: Io, file: string, preview: ChangePreview): void {
  try {
    writeFileSync(resolve(io.currentDirectory, file), `${JSON.stringify(preview, undefined, 2)}\n`, { mode: 0o600 });
  } catch (cause) {
    throw new AppError(
      "file-unreadable",
      `The preview can't be written to ${file}: ${cause instanceof Error ? cause.message : String(cause)}`,
    );
  }
}
