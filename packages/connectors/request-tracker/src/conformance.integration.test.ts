import type { AttemptProvider } from "@tutti/connector-kit";
import { connectorLaws, type ConnectorUnderTest, type GivenToCase, httpTarget } from "@tutti/connector-kit/conformance";
import { isJsonObject, type JsonObject } from "@tutti/model";
import { afterAll, beforeAll, describe, test } from "vitest";
import { requestTrackerConnector } from "./request-tracker-connector.ts";
import { hasLab } from "@tutti/testkit/lab";
import { type Rt, startRt } from "./rt-for-tests.ts";

let rt: Rt | undefined;

/** A ticket that the call may work on. @returns its number. */
async function ticket({ name, call }: GivenToCase): Promise<string> {
  const made = await call("ticket.create:1", { queue: "one", subject: name, customFields: { Hosts: ["a", "b"], Server: "web1" } });
  if (!isJsonObject(made) || typeof made["ticket"] !== "string") throw new Error("a ticket was made");
  return made["ticket"];
}

async function linked(given: GivenToCase): Promise<JsonObject> {
  const input = { ticket: await ticket(given), relation: "dependsOn", to: await ticket(given) };
  await given.call("ticket.link:1", input);
  return input;
}

const NOBODYS_TOKEN = `tok_${"0".repeat(32)}`;
const NO_TICKET = 999_999;

const FUNCTIONS: ConnectorUnderTest["functions"] = {
  "ticket.create:1": {
    input: ({ name }) => ({
      queue: "one",
      subject: name,
      text: "Grüße, it's new",
      requestors: ["ana@lab.test"],
      owner: "root",
      priority: 20,
      customFields: { Server: "web1", Hosts: ["b", "a"] },
    }),
    refused: ({ name }) => ({ queue: "one", subject: name, customFields: { Nonsense: "x" } }),
  },
  "ticket.get:1": { input: async (given) => ({ ticket: await ticket(given) }), refused: () => ({ ticket: NO_TICKET }) },
  "ticket.search:1": {
    input: async (given) => ({ query: `Subject = '${given.name}' AND id <= ${await ticket(given)}` }),
    refused: () => ({ query: "nonsense((" }),
  },
  "ticket.update:1": {
    input: async (given) => ({
      ticket: await ticket(given),
      set: {
        status: "open",
        owner: "root",
        queue: "two",
        subject: "it's another",
        priority: 7,
        customFields: { Hosts: ["b", "c"], Server: [] },
      },
    }),
    refused: async (given) => ({ ticket: await ticket(given), set: { subject: "half", status: "nonsense" } }),
  },
  "ticket.resolve:1": { input: async (given) => ({ ticket: await ticket(given) }), refused: () => ({ ticket: NO_TICKET }) },
  "ticket.reopen:1": {
    input: async (given) => {
      const id = await ticket(given);
      await given.call("ticket.resolve:1", { ticket: id });
      return { ticket: id };
    },
    refused: () => ({ ticket: NO_TICKET }),
  },
  "ticket.delete:1": {
    input: async (given) => ({ ticket: await ticket(given) }),
    refused: async (given) => ({ ticket: await ticket(given), token: NOBODYS_TOKEN }),
  },
  "ticket.comment:1": {
    input: async (given) => ({ ticket: await ticket(given), text: "seen", subject: "a word" }),
    refused: () => ({ ticket: NO_TICKET, text: "seen" }),
  },
  "ticket.reply:1": {
    // Of a new ticket a scrip of Request Tracker would change the status as well.
    input: async (given) => {
      const id = await ticket(given);
      await given.call("ticket.update:1", { ticket: id, set: { status: "open" } });
      return { ticket: id, html: "<p>We are at it.</p>" };
    },
    refused: () => ({ ticket: NO_TICKET, text: "seen" }),
  },
  "ticket.link:1": {
    input: async (given) => ({ ticket: await ticket(given), relation: "dependsOn", to: await ticket(given) }),
    refused: async (given) => ({ ticket: await ticket(given), relation: "memberOf", to: NO_TICKET }),
  },
  "ticket.unlink:1": { input: linked, refused: () => ({ ticket: NO_TICKET, relation: "refersTo", to: 1 }) },
};

/** The real Request Tracker of `lab/rt.sh`. */
const UNDER_TEST: ConnectorUnderTest = {
  connector: requestTrackerConnector(),
  functions: FUNCTIONS,
  open: async (fault) => {
    const server = rt;
    if (server === undefined) throw new Error("Request Tracker is started before the laws are asked");
    const provider = (url: string): AttemptProvider => server.provider(url);
    const denied = (url: string): AttemptProvider => server.provider(url, { user: "root", password: "another-0123456789" });
    return httpTarget({ url: server.url, provider, denied })(fault);
  },
  cleanUp: async () => rt?.empty(),
};

/** Request Tracker needs half a second for a request, and some laws make hundreds. */
const LAW_MS = 900_000;

describe.skipIf(!hasLab)("request-tracker on the real Request Tracker", () => {
  beforeAll(async () => {
    rt = await startRt();
  }, 300_000);
  afterAll(async () => rt?.stop());

  for (const law of connectorLaws(UNDER_TEST)) test(`${law.name}`, { timeout: LAW_MS }, () => law.run());
});
