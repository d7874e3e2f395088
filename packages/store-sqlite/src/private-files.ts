import { closeSync, mkdirSync, openSync } from "node:fs";

const PRIVATE_DIRECTORY = 0o700;
const PRIVATE_FILE = 0o600;

/**
 * The data directory holds inputs and outputs of customers: nobody but the owner's account reads it. One that is there keeps its mode, since it
 * may be shared; our files in it are private all the same.
 */
export function createPrivateDirectory(path: string): void {
  mkdirSync(path, { recursive: true, mode: PRIVATE_DIRECTORY });
}

/** Makes the file before SQLite does, which would ask for 0644; its log and index files take the mode over. Never closes a file that is locked. */
export function createPrivateFile(path: string): void {
  try {
    closeSync(openSync(path, "wx", PRIVATE_FILE));
  } catch (error) {
    const isThere = error instanceof Error && "code" in error && error.code === "EEXIST";
    if (!isThere) throw error;
  }
}
