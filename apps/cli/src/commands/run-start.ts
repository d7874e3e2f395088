import { existsSync, statSync } from "node:fs";
import { resolve } from "node:path";
import { lint } from "@tutti/host";
import { AppError, type Json } from "@tutti/model";
import { type Cli, collect, newCommand } from "../cli.ts";
import { EXIT } from "../exit-code.ts";
import { followRun } from "../follow.ts";
import { printFindings, refuseErrors } from "../lint-report.ts";
import { parseTimeout, readInputOptions } from "../run-options.ts";
import { type CommonOptions, type Session, withCommonOptions, withSession } from "../session.ts";
import { baseDirectoryOf, parseLabels, readNamed } from "../values.ts";
import { parseName, type WorkflowName } from "../workflow-name.ts";

interface StartOptions extends CommonOptions {
  readonly input?: string;
  readonly set: readonly string[];
  readonly label: readonly string[];
  readonly key?: string;
  readonly wait?: boolean;
  readonly detach?: boolean;
  readonly timeout?: string;
  readonly dryRun?: boolean;
  readonly reason?: string;
}

/** `tutti run start`: publishes a file when it is one, starts a run, and drives or follows it. */
export function runStart(cli: Cli): ReturnType<typeof newCommand> {
  const command = newCommand("start", "start a run of a workflow file, or of a published workflow")
    .argument("<workflow>", "FILE, or NAMESPACE/NAME[:VERSION]; - reads the document from standard input")
    .option("-f, --input <file>", "input, JSON or YAML; - is standard input")
    .option("--set <name=value>", "sets a member of the input; dots nest; may be repeated", collect, [])
    .option("--label <name=value>", "label of the run; may be repeated", collect, [])
    .option("--key <text>", "start key: the same key starts one run only")
    .option("--wait", "until the run is at rest; the exit code mirrors it")
    .option("--detach", "return at once; needs a process that drives runs (`tutti up`)")
    .option("--timeout <duration>", "give up waiting after this long (30s, 5m, 2h)")
    .option("--dry-run", "check document and input, start nothing")
    .option("--reason <text>", "why; kept as the label `reason`");
  return withCommonOptions(command).action((workflow: string, options: StartOptions) =>
    cli.act(async () => {
      if (options.wait && options.detach)
        throw new AppError("usage", "--wait and --detach contradict each other.", { hint: "Give one of them." });
      if (workflow === "-" && options.input === "-")
        throw new AppError("usage", "Document and input cannot both come from standard input.");
      return withSession(cli.io, options, false, (session) => start(session, workflow, options));
    }),
  );
}

async function start(session: Session, workflow: string, options: StartOptions): Promise<number> {
  const input = await readInputOptions(session.io, options);
  if (options.dryRun) return dryRun(session, workflow, input);
  const { service, io } = session;
  const isElsewhere = service.owner.where === "elsewhere";
  if (options.detach && !isElsewhere) {
    throw new AppError("operation-not-possible", "No process drives runs here, so a detached run would not move.", {
      hint: `Start one (\`${session.tutti} up\`), or leave --detach out.`,
    });
  }
  const target = await resolveTarget(session, workflow);
  const labels = parseLabels([...options.label, ...(options.reason === undefined ? [] : [`reason=${options.reason}`])]);
  const { runId, created } = await service.startRun({ ...target, input, labels, startKey: options.key, actor: session.actor });
  if (!created) io.error(`The key ${options.key ?? ""} started ${runId} before: no second run.\n`);
  if (isElsewhere && !options.wait) {
    if (session.isJson) io.out(`${JSON.stringify({ runId, created })}\n`);
    else io.out(`${runId}\n`);
    if (io.isTerminal)
      io.error(session.style.dim(`Driven by process ${service.owner.pid}; follow it: ${session.tutti} run watch ${runId}\n`));
    return EXIT.ok;
  }
  // An existing run of the same key may have been left by a process that is gone.
  if (!created) await service.drive(runId);
  return followRun(session, runId, {
    until: options.wait ? "rest" : "parked",
    timeoutMs: parseTimeout(options.timeout),
    mirrors: options.wait === true,
  });
}

/** Which published version is meant; a file is published first. */
async function resolveTarget(session: Session, workflow: string): Promise<WorkflowName> {
  const { io, service } = session;
  if (!isFile(session, workflow)) return parseName(workflow);
  const text = await readNamed(io, workflow);
  const report = await lint(text, { file: workflow });
  printFindings(io, session.style, [{ file: workflow, findings: report.findings }], { only: ["error", "warning"], isJson: session.isJson });
  refuseErrors(report.findings, workflow);
  const { definition } = await service.publish({ text, file: workflow, baseDirectory: baseDirectoryOf(io, workflow) });
  return { namespace: definition.namespace, name: definition.name, version: definition.version };
}

function isFile(session: Session, workflow: string): boolean {
  if (workflow === "-" || /\.(ya?ml|json)$/i.test(workflow)) return true;
  const path = resolve(session.io.currentDirectory, workflow);
  return existsSync(path) && statSync(path).isFile();
}

async function dryRun(session: Session, workflow: string, input: Json): Promise<number> {
  const { io, service } = session;
  let name: string;
  if (isFile(session, workflow)) {
    const report = await lint(await readNamed(io, workflow), { file: workflow });
    printFindings(io, session.style, [{ file: workflow, findings: report.findings }], {
      only: ["error", "warning"],
      isJson: session.isJson,
    });
    refuseErrors(report.findings, workflow);
    name = report.name ?? workflow;
  } else {
    const wanted = parseName(workflow);
    const found = await service.loadDefinition(wanted.namespace, wanted.name, wanted.version);
    name = `${found.namespace}/${found.name}:${found.version}`;
  }
  io.out(
    session.isJson
      ? `${JSON.stringify({ dryRun: true, workflow: name, input })}\n`
      : `Would start ${name} with the input\n${JSON.stringify(input, undefined, 2)}\nNothing was started.\n`,
  );
  return EXIT.ok;
}
