import { closeSync, openSync, writeSync } from "node:fs";
import { AppError } from "@tutti/model";
import { messageOf } from "../data-directory.ts";

/** Names of runs and workflows concern nobody but their owner. A file that is there keeps its mode. */
const FILE_MODE = 0o600;

/**
 * A file to which lines are appended. Each is handed to the operating system at once, as with standard error: a process that is killed has lost none.
 * `reopen` goes on in the file that has the name then, after somebody moved the old one away (logrotate).
 */
export class LogFile {
  readonly #path: string;
  readonly #complain: (message: string) => void;
  #file: number | undefined;
  #lost = 0;

  /** @throws AppError `file-unreadable` when it can't be opened. */
  constructor(path: string, complain: (message: string) => void) {
    this.#path = path;
    this.#complain = complain;
    try {
      this.#file = openToAppend(path);
    } catch (cause) {
      throw new AppError("file-unreadable", `The log file ${path} can't be opened: ${messageOf(cause)}.`, { cause, details: { path } });
    }
  }

  /** Never throws: a line that the disk does not take is lost and counted. */
  write(line: string): void {
    if (this.#file === undefined) return;
    try {
      // After a failure half a line may stand there; what follows must not be glued to it.
      writeWhole(this.#file, this.#lost === 0 ? line : `\n${line}`);
      if (this.#lost > 0) this.#complain(`The log file ${this.#path} is written again; ${this.#lost} lines are lost.\n`);
      this.#lost = 0;
    } catch (cause) {
      if (this.#lost === 0)
        this.#complain(`The log file ${this.#path} can't be written: ${messageOf(cause)}. Lines are lost until it can.\n`);
      this.#lost += 1;
    }
  }

  /** Goes on in the old file when the new one can't be opened. */
  reopen(): void {
    if (this.#file === undefined) return;
    try {
      const next = openToAppend(this.#path);
      closeSync(this.#file);
      this.#file = next;
      this.#lost = 0;
    } catch (cause) {
      this.#complain(`The log file ${this.#path} can't be opened anew: ${messageOf(cause)}. Lines go on into the old one.\n`);
    }
  }

  close(): void {
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = undefined;
  }
}

function openToAppend(path: string): number {
  return openSync(path, "a", FILE_MODE);
}

/** A full disk takes a part and fails with the rest. */
function writeWhole(file: number, text: string): void {
  const bytes = Buffer.from(text);
  for (let from = 0; from < bytes.length;) from += writeSync(file, bytes, from);
}
