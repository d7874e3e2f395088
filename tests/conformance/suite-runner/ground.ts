import { mkdtempSync, rmSync, statfsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { createMemoryStore, MemoryDisk, type Store } from "@tutti/store";
import { type CommitPolicy, DATABASE_FILE, openSqliteStore, type SqliteStore } from "@tutti/store-sqlite";

/** Of this much room a play needs little, also beside others. */
const MEMORY_DISK_BYTES_MIN = 256 * 1024 * 1024;
/** A process here lives for a few commits: a thread for them would take longer to start than that. */
const ON_MAIN_THREAD: CommitPolicy = { choose: () => "main", record: () => undefined };

/** What a play stands on: the durable part of a store, which outlives the processes that open it one after the other. */
export interface Ground {
  /** A store on what the last process left, not started. */
  open(): Store;
  /** The process that had opened the store is gone: what it had not committed is lost. */
  died(store: Store): Promise<void>;
  remove(): void;
}

export type StoreKind = "memory" | "sqlite";

export function groundOf(kind: StoreKind): Ground {
  return kind === "memory" ? memoryGround() : new SqliteGround();
}

function memoryGround(): Ground {
  const disk = new MemoryDisk();
  return {
    open: () => createMemoryStore(disk),
    died: async () => disk.crash(),
    remove: () => undefined,
  };
}

/** A directory for a store, in memory where there is room: what is lost here is lost with a process, and never by a power cut. */
export function makeDirectory(prefix: string): string {
  return mkdtempSync(join(hasMemoryDisk() ? MEMORY_DISK : tmpdir(), prefix));
}

const MEMORY_DISK = "/dev/shm";

function hasMemoryDisk(): boolean {
  try {
    const { bavail, bsize } = statfsSync(MEMORY_DISK);
    return bavail * bsize >= MEMORY_DISK_BYTES_MIN;
  } catch {
    // Not a Linux, or one without it.
    return false;
  }
}

/** A directory of its own. */
export class SqliteGround implements Ground {
  protected directory = makeDirectory("tutti-suite-");
  /** The last connection to close would write the log back and remove it. A killed process leaves it there, and so does one that is not the last. */
  #witness: DatabaseSync | undefined;

  open(): SqliteStore {
    return openSqliteStore({ directory: this.directory, commitPolicy: ON_MAIN_THREAD });
  }

  async died(store: Store): Promise<void> {
    if (this.#witness === undefined) {
      this.#witness = new DatabaseSync(join(this.directory, DATABASE_FILE));
      // A connection that has read nothing does not count.
      this.#witness.exec("select count(*) from sqlite_schema");
    }
    // `open` made it.
    await (store as SqliteStore).abandon();
  }

  remove(): void {
    this.#witness?.close();
    rmSync(this.directory, { recursive: true, force: true });
  }
}
