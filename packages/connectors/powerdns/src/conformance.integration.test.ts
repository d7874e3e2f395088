import type { AttemptProvider } from "@tutti/connector-kit";
import { connectorLaws, type ConnectorUnderTest, type GivenToCase, httpTarget } from "@tutti/connector-kit/conformance";
import { isJsonObject, type JsonObject } from "@tutti/model";
import { afterAll, beforeAll, describe, test } from "vitest";
import { hasLab } from "@tutti/testkit/lab";
import { type Pdns, startPdns } from "./pdns-for-tests.ts";
import { powerdnsConnector } from "./powerdns-connector.ts";

let pdns: Pdns | undefined;

/** A zone that the call may work in. */
async function zone({ name, call }: GivenToCase, more: JsonObject = {}): Promise<string> {
  await call("zone.create:1", { name: `${name}.test`, ...more });
  return `${name}.test`;
}

/** A zone with `www A 10.0.0.1` in it. */
async function address(given: GivenToCase): Promise<JsonObject> {
  const place = { zone: await zone(given), name: "www", type: "A" };
  await given.call("recordset.set:1", { ...place, records: ["10.0.0.1"], ttl: 60, comment: "by hand" });
  return place;
}

/** What takes back a change of `www A`. */
async function restoring(given: GivenToCase): Promise<JsonObject> {
  const place = await address(given);
  const output = await given.call("recordset.set:1", { ...place, records: ["10.0.0.2", "10.0.0.3"] });
  if (!isJsonObject(output)) throw new Error("a record set was set");
  return { ...place, before: output["before"] ?? null, token: output["token"] ?? null };
}

const FUNCTIONS: ConnectorUnderTest["functions"] = {
  "zone.create:1": {
    input: ({ name }) => ({ name: `${name}.Test`, nameservers: ["ns1.lab.test", "ns2.lab.test"] }),
    refused: async (given) => ({ name: await zone(given) }),
  },
  "zone.change:1": {
    input: async (given) => ({ name: await zone(given), kind: "Master", soaEditApi: "EPOCH" }),
    refused: ({ name }) => ({ name: `${name}.test`, kind: "Master" }),
  },
  "zone.delete:1": {
    input: async (given) => ({ name: String((await address(given))["zone"] as string) }),
    refused: async (given) => ({ name: await zone(given), token: `tok_${"0".repeat(32)}` }),
  },
  "zone.list:1": { input: () => ({}) },
  "zone.notify:1": {
    input: async (given) => ({ name: await zone(given, { kind: "Master" }) }),
    refused: ({ name }) => ({ name: `${name}.test` }),
  },
  "zone.retrieve:1": {
    input: async (given) => ({ name: await zone(given, { kind: "Slave", masters: ["127.0.0.1:9"] }) }),
    refused: ({ name }) => ({ name: `${name}.test` }),
  },
  "recordset.set:1": {
    input: async (given) => ({ ...(await address(given)), records: ["10.0.0.2", { content: "10.0.0.3", disabled: true }] }),
    refused: async (given) => ({ ...(await address(given)), records: ["not an address"] }),
  },
  "recordset.delete:1": { input: address },
  "recordset.restore:1": {
    input: restoring,
    refused: async (given) => ({ ...(await restoring(given)), token: `tok_${"0".repeat(32)}` }),
  },
  "recordset.list:1": {
    input: async (given) => ({ zone: String((await address(given))["zone"] as string) }),
    refused: ({ name }) => ({ zone: `${name}.test` }),
  },
};

/** The real PowerDNS of `lab/pdns.sh`. */
const UNDER_TEST: ConnectorUnderTest = {
  connector: powerdnsConnector(),
  functions: FUNCTIONS,
  open: async (fault) => {
    const server = pdns;
    if (server === undefined) throw new Error("PowerDNS is started before the laws are asked");
    const provider = (url: string): AttemptProvider => server.provider(url);
    return httpTarget({ url: server.url, provider, denied: (url) => server.provider(url, "another-key-0123456789") })(fault);
  },
  cleanUp: async () => pdns?.empty(),
};

describe.skipIf(!hasLab)("powerdns on the real PowerDNS", () => {
  beforeAll(async () => {
    pdns = await startPdns();
  });
  afterAll(async () => pdns?.stop());

  for (const law of connectorLaws(UNDER_TEST)) test(`${law.name}`, () => law.run());
});
