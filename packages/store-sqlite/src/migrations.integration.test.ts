import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { Connection } from "./connection.ts";
import { dumpSchema, migrate, MIGRATIONS } from "./migrations.ts";
import { createPrivateDirectory } from "./private-files.ts";
import { withDirectory } from "./testing/directory.ts";

const SCHEMA_FILE = fileURLToPath(new URL("../schema.sql", import.meta.url));

/** Vitest writes the file anew with `-u`; a migration and its schema are committed together. */
test("the committed schema is what the migrations make", async () => {
  await withConnection(async (connection) => {
    migrate(connection);
    await expect(dumpSchema(connection)).toMatchFileSnapshot(SCHEMA_FILE);
  });
});

test("migrating twice changes nothing, and later migrations are added to what is there", async () => {
  await withConnection(async (connection) => {
    migrate(connection);
    const before = dumpSchema(connection);
    migrate(connection);
    expect(dumpSchema(connection)).toBe(before);
    connection.database.exec("insert into setting (name, value) values ('kept', 7)");
    migrate(connection, [...MIGRATIONS, "create table later (a integer) strict;"]);
    expect(dumpSchema(connection)).toMatch(/create table later/i);
    expect(connection.database.prepare("select value from setting where name = 'kept'").get()?.["value"]).toBe(7);
  });
});

test("a migration that fails half way leaves nothing behind", async () => {
  await withConnection(async (connection) => {
    migrate(connection);
    const before = dumpSchema(connection);
    expect(() =>
      migrate(connection, [...MIGRATIONS, "create table half (a integer) strict; create table half (a integer) strict;"]),
    ).toThrow(/half/);
    expect(dumpSchema(connection)).toBe(before);
    migrate(connection);
  });
});

test("an edited migration is noticed", async () => {
  await withConnection(async (connection) => {
    migrate(connection, ["create table a (a integer) strict;"]);
    expect(() => migrate(connection, ["create table a (a integer, b integer) strict;"])).toThrow(
      expect.objectContaining({ code: "store-damaged" }),
    );
  });
});

async function withConnection(use: (connection: Connection) => Promise<void>): Promise<void> {
  await withDirectory(async (directory) => {
    createPrivateDirectory(directory);
    const connection = new Connection(join(directory, "tutti.db"));
    try {
      await use(connection);
    } finally {
      connection.close();
    }
  });
}
