import { connectorLaws, type ConnectorUnderTest, type GivenToCase } from "@tutti/connector-kit/conformance";
import { isJsonObject, type Json, type JsonObject } from "@tutti/model";
import { hasLab } from "@tutti/testkit/lab";
import { afterAll, beforeAll, describe, test } from "vitest";
import { postgresqlConnector } from "./postgresql-connector.ts";
import { openDoor, type Postgres, startPostgres } from "./postgres-for-tests.ts";

const STRANGE_TOKEN = `tok_${"0".repeat(32)}`;
let postgres: Postgres | undefined;

function thePostgres(): Postgres {
  if (postgres === undefined) throw new Error("PostgreSQL is started before the laws are asked");
  return postgres;
}

function objectOf(output: Json): JsonObject {
  if (!isJsonObject(output)) throw new Error("the call gives an object");
  return output;
}

async function database({ name, call }: GivenToCase): Promise<string> {
  await call("database.create:1", { name });
  return name;
}

async function role({ name, call }: GivenToCase, suffix = ""): Promise<string> {
  await call("role.create:1", { name: `${name}${suffix}` });
  return `${name}${suffix}`;
}

async function membership(given: GivenToCase): Promise<JsonObject> {
  return { role: await role(given, "-group"), member: await role(given) };
}

/** A schema with two tables. */
async function tables(given: GivenToCase): Promise<JsonObject> {
  const { name } = given;
  await thePostgres().ask(`CREATE SCHEMA "${name}"; CREATE TABLE "${name}".a (id int); CREATE TABLE "${name}"."B c" (id int)`, "lab");
  return { database: "lab", type: "table", schema: name, role: await role(given) };
}

async function withoutExtension(): Promise<void> {
  await thePostgres().ask("DROP EXTENSION IF EXISTS pgcrypto", "lab");
}

async function restoring(given: GivenToCase, name: string, input: JsonObject, members: readonly string[]): Promise<JsonObject> {
  const output = objectOf(await given.call(name, input));
  return Object.fromEntries(members.map((member) => [member, output[member] ?? null]));
}

const FUNCTIONS: ConnectorUnderTest["functions"] = {
  "database.create:1": {
    input: async (given) => ({
      name: `${given.name} "DB"`,
      owner: await role(given),
      template: "template0",
      encoding: "UTF8",
      locale: "C.UTF-8",
      connectionLimit: 3,
      comment: "it's \\ for Ana",
    }),
    refused: async (given) => ({ name: await database(given) }),
  },
  "database.change:1": {
    input: async (given) => ({ name: await database(given), owner: await role(given), connectionLimit: 5, allowConnections: false }),
    refused: ({ name }) => ({ name, connectionLimit: 5 }),
  },
  "database.delete:1": {
    input: async (given) => ({ name: await database(given), onlyIfEmpty: true, force: true }),
    refused: async (given) => ({ name: await database(given), token: STRANGE_TOKEN }),
  },
  "database.list:1": { input: () => ({}) },
  "role.create:1": {
    input: ({ name }) => ({
      name: `${name} Ä`,
      login: true,
      password: "the password of a role",
      createDatabase: true,
      inherit: false,
      connectionLimit: 2,
      validUntil: "2035-01-01T12:00:00.500+01:00",
      comment: "web",
    }),
    refused: async (given) => ({ name: await role(given) }),
  },
  "role.change:1": {
    input: async (given) => ({ name: await role(given), login: true, connectionLimit: 7, validUntil: "2035-01-01T00:00:00Z" }),
    refused: ({ name }) => ({ name, login: true }),
  },
  "role.password:1": {
    input: async (given) => ({ name: await role(given), password: "another password" }),
    refused: ({ name }) => ({ name, password: "another password" }),
  },
  "role.delete:1": {
    input: async (given) => ({ name: await role(given) }),
    refused: async (given) => ({ name: await role(given), token: STRANGE_TOKEN }),
  },
  "role.list:1": { input: () => ({}) },
  "membership.set:1": {
    input: async (given) => ({ ...(await membership(given)), admin: true }),
    refused: async (given) => ({ role: `${given.name}-none`, member: await role(given) }),
  },
  "membership.delete:1": {
    input: async (given) => {
      const where = await membership(given);
      await given.call("membership.set:1", { ...where, admin: true });
      return where;
    },
  },
  "membership.restore:1": {
    input: async (given) => {
      const where = await membership(given);
      await given.call("membership.set:1", where);
      return restoring(given, "membership.set:1", { ...where, admin: true }, ["role", "member", "before", "after"]);
    },
    refused: async (given) => ({ ...(await membership(given)), before: { admin: true }, after: { admin: false } }),
  },
  "membership.list:1": { input: () => ({}) },
  "grant.set:1": {
    input: async (given) => {
      const place = await tables(given);
      await given.call("grant.set:1", { ...place, name: "a", privileges: ["SELECT", "DELETE"], grantable: true });
      return { ...place, privileges: ["SELECT", "INSERT"] };
    },
    refused: async (given) => ({ ...(await tables(given)), name: "none", privileges: "all" }),
  },
  "grant.revoke:1": {
    input: async () => {
      await thePostgres().ask("GRANT CONNECT, TEMPORARY ON DATABASE lab TO public");
      return { database: "lab", type: "database", role: "public" };
    },
    refused: ({ name }) => ({ database: "lab", type: "database", role: name }),
  },
  "grant.restore:1": {
    input: async (given) =>
      restoring(given, "grant.set:1", { ...(await tables(given)), name: "B c", privileges: "all" }, ["database", "before", "after"]),
    refused: async (given) => {
      const place = await tables(given);
      const input = await restoring(given, "grant.set:1", { ...place, privileges: "all" }, ["database", "before", "after"]);
      await given.call("grant.set:1", { ...place, name: "a", privileges: ["SELECT"] });
      return input;
    },
  },
  "grant.list:1": { input: () => ({ database: "lab" }), refused: ({ name }) => ({ database: name }) },
  "schema.ensure:1": {
    input: async (given) => ({ database: "lab", name: `${given.name}.S`, owner: await role(given), comment: "of the shop" }),
    refused: ({ name }) => ({ database: "lab", name, owner: `${name}-none` }),
  },
  "schema.restore:1": {
    input: (given) =>
      restoring(given, "schema.ensure:1", { database: "lab", name: given.name }, ["database", "name", "before", "owner", "token"]),
    refused: (given) => ({ database: "lab", name: given.name, before: { owner: "lab" }, owner: "admin", token: STRANGE_TOKEN }),
  },
  "schema.delete:1": {
    input: async (given) => ({
      ...(await restoring(given, "schema.ensure:1", { database: "lab", name: given.name }, ["database", "name"])),
    }),
    refused: async (given) => {
      await given.call("schema.ensure:1", { database: "lab", name: given.name });
      return { database: "lab", name: given.name, token: STRANGE_TOKEN };
    },
  },
  "schema.list:1": { input: () => ({ database: "lab" }) },
  "extension.ensure:1": {
    input: async () => {
      await withoutExtension();
      return { database: "lab", name: "pgcrypto", schema: "public" };
    },
    refused: ({ name }) => ({ database: "lab", name }),
  },
  "extension.restore:1": {
    input: async (given) => {
      await withoutExtension();
      return restoring(given, "extension.ensure:1", { database: "lab", name: "pgcrypto" }, [
        "database",
        "name",
        "before",
        "version",
        "oid",
      ]);
    },
    refused: async (given) => ({
      ...(await restoring(given, "extension.ensure:1", { database: "lab", name: "pgcrypto" }, ["database", "name", "version", "oid"])),
      before: { version: "0.0" },
    }),
  },
  "extension.list:1": { input: () => ({ database: "lab" }) },
  "query.run:1": {
    input: () => ({ database: "lab", sql: "SELECT $1::int + 1 AS sum, now() > 'epoch' AS late", parameters: [1] }),
    refused: ({ name }) => ({ database: "lab", sql: `CREATE TABLE "${name}" (id int)` }),
  },
  "statement.run:1": {
    input: ({ name }) => ({ database: "lab", sql: `CREATE SCHEMA "${name}"` }),
    refused: ({ name }) => ({ database: "lab", sql: `DROP SCHEMA "${name}"` }),
  },
};

/** The real PostgreSQL of `lab/postgres.sh`. */
const UNDER_TEST: ConnectorUnderTest = {
  connector: postgresqlConnector({ limits: { answerBytesMax: 1024 * 1024, cancelMs: 500 } }),
  functions: FUNCTIONS,
  open: (fault) => openDoor(thePostgres(), fault),
  cleanUp: () => thePostgres().empty(),
};

describe.skipIf(!hasLab)("postgresql on the real PostgreSQL", () => {
  beforeAll(async () => {
    postgres = await startPostgres();
  });
  afterAll(async () => postgres?.stop());

  for (const law of connectorLaws(UNDER_TEST)) test(`${law.name}`, () => law.run());
});
