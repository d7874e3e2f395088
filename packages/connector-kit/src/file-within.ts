import { realpath } from "node:fs/promises";
import { resolve, sep } from "node:path";

/** A file that a document names lies outside of the directories that it may read from. */
export class OutsideDirectoryError extends Error {
  constructor(path: string, directory: string) {
    super(`${path} is outside of ${directory}`);
    this.name = "OutsideDirectoryError";
  }
}

/**
 * The real path of a file, when it lies in one of the directories. Links are followed first: neither `..` nor a link leads out.
 *
 * `path` is absolute, or relative to the first directory. The file can be another one by the time it is opened; whoever may change links in
 * these directories may as well put anything else there.
 *
 * @throws OutsideDirectoryError; the system's error when the file is not there.
 */
export async function fileWithin(directories: readonly [string, ...string[]], path: string): Promise<string> {
  const [first] = directories;
  const file = await realpath(resolve(first, path)).catch((error: unknown) => {
    // What is outside is said to be outside, whether it is there or not.
    if (!directories.some((directory) => isWithin(directory, resolve(first, path)))) throw new OutsideDirectoryError(path, first);
    throw error;
  });
  for (const directory of directories) if (isWithin(await realpath(directory).catch(() => directory), file)) return file;
  throw new OutsideDirectoryError(path, first);
}

function isWithin(directory: string, file: string): boolean {
  return file.startsWith(directory.endsWith(sep) ? directory : directory + sep);
}
