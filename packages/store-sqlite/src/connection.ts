import { DatabaseSync, type StatementSync } from "node:sqlite";

/** Waiting for a lock would block the event loop; writers take turns by our own queue, so a lock held for longer is a bug or a stranger. */
const BUSY_TIMEOUT_MS = 5_000;
/**
 * Pages of the database that a connection keeps, taken as they are needed. With SQLite's own 2 MiB a batch of 2,000 runs does not fit: its pages
 * are written to the log before the commit, read back and written again. Measured when 100,000 runs are stored: 7.4 s of CPU instead of 10.7 s.
 */
const CACHE_KIB = 16 * 1024;

/** One SQLite connection with its prepared statements. Main thread and workers have one each. */
export class Connection {
  readonly database: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();

  /** @param access `read`: nothing can be written through it, whatever a statement says. */
  constructor(path: string, access: "read" | "write" = "write") {
    this.database = new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS, enableForeignKeyConstraints: false });
    // `auto_vacuum` counts while the file is still empty: with it the space of deleted runs can be given back in slices.
    // `wal_autocheckpoint` off: a checkpoint inside a commit would block it for the time of writing the whole log back.
    this.database.exec(
      `pragma auto_vacuum = incremental; pragma journal_mode = wal; pragma synchronous = full; pragma wal_autocheckpoint = 0; pragma cache_size = -${CACHE_KIB}; pragma trusted_schema = off;`,
    );
    if (access === "read") this.database.exec("pragma query_only = on");
  }

  /** The prepared statement of `text`. Texts are constants, so the cache is as large as the program. */
  sql(text: string): StatementSync {
    const known = this.#statements.get(text);
    if (known !== undefined) return known;
    const statement = this.database.prepare(text);
    this.#statements.set(text, statement);
    return statement;
  }

  /** Runs `work` in one transaction: committed and synced when this returns, rolled back when it throws. */
  transact<T>(work: () => T): T {
    this.sql("begin immediate").run();
    try {
      const result = work();
      this.sql("commit").run();
      return result;
    } catch (error) {
      // SQLite has rolled back by itself after most failures of the disk. A rollback that fails is the worse news of the two.
      if (this.database.isTransaction) this.database.exec("rollback");
      throw error;
    }
  }

  close(): void {
    this.#statements.clear();
    if (this.database.isOpen) this.database.close();
  }
}
