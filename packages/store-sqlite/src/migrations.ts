import { hash } from "node:crypto";
import { statfsSync } from "node:fs";
import { AppError } from "@tutti/model";
import type { Connection } from "./connection.ts";
import { MIGRATION_1 } from "./migrations/001-start.ts";
import { MIGRATION_2 } from "./migrations/002-schedules.ts";
import { MIGRATION_3 } from "./migrations/003-retention.ts";
import { MIGRATION_4 } from "./migrations/004-references.ts";
import { MIGRATION_5 } from "./migrations/005-lists.ts";
import { MIGRATION_6 } from "./migrations/006-subscription-keys.ts";
import { MIGRATION_7 } from "./migrations/007-providers.ts";

/** "Tut1": tells a store of ours from any other SQLite file. */
const APPLICATION_ID = 0x54757431;

/** Numbered from 1 by their place; only appended to, never edited: their hash is stored and compared. */
export const MIGRATIONS: readonly string[] = [MIGRATION_1, MIGRATION_2, MIGRATION_3, MIGRATION_4, MIGRATION_5, MIGRATION_6, MIGRATION_7];

/**
 * Brings the database to this version, each migration in a transaction of its own.
 *
 * @throws AppError `store-newer` when a later version has written it, `store-damaged` when it is no store of ours or another history of migrations.
 */
export function migrate(connection: Connection, migrations: readonly string[] = MIGRATIONS): void {
  const { database } = connection;
  const applicationId = Number(database.prepare("pragma application_id").get()?.["application_id"]);
  const isEmpty = database.prepare("select 1 from sqlite_schema limit 1").get() === undefined;
  if (!isEmpty && applicationId !== APPLICATION_ID) throw new AppError("store-damaged", "The database file is not a store of Tutti.");
  if (isEmpty) {
    connection.transact(() => {
      database.exec(`pragma application_id = ${APPLICATION_ID}`);
      database.exec("create table migration (number integer primary key, hash text not null) strict");
    });
  }
  const applied = database.prepare("select number, hash from migration order by number").all();
  if (applied.length > migrations.length) {
    throw new AppError(
      "store-newer",
      `The data directory has schema version ${applied.length}; this version of Tutti knows ${migrations.length}.`,
    );
  }
  for (const [index, sql] of migrations.entries()) {
    const known = applied[index];
    if (known === undefined) apply(connection, index + 1, sql);
    else if (known["hash"] !== hashOf(sql) || known["number"] !== index + 1) {
      throw new AppError("store-damaged", `Migration ${index + 1} of the data directory is not the one that this version knows.`);
    }
  }
}

/** Value of `pragma auto_vacuum` for "incremental". */
const AUTO_VACUUM_INCREMENTAL = 2;
/** The database is written once more, and once into the log, before the old one goes. */
const REWRITE_SPACE_FACTOR = 3;

/**
 * Rewrites a database of an earlier version, once, so that the space of deleted runs can be given back from then on.
 *
 * All or nothing, like every transaction. Where the disk has no room for it the database stays as it is: deleted runs then make room for new
 * ones and the file keeps its size; it is tried again at the next start.
 */
export function enableGivingBack(connection: Connection, path: string): void {
  const { database } = connection;
  if (Number(database.prepare("pragma auto_vacuum").get()?.["auto_vacuum"]) === AUTO_VACUUM_INCREMENTAL) return;
  const size = database.prepare("select page_count * page_size as bytes from pragma_page_count(), pragma_page_size()").get();
  const disk = statfsSync(path);
  if (disk.bavail * disk.bsize < Number(size?.["bytes"]) * REWRITE_SPACE_FACTOR) return;
  database.exec("pragma auto_vacuum = incremental; vacuum;");
}

/** The schema as SQLite has it, for the committed copy and its test. */
export function dumpSchema(connection: Connection): string {
  const rows = connection.database
    .prepare("select sql from sqlite_schema where sql is not null and name not like 'sqlite_%' order by type desc, name")
    .all();
  return `${rows.map((row) => `${String(row["sql"])};`).join("\n\n")}\n`;
}

function apply(connection: Connection, number: number, sql: string): void {
  connection.transact(() => {
    connection.database.exec(sql);
    connection.database.prepare("insert into migration (number, hash) values (?, ?)").run(number, hashOf(sql));
  });
}

function hashOf(sql: string): string {
  return hash("sha256", sql, "hex");
}
