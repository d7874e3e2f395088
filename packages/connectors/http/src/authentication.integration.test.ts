import type { ServerResponse } from "node:http";
import { attemptForTests, type ConnectorFunction } from "@tutti/connector-kit";
import type { JsonObject } from "@tutti/model";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { httpConnector } from "./http-connector.ts";
import { findClosedPort, type SeenRequest, startTestServer, type TestServer } from "./test-server.ts";

let server: TestServer;
let nowMs: number;
let issued: number;
let tokenAnswer: (request: SeenRequest, response: ServerResponse) => void;
let http: ConnectorFunction;

beforeEach(async () => {
  nowMs = 0;
  issued = 0;
  tokenAnswer = (_, response) => {
    issued += 1;
    json(response, { access_token: `access-${issued}`, token_type: "bearer", expires_in: 100 });
  };
  server = await startTestServer((request, response) => {
    if (request.url.startsWith("/realm/")) tokenAnswer(request, response);
    else if (request.url === "/revoked" && request.headers.authorization === "Bearer access-1") json(response, {}, 401);
    else json(response, { authorization: request.headers.authorization ?? null });
  });
  http = httpConnector({ nowMs: () => nowMs }).functions["http"] as ConnectorFunction;
});
afterEach(() => server.stop());

function json(response: ServerResponse, value: unknown, status = 200): void {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify(value));
}

function call(authentication: JsonObject, more: { path?: string; secrets?: JsonObject; signal?: AbortSignal } = {}) {
  const attempt = attemptForTests({ secrets: more.secrets, ...(more.signal === undefined ? {} : { signal: more.signal }) });
  const input = { method: "post", endpoint: { uri: `${server.origin}${more.path ?? "/"}`, authentication } };
  return http.run(input, attempt);
}

function settings(more: JsonObject = {}): JsonObject {
  return { authority: `${server.origin}/realm/`, grant: "client_credentials", client: { id: "id", secret: "s3cret" }, ...more };
}

const basic = `Basic ${Buffer.from("user:pä:ss").toString("base64")}`;

describe("basic and bearer", () => {
  test.each<[string, JsonObject, JsonObject, string]>([
    ["basic", { basic: { username: "user", password: "pä:ss" } }, {}, basic],
    ["basic by secret", { basic: { use: "s" } }, { s: { username: "user", password: "pä:ss", note: "more" } }, basic],
    ["bearer", { bearer: { token: "t" } }, {}, "Bearer t"],
    ["bearer by secret", { bearer: { use: "s" } }, { s: { token: "t" } }, "Bearer t"],
    ["bearer by a secret of plain text", { bearer: { use: "s" } }, { s: "t" }, "Bearer t"],
  ])("%s becomes a header", async (_, authentication, secrets, authorization) => {
    expect(await call(authentication, { secrets })).toEqual({ authorization });
  });

  test("a secret that is missing or of the wrong shape fails before anything is sent, without its value", async () => {
    await expect(call({ basic: { use: "s" } })).rejects.toMatchObject({ errorKind: "authorization", outcome: "never-began" });
    const wrong = call({ basic: { use: "s" } }, { secrets: { s: { username: "u", pasword: "hidden" } } });
    const error = await wrong.catch((failure: unknown) => failure as Error);
    expect(error).toMatchObject({
      errorKind: "configuration",
      outcome: "never-began",
      message: expect.stringContaining("look at: password"),
    });
    expect(`${JSON.stringify(error)} ${(error as Error).stack}`).not.toContain("hidden");
    expect(server.seen).toEqual([]);
  });

  test("a user in the URL becomes a header and is not recorded", async () => {
    const uri = `http://user:p%40ss@127.0.0.1:${server.port}/x`;
    const output = await http.run({ method: "get", endpoint: uri, output: "response" }, attemptForTests());
    expect(output).toMatchObject({ request: { uri: `${server.origin}/x` } });
    expect(server.seen[0]?.headers.authorization).toBe(`Basic ${Buffer.from("user:p@ss").toString("base64")}`);
  });
});

describe("oauth2", () => {
  test("a fetched token is registered for masking", async () => {
    const attempt = attemptForTests();
    await http.run({ method: "get", endpoint: { uri: `${server.origin}/x`, authentication: { oauth2: settings({}) } } }, attempt);
    expect(attempt.maskedValues).toEqual(["access-1"]);
  });

  test("client credentials go to the token endpoint under the authority, as a form by default", async () => {
    expect(await call({ oauth2: settings({ scopes: ["a", "b"], audiences: ["api"] }) })).toEqual({ authorization: "Bearer access-1" });
    expect(server.seen[0]).toMatchObject({
      method: "POST",
      url: "/realm/oauth2/token",
      body: "grant_type=client_credentials&scope=a+b&audience=api&client_id=id&client_secret=s3cret",
      headers: { "content-type": "application/x-www-form-urlencoded" },
    });
  });

  test.each<[string, JsonObject, string, string | undefined]>([
    [
      "the password grant",
      { grant: "password", username: "u", password: "p" },
      "grant_type=password&username=u&password=p&client_id=id&client_secret=s3cret",
      undefined,
    ],
    [
      "a basic client",
      { client: { id: "i d", secret: "s:", authentication: "client_secret_basic" } },
      "grant_type=client_credentials",
      `Basic ${Buffer.from("i+d:s%3A").toString("base64")}`,
    ],
    ["a public client", { client: { id: "id", authentication: "none" } }, "grant_type=client_credentials&client_id=id", undefined],
    [
      "a signed client",
      { client: { id: "id", assertion: "jwt", authentication: "private_key_jwt" } },
      "grant_type=client_credentials&client_id=id&client_assertion=jwt&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer",
      undefined,
    ],
    [
      "JSON encoding",
      { request: { encoding: "application/json" }, audiences: ["a", "b"] },
      '{"grant_type":"client_credentials","audience":["a","b"],"client_id":"id","client_secret":"s3cret"}',
      undefined,
    ],
    [
      "token exchange",
      { grant: "urn:ietf:params:oauth:grant-type:token-exchange", subject: { token: "t", type: "y" }, client: { authentication: "none" } },
      "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Atoken-exchange&subject_token=t&subject_token_type=y",
      undefined,
    ],
  ])("%s is asked for as its RFC says", async (_, more, body, authorization) => {
    await call({ oauth2: settings(more) });
    expect(server.seen[0]?.body).toBe(body);
    expect(server.seen[0]?.headers.authorization).toBe(authorization);
  });

  test("an own endpoint path or URL is used, and a secret may hold all settings", async () => {
    await call({ oauth2: settings({ endpoints: { token: "/auth/token" } }) });
    await call({ oauth2: { use: "s" } }, { secrets: { s: settings({ endpoints: { token: `${server.origin}/realm/whole` } }) } });
    expect(server.seen.map(({ url }) => url)).toEqual(["/realm/auth/token", "/", "/realm/whole", "/"]);
  });

  test("a token is kept until shortly before its end, per settings, and shared by attempts that ask together", async () => {
    await Promise.all([call({ oauth2: settings() }), call({ oauth2: settings() }), call({ oauth2: settings() })]);
    nowMs = 69_000;
    await call({ oauth2: settings() });
    expect(issued).toBe(1);
    nowMs = 71_000;
    expect(await call({ oauth2: settings() })).toEqual({ authorization: "Bearer access-2" });
    await call({ oauth2: settings({ scopes: ["other"] }) });
    expect(issued).toBe(3);
  });

  test("a refresh token is used, and the grant again when it is refused", async () => {
    tokenAnswer = (request, response) => {
      issued += 1;
      if (request.body.includes("refresh_token=r2")) return json(response, { error: "invalid_grant" }, 400);
      json(response, { access_token: `access-${issued}`, expires_in: 100, refresh_token: `r${issued}` });
    };
    for (nowMs = 0; nowMs <= 200_000; nowMs += 100_000) await call({ oauth2: settings() });
    const bodies = server.seen.filter(({ url }) => url.startsWith("/realm")).map(({ body }) => body.split("&").slice(0, 2).join("&"));
    expect(bodies).toEqual([
      "grant_type=client_credentials&client_id=id",
      "grant_type=refresh_token&refresh_token=r1",
      "grant_type=refresh_token&refresh_token=r2",
      "grant_type=client_credentials&client_id=id",
    ]);
  });

  test("a token that the target refuses is replaced once", async () => {
    expect(await call({ oauth2: settings() }, { path: "/revoked" })).toEqual({ authorization: "Bearer access-2" });
    expect(server.seen.map(({ url }) => url)).toEqual(["/realm/oauth2/token", "/revoked", "/realm/oauth2/token", "/revoked"]);
  });

  test("a refusal is an authentication error, a broken authority a communication error; the call itself never began", async () => {
    tokenAnswer = (_, response) => json(response, { error: "invalid_client" }, 401);
    await expect(call({ oauth2: settings() })).rejects.toMatchObject({
      errorKind: "authentication",
      outcome: "never-began",
      retryable: false,
      detail: '{"error":"invalid_client"}',
    });
    tokenAnswer = (_, response) => json(response, {}, 503);
    await expect(call({ oauth2: settings() })).rejects.toMatchObject({
      errorKind: "communication",
      outcome: "never-began",
      retryable: true,
    });
    tokenAnswer = (_, response) => json(response, { token: "misspelt" });
    await expect(call({ oauth2: settings() })).rejects.toMatchObject({ errorKind: "authentication", outcome: "never-began" });
    tokenAnswer = (_, response) => response.destroy();
    await expect(call({ oauth2: settings() })).rejects.toMatchObject({ errorKind: "communication", outcome: "never-began" });
    const authority = `http://127.0.0.1:${await findClosedPort()}`;
    await expect(call({ oauth2: settings({ authority }) })).rejects.toMatchObject({ outcome: "never-began", retryable: true });
    expect(server.seen.every(({ url }) => url.startsWith("/realm/"))).toBe(true);
  });

  test("an abort ends the wait for a token, and the token still comes for others", async () => {
    const controller = new AbortController();
    let release = (): void => {};
    tokenAnswer = (_, response) => {
      release = () => json(response, { access_token: "late", expires_in: 100 });
      controller.abort();
    };
    const aborted = call({ oauth2: settings() }, { signal: controller.signal });
    const patient = call({ oauth2: settings() });
    await expect(aborted).rejects.toMatchObject({ outcome: "never-began" });
    release();
    expect(await patient).toEqual({ authorization: "Bearer late" });
  });

  test("with issuers only their tokens are used", async () => {
    const jwt = (iss: string): string => `h.${Buffer.from(JSON.stringify({ iss })).toString("base64url")}.s`;
    let token = jwt("https://right");
    tokenAnswer = (_, response) => json(response, { access_token: token });
    expect(await call({ oauth2: settings({ issuers: ["https://right"] }) })).toEqual({ authorization: `Bearer ${token}` });
    for (token of [jwt("https://wrong"), "opaque"]) {
      const scopes = [token];
      await expect(call({ oauth2: settings({ issuers: ["https://right"], scopes }) })).rejects.toMatchObject({
        errorKind: "authentication",
      });
    }
  });

  test.each<[JsonObject, string]>([
    [{ grant: "authorization_code" }, "authorization_code is not available"],
    [{ grant: "password" }, "needs username and password"],
    [{ client: { id: "a", secret: "b", authentication: "client_secret_jwt" } }, "client_secret_jwt is not available"],
    [{ authority: "not a url" }, "no URL for OAuth2 tokens"],
  ])("%j is refused by name", async (more, message) => {
    const refused = { errorKind: "configuration", outcome: "never-began", message: expect.stringContaining(message) };
    await expect(call({ oauth2: settings(more) })).rejects.toMatchObject(refused);
  });
});
