import type { Json } from "@tutti/model";
import { type Cli, collect, newCommand } from "../cli.ts";
import { operate, type OperateOptions, withOperateOptions } from "../operate.ts";
import { withSession } from "../session.ts";
import { assignAll, readValue, splitPair } from "../values.ts";

interface ResumeOptions extends OperateOptions {
  readonly from?: string;
  readonly input?: string;
  readonly set: readonly string[];
  readonly output: readonly string[];
}

/** `tutti run resume`: goes on, also from a task, also with edited data. A run whose process died is driven on. */
export function runResume(cli: Cli): ReturnType<typeof newCommand> {
  const command = newCommand("resume", "go on with a run, also from a chosen task or with edited data")
    .argument("<run>", "id, a unique beginning of it, or @latest")
    .option("--from <task>", "name or path of the task to run again from")
    .option("-f, --input <file>", "new input of the run, JSON or YAML; - is standard input")
    .option("--set <name=value>", "changes a member of the run's input; may be repeated", collect, [])
    .option("--output <task=file>", "takes the file as a task's output; may be repeated", collect, []);
  return withOperateOptions(command).action((run: string, options: ResumeOptions) =>
    cli.act(() =>
      withSession(cli.io, options, true, (session) =>
        operate(session, run, options, async (view) => {
          const edits = options.input !== undefined || options.set.length > 0;
          const input = options.input === undefined ? view.input : await readValue(cli.io, options.input);
          return {
            kind: "resume",
            from: options.from,
            setInput: edits ? assignAll(input, options.set) : undefined,
            outputs: options.output.length === 0 ? undefined : await readOutputs(cli, options.output),
          };
        }),
      ),
    ),
  );
}

async function readOutputs(cli: Cli, pairs: readonly string[]): Promise<Readonly<Record<string, Json>>> {
  const outputs: [string, Json][] = [];
  for (const pair of pairs) {
    const { key, value } = splitPair(pair, "--output");
    outputs.push([key, await readValue(cli.io, value)]);
  }
  return Object.fromEntries(outputs);
}
