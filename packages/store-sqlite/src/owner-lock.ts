import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { AppError } from "@tutti/model";
import { createPrivateFile } from "./private-files.ts";

const SQLITE_BUSY = 5;

/**
 * Ownership of a data directory: a write lock held open on `owner.db`. The kernel frees it when the process ends, however it ends.
 *
 * @throws AppError `store-in-use` at once when another process, or another store of this one, has it.
 */
export class OwnerLock {
  readonly #database: DatabaseSync;

  constructor(directory: string) {
    const path = join(directory, "owner.db");
    const pidPath = join(directory, "owner.pid");
    createPrivateFile(path);
    this.#database = new DatabaseSync(path, { timeout: 0 });
    try {
      this.#database.exec("begin exclusive");
    } catch (error) {
      this.#database.close();
      if (!isBusy(error)) throw error;
      const owner = readPid(pidPath);
      throw new AppError(
        "store-in-use",
        `The data directory ${directory} is owned by ${owner === undefined ? "another process" : `process ${owner}`}.`,
        {
          details: { directory, ...(owner === undefined ? {} : { pid: owner }) },
          cause: error,
        },
      );
    }
    // Only for the message above; ownership is the lock.
    writeFileSync(pidPath, `${process.pid}\n`, { mode: 0o600 });
  }

  release(): void {
    if (this.#database.isOpen) this.#database.close();
  }
}

function isBusy(error: unknown): boolean {
  return typeof error === "object" && error !== null && "errcode" in error && error.errcode === SQLITE_BUSY;
}

function readPid(path: string): number | undefined {
  try {
    const pid = Number.parseInt(readFileSync(path, "utf8"), 10);
    return Number.isInteger(pid) ? pid : undefined;
  } catch {
    // The owner has not written it yet: the message does without.
    return undefined;
  }
}
