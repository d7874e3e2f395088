import { type Command, CommanderError } from "commander";
import { type Cli, newCommand, usageErrorOf } from "./cli.ts";
import { EXIT, exitCodeOf } from "./exit-code.ts";
import { printError } from "./fail.ts";
import { Interrupted } from "./interrupts.ts";
import type { Io } from "./io.ts";

type Build = (cli: Cli) => Command;

interface Noun {
  readonly name: string;
  readonly aliases: readonly string[];
  readonly summary: string;
  /** Loaded when the noun is used: a command that is not called costs nothing at start. */
  readonly load: () => Promise<readonly Build[]>;
}

const NOUNS: readonly Noun[] = [
  {
    name: "workflow",
    aliases: ["workflows", "wf"],
    summary: "lint, preview, publish and look at workflow documents",
    load: async () => [
      (await import("./commands/workflow-lint.ts")).workflowLint,
      (await import("./commands/workflow-preview.ts")).workflowPreview,
      (await import("./commands/workflow-list.ts")).workflowList,
      (await import("./commands/workflow-show.ts")).workflowShow,
      (await import("./commands/workflow-apply.ts")).workflowApply,
    ],
  },
  {
    name: "run",
    aliases: ["runs"],
    summary: "start, follow and operate runs",
    load: async () => [
      (await import("./commands/run-start.ts")).runStart,
      (await import("./commands/run-list.ts")).runList,
      (await import("./commands/run-show.ts")).runShow,
      (await import("./commands/run-explain.ts")).runExplain,
      (await import("./commands/run-trace.ts")).runTrace,
      (await import("./commands/run-watch.ts")).runWatch,
      (await import("./commands/run-logs.ts")).runLogs,
      (await import("./commands/run-events.ts")).runEvents,
      (await import("./commands/run-pause.ts")).runPause,
      (await import("./commands/run-resume.ts")).runResume,
      (await import("./commands/run-retry.ts")).runRetry,
      (await import("./commands/run-skip.ts")).runSkip,
      (await import("./commands/run-settle.ts")).runSettle,
      (await import("./commands/run-backout.ts")).runBackout,
      (await import("./commands/run-cancel.ts")).runCancel,
      (await import("./commands/run-kill.ts")).runKill,
      (await import("./commands/run-replay.ts")).runReplay,
    ],
  },
  {
    name: "schedule",
    aliases: ["schedules", "trigger", "triggers"],
    summary: "let workflows start by the clock or by events",
    load: async () => [
      (await import("./commands/schedule-list.ts")).scheduleList,
      (await import("./commands/schedule-show.ts")).scheduleShow,
      (await import("./commands/schedule-next.ts")).scheduleNext,
      (await import("./commands/schedule-enable.ts")).scheduleEnable,
      (await import("./commands/schedule-disable.ts")).scheduleDisable,
      (await import("./commands/schedule-fire.ts")).scheduleFire,
    ],
  },
  {
    name: "provider",
    aliases: ["providers"],
    summary: "tell Tutti which systems it works on, and see whether it can",
    load: async () => [
      (await import("./commands/provider-add.ts")).providerAdd,
      (await import("./commands/provider-check.ts")).providerCheck,
      (await import("./commands/provider-list.ts")).providerList,
      (await import("./commands/provider-remove.ts")).providerRemove,
    ],
  },
  {
    name: "event",
    aliases: ["events"],
    summary: "send and list events",
    load: async () => [(await import("./commands/event-send.ts")).eventSend, (await import("./commands/event-list.ts")).eventList],
  },
  {
    name: "admin",
    aliases: [],
    summary: "check, back up and restore the installation, delete old runs",
    load: async () => [
      (await import("./commands/admin-doctor.ts")).adminDoctor,
      (await import("./commands/admin-backup.ts")).adminBackup,
      (await import("./commands/admin-restore.ts")).adminRestore,
      (await import("./commands/admin-release.ts")).adminRelease,
      (await import("./commands/admin-prune.ts")).adminPrune,
    ],
  },
];

/** Commands without a noun. */
const VERBS: readonly { readonly name: string; readonly summary: string; readonly load: () => Promise<Build> }[] = [
  { name: "up", summary: "drive all runs and timers until stopped", load: async () => (await import("./commands/up.ts")).up },
  {
    name: "version",
    summary: "version of this program and of the process that drives runs",
    load: async () => (await import("./commands/version.ts")).version,
  },
];

/** Runs one command line and returns its exit code. Never rejects: everything that fails is told here, once. */
export async function runCommandLine(io: Io, given: readonly string[]): Promise<number> {
  const words = hoistOptions(given);
  const isJson = words.includes("--json");
  let exitCode: number = EXIT.ok;
  const cli: Cli = {
    io,
    act: async (work) => {
      exitCode = await work();
    },
  };
  try {
    const program = await buildProgram(cli, words[0]);
    await program.parseAsync(words, { from: "user" });
    return exitCode;
  } catch (error) {
    if (error instanceof Interrupted) return EXIT.interrupted;
    // A noun alone: its help is on standard error already.
    if (error instanceof CommanderError && error.code === "commander.help") return EXIT.usage;
    const told = error instanceof CommanderError ? usageErrorOf(error, commandPath(words, error)) : error;
    if (told === undefined) return EXIT.ok;
    printError(io, told, isJson);
    return exitCodeOf(told);
  }
}

async function buildProgram(cli: Cli, noun: string | undefined): Promise<Command> {
  const program = newCommand("tutti", "Workflows that survive anything: start, follow, operate and repair them.");
  program.option("-V, --version", "version of this program").addHelpText("after", HELP_AFTER);
  for (const each of NOUNS) {
    const command = newCommand(each.name, each.summary).aliases([...each.aliases]);
    if (each.name === noun || (noun !== undefined && each.aliases.includes(noun)))
      for (const build of await each.load()) command.addCommand(build(cli));
    // Without an action commander would print help to standard error and call it a failure.
    else command.action(() => {});
    program.addCommand(command);
  }
  for (const each of VERBS) program.addCommand(each.name === noun ? (await each.load())(cli) : newCommand(each.name, each.summary));
  return program;
}

/**
 * Puts common options that stand before the noun behind all words: `tutti --json run list` is as natural as `tutti run list --json`.
 */
export function hoistOptions(words: readonly string[]): readonly string[] {
  const hoisted: string[] = [];
  let index = 0;
  for (; index < words.length; index++) {
    const word = words[index] ?? "";
    if (word === "--json" || word === "--no-color" || word.startsWith("--data=")) hoisted.push(word);
    else if (word === "--data" && index + 1 < words.length) hoisted.push(word, words[++index] ?? "");
    else break;
  }
  const rest = words.slice(index);
  const stop = rest.indexOf("--");
  return stop < 0 ? [...rest, ...hoisted] : [...rest.slice(0, stop), ...hoisted, ...rest.slice(stop)];
}

/** The command whose help explains a usage error. */
function commandPath(words: readonly string[], error: CommanderError): string {
  const noun = [...NOUNS, ...VERBS].find((each) => each.name === words[0] || ("aliases" in each && each.aliases.includes(words[0] ?? "")));
  if (noun === undefined) return "tutti";
  const verb = words[1];
  const isVerbKnown = error.code !== "commander.unknownCommand" && verb !== undefined && /^[a-z]+$/.test(verb);
  return "aliases" in noun && isVerbKnown ? `tutti ${noun.name} ${verb}` : `tutti ${noun.name}`;
}

const HELP_AFTER = `
Examples:
  tutti workflow lint deploy.yaml          check a document
  tutti run start deploy.yaml -f input.yaml   start it and follow it to its end
  tutti run show @latest                   how it stands, and what to do next
  tutti up                                 drive all runs until stopped

Exit codes: 0 ok, 1 the run failed, 2 usage, 3 refused, 4 unreachable, 5 timed out.`;
