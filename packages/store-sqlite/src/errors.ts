import { AppError } from "@tutti/model";
import { failureOf, primaryCodeOf, type StoreFailure } from "./failure.ts";

const SQLITE_PERM = 3;
const SQLITE_READONLY = 8;
const SQLITE_CANTOPEN = 14;

/** The error that a caller sees. */
export function errorOf(failure: StoreFailure): Error {
  switch (failure.kind) {
    case "full":
      return new AppError("store-full", `The disk of the data directory is full; nothing was written (${failure.message}).`);
    case "damaged":
      return new AppError("store-damaged", `The database file is damaged: ${failure.message}.`);
    case "disk-failed":
      return new AppError("commit-outcome-unknown", `The disk failed while writing: ${failure.message}. The store takes no more calls.`, {
        hint: "Check the disk, then start again: what was acknowledged is there.",
      });
    case "locked":
      return new AppError("commit-outcome-unknown", "Another program holds the lock of the database file; nothing was written.", {
        hint: "Close other programs that have tutti.db open.",
      });
    case "bug":
      return new Error(`The store refused a statement: ${failure.message}`);
  }
}

/** What a reader sees: our own errors as they are, SQLite's with their meaning. */
export function readErrorOf(error: unknown, runId?: string): unknown {
  const failure = failureOf(error);
  if (error instanceof AppError || failure.kind === "bug") return error;
  if (failure.kind === "full" || failure.kind === "locked") return errorOf(failure);
  const details: Readonly<Record<string, string>> = runId === undefined ? {} : { runId };
  const of = runId === undefined ? "" : ` while reading run ${runId}`;
  return new AppError("store-damaged", `The database file cannot be read${of}: ${failure.message}.`, { details, cause: error });
}

const CANNOT_OPEN: ReadonlySet<number> = new Set([SQLITE_PERM, SQLITE_READONLY, SQLITE_CANTOPEN]);
const NO_SPACE: ReadonlySet<string> = new Set(["ENOSPC", "EDQUOT"]);

/** What whoever starts the store sees when the disk or the directory will not have it. Bugs of ours stay as they are. */
export function startErrorOf(error: unknown, directory: string): unknown {
  const known = readErrorOf(error);
  if (known instanceof AppError && (known.code === "store-newer" || known.code === "store-damaged")) return placed(known, directory);
  if (known instanceof AppError || !(error instanceof Error)) return known;
  const system = "code" in error && "syscall" in error && typeof error.code === "string" ? error.code : undefined;
  if (system !== undefined && NO_SPACE.has(system)) return errorOf({ kind: "full", message: error.message });
  if (system === undefined && !CANNOT_OPEN.has(primaryCodeOf(error))) return known;
  return new AppError("file-unreadable", `The data directory ${directory} cannot be used: ${error.message}.`, {
    cause: error,
    details: { path: directory },
    hint: "Check the disk, and the owner and permissions of the directory and the files in it.",
  });
}

/** The same, naming the directory; of a store that does not even open, no doctor can say more. */
function placed(error: AppError, directory: string): AppError {
  return new AppError(error.code, `${directory}: ${error.message}`, {
    cause: error,
    details: { ...error.details, path: directory },
    hint:
      error.code === "store-newer"
        ? error.hint
        : "Keep a copy of the directory, then restore a backup into a new one: `tutti admin restore BACKUP --data DIR`.",
  });
}
