import { Command, type CommanderError } from "commander";
import { AppError } from "@tutti/model";
import type { Io } from "./io.ts";

/** What a command file is given to build its command. */
export interface Cli {
  readonly io: Io;
  /** Runs the command's work and keeps its exit code; what it throws is told at the edge. */
  act(work: () => Promise<number>): Promise<void>;
}

/** A command whose usage errors are thrown, like all others, instead of ending the process. */
export function newCommand(name: string, summary: string): Command {
  return new Command(name)
    .description(summary)
    .exitOverride()
    .configureOutput({ outputError: () => {} })
    .helpOption("-h, --help", "what the command takes")
    .helpCommand(false)
    .allowExcessArguments(false)
    .showSuggestionAfterError(true);
}

/** Collects an option that may be given several times. */
export function collect(value: string, before: readonly string[]): readonly string[] {
  return [...before, value];
}

/** What commander throws as an error of the catalogue; undefined when it only printed the help that was asked for. */
export function usageErrorOf(error: CommanderError, commandPath: string): AppError | undefined {
  if (error.exitCode === 0 || error.code === "commander.helpDisplayed") return undefined;
  const [problem = "", suggestion] = error.message.replace(/^error: /, "").split("\n");
  const sentence = `${problem.charAt(0).toUpperCase()}${problem.slice(1)}${/[.?!]$/.test(problem) ? "" : "."}`;
  const advice = suggestion === undefined ? "" : ` ${suggestion.replaceAll(/[()]/g, "")}`;
  return new AppError("usage", `${sentence}${advice}`, { hint: `\`${commandPath} --help\` shows what it takes.` });
}
