// Loaded by `--import` into the workers of the controls, and by them into their threads: every connection gets the setting in
// `TUTTI_TEST_SYNCHRONOUS` instead of FULL. Without it commits are synced, and a control that loses nothing has failed.
import { DatabaseSync } from "node:sqlite";

const setting = process.env["TUTTI_TEST_SYNCHRONOUS"] ?? "";
if (!["normal", "off"].includes(setting)) throw new Error(`TUTTI_TEST_SYNCHRONOUS is "${setting}"`);
const STRONG = "synchronous = full";
const exec = Reflect.get(DatabaseSync.prototype, "exec") as (this: DatabaseSync, sql: string) => void;
DatabaseSync.prototype.exec = function (sql) {
  exec.call(this, sql.replace(STRONG, `synchronous = ${setting}`));
};
