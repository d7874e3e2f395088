import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createMemoryStore, MemoryDisk, type Store } from "@tutti/store";
import { openSqliteStore, type SqliteStore } from "@tutti/store-sqlite";

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

/** A directory of its own. */
export class SqliteGround implements Ground {
  protected directory = mkdtempSync(join(tmpdir(), "tutti-suite-"));

  open(): SqliteStore {
    return openSqliteStore({ directory: this.directory });
  }

  async died(store: Store): Promise<void> {
    // `open` made it.
    await (store as SqliteStore).abandon();
  }

  remove(): void {
    rmSync(this.directory, { recursive: true, force: true });
  }
}
