import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { Connection } from "./connection.ts";
import { dumpSchema, migrate, MIGRATIONS } from "./migrations.ts";
import { createPrivateDirectory } from "./private-files.ts";
import { findSubscribers } from "./subscribers.ts";
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

test("subscriptions of a store of version 5 have no key, and are found by every event of their type beside those with one", async () => {
  await withConnection(async (connection) => {
    migrate(connection, MIGRATIONS.slice(0, 5));
    const { database } = connection;
    const insertRun = database.prepare(
      `insert into run (run_key, run_id, tenant, namespace, name, started_at, start_position, version, digest, labels, status, updated_at, is_outstanding,
         in_doubt, crc) values (?, ?, 'default', 'n', 'w', 0, 0, '1.0.0', 'd', '{}', 'waiting', 0, 0, 0, 0)`,
    );
    for (const runKey of [1, 2, 3]) insertRun.run(runKey, `run_${runKey}`);
    database.exec(
      `insert into subscription (run_key, task, filter, tenant, event_type, after_position)
       values (1, 4, 0, 'default', 'alarm', 0), (2, 4, 0, 'default', null, 0), (3, 4, 0, 'default', 'push', 0)`,
    );
    migrate(connection);
    database.exec(
      `insert into subscription (run_key, task, filter, tenant, event_type, after_position, key_name, key_value)
       values (3, 5, 0, 'default', 'alarm', 0, 'subject', 'a'), (3, 5, 1, 'default', 'alarm', 0, 'subject', 'b')`,
    );
    const query = { tenant: "default", type: "alarm", position: 1, keyValue: () => "b", limit: 10 };
    expect(findSubscribers(connection, query)).toEqual({
      subscribers: [
        { runId: "run_1", task: 4, filter: 0 },
        { runId: "run_2", task: 4, filter: 0 },
        { runId: "run_3", task: 5, filter: 1 },
      ],
      next: undefined,
    });
    expect(dumpSchema(connection)).not.toMatch(/subscription_by_type/);
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
