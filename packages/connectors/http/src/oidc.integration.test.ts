import { createServer, type Server } from "node:http";
import type { ServerResponse } from "node:http";
import { generateKeyPairSync } from "node:crypto";
import type { AddressInfo } from "node:net";
import { once } from "node:events";
import { attemptForTests, type ConnectorFunction } from "@tutti/connector-kit";
import type { JsonObject } from "@tutti/model";
import { Provider } from "oidc-provider";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { httpConnector } from "./http-connector.ts";
import { type SeenRequest, startTestServer, type TestServer } from "./test-server.ts";

let target: TestServer;
let nowMs: number;
let http: ConnectorFunction;
const servers: Server[] = [];

beforeEach(async () => {
  nowMs = 0;
  target = await startTestServer((request, response) => json(response, { authorization: request.headers.authorization ?? null }));
  http = httpConnector({ nowMs: () => nowMs }).functions["http"] as ConnectorFunction;
});
afterEach(async () => {
  await target.stop();
  for (const server of servers.splice(0)) {
    server.close();
    server.closeAllConnections();
  }
});

function json(response: ServerResponse, value: unknown, status = 200): void {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify(value));
}

async function call(oidc: JsonObject, attempt = attemptForTests()): Promise<{ readonly authorization: string }> {
  const endpoint = { uri: `${target.origin}/`, authentication: { oidc } };
  // What the target above answers.
  return (await http.run({ method: "post", endpoint }, attempt)) as { readonly authorization: string };
}

/** A real OpenID Connect provider on loopback, under a path. */
async function startProvider(client: JsonObject): Promise<string> {
  const server = createServer();
  servers.push(server);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  // A server on a TCP port has an address of this form.
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const provider = new Provider(issuer, {
    jwks: { keys: [{ ...privateKey.export({ format: "jwk" }), use: "sig", alg: "RS256", kid: "one" }] },
    cookies: { keys: ["test"] },
    scopes: ["openid", "orders:read"],
    features: {
      clientCredentials: { enabled: true },
      devInteractions: { enabled: false },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => "https://orders.example",
        getResourceServerInfo: () => ({
          scope: "orders:read",
          audience: "https://orders.example",
          accessTokenFormat: "jwt",
          accessTokenTTL: 100,
        }),
      },
    },
    clients: [
      {
        client_id: "tutti",
        client_secret: "s3cret",
        grant_types: ["client_credentials"],
        redirect_uris: [],
        response_types: [],
        ...client,
      },
    ],
  });
  server.on("request", provider.callback());
  return issuer;
}

describe("against oidc-provider", () => {
  test.each(["client_secret_basic", "client_secret_post"])(
    "client credentials by %s: a JWT of the authority, kept and renewed",
    async (method) => {
      const authority = await startProvider({ token_endpoint_auth_method: method });
      const settings = {
        authority,
        grant: "client_credentials",
        client: { id: "tutti", secret: "s3cret", authentication: method },
        scopes: ["orders:read"],
        issuers: [authority],
      };
      const attempt = attemptForTests();
      const first = await call(settings, attempt);
      const [, payload = ""] = first.authorization.split(".");
      expect(JSON.parse(Buffer.from(payload, "base64url").toString())).toMatchObject({
        iss: authority,
        aud: "https://orders.example",
        client_id: "tutti",
        scope: "orders:read",
      });
      expect(attempt.maskedValues).toEqual([first.authorization.replace("Bearer ", "")]);
      expect(await call(settings)).toEqual(first);
      nowMs = 80_000;
      expect((await call(settings)).authorization).not.toBe(first.authorization);
    },
  );

  test("a wrong secret is an authentication error, and the call is not sent", async () => {
    const authority = await startProvider({});
    const client = { id: "tutti", secret: "wrong", authentication: "client_secret_basic" };
    await expect(call({ authority, grant: "client_credentials", client })).rejects.toMatchObject({
      errorKind: "authentication",
      outcome: "never-began",
      message: expect.stringContaining("answered 401"),
    });
    expect(target.seen).toEqual([]);
  });
});

describe("discovery", () => {
  const client = { id: "id", secret: "s3cret" };

  async function startAuthority(change: (origin: string) => JsonObject = () => ({})): Promise<TestServer> {
    const authority: TestServer = await startTestServer((request: SeenRequest, response) => {
      if (request.url === "/realm/.well-known/openid-configuration") {
        const issuer = `${authority.origin}/realm`;
        json(response, { issuer, token_endpoint: `${authority.origin}/elsewhere/token`, ...change(authority.origin) });
      } else
        json(response, { access_token: `access-${authority.seen.length}`, id_token: "ignored", token_type: "Bearer", expires_in: 1000 });
    });
    return authority;
  }

  test.each<[string, JsonObject, string]>([
    ["client credentials", { grant: "client_credentials" }, "grant_type=client_credentials&client_id=id&client_secret=s3cret"],
    [
      "password",
      { grant: "password", username: "u", password: "p" },
      "grant_type=password&username=u&password=p&client_id=id&client_secret=s3cret",
    ],
    [
      "token exchange",
      {
        grant: "urn:ietf:params:oauth:grant-type:token-exchange",
        subject: { token: "sub", type: "urn:ietf:params:oauth:token-type:access_token" },
      },
      "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Atoken-exchange&subject_token=sub&subject_token_type=urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3Aaccess_token&client_id=id&client_secret=s3cret",
    ],
  ])("%s goes to the endpoint that the authority names", async (_, settings, body) => {
    const authority = await startAuthority();
    expect(await call({ authority: `${authority.origin}/realm/`, client, ...settings })).toEqual({ authorization: "Bearer access-2" });
    expect(authority.seen.map(({ method, url }) => `${method} ${url}`)).toEqual([
      "GET /realm/.well-known/openid-configuration",
      "POST /elsewhere/token",
    ]);
    expect(authority.seen[1]?.body).toBe(body);
    await authority.stop();
  });

  test("is asked once for many attempts at a time, and again after five minutes", async () => {
    const authority = await startAuthority();
    const settings = { authority: `${authority.origin}/realm`, client, grant: "client_credentials" };
    await Promise.all(Array.from({ length: 20 }, () => call(settings)));
    expect(authority.seen).toHaveLength(2);
    nowMs = 301_000;
    await call(settings);
    expect(authority.seen.map(({ method }) => method)).toEqual(["GET", "POST", "GET"]);
    await authority.stop();
  });

  test.each<[string, (origin: string) => JsonObject, string]>([
    ["another issuer", () => ({ issuer: "https://accounts.example" }), "must be the same"],
    ["an issuer that only begins alike", (origin) => ({ issuer: `${origin}/realm/other` }), "must be the same"],
    ["no issuer", () => ({ issuer: null }), "must be the same"],
    ["no token endpoint", () => ({ token_endpoint: null }), "no token endpoint"],
    ["a token endpoint that is no URL of HTTP", () => ({ token_endpoint: "file:///etc/passwd" }), "no token endpoint"],
  ])("%s is refused, and no credentials are sent", async (_, change, message) => {
    const authority = await startAuthority(change);
    await expect(call({ authority: `${authority.origin}/realm`, client, grant: "client_credentials" })).rejects.toMatchObject({
      errorKind: "authentication",
      outcome: "never-began",
      retryable: false,
      message: expect.stringContaining(message),
    });
    expect(authority.seen).toHaveLength(1);
    expect(target.seen).toEqual([]);
    await authority.stop();
  });

  test.each<[string, number, string, boolean]>([
    ["not found", 404, "{}", false],
    ["no JSON", 200, "<html>", false],
    ["a list", 200, "[]", false],
    ["broken", 503, "", true],
  ])("an authority that answers %s: the error says so, and the next attempt asks again", async (_, status, body, retryable) => {
    const authority = await startTestServer((_request, response) => response.writeHead(status).end(body));
    const settings = { authority: authority.origin, client, grant: "client_credentials" };
    for (const asked of [1, 2]) {
      await expect(call(settings)).rejects.toMatchObject({ outcome: "never-began", retryable });
      expect(authority.seen).toHaveLength(asked);
    }
    await authority.stop();
  });
});
