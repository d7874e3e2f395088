import { AppError } from "@tutti/model";

const PRIMARY_CODE_MASK = 0xff;
const SQLITE_PERM = 3;
const SQLITE_BUSY = 5;
const SQLITE_READONLY = 8;
const SQLITE_IOERR = 10;
const SQLITE_CORRUPT = 11;
const SQLITE_FULL = 13;
const SQLITE_CANTOPEN = 14;
const SQLITE_NOTADB = 26;
/** The shared-memory index could not grow: a full disk, reported in its own way. */
const SQLITE_IOERR_SHMSIZE = SQLITE_IOERR | (19 << 8);

/** What failed, as plain data that crosses threads. */
export type StoreFailure =
  | { readonly kind: "full"; readonly message: string }
  | { readonly kind: "damaged"; readonly message: string }
  /** The disk did not keep a write, so nothing may be acknowledged any more: the page cache may hold what the disk has not. */
  | { readonly kind: "disk-failed"; readonly message: string }
  /** A stranger (a shell, a backup tool) holds the database's lock; nothing was written. */
  | { readonly kind: "locked"; readonly message: string }
  /** A bug of ours: a broken constraint, a wrong statement. The transaction was rolled back. */
  | { readonly kind: "bug"; readonly message: string };

export function failureOf(error: unknown): StoreFailure {
  const message = error instanceof Error ? error.message : String(error);
  const code = errorCodeOf(error);
  if (code === undefined) return { kind: "bug", message };
  const primary = code & PRIMARY_CODE_MASK;
  if (primary === SQLITE_FULL || code === SQLITE_IOERR_SHMSIZE) return { kind: "full", message };
  if (primary === SQLITE_CORRUPT || primary === SQLITE_NOTADB) return { kind: "damaged", message };
  if (primary === SQLITE_BUSY) return { kind: "locked", message };
  if (primary === SQLITE_IOERR) return { kind: "disk-failed", message: `${message} (SQLite ${code})` };
  return { kind: "bug", message: `${message} (SQLite ${code})` };
}

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
  if (system === undefined && !CANNOT_OPEN.has((errorCodeOf(error) ?? 0) & PRIMARY_CODE_MASK)) return known;
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

function errorCodeOf(error: unknown): number | undefined {
  if (typeof error !== "object" || error === null || !("errcode" in error)) return undefined;
  return typeof error.errcode === "number" ? error.errcode : undefined;
}
