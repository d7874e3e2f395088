import { readFile } from "node:fs/promises";
import { setTimeout as pause } from "node:timers/promises";
import { renderUndo } from "@tutti/connector-kit";
import { callsForTests, freshToken } from "@tutti/connector-kit/conformance";
import type { Json, JsonObject } from "@tutti/model";
import { hasLab } from "@tutti/testkit/lab";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { postgresqlConnector } from "./postgresql-connector.ts";
import { openDoor, type Postgres, startPostgres } from "./postgres-for-tests.ts";

const connector = postgresqlConnector();
const { attempt, call, declared, undo } = callsForTests(connector, () => postgres.provider());
let postgres: Postgres;

/** Asks until it is so. */
async function until(isSo: () => Promise<boolean>): Promise<void> {
  while (!(await isSo())) await pause(20);
}

async function grants(role: string): Promise<Json> {
  return (await call("grant.list:1", { database: "lab", role }))["grants"] ?? null;
}

describe.skipIf(!hasLab)("postgresql", () => {
  beforeAll(async () => {
    postgres = await startPostgres();
  });
  afterEach(() => postgres.empty());
  afterAll(() => postgres.stop());

  test("a role logs in with its password, and the password is in no log of the server", async () => {
    const [first, second] = ["first-Passw0rd-'ö", "second-Passw0rd-\\'"];
    await call("role.create:1", { name: "app", login: true, password: first });
    const asApp = (password: string): Promise<JsonObject> =>
      call(
        "query.run:1",
        { database: "lab", sql: "SELECT current_user AS name" },
        { provider: { ...postgres.provider(), credentials: { user: "app", password } } },
      );
    expect(await asApp(first)).toEqual({ rows: [{ name: "app" }], rowCount: 1 });
    await call("role.password:1", { name: "app", password: second });
    await expect(asApp(first)).rejects.toMatchObject({ errorKind: "authentication", retryable: false });
    expect(await asApp(second)).toMatchObject({ rowCount: 1 });
    const log = await readFile(postgres.log, "utf8");
    expect(log).toContain("CREATE ROLE");
    expect(log).not.toContain("Passw0rd");
    await expect(call("role.create:1", { name: "app", password: first })).rejects.toThrow("already");
  });

  test("a call that is made twice at the same time has one effect and one output", async () => {
    const twice = async (name: string, input: JsonObject): Promise<void> => {
      const token = freshToken();
      const [one, other] = await Promise.all([1, 2].map((number) => call(name, input, { token, number })));
      expect(other).toEqual(one);
    };
    await twice("database.create:1", { name: "shop" });
    await twice("role.create:1", { name: "app" });
    await twice("grant.set:1", { database: "lab", type: "schema", schema: "public", role: "app", privileges: "all" });
    expect(await postgres.ask("SELECT datname FROM pg_database WHERE datname LIKE 'tutti%' OR datname = 'shop'")).toEqual([
      { datname: "shop" },
    ]);
  });

  test("what is lost within a transaction is not done, at whichever statement", async () => {
    await call("role.create:1", { name: "app" });
    const input = { database: "lab", type: "schema", schema: "public", role: "app", privileges: "all" };
    let lost = 0;
    for (let request = 1; ; request += 1) {
      const door = await openDoor(postgres, { kind: "answer-lost", request }, "statements");
      const own = attempt({ provider: door.provider });
      const error: unknown = await declared("grant.set:1")
        .run(input, own)
        .catch((thrown: unknown) => thrown);
      const wasMet = door.requests() >= request;
      await door.close();
      if (!wasMet) break;
      const isDone = JSON.stringify(await grants("app")) !== "[]";
      // Only the answer of the last one, COMMIT, leaves anything done.
      expect({ request, outcome: (error as { readonly outcome?: string }).outcome }).toEqual({
        request,
        outcome: isDone ? "unknown" : "never-began",
      });
      lost += 1;
      if (isDone) break;
    }
    expect(lost).toBeGreaterThan(6);
  });

  test("an undo leaves what somebody else has made since, and says so", async () => {
    const made = await call("database.create:1", { name: "shop" });
    await postgres.ask("CREATE TABLE orders (id int)", "shop");
    await expect(undo("database.create:1", { name: "shop" }, made)).rejects.toThrow("is not empty (1 tables");
    const changed = await call("database.change:1", { name: "shop", connectionLimit: 5 });
    await postgres.ask("ALTER DATABASE shop CONNECTION LIMIT 9");
    await expect(undo("database.change:1", {}, changed)).rejects.toThrow("somebody has changed it since");

    const role = await call("role.create:1", { name: "app" });
    await postgres.ask("DROP ROLE app; CREATE ROLE app");
    await expect(undo("role.create:1", {}, role)).rejects.toThrow("another one of this name");

    const granted = await call("grant.set:1", { database: "lab", type: "schema", schema: "public", role: "app", privileges: ["USAGE"] });
    await postgres.ask("GRANT CREATE ON SCHEMA public TO app", "lab");
    await expect(undo("grant.set:1", {}, granted)).rejects.toThrow("somebody has changed them since");

    const schema = await call("schema.ensure:1", { database: "lab", name: "shop" });
    await postgres.ask("CREATE TABLE shop.orders (id int)", "lab");
    await expect(undo("schema.ensure:1", {}, schema)).rejects.toMatchObject({ outcome: "answered", retryable: false });
    expect(await postgres.ask("SELECT count(*)::int AS tables FROM shop.orders", "lab")).toEqual([{ tables: 0 }]);
  });

  test("an undo of an extension leaves one that was made again", async () => {
    const input = { database: "lab", name: "pgcrypto" };
    const output = await call("extension.ensure:1", input);
    await postgres.ask("DROP EXTENSION pgcrypto; CREATE EXTENSION pgcrypto", "lab");
    await expect(undo("extension.ensure:1", input, output)).rejects.toThrow("somebody has changed it since");
  });

  test("rights on all tables of a schema are put back as they were, table by table", async () => {
    await postgres.ask('CREATE SCHEMA shop; CREATE TABLE shop.a (id int); CREATE VIEW shop."V x" AS SELECT 1 AS one', "lab");
    await call("role.create:1", { name: "app" });
    await postgres.ask("GRANT SELECT ON shop.a TO app WITH GRANT OPTION", "lab");
    const before = await grants("app");
    const input = { database: "lab", type: "table", schema: "shop", role: "app", privileges: ["INSERT", "SELECT"] };
    const output = await call("grant.set:1", input);
    expect(await grants("app")).toEqual([
      { database: "lab", type: "table", schema: "shop", name: "V x", role: "app", privileges: ["INSERT", "SELECT"], grantable: [] },
      { database: "lab", type: "table", schema: "shop", name: "a", role: "app", privileges: ["INSERT", "SELECT"], grantable: [] },
    ]);
    await undo("grant.set:1", input, output);
    expect(await grants("app")).toEqual(before);
  });

  test("a right that another role has granted, and stays, fails the call, and nothing is changed", async () => {
    await call("role.create:1", { name: "boss" });
    await call("role.create:1", { name: "app" });
    await postgres.ask(
      "GRANT USAGE ON SCHEMA public TO boss WITH GRANT OPTION; SET ROLE boss; GRANT USAGE ON SCHEMA public TO app; RESET ROLE",
      "lab",
    );
    const before = await grants("app");
    const input = { database: "lab", type: "schema", schema: "public", role: "app", privileges: ["CREATE"] };
    await expect(call("grant.set:1", input)).rejects.toThrow("another role has granted it");
    expect(await grants("app")).toEqual(before);
  });

  test("names and comments that look like SQL are names and comments", async () => {
    const name = `x"; DROP DATABASE lab; --`;
    const comment = `'; DROP DATABASE lab; -- \\`;
    await call("role.create:1", { name, comment });
    await call("database.create:1", { name, comment, owner: name });
    await call("grant.set:1", { database: name, type: "database", role: name, privileges: "all", grantable: true });
    await call("schema.ensure:1", { database: name, name, owner: name, comment });
    expect((await call("database.list:1", {}))["databases"]).toContainEqual(expect.objectContaining({ name, comment, owner: name }));
    expect((await call("schema.list:1", { database: name }))["schemas"]).toContainEqual(
      expect.objectContaining({ database: name, name, comment, owner: name }),
    );
  });

  test("a statement ends on the server when its attempt is stopped", async () => {
    const controller = new AbortController();
    const sql = "SELECT pg_sleep(600)";
    const running = async (): Promise<boolean> =>
      (await postgres.ask(`SELECT 1 FROM pg_stat_activity WHERE state = 'active' AND query = '${sql}'`)).length > 0;
    const ended = call("query.run:1", { sql, timeoutSeconds: 300 }, { signal: controller.signal }).catch((error: unknown) => error);
    await until(running);
    controller.abort();
    expect(await ended).toMatchObject({ errorKind: "timeout", outcome: "never-began" });
    await until(async () => !(await running()));
    await expect(call("query.run:1", { sql, timeoutSeconds: 1 })).rejects.toMatchObject({ errorKind: "timeout", outcome: "answered" });
  });

  test("a query changes nothing, whatever it says", async () => {
    for (const sql of [
      "CREATE TABLE public.t (id int)",
      "DO $$ BEGIN SET TRANSACTION READ WRITE; CREATE TABLE public.t (id int); END $$",
      "DO $$ BEGIN COMMIT; CREATE TABLE public.t (id int); END $$",
      "COMMIT; CREATE TABLE public.t (id int)",
      "SET TRANSACTION READ WRITE",
    ])
      await expect(call("query.run:1", { database: "lab", sql })).rejects.toMatchObject({ outcome: "answered", retryable: false });
    expect(await postgres.ask("SELECT relname FROM pg_class WHERE relname = 't'", "lab")).toEqual([]);
  });

  test("values come as JSON, and parameters are values", async () => {
    const sql = "SELECT $1::text AS t, $2::int[] AS l, $3::jsonb AS j, 1.50::numeric AS n, NULL AS nothing, date '2026-01-02' AS d";
    const { rows } = await call("query.run:1", { sql, parameters: ["'; --", [1, 2], { a: [true] }] });
    expect(rows).toEqual([{ t: "'; --", l: [1, 2], j: { a: [true] }, n: "1.50", nothing: null, d: "2026-01-02" }]);
    await expect(call("query.run:1", { sql: "SELECT generate_series(1, 3)", rowsMax: 2 })).rejects.toThrow("3 rows, more than rowsMax (2)");
  });

  test("a statement that was refused has not been done, and one whose answer is lost may have", async () => {
    await expect(call("statement.run:1", { database: "lab", sql: "INSERT INTO none VALUES (1)" })).rejects.toMatchObject({
      outcome: "answered",
      detail: { sqlState: "42P01" },
    });
    const door = await openDoor(postgres, { kind: "answer-lost", request: 2 });
    const lost = call("statement.run:1", { database: "lab", sql: "CREATE SCHEMA shop" }, { provider: door.provider });
    await expect(lost).rejects.toMatchObject({ outcome: "unknown" });
    await door.close();
    const { rowCount, command } = await call("statement.run:1", { database: "lab", sql: "DROP SCHEMA shop" });
    expect({ rowCount, command }).toEqual({ rowCount: 0, command: "DROP" });
  });

  test("what is kept for the undo is gone once the end is stored, and there until then", async () => {
    await call("role.create:1", { name: "app" });
    const notes = async (): Promise<number> => (await postgres.ask("SELECT oid FROM pg_largeobject_metadata")).length;
    const token = freshToken();
    const first = await declared("role.change:1").run({ name: "app", login: true }, attempt({ token }));
    expect(await notes()).toBe(1);
    expect(await call("role.change:1", { name: "app", login: true }, { token, number: 2 })).toEqual(first);
    expect(await notes()).toBe(0);
    expect(renderUndo(declared("role.change:1").undo ?? { call: "", with: {} }, { input: {}, output: first })).toMatchObject({
      login: false,
    });
  });

  test("TLS is asked for, and the certificate has to be known", async () => {
    const known = postgres.provider({ configuration: { tls: "verify", host: "localhost", authorities: postgres.certificate } });
    const sql = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
    expect(await call("query.run:1", { sql }, { provider: known })).toMatchObject({ rows: [{ ssl: true }] });
    const unknown = postgres.provider({ configuration: { tls: "verify" } });
    await expect(call("query.run:1", { sql }, { provider: unknown })).rejects.toMatchObject({ outcome: "never-began", retryable: false });
    const other = { ...postgres.provider({ configuration: { tls: "none" } }) };
    const remote = { ...other, configuration: { ...other.configuration, host: "db.example.org" } };
    await expect(call("query.run:1", { sql }, { provider: remote })).rejects.toThrow("everybody on the way could read along");
  });

  test("a unix socket needs no password where the server knows the user", async () => {
    const configuration = { socketDirectory: postgres.directory, port: postgres.port };
    const provider = { name: "db", configuration, credentials: { user: "postgres" } };
    expect(await connector.check?.(attempt({ provider }))).toMatchObject({ status: "healthy" });
    const asLab = { ...provider, credentials: { user: "lab" } };
    expect(await connector.check?.(attempt({ provider: asLab }))).toMatchObject({
      status: "unhealthy",
      problem: expect.stringContaining("asks for a password"),
    });
  });

  test("a login without rights is told that, and nothing is left behind", async () => {
    const provider = { ...postgres.provider(), credentials: { user: "lab", password: "lab" } };
    await expect(call("role.create:1", { name: "app" }, { provider })).rejects.toMatchObject({
      errorKind: "authorization",
      retryable: false,
    });
    await expect(call("database.create:1", { name: "shop", owner: "admin" }, { provider })).rejects.toMatchObject({
      errorKind: "authorization",
    });
    expect(await postgres.ask("SELECT datname FROM pg_database WHERE datname LIKE 'tutti%'")).toEqual([]);
  });
});
