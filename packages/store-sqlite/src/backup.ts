import { backup } from "node:sqlite";
import type { StoreReport } from "@tutti/store";
import { checkStore } from "./check.ts";
import { Connection } from "./connection.ts";
import { migrate } from "./migrations.ts";

/**
 * All pages in one step: one read transaction, so the copy is the store at one moment however many commits come meanwhile. In smaller steps SQLite
 * begins anew whenever another connection has written, which under load is at every step, and the copy never ends. Nobody waits for the one
 * step: readers do not hold up writers, only the log grows until it is over.
 */
const ALL_PAGES = 2 ** 31 - 1;

/** Copies the database to a file that is not there yet and reads the copy back. Takes its thread as long as that lasts: for a worker. */
export async function backupTo(connection: Connection, file: string): Promise<StoreReport> {
  await backup(connection.database, file, { rate: ALL_PAGES });
  return checkDatabase(file);
}

/**
 * Reads a database that nobody has open: brings it to this version, checks everything and leaves one file without a log.
 *
 * @throws AppError `store-newer`, `store-damaged` when it is none of ours. Damage inside is in the report.
 */
export function checkDatabase(file: string): StoreReport {
  const connection = new Connection(file);
  try {
    migrate(connection);
    return checkStore(connection);
  } finally {
    // The last connection to close writes the log back and removes it.
    connection.close();
  }
}
