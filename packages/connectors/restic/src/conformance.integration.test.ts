import { connectorLaws, type ConnectorUnderTest, type GivenToCase } from "@tutti/connector-kit/conformance";
import { isJsonObject, type JsonObject } from "@tutti/model";
import { hasLab } from "@tutti/testkit/lab";
import { callsForTests } from "@tutti/connector-kit/conformance";
import { afterAll, beforeAll, describe, test } from "vitest";
import { resticConnector } from "./restic-connector.ts";
import { type Backups, openDoor, startBackups } from "./restic-for-tests.ts";

let backups: Backups | undefined;
const connector = resticConnector({ environment: process.env });

function theBackups(): Backups {
  if (backups === undefined) throw new Error("the server is started before the laws are asked");
  return backups;
}
const { call } = callsForTests(connector, () => theBackups().provider());

async function snapshot({ name, call: make }: GivenToCase): Promise<JsonObject> {
  const made = await make("backup.run:1", { paths: [theBackups().directory], host: name });
  if (!isJsonObject(made)) throw new Error("a backup was made");
  return { token: made["token"] ?? null };
}

const FUNCTIONS: ConnectorUnderTest["functions"] = {
  "backup.init:1": { input: () => ({}) },
  "backup.run:1": {
    input: ({ name }) => ({ paths: [theBackups().directory], host: name, tags: ["nightly"], excludes: ["*.tmp"] }),
    refused: ({ name }) => ({ paths: [`/nowhere/${name}`] }),
  },
  "snapshot.list:1": { input: () => ({ tags: ["nightly"] }) },
  "snapshot.forget:1": { input: snapshot },
  "restore.run:1": {
    input: async (given) => ({ ...(await snapshot(given)), target: `${theBackups().directory}-${given.name}` }),
    refused: ({ name }) => ({ snapshot: "0123456789abcdef", target: `/nowhere/${name}` }),
  },
  "repository.check:1": { input: () => ({}) },
};

/** The real restic of `lab/restic.sh`. */
const UNDER_TEST: ConnectorUnderTest = {
  connector,
  functions: FUNCTIONS,
  open: (fault) => openDoor(theBackups(), fault),
  cleanUp: async () => {
    const { snapshots } = await call("snapshot.list:1", {});
    for (const each of Array.isArray(snapshots) ? snapshots : [])
      if (isJsonObject(each)) await call("snapshot.forget:1", { snapshot: each["snapshot"] ?? null });
  },
};

describe.skipIf(!hasLab)("restic on the real restic", () => {
  beforeAll(async () => {
    backups = await startBackups();
    await call("backup.init:1", {});
  });
  afterAll(async () => backups?.stop());

  for (const law of connectorLaws(UNDER_TEST)) test(`${law.name}`, () => law.run());
});
