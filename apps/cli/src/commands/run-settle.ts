import { AppError } from "@tutti/model";
import { type Cli, newCommand } from "../cli.ts";
import { operate, type OperateOptions, withOperateOptions } from "../operate.ts";
import { parseCount } from "../run-options.ts";
import type { OperateAction } from "../run-status.ts";
import { withSession } from "../session.ts";
import { parseJsonOption, readValue } from "../values.ts";

interface SettleOptions extends OperateOptions {
  readonly done?: boolean;
  readonly notDone?: boolean;
  readonly then?: string;
  readonly output?: string;
  readonly value?: string;
  readonly seen?: string;
}

/** `tutti run settle`: a person states what became of an effect whose outcome nobody knows. */
export function runSettle(cli: Cli): ReturnType<typeof newCommand> {
  const command = newCommand("settle", "say what happened with a task in doubt")
    .argument("<run>", "id, a unique beginning of it, or @latest")
    .argument("<task>", "name or path")
    .option("--done", "it did happen; its output with --output or --value")
    .option("--not-done", "it did not happen; --then says how to go on")
    .option("--then <run|fail>", "run it again, or let it fail")
    .option("--output <file>", "what it returned, JSON or YAML; - is standard input")
    .option("--value <json>", "what it returned, as JSON")
    .option("--seen <record>", "refuse when the doubt is newer than this record, as `run show` printed it (default: as the run is now)");
  return withOperateOptions(command).action((run: string, task: string, options: SettleOptions) =>
    cli.act(async () => {
      const seen = options.seen === undefined ? undefined : parseCount(options.seen, "--seen", Number.MAX_SAFE_INTEGER);
      const action = await settleAction(cli, task, options);
      return withSession(cli.io, options, true, (session) =>
        operate(session, run, options, async (view) => ({ ...action, seen: seen ?? view.seq })),
      );
    }),
  );
}

async function settleAction(cli: Cli, task: string, options: SettleOptions): Promise<Extract<OperateAction, { kind: "settle" }>> {
  if (options.done === options.notDone) {
    throw new AppError("usage", "Say either --done or --not-done.", {
      hint: "`--done --output FILE` when it happened; `--not-done --then run` or `--then fail` when not.",
    });
  }
  if (options.done) {
    if (options.then !== undefined) throw new AppError("usage", "--then goes with --not-done only.");
    const output =
      options.value !== undefined
        ? parseJsonOption(options.value, "--value")
        : options.output === undefined
          ? null
          : await readValue(cli.io, options.output);
    return { kind: "settle", task, verdict: { kind: "done", output } };
  }
  if (options.then !== "run" && options.then !== "fail") {
    throw new AppError("usage", "--not-done needs --then run or --then fail.", {
      hint: "`run` starts it again as a new effect; `fail` lets the workflow handle the failure.",
    });
  }
  return { kind: "settle", task, verdict: { kind: "not-done", then: options.then } };
}
