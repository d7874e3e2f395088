import { writeSync } from "node:fs";
import { join } from "node:path";
import { DATABASE_FILE } from "../sqlite-store.ts";
import { Connection } from "../connection.ts";
import { migrate, MIGRATIONS } from "../migrations.ts";
import { createPrivateDirectory, createPrivateFile } from "../private-files.ts";

// A process that migrates from nothing to today's schema and on through migrations that move much data, and tells each step on standard output
// once it is acknowledged: its power is cut by a test. Started again it checks that what it finds is the state after one whole step.
//
//   node migrate-child.ts DIRECTORY
const [directory] = process.argv.slice(2);
if (directory === undefined) throw new Error("usage: migrate-child.ts DIRECTORY");

const ROWS = 20_000;
const LATER: readonly string[] = [
  `create table ballast (id integer primary key, text text not null) strict;
   insert into ballast (id, text) with recursive n (i) as (select 1 union all select i + 1 from n where i < ${ROWS}) select i, hex(i) || printf('%.90c', 'x') from n;`,
  `create table moved (id integer primary key, text text not null, size integer not null) strict;
   insert into moved (id, text, size) select id, text, length(text) from ballast;
   drop table ballast;`,
  "create index moved_by_text on moved (text); update moved set size = size + 1;",
];
const STEPS = [...MIGRATIONS, ...LATER];

createPrivateDirectory(directory);
const path = join(directory, DATABASE_FILE);
createPrivateFile(path);
tell("begin");
const connection = new Connection(path);
const found = appliedSteps();
tell(`found ${found}`);
checkStep(found);
for (let step = found + 1; step <= STEPS.length; step++) {
  migrate(connection, STEPS.slice(0, step));
  tell(`done ${step}`);
}
checkStep(STEPS.length);
const integrity = String(connection.database.prepare("pragma integrity_check").get()?.["integrity_check"]);
connection.close();
tell(integrity === "ok" ? "whole" : `damaged ${integrity}`);

/** Steps that a process before has brought to their end. */
function appliedSteps(): number {
  const isNew = connection.database.prepare("select 1 from sqlite_schema where name = 'migration'").get() === undefined;
  return isNew ? 0 : Number(connection.database.prepare("select count(*) as count from migration").get()?.["count"]);
}

/** @throws when the tables are not those of this step: half of a migration is there. */
function checkStep(step: number): void {
  const later = step - MIGRATIONS.length;
  const expected = { ballast: later === 1 ? ROWS : undefined, moved: later >= 2 ? ROWS : undefined, index: later >= 3 };
  const actual = { ballast: count("ballast"), moved: count("moved"), index: exists("moved_by_text") };
  if (JSON.stringify(actual) !== JSON.stringify(expected)) throw new Error(`After step ${step}: ${JSON.stringify(actual)}`);
  if (later < 2) return;
  const wrong = `select count(*) as count from moved where size <> length(text) + ${later >= 3 ? 1 : 0}`;
  if (connection.database.prepare(wrong).get()?.["count"] !== 0) throw new Error(`After step ${step}: rows are not as migrated`);
}

function exists(name: string): boolean {
  return connection.database.prepare("select 1 from sqlite_schema where name = ?").get(name) !== undefined;
}

function count(table: "ballast" | "moved"): number | undefined {
  if (!exists(table)) return undefined;
  return Number(connection.database.prepare(`select count(*) as count from ${table}`).get()?.["count"]);
}

function tell(line: string): void {
  writeSync(1, `${line}\n`);
}
