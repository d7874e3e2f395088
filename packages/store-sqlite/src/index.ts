export { checkDatabase } from "./backup.ts";
export { DATABASE_FILE, openSqliteStore, SqliteStore, type SqliteStoreOptions } from "./sqlite-store.ts";
