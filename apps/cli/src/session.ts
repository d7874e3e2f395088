import { existsSync } from "node:fs";
import { userInfo } from "node:os";
import type { Command } from "commander";
import { type DataDirectory, LinkedService, resolveDataDirectory } from "@tutti/host";
import { AppError } from "@tutti/model";
import { Interrupts } from "./interrupts.ts";
import type { Io } from "./io.ts";
import { createStyle, type Style } from "./render/style.ts";

/** Options that every command takes. */
export interface CommonOptions {
  readonly data?: string;
  readonly json?: boolean;
  readonly color?: boolean;
}

/** What a command works with: the service, and how to speak to the user. */
export interface Session {
  readonly io: Io;
  readonly service: LinkedService;
  readonly directory: DataDirectory;
  readonly style: Style;
  readonly isJson: boolean;
  readonly interrupts: Interrupts;
  /** `tutti` as this user has to type it for this data directory. */
  readonly tutti: string;
  readonly actor: string;
}

/** Adds the options that every command takes; `--data` only where there is data. */
export function withCommonOptions(command: Command, options: { readonly data: boolean } = { data: true }): Command {
  if (options.data) command.option("--data <dir>", "data directory (default: TUTTI_DATA, else .tutti)");
  return command.option("--json", "exact JSON instead of text").option("--no-color", "no colours (also: NO_COLOR)");
}

/** Whether this process would be colourful: a terminal, and nobody said no. */
export function styleFor(io: Io, options: CommonOptions): Style {
  return createStyle(io.isColour && options.color !== false);
}

export function dataDirectoryOf(io: Io, options: CommonOptions): DataDirectory {
  // `event send --data '{…}'` is what everyone types first; a directory of that name would swallow the event without a word.
  if (options.data !== undefined && /^\s*[{[]/.test(options.data))
    throw new AppError("usage", `--data names the data directory, not data: ${options.data}`, {
      hint: "An event's data is given with --payload JSON.",
    });
  return resolveDataDirectory({ flag: options.data, environment: io.environment, currentDirectory: io.currentDirectory });
}

/** `tutti`, with the flag when the directory was named by one: suggested commands are there to be copied. */
export function tuttiCommand(options: CommonOptions): string {
  return options.data === undefined ? "tutti" : `tutti --data ${quote(options.data)}`;
}

/**
 * Opens the service, acts, and closes it whatever happens.
 *
 * @param needsData whether a data directory must be there already: a look-up in the wrong directory shall say so and make nothing.
 */
export async function withSession<Result>(
  io: Io,
  options: CommonOptions,
  needsData: boolean,
  act: (session: Session) => Promise<Result>,
): Promise<Result> {
  const directory = dataDirectoryOf(io, options);
  if (needsData) mustExist(directory);
  const style = styleFor(io, options);
  const interrupts = new Interrupts();
  try {
    const service = await LinkedService.open({
      directory,
      drive: "asked",
      environment: io.environment,
      report: (message, cause) => io.error(`${message}: ${cause instanceof Error ? cause.message : String(cause)}\n`),
    });
    const session: Session = {
      io,
      service,
      directory,
      style,
      isJson: options.json === true,
      interrupts,
      tutti: tuttiCommand(options),
      actor: actorName(),
    };
    try {
      const result = await act(session);
      await stayForOthers(session);
      return result;
    } finally {
      await service.close();
    }
  } finally {
    interrupts.stop();
  }
}

export function mustExist(directory: DataDirectory): void {
  if (existsSync(directory.path)) return;
  throw new AppError("file-unreadable", `There is no data directory at ${directory.path}.`, {
    details: { path: directory.path },
    hint: "Name yours with --data DIR or TUTTI_DATA; `tutti run start FILE` makes a new one.",
  });
}

/** An owner doesn't leave other processes, which asked it for runs, in the lurch: it stays until they are done, or the user ends it. */
async function stayForOthers(session: Session): Promise<void> {
  const { host } = session.service;
  if (host === undefined || session.interrupts.signal.aborted || !(await host.isNeededByOthers())) return;
  session.io.error("Done. Other tutti processes use this one, so it stays until they are done (Ctrl-C hands over to them).\n");
  await host.untilUnneeded(session.interrupts.signal);
}

function actorName(): string {
  try {
    return userInfo().username;
  } catch {
    // A container's user may have a number and no name.
    return `uid-${process.getuid?.() ?? "unknown"}`;
  }
}

function quote(text: string): string {
  return /^[\w./@:+-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
