import { chmod, mkdir, readdir, stat } from "node:fs/promises";
import { isAbsolute, join, resolve } from "node:path";
import { AppError } from "@tutti/model";

/** Where everything lies that one installation knows: store, logs, secrets, socket. */
export interface DataDirectory {
  readonly path: string;
  readonly logs: string;
  readonly secrets: string;
}

/** The name of the data directory when nobody names one: beside the user's files, so that two projects never share runs by accident. */
export const DATA_DIRECTORY_DEFAULT = ".tutti";
/** Runs, logs and secrets concern nobody but their owner. */
const DIRECTORY_MODE = 0o700;
const OPEN_TO_OTHERS = 0o077;
/** The store has been here. */
const OWNER_FILE = "owner.db";
/** What a person may have put there before the first start. */
const EARLY_ENTRIES: ReadonlySet<string> = new Set(["secrets", "logs", "settings.yaml"]);

/** Which directory is meant: the flag before the environment variable TUTTI_DATA before `.tutti` in the current directory. */
export function resolveDataDirectory(given: {
  readonly flag: string | undefined;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly currentDirectory: string;
}): DataDirectory {
  const chosen = given.flag ?? (given.environment["TUTTI_DATA"] || undefined) ?? DATA_DIRECTORY_DEFAULT;
  const path = isAbsolute(chosen) ? chosen : resolve(given.currentDirectory, chosen);
  return { path, logs: join(path, "logs"), secrets: join(path, "secrets") };
}

/**
 * Makes the directory when it is not there, and closes it to others when it is open.
 *
 * @throws AppError `file-unreadable` when it is no directory, belongs to another user or cannot be made.
 */
export async function prepareDataDirectory(directory: DataDirectory): Promise<void> {
  try {
    await mkdir(directory.path, { recursive: true, mode: DIRECTORY_MODE });
    const found = await stat(directory.path);
    if (!found.isDirectory()) throw new Error("it is not a directory");
    const owner = process.getuid?.();
    if (owner !== undefined && found.uid !== owner) throw new Error(`it belongs to user ${found.uid}, and this process is user ${owner}`);
    if ((found.mode & OPEN_TO_OTHERS) !== 0) await close(directory.path);
    await mkdir(directory.logs, { recursive: true, mode: DIRECTORY_MODE });
    await mkdir(directory.secrets, { recursive: true, mode: DIRECTORY_MODE });
  } catch (cause) {
    throw new AppError("file-unreadable", `The data directory ${directory.path} cannot be used: ${messageOf(cause)}.`, {
      cause,
      details: { path: directory.path },
      hint: "Name another one with --data DIR or TUTTI_DATA, or correct its owner and permissions.",
    });
  }
}

/**
 * Takes the directory away from everybody else. Never one that others use for other things: `--data /` or `--data ~` would lock a whole system
 * out of its files.
 */
async function close(path: string): Promise<void> {
  const entries = await readdir(path);
  const isOurs = entries.includes(OWNER_FILE) || entries.every((entry) => EARLY_ENTRIES.has(entry));
  if (!isOurs) throw new Error("it is open to other users and holds files that are not Tutti's, so it is not made private");
  await chmod(path, DIRECTORY_MODE);
}

/** The words of a failure of the operating system. */
export function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
