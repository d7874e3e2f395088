export { checkDatabase } from "./backup.ts";
export type { CommitPolicy } from "./commit-policy.ts";
export { DATABASE_FILE, openSqliteStore, SqliteStore, type SqliteStoreOptions } from "./sqlite-store.ts";
