import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { attemptForTests, Network } from "@tutti/connector-kit";
import type { JsonObject } from "@tutti/model";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { httpConnector } from "./http-connector.ts";
import { startTestServer, type TestServer } from "./test-server.ts";

/** Where nothing may arrive: a listener on an address that the rules deny. */
let arrived = 0;
const forbidden = createServer((socket) => {
  arrived += 1;
  socket.end("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
});
let forbiddenPort: number;
let server: TestServer;
/** What the allowed server answers next. */
let location: string | undefined;
let body: JsonObject = {};

beforeAll(async () => {
  forbidden.listen(0, "127.66.0.1");
  await once(forbidden, "listening");
  // A server on a TCP port has an address of this form.
  forbiddenPort = (forbidden.address() as AddressInfo).port;
  server = await startTestServer((request, response) => {
    if (location !== undefined && request.url === "/start") response.writeHead(302, { location }).end();
    else response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(body));
  });
});
afterAll(async () => {
  forbidden.close();
  await server.stop();
});
beforeEach(() => {
  arrived = 0;
  location = undefined;
  body = {};
});

/** `*.allowed.test` is the server, `*.forbidden.test` the forbidden listener. */
const resolve = async (host: string) => [{ address: host.endsWith(".allowed.test") ? "127.0.0.1" : "127.66.0.1", family: 4 }];
const guarded = httpConnector({ network: new Network({ resolve, rules: { mode: "local", allow: [], deny: ["127.66.0.0/16"] } }) });
const open = httpConnector({ network: new Network({ resolve }) });

async function call(input: JsonObject, by = guarded, name = "http") {
  const declared = by.functions[name];
  if (declared === undefined) throw new Error(`the connector has no ${name}`);
  return declared.run(input, attemptForTests());
}

const get = (url: string): JsonObject => ({ method: "get", endpoint: url, redirect: true });
const start = (): string => `http://a.allowed.test:${server.port}/start`;
const refused = expect.objectContaining({
  errorKind: "authorization",
  retryable: false,
  message: expect.stringContaining("network.allow"),
});

describe("every way out", () => {
  test("the control: without the rule the listener is reached, directly and by a redirect", async () => {
    await call(get(`http://b.forbidden.test:${forbiddenPort}/`), open);
    location = `http://b.forbidden.test:${forbiddenPort}/`;
    await call(get(start()), open);
    expect(arrived).toBe(2);
  });

  test("a call: refused, never began", async () => {
    await expect(call(get(`http://b.forbidden.test:${forbiddenPort}/`))).rejects.toEqual(refused);
    await expect(call(get(`http://b.forbidden.test:${forbiddenPort}/`))).rejects.toMatchObject({ outcome: "never-began" });
    expect(arrived).toBe(0);
  });

  test.each([
    (port: number) => `http://b.forbidden.test:${port}/`,
    (port: number) => `//b.forbidden.test:${port}/`,
    (port: number) => `http://127.66.0.1:${port}/`,
    (port: number) => `http://0x7f420001:${port}/`,
    (port: number) => `http://2135031809:${port}/`,
    (port: number) => `//0177.66.1:${port}/`,
    (port: number) => `http://[::ffff:127.66.0.1]:${port}/`,
    (port: number) => `http://user:password@b.forbidden.test:${port}/`,
    () => "http://169.254.169.254/latest/meta-data/",
    () => "//169.254.169.254/",
    () => "http://[fe80::1]/",
  ])("a redirect (case %#) is checked like a call", async (to) => {
    location = to(forbiddenPort);
    await expect(call(get(start()))).rejects.toEqual(refused);
    expect(arrived).toBe(0);
  });

  test("a redirect to a relative or another allowed address is followed", async () => {
    body = { there: true };
    for (const to of ["/other", "other", "?x=1", `http://b.allowed.test:${server.port}/x`, `//b.allowed.test:${server.port}/x`]) {
      location = to;
      expect(await call(get(start()))).toEqual({ there: true });
    }
  });

  test.each(["file:///etc/passwd", "ftp://b.allowed.test/", "gopher://b.allowed.test/", "data:text/plain,x", "javascript:alert(1)"])(
    "a redirect to %s leads nowhere: it is the answer",
    async (to) => {
      location = to;
      expect(await call({ ...get(start()), output: "response" })).toMatchObject({ statusCode: 302 });
    },
  );

  test("a redirected POST that was refused on its way may have acted", async () => {
    location = `http://b.forbidden.test:${forbiddenPort}/`;
    await expect(call({ method: "post", endpoint: start(), body: "x", redirect: true })).rejects.toMatchObject({ outcome: "unknown" });
    expect(arrived).toBe(0);
  });

  test("an OpenAPI document, and the server that a document names", async () => {
    const openapi = (endpoint: string) => call({ document: { endpoint }, operationId: "read" }, guarded, "openapi");
    await expect(openapi(`http://b.forbidden.test:${forbiddenPort}/doc`)).rejects.toMatchObject({
      outcome: "never-began",
      message: expect.stringContaining("network.allow"),
    });
    body = {
      openapi: "3.1.0",
      servers: [{ url: `http://b.forbidden.test:${forbiddenPort}` }],
      paths: { "/x": { get: { operationId: "read" } } },
    };
    await expect(openapi(`http://a.allowed.test:${server.port}/doc`)).rejects.toEqual(refused);
    expect(arrived).toBe(0);
  });

  test("a token request", async () => {
    const oauth2 = { authority: `http://b.forbidden.test:${forbiddenPort}`, grant: "client_credentials", client: { id: "x", secret: "y" } };
    const endpoint = { uri: `http://a.allowed.test:${server.port}/`, authentication: { oauth2 } };
    await expect(call({ method: "get", endpoint })).rejects.toMatchObject({ message: expect.stringContaining("network.allow") });
    expect(arrived).toBe(0);
  });
});
