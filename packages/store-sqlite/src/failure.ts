const SQLITE_BUSY = 5;
const SQLITE_IOERR = 10;
const SQLITE_CORRUPT = 11;
const SQLITE_FULL = 13;
const SQLITE_NOTADB = 26;
/** The shared-memory index could not grow: a full disk, reported in its own way. */
const SQLITE_IOERR_SHMSIZE = SQLITE_IOERR | (19 << 8);
const PRIMARY_CODE_MASK = 0xff;

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

/** SQLite's code without what only narrows it; 0 when the error is none of SQLite's. */
export function primaryCodeOf(error: unknown): number {
  return (errorCodeOf(error) ?? 0) & PRIMARY_CODE_MASK;
}

function errorCodeOf(error: unknown): number | undefined {
  if (typeof error !== "object" || error === null || !("errcode" in error)) return undefined;
  return typeof error.errcode === "number" ? error.errcode : undefined;
}
