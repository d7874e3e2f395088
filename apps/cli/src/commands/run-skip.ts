import type { Json } from "@tutti/model";
import { type Cli, newCommand } from "../cli.ts";
import { operate, type OperateOptions, withOperateOptions } from "../operate.ts";
import { withSession } from "../session.ts";
import { parseJsonOption, readValue } from "../values.ts";

interface SkipOptions extends OperateOptions {
  readonly output?: string;
  readonly value?: string;
}

/** `tutti run skip`: goes on without a task, with an output given in its place when later tasks need one. */
export function runSkip(cli: Cli): ReturnType<typeof newCommand> {
  const command = newCommand("skip", "go on without a task")
    .argument("<run>", "id, a unique beginning of it, or @latest")
    .argument("<task>", "name or path")
    .option("--output <file>", "its output, JSON or YAML; - is standard input")
    .option("--value <json>", "its output, as JSON");
  return withOperateOptions(command).action((run: string, task: string, options: SkipOptions) =>
    cli.act(() =>
      withSession(cli.io, options, true, (session) =>
        operate(session, run, options, async () => ({ kind: "skip", task, output: await readOutput(cli, options) })),
      ),
    ),
  );
}

async function readOutput(cli: Cli, options: SkipOptions): Promise<Json | undefined> {
  if (options.value !== undefined) return parseJsonOption(options.value, "--value");
  return options.output === undefined ? undefined : readValue(cli.io, options.output);
}
