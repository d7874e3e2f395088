import { connectorLaws, type ConnectorUnderTest, type GivenToCase, httpTarget } from "@tutti/connector-kit/conformance";
import { isJsonObject, type JsonObject } from "@tutti/model";
import { hasLab } from "@tutti/testkit/lab";
import { afterAll, beforeAll, describe, test } from "vitest";
import { icingaConnector } from "./icinga-connector.ts";
import { type Icinga, startIcinga } from "./icinga-for-tests.ts";

let icinga: Icinga | undefined;

const PASSIVE = { checkCommand: "passive", activeChecks: false, maxCheckAttempts: 1 };
const NOBODY = { token: `tok_${"0".repeat(32)}` };

async function host({ name, call }: GivenToCase): Promise<JsonObject> {
  await call("host.create:1", { host: name, attributes: { address: "198.18.0.1", ...PASSIVE, vars: { os: "Linux" } } });
  return { host: name };
}

async function service(given: GivenToCase): Promise<JsonObject> {
  const reference = { ...(await host(given)), service: "web" };
  await given.call("service.create:1", { ...reference, attributes: { ...PASSIVE, vars: { os: "Linux" } } });
  return reference;
}

/** The same cases for hosts and for services. */
function cases(kind: "host" | "service", make: (given: GivenToCase) => Promise<JsonObject>): ConnectorUnderTest["functions"] {
  const bad = kind === "host" ? "down" : "critical";
  const nobody = (given: GivenToCase): JsonObject => (kind === "host" ? { host: given.name } : { host: given.name, service: "web" });
  const ill = async (given: GivenToCase): Promise<JsonObject> => {
    const reference = await make(given);
    await given.call(`${kind}.submit-result:1`, { ...reference, state: bad, output: "It is down" });
    return reference;
  };
  const acknowledged = async (given: GivenToCase): Promise<JsonObject> => {
    const reference = await ill(given);
    await given.call(`${kind}.acknowledge:1`, { ...reference, comment: "Seen" });
    return reference;
  };
  const attributes = { ...PASSIVE, displayName: "Web <server>", notes: "by Tutti", vars: { os: "Linux", tags: ["a", { b: 1 }] } };
  return {
    [`${kind}.create:1`]: {
      input: async (given) => ({ ...(kind === "host" ? nobody(given) : { ...(await host(given)), service: "web" }), attributes }),
      refused: async (given) => ({ ...(await make(given)), attributes }),
    },
    [`${kind}.change:1`]: {
      input: async (given) => ({
        ...(await make(given)),
        attributes: { maxCheckAttempts: 5, notes: "other", vars: { os: "BSD", site: { name: "north" } } },
      }),
      refused: (given) => ({ ...nobody(given), attributes: { notes: "x" } }),
    },
    [`${kind}.delete:1`]: { input: make, refused: async (given) => ({ ...(await make(given)), ...NOBODY }) },
    [`${kind}.read:1`]: { input: make, refused: nobody },
    [`${kind}.list:1`]: { input: async (given) => ({ match: String((await make(given))[kind] as string) }) },
    [`${kind}.await:1`]: { input: async (given) => ({ ...(await ill(given)), states: [bad], withinSeconds: 0 }), refused: nobody },
    [`${kind}.acknowledge:1`]: {
      input: async (given) => ({ ...(await ill(given)), comment: "Seen" }),
      refused: (given) => ({ ...nobody(given), comment: "Seen" }),
    },
    [`${kind}.unacknowledge:1`]: { input: acknowledged, refused: nobody },
    [`${kind}.submit-result:1`]: {
      input: async (given) => ({ ...(await make(given)), state: bad, output: "It is <down>", performanceData: ["time=0.2s"] }),
      refused: (given) => ({ ...nobody(given), state: bad, output: "x" }),
    },
    [`${kind}.reschedule-check:1`]: { input: make, refused: nobody },
  };
}

const FUNCTIONS: ConnectorUnderTest["functions"] = {
  ...cases("host", host),
  ...cases("service", service),
  "downtime.schedule:1": {
    input: async (given) => ({ ...(await service(given)), comment: "Works", durationSeconds: 600 }),
    refused: ({ name }) => ({ host: name, comment: "Works", durationSeconds: 600 }),
  },
  "downtime.remove:1": {
    input: async (given) => {
      const made = await given.call("downtime.schedule:1", { ...(await host(given)), comment: "Works", durationSeconds: 600 });
      if (!isJsonObject(made)) throw new Error("a downtime was scheduled");
      return { token: made["token"] ?? null };
    },
  },
  "downtime.list:1": { input: () => ({}) },
  "status.read:1": { input: () => ({}) },
};

/** The real Icinga of `lab/icinga.sh`. */
const UNDER_TEST: ConnectorUnderTest = {
  connector: icingaConnector(),
  functions: FUNCTIONS,
  open: async (fault) => {
    const server = icinga;
    if (server === undefined) throw new Error("Icinga is started before the laws are asked");
    const denied = (url: string): ReturnType<Icinga["provider"]> => server.provider(url, "another-password-0123");
    return httpTarget({ url: server.plainUrl, provider: (url) => server.provider(url), denied })(fault);
  },
  cleanUp: async () => icinga?.empty(),
};

describe.skipIf(!hasLab)("icinga on the real Icinga", () => {
  beforeAll(async () => {
    icinga = await startIcinga();
  });
  afterAll(async () => icinga?.stop());

  for (const law of connectorLaws(UNDER_TEST)) test(`${law.name}`, () => law.run());
});
