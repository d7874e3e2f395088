import { connectorLaws, type ConnectorUnderTest, type GivenToCase } from "@tutti/connector-kit/conformance";
import type { JsonObject } from "@tutti/model";
import { afterAll, beforeAll, describe, test } from "vitest";
import { haproxyConnector } from "./haproxy-connector.ts";
import { hasLab } from "@tutti/testkit/lab";
import { type Haproxy, openDoor, startHaproxy } from "./haproxy-for-tests.ts";

let haproxy: Haproxy | undefined;

function theHaproxy(): Haproxy {
  if (haproxy === undefined) throw new Error("HAProxy is started before the laws are asked");
  return haproxy;
}

/** A member that the call may work on. */
async function member({ name, call }: GivenToCase): Promise<JsonObject> {
  await call("pool-member.create:1", { pool: "web", name, address: "127.0.0.1", port: 9, weight: 10, check: {} });
  return { pool: "web", name };
}

const FUNCTIONS: ConnectorUnderTest["functions"] = {
  "pool-member.create:1": {
    input: ({ name }) => ({
      pool: "web",
      name,
      address: "2001:DB8::0:7",
      port: 8001,
      weight: 7,
      check: { intervalMs: 60_000 },
      state: "drain",
    }),
    refused: async (given) => ({ ...(await member(given)), address: "127.0.0.1", port: 9 }),
  },
  "pool-member.change:1": {
    input: async (given) => ({ ...(await member(given)), address: "127.0.0.2", port: 10, weight: 20, state: "maint", check: "off" }),
    refused: ({ name }) => ({ pool: "web", name, weight: 1 }),
  },
  "pool-member.delete:1": {
    input: (given) => member(given),
    refused: async (given) => ({ ...(await member(given)), token: `tok_${"0".repeat(32)}` }),
  },
  "pool-member.list:1": {
    input: async (given) => {
      await member(given);
      return { pool: "web" };
    },
    refused: ({ name }) => ({ pool: name }),
  },
  "pool-member.await:1": {
    input: async ({ name, call }) => {
      await call("pool-member.create:1", { pool: "web", name, address: "127.0.0.1", port: 9 });
      return { pool: "web", name };
    },
    refused: ({ name }) => ({ pool: "web", name }),
  },
  "map-entry.set:1": {
    input: async ({ name, call }) => {
      await call("map-entry.set:1", { map: theHaproxy().map, key: `/${name}`, value: "old" });
      return { map: theHaproxy().map, key: `/${name}`, value: "new" };
    },
    refused: ({ name }) => ({ map: `/nowhere/${name}.map`, key: "/x", value: "y" }),
  },
  "map-entry.list:1": { input: () => ({ map: theHaproxy().map }), refused: ({ name }) => ({ map: `/nowhere/${name}.map` }) },
  "acl-entry.set:1": {
    input: ({ name }) => ({ acl: theHaproxy().acl, pattern: name }),
    refused: ({ name }) => ({ acl: `/nowhere/${name}.acl`, pattern: "x" }),
  },
  "acl-entry.list:1": { input: () => ({ acl: theHaproxy().acl }), refused: ({ name }) => ({ acl: `/nowhere/${name}.acl` }) },
  "pool.list:1": { input: () => ({}) },
  "pool.statistics:1": { input: () => ({ pool: "web" }), refused: ({ name }) => ({ pool: name }) },
};

/** The real HAProxy of `lab/haproxy.sh`. */
const UNDER_TEST: ConnectorUnderTest = {
  connector: haproxyConnector(),
  functions: FUNCTIONS,
  open: (fault) => openDoor(theHaproxy(), fault),
  cleanUp: () => theHaproxy().empty(),
};

describe.skipIf(!hasLab)("haproxy on the real HAProxy", () => {
  beforeAll(async () => {
    haproxy = await startHaproxy();
  });
  afterAll(async () => haproxy?.stop());

  for (const law of connectorLaws(UNDER_TEST)) test(`${law.name}`, () => law.run());
});
