import { type Cli, collect, newCommand } from "../cli.ts";
import { EXIT } from "../exit-code.ts";
import { followRun } from "../follow.ts";
import { type OperateOptions, withOperateOptions } from "../operate.ts";
import { parseTimeout } from "../run-options.ts";
import { type Session, withSession } from "../session.ts";
import { assignAll, parseLabels, readValue } from "../values.ts";

interface ReplayOptions extends OperateOptions {
  readonly input?: string;
  readonly set: readonly string[];
  readonly label: readonly string[];
  readonly useVersion?: string;
}

/** `tutti run replay`: a new run with the input of an earlier one, same or edited. The earlier one stays as it is. */
export function runReplay(cli: Cli): ReturnType<typeof newCommand> {
  const command = newCommand("replay", "start a new run with the input of an earlier one")
    .argument("<run>", "id, a unique beginning of it, or @latest")
    .option("-f, --input <file>", "another input, JSON or YAML; - is standard input")
    .option("--set <name=value>", "changes a member of the input; may be repeated", collect, [])
    .option("--label <name=value>", "label of the new run; may be repeated", collect, [])
    .option("--use-version <version>", "another version of the workflow (`latest`)");
  return withOperateOptions(command).action((run: string, options: ReplayOptions) =>
    cli.act(() => withSession(cli.io, options, true, (session) => replay(session, run, options))),
  );
}

async function replay(session: Session, run: string, options: ReplayOptions): Promise<number> {
  const { service, io } = session;
  const original = await service.show(await service.resolveRunId(run));
  const input = assignAll(options.input === undefined ? original.input : await readValue(io, options.input), options.set);
  const { namespace, name } = original.workflow;
  const version = options.useVersion ?? original.workflow.version;
  if (options.dryRun) {
    const text = `Would start ${namespace}/${name}:${version} with the input\n${JSON.stringify(input, undefined, 2)}\nNothing was started.\n`;
    io.out(
      session.isJson
        ? `${JSON.stringify({ dryRun: true, workflow: `${namespace}/${name}:${version}`, replayOf: original.runId, input })}\n`
        : text,
    );
    return EXIT.ok;
  }
  const labels = {
    ...original.labels,
    ...parseLabels([...options.label, ...(options.reason === undefined ? [] : [`reason=${options.reason}`])]),
  };
  const { runId, created } = await service.startRun({
    namespace,
    name,
    version,
    input,
    labels,
    actor: session.actor,
    replayOf: original.runId,
  });
  if (service.owner.where === "elsewhere" && !options.wait) {
    io.out(session.isJson ? `${JSON.stringify({ runId, created })}\n` : `${runId}\n`);
    return EXIT.ok;
  }
  return followRun(session, runId, {
    until: options.wait ? "person" : "parked",
    timeoutMs: parseTimeout(options.timeout),
    mirrors: options.wait === true,
  });
}
