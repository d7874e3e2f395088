import { lint, readPreview } from "@tutti/host";
import { AppError, type Json } from "@tutti/model";
import { type Cli, collect, newCommand } from "../cli.ts";
import { EXIT } from "../exit-code.ts";
import { followRun } from "../follow.ts";
import type { Io } from "../io.ts";
import { printFindings, refuseErrors } from "../lint-report.ts";
import { type Difference, renderDifferences } from "../render/preview.ts";
import type { ChangePreview } from "../run-status.ts";
import { parseTimeout, readInputOptions } from "../run-options.ts";
import { type CommonOptions, type Session, styleFor, withCommonOptions, withSession } from "../session.ts";
import { baseDirectoryOf, isDocumentFile, parseLabels, readNamed, readValue } from "../values.ts";
import { parseName, type WorkflowName } from "../workflow-name.ts";

interface StartOptions extends CommonOptions {
  readonly input?: string;
  readonly set: readonly string[];
  readonly label: readonly string[];
  readonly key?: string;
  readonly preview?: string;
  readonly wait?: boolean;
  readonly detach?: boolean;
  readonly timeout?: string;
  readonly dryRun?: boolean;
  readonly reason?: string;
}

/** `tutti run start`: publishes a file when it is one, starts a run, and drives or follows it. */
export function runStart(cli: Cli): ReturnType<typeof newCommand> {
  const command = newCommand("start", "start a run of a workflow file, or of a published workflow")
    .argument("[workflow]", "FILE, or NAMESPACE/NAME[:VERSION]; - reads the document from standard input; not needed with --preview")
    .option("-f, --input <file>", "input, JSON or YAML; - is standard input")
    .option("--set <name=value>", "sets a member of the input; dots nest; may be repeated", collect, [])
    .option("--label <name=value>", "label of the run; may be repeated", collect, [])
    .option("--key <text>", "start key: the same key starts one run only")
    .option("--preview <file>", "the run of this preview, if it would still do what the preview says (`tutti workflow preview --output`)")
    .option("--wait", "until the run is at rest, or only a person moves it on; the exit code mirrors it")
    .option("--detach", "return at once; needs a process that drives runs (`tutti up`)")
    .option("--timeout <duration>", "give up waiting after this long (30s, 5m, 2h)")
    .option("--dry-run", "check document and input, start nothing")
    .option("--reason <text>", "why; kept as the label `reason`");
  return withCommonOptions(command).action((given: string | undefined, options: StartOptions) =>
    cli.act(async () => {
      if (options.wait && options.detach)
        throw new AppError("usage", "--wait and --detach contradict each other.", { hint: "Give one of them." });
      if (given === "-" && options.input === "-") throw new AppError("usage", "Document and input cannot both come from standard input.");
      // What is wrong with files is said before anything is opened or made.
      const preview = options.preview === undefined ? undefined : readPreview(await readValue(cli.io, options.preview));
      if (preview !== undefined && (options.key !== undefined || options.dryRun))
        throw new AppError(
          "usage",
          "--preview stands alone: a preview is started once, so it is its own key, and it is a dry run already.",
        );
      const workflow = given ?? (preview === undefined ? undefined : nameOf(preview));
      if (workflow === undefined)
        throw new AppError("usage", "Name the workflow, or give a preview.", { hint: "`tutti run start --help` shows how." });
      const target = isDocumentFile(cli.io, workflow) ? await readDocument(cli.io, workflow, options) : parseName(workflow);
      const input = await readInputOptions(cli.io, options);
      if (options.dryRun && "text" in target) return sayDryRun(cli.io, target.title, input, options);
      return withSession(cli.io, options, false, (session) => start(session, target, { input, preview }, options));
    }),
  );
}

/** A document that passed the linter, not published yet. */
interface CheckedDocument {
  readonly text: string;
  readonly file: string;
  readonly title: string;
}

interface Given {
  readonly input: Json;
  readonly preview: ChangePreview | undefined;
}

async function start(session: Session, target: CheckedDocument | WorkflowName, given: Given, options: StartOptions): Promise<number> {
  const { input, preview } = given;
  const { service, io } = session;
  const isElsewhere = service.owner.where === "elsewhere";
  if (options.detach && !isElsewhere) {
    throw new AppError("operation-not-possible", "No process drives runs here, so a detached run would not move.", {
      hint: `Start one (\`${session.tutti} up\`), or leave --detach out.`,
    });
  }
  const name = "text" in target ? await publish(session, target) : target;
  if (options.dryRun) {
    const found = await service.loadDefinition(name.namespace, name.name, name.version);
    return sayDryRun(io, `${found.namespace}/${found.name}:${found.version}`, input, options);
  }
  const { namespace, version } = name;
  const labels = parseLabels([...options.label, ...(options.reason === undefined ? [] : [`reason=${options.reason}`])]);
  const order = { namespace, name: name.name, version, input, labels, startKey: options.key, actor: session.actor };
  const { runId, created } = preview === undefined ? await service.startRun(order) : await startPreviewed(session, preview, order, options);
  const key = preview === undefined ? options.key : preview.hash.slice(0, 16);
  if (!created && key !== undefined)
    io.error(`The ${preview === undefined ? "key" : "preview"} ${key} started ${runId} before: no second run.\n`);
  if (isElsewhere && !options.wait) {
    io.out(session.isJson ? `${JSON.stringify({ runId, created })}\n` : `${runId}\n`);
    if (io.isTerminal)
      io.error(session.style.dim(`Driven by process ${service.owner.pid}; follow it: ${session.tutti} run watch ${runId}\n`));
    return EXIT.ok;
  }
  // An existing run of the same key may have been left by a process that is gone.
  if (!created) await service.drive(runId);
  return followRun(session, runId, {
    until: options.wait ? "person" : "parked",
    timeoutMs: parseTimeout(options.timeout),
    mirrors: options.wait === true,
  });
}

/** Starts the run of a preview; when the world has moved, it is shown how. */
async function startPreviewed(
  { service, io, style, isJson, actor }: Session,
  preview: ChangePreview,
  { namespace, name, version, input, labels }: WorkflowName & { readonly input: Json; readonly labels: Readonly<Record<string, string>> },
  options: StartOptions,
): Promise<{ readonly runId: string; readonly created: boolean }> {
  const { workflow } = preview;
  if (workflow.namespace !== namespace || workflow.name !== name || (version !== "latest" && workflow.version !== version))
    throw new AppError("usage", `The preview is one of ${nameOf(preview)}, not of ${namespace}/${name}:${version}.`);
  const isInputGiven = options.input !== undefined || options.set.length > 0;
  try {
    return await service.startPreviewed({ preview, labels, actor, ...(isInputGiven && { input }) });
  } catch (error) {
    const differences = error instanceof AppError && error.code === "preview-void" ? error.details["differences"] : undefined;
    // They are in the error for whoever reads JSON.
    if (!isJson && Array.isArray(differences) && differences.length > 0)
      io.error(`${renderDifferences(differences as unknown as readonly Difference[], style)}\n`);
    throw error;
  }
}

function nameOf({ workflow: { namespace, name, version } }: ChangePreview): string {
  return `${namespace}/${name}:${version}`;
}

/** @throws AppError `definition-invalid` after the findings were printed. */
async function readDocument(io: Io, file: string, options: StartOptions): Promise<CheckedDocument> {
  const text = await readNamed(io, file);
  const report = await lint(text, { file, environment: io.environment });
  printFindings(io, styleFor(io, options), [{ file, findings: report.findings }], {
    only: ["error", "warning"],
    isJson: options.json === true,
  });
  refuseErrors(report.findings, file);
  return { text, file, title: report.name ?? file };
}

async function publish(session: Session, document: CheckedDocument): Promise<WorkflowName> {
  const { text, file } = document;
  const { definition } = await session.service.publish({ text, file, baseDirectory: baseDirectoryOf(session.io, file) });
  return definition;
}

function sayDryRun(io: Io, workflow: string, input: Json, options: StartOptions): number {
  const text = `Would start ${workflow} with the input\n${JSON.stringify(input, undefined, 2)}\nNothing was started.\n`;
  io.out(options.json ? `${JSON.stringify({ dryRun: true, workflow, input })}\n` : text);
  return EXIT.ok;
}
