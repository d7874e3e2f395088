import { once } from "node:events";
import { createServer } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { type HostAddress, Network } from "./network.ts";
import type { NetworkRules } from "./network-policy.ts";

/** A real listener that counts who comes, on a loopback address that the rules under test forbid, and one that they allow. */
let connections = 0;
const server = createServer((_, response) => response.setHeader("connection", "close").end("reached"));
server.on("connection", () => (connections += 1));
let port: number;

beforeAll(async () => {
  server.listen(0, "0.0.0.0");
  await once(server, "listening");
  // An HTTP server on a TCP port has an address of this form.
  ({ port } = server.address() as AddressInfo);
});
afterAll(() => {
  server.close();
  server.closeAllConnections();
});
beforeEach(() => {
  connections = 0;
});

const FORBIDDEN = "127.66.0.1";
const ALLOWED = "127.0.0.1";
const RULES: NetworkRules = { mode: "local", allow: [], deny: ["127.66.0.0/16"] };

function v4(...addresses: readonly string[]): HostAddress[] {
  return addresses.map((address) => ({ address, family: 4 }));
}

/** A name server without memory (TTL 0): each question gets the next answer, the last one for ever. */
function network(answers: readonly (readonly HostAddress[])[], rules: NetworkRules = RULES): Network & { readonly asked: () => number } {
  let asked = 0;
  const made = new Network({
    rules,
    resolve: async () => {
      asked += 1;
      return answers[Math.min(asked, answers.length) - 1] ?? [];
    },
  });
  return Object.assign(made, { asked: () => asked });
}

async function causeOf(pending: Promise<Response>): Promise<unknown> {
  try {
    await (await pending).text();
    return undefined;
  } catch (error) {
    return error instanceof Error ? (error.cause ?? error) : error;
  }
}

const refused = expect.objectContaining({ code: "ERR_TUTTI_NETWORK_REFUSED" });

test("the control: a name for an allowed address is reached, and looked up once", async () => {
  const open = network([v4(ALLOWED), v4(FORBIDDEN)]);
  expect(await (await open.fetch(`http://service.test:${port}/`, {})).text()).toBe("reached");
  expect(connections).toBe(1);
  expect(open.asked()).toBe(1);
});

test("the control: without the rule the forbidden address would be reached", async () => {
  const open = network([v4(FORBIDDEN)], { mode: "local", allow: [], deny: [] });
  expect(await (await open.fetch(`http://service.test:${port}/`, {})).text()).toBe("reached");
  expect(connections).toBe(1);
});

test.each([
  ["its only address", v4(FORBIDDEN)],
  ["one of its addresses, the last", v4(ALLOWED, FORBIDDEN)],
  ["one of its addresses, the first", v4(FORBIDDEN, ALLOWED)],
  ["a mapped form of it", [{ address: `::ffff:${FORBIDDEN}`, family: 6 }]],
  ["a metadata service", v4("169.254.169.254")],
  ["a link-local address beside a public one", [...v4("93.184.216.34"), { address: "fe80::1", family: 6 }]],
])("a name is refused for %s, before anything connects", async (_, addresses) => {
  expect(await causeOf(network([addresses]).fetch(`http://service.test:${port}/`, {}))).toEqual(refused);
  expect(connections).toBe(0);
});

test("a name that is rebound between two connections is refused at the second", async () => {
  const rebound = network([v4(ALLOWED), v4(FORBIDDEN)]);
  expect(await causeOf(rebound.fetch(`http://service.test:${port}/`, {}))).toBeUndefined();
  expect(await causeOf(rebound.fetch(`http://service.test:${port}/`, {}))).toEqual(refused);
  expect([rebound.asked(), connections]).toEqual([2, 1]);
});

test("a hundred requests to a name that changes with every question never reach the forbidden address", async () => {
  const answers = Array.from({ length: 100 }, (_, index) => v4(index % 2 === 0 ? "169.254.169.254" : FORBIDDEN));
  const hostile = network(answers);
  const causes = await Promise.all(answers.map((_, index) => causeOf(hostile.fetch(`http://h${index}.test:${port}/`, {}))));
  expect(causes).toEqual(answers.map(() => refused));
  expect(hostile.asked()).toBe(100);
  expect(connections).toBe(0);
});

test.each([
  "127.66.0.1",
  "0x7f.66.0.1",
  "2135031809",
  "0177.0102.0.1",
  "127.4325377",
  "[::ffff:127.66.0.1]",
  "[::ffff:7f42:1]",
  "[64:ff9b::7f42:1]",
])("http://%s/ is refused without a look-up", async (host) => {
  const guarded = network([]);
  expect(await causeOf(guarded.fetch(`http://${host}:${port}/`, {}))).toEqual(refused);
  expect([guarded.asked(), connections]).toEqual([0, 0]);
});

test("the system's own resolver, which takes old spellings for addresses, is checked by what it answers", async () => {
  const guarded = new Network({ rules: RULES });
  for (const host of ["0x7f420001", "127.66.1"]) {
    const error = await new Promise<unknown>((resolve) => {
      connect({ host, port, lookup: guarded.lookup })
        .on("error", resolve)
        .on("connect", () => resolve(undefined));
    });
    expect(error).toEqual(refused);
  }
  expect(connections).toBe(0);
});

test("look-up and checkHost serve clients of any protocol", async () => {
  const open = network([v4(ALLOWED)]);
  open.checkHost("service.test");
  const socket = connect({ host: "service.test", port, lookup: open.lookup });
  await once(socket, "connect");
  expect(socket.remoteAddress).toBe(ALLOWED);
  socket.destroy();
  expect(() => open.checkHost(FORBIDDEN)).toThrow(refused);
  expect(() => open.checkHost(`[::ffff:${FORBIDDEN}]`)).toThrow(refused);
  await expect(open.addressesOf(FORBIDDEN)).rejects.toEqual(refused);
});

test("a name without addresses is a name that is not found", async () => {
  expect(await causeOf(network([[]]).fetch(`http://nobody.test:${port}/`, {}))).toEqual(expect.objectContaining({ code: "ENOTFOUND" }));
});
