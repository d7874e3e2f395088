import { connectorLaws, type ConnectorUnderTest, type GivenToCase } from "@tutti/connector-kit/conformance";
import { isJsonObject, type JsonObject } from "@tutti/model";
import { afterAll, beforeAll, describe, test } from "vitest";
import { nftablesConnector } from "./nftables-connector.ts";
import { type Firewall, hasLab, openDoor, startFirewall } from "./nftables-for-tests.ts";

let firewall: Firewall | undefined;

function theFirewall(): Firewall {
  if (firewall === undefined) throw new Error("the firewall is started before the laws are asked");
  return firewall;
}

const PLACE = { table: "lab", chain: "forward" };
const SET = { table: "lab", set: "blocked" };

async function rule({ name, call }: GivenToCase): Promise<JsonObject> {
  const match = { source: "198.18.210.2", protocol: "tcp", destinationPorts: [22] };
  const output = await call("firewall-rule.create:1", { ...PLACE, match, verdict: "drop", comment: name });
  if (!isJsonObject(output)) throw new Error("a rule was made");
  return { ...PLACE, token: output["token"] ?? null };
}

/** An address that no other call of the suite has. */
function address(name: string): string {
  const count = Number.parseInt(name.slice(name.lastIndexOf("x") + 1), 36);
  return `198.18.${(count >> 8) & 0xff}.${count & 0xff}`;
}

async function entry({ name, call }: GivenToCase): Promise<JsonObject> {
  const value = address(name);
  await call("address-set-entry.create:1", { ...SET, value, timeoutSeconds: 3600, comment: name });
  return { ...SET, value };
}

const FUNCTIONS: ConnectorUnderTest["functions"] = {
  "firewall-rule.create:1": {
    input: ({ name }) => ({
      ...PLACE,
      match: {
        source: ["198.18.210.2", "198.18.212.0/24"],
        destination: "198.18.211.2",
        inInterface: "in0",
        protocol: "tcp",
        destinationPorts: [80, "8000-8080"],
        connection: ["new"],
      },
      verdict: "accept",
      position: "first",
      comment: name,
    }),
    refused: () => ({ ...PLACE, match: { source: "@nothing" }, verdict: "drop" }),
  },
  "firewall-rule.delete:1": { input: rule },
  "firewall-rule.list:1": { input: () => PLACE, refused: ({ name }) => ({ table: name }) },
  "address-set-entry.create:1": {
    input: ({ name }) => ({ ...SET, value: address(name), timeoutSeconds: 600, comment: name }),
    refused: entry,
  },
  "address-set-entry.delete:1": {
    input: entry,
    refused: async (given) => ({ ...(await entry(given)), token: `tok_${"0".repeat(32)}` }),
  },
  "address-set-entry.restore:1": {
    input: ({ name }) => ({
      ...SET,
      value: address(name),
      before: { timeoutSeconds: 60, token: `tok_${"a".repeat(32)}`, comment: "as it was" },
    }),
    refused: async (given) => ({ ...(await entry(given)), before: { timeoutSeconds: null, token: null, comment: null } }),
  },
  "address-set-entry.list:1": { input: () => SET, refused: ({ name }) => ({ table: "lab", set: name }) },
  "firewall-table.list:1": { input: () => ({}) },
};

/** The real nftables of `lab/nftables.sh`. */
const UNDER_TEST: ConnectorUnderTest = {
  connector: nftablesConnector({ environment: process.env }),
  functions: FUNCTIONS,
  open: (fault) => openDoor(theFirewall(), fault),
  cleanUp: () => theFirewall().reset(),
};

describe.skipIf(!hasLab)("nftables on the real nftables", () => {
  beforeAll(async () => {
    firewall = await startFirewall();
  });
  afterAll(async () => firewall?.stop());

  for (const law of connectorLaws(UNDER_TEST)) test(`${law.name}`, () => law.run());
});
