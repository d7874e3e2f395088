import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { chmodSync, existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { attemptForTests } from "@tutti/connector-kit";
import type { JsonObject } from "@tutti/model";
import { afterEach, describe, expect, test } from "vitest";
import { type DigestRules, DigestServer } from "./digest-server-for-tests.ts";
import { httpConnector } from "./http-connector.ts";
import { findClosedPort, startTestServer, type TestServer } from "./test-server.ts";

const running: TestServer[] = [];
afterEach(async () => {
  for (const each of running.splice(0)) await each.stop();
});

const USER = { username: "Jäsøn", password: 'pä"ss: wörd' };

/** A server whose every path but `/moved` and `/open` needs the password. */
async function serve(more: Partial<DigestRules> = {}) {
  const digest = new DigestServer({ ...USER, algorithm: "SHA-256", qop: "auth", ...more });
  const server = await startTestServer((request, response) => {
    const refused = request.url === "/open" ? undefined : digest.refuse(request);
    if (refused !== undefined) response.writeHead(401, { "www-authenticate": `Basic realm="x", ${refused}` }).end();
    else if (request.url.startsWith("/moved")) response.writeHead(307, { location: request.url.replace("moved", "there") }).end();
    else response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify({ at: request.url, body: request.body }));
  });
  running.push(server);
  return { server, digest };
}

function caller(user: JsonObject = USER) {
  const declared = httpConnector({}).functions["http"];
  if (declared === undefined) throw new Error("the connector has no http");
  const attempt = attemptForTests({ secrets: { login: user } });
  const call = (uri: string, more: JsonObject = {}) =>
    declared.run({ method: "get", endpoint: { uri, authentication: { digest: { use: "login" } } }, ...more }, attempt);
  return Object.assign(call, { attempt });
}

describe("digest", () => {
  const algorithms = ["MD5", "MD5-sess", "SHA-256", "SHA-256-sess", "SHA-512-256", "SHA-512-256-sess"];
  const cases = algorithms.flatMap((algorithm) =>
    ["auth", "auth-int", "auth,auth-int", undefined].flatMap((qop) => [true, false].map((userhash) => ({ algorithm, qop, userhash }))),
  );

  test.each(cases)("$algorithm, qop $qop, hashed name $userhash: a body and a query arrive once", async ({ algorithm, qop, userhash }) => {
    const { server } = await serve({ algorithm, userhash, ...(qop === undefined ? {} : { qop }) });
    const call = caller();
    const output = await call(`${server.origin}/a%20b?x=1&y="2"`, { method: "post", body: { n: "ä" } });
    expect(output).toMatchObject({ body: '{"n":"ä"}' });
    expect(server.seen.map(({ headers }) => headers.authorization !== undefined)).toEqual([false, true]);
  });

  test("later calls prove themselves at once, with a rising count", async () => {
    const { server } = await serve();
    const call = caller();
    for (let i = 0; i < 3; i += 1) await call(`${server.origin}/`);
    expect(server.seen.map(({ headers }) => /nc=(\w+)/.exec(headers.authorization ?? "")?.[1])).toEqual([
      undefined,
      "00000001",
      "00000002",
      "00000003",
    ]);
  });

  test("a nonce that is stale, or forgotten by the server, is replaced without an error", async () => {
    const { server, digest } = await serve({ usesMax: 2 });
    const call = caller();
    for (let i = 0; i < 5; i += 1) await call(`${server.origin}/`);
    digest.forget();
    await call(`${server.origin}/`);
    // First without; two with each nonce, of which every third was refused as stale; then the forgotten one.
    expect(server.seen).toHaveLength(1 + 2 + 1 + 2 + 1 + 1 + 1 + 1);
  });

  test("twenty calls at the same time all come through", async () => {
    const { server } = await serve();
    const call = caller();
    await call(`${server.origin}/`);
    expect(await Promise.all(Array.from({ length: 20 }, (_, i) => call(`${server.origin}/${i}`)))).toHaveLength(20);
  });

  test("a wrong password is refused after one try with it, and nothing of it is in the error", async () => {
    const { server } = await serve();
    const call = caller({ ...USER, password: "wrong-password" });
    for (const sent of [2, 4]) {
      const error = await call(`${server.origin}/`).catch((failure: unknown) => failure);
      expect(error).toMatchObject({ status: 401, outcome: "answered", retryable: false });
      expect(JSON.stringify(error)).not.toContain("wrong-password");
      expect(server.seen.length).toBeLessThanOrEqual(sent);
    }
  });

  test("each hop of a redirect is proved for its own path; another origin gets no proof", async () => {
    const { server } = await serve();
    const call = caller();
    expect(await call(`${server.origin}/moved?x=1`, { redirect: true, method: "put", body: "b" })).toEqual({ at: "/there?x=1", body: "b" });
    const elsewhere = await startTestServer((_, response) => response.writeHead(307, { location: `${server.origin}/back` }).end());
    running.push(elsewhere);
    await expect(call(`${elsewhere.origin}/`, { redirect: true })).rejects.toMatchObject({ status: 401 });
    expect(elsewhere.seen.every(({ headers }) => headers.authorization === undefined)).toBe(true);
    expect(server.seen.at(-1)?.headers.authorization).toBeUndefined();
  });

  test("the proof is registered for masking and is not in the recorded request", async () => {
    const { server } = await serve();
    const call = caller();
    const output = await call(`${server.origin}/`, { output: "response" });
    const response = /response="(\w+)"/.exec(server.seen[1]?.headers.authorization ?? "")?.[1];
    expect(call.attempt.maskedValues).toContain(response);
    expect(output).toMatchObject({ request: { headers: { authorization: "***" } } });
  });

  test("a server that asks for another scheme gets nothing", async () => {
    const server = await startTestServer((_, response) => response.writeHead(401, { "www-authenticate": "Negotiate" }).end());
    running.push(server);
    await expect(caller()(`${server.origin}/`)).rejects.toMatchObject({ status: 401 });
    expect(server.seen).toHaveLength(1);
  });
});

const hasCurl = spawnSync("curl", ["--version"]).status === 0;

/** Another implementation of the client's side shows that the server above is right, and not just wrong in the same way. */
describe.skipIf(!hasCurl)("curl against the same server", () => {
  // Its SHA-512-256 is a plain SHA-256 in the versions that Debian 12 has.
  test.each(["MD5", "MD5-sess", "SHA-256", "SHA-256-sess"])("%s", async (algorithm) => {
    // curl sends the bytes of other names without the extended notation.
    const { server } = await serve({ algorithm, username: "user" });
    const ask = async (password: string): Promise<string> => {
      const words = ["-s", "-o", "/dev/null", "-w", "%{http_code}", "--digest", "-u", `user:${password}`];
      const curl = spawn("curl", [...words, `${server.origin}/x?y=1`], { stdio: ["ignore", "pipe", "ignore"], timeout: 120_000 });
      const chunks: Buffer[] = [];
      curl.stdout.on("data", (chunk: Buffer) => chunks.push(chunk));
      await once(curl, "close");
      return Buffer.concat(chunks).toString();
    };
    expect(await ask(USER.password)).toBe("200");
    expect(await ask("wrong")).toBe("401");
  });
});

const APACHE = "/usr/sbin/apache2";

/** And another implementation of the server's side. */
describe.skipIf(!existsSync(APACHE))("Apache's mod_auth_digest", () => {
  test("lets the right password in, more than once, and no other", async () => {
    const directory = mkdtempSync(join(tmpdir(), "tutti-apache-"));
    const port = await findClosedPort();
    const secret = createHash("md5").update("user:the realm:password").digest("hex");
    writeFileSync(join(directory, "passwords"), `user:the realm:${secret}\n`);
    writeFileSync(join(directory, "inside.txt"), "inside");
    writeFileSync(join(directory, "apache.conf"), apacheConfiguration(directory, port));
    chmodSync(directory, 0o755);
    const apache = spawn(APACHE, ["-X", "-f", join(directory, "apache.conf")], { stdio: ["ignore", "inherit", "inherit"] });
    const ended = once(apache, "close");
    try {
      expect(await Promise.race([ended.then(() => "ended"), waitForPort(port)])).toBe("up");
      const call = caller({ username: "user", password: "password" });
      for (let i = 0; i < 3; i += 1) expect(await call(`http://127.0.0.1:${port}/inside.txt?n=${i}`)).toBe("inside");
      const wrong = caller({ username: "user", password: "Password" });
      await expect(wrong(`http://127.0.0.1:${port}/inside.txt`)).rejects.toMatchObject({ status: 401 });
    } finally {
      apache.kill("SIGKILL");
      await ended;
      rmSync(directory, { recursive: true });
    }
  });
});

function apacheConfiguration(directory: string, port: number): string {
  const modules = ["mpm_event", "authn_core", "authn_file", "authz_core", "authz_user", "auth_digest", "mime"];
  return [
    ...modules.map((name) => `LoadModule ${name}_module /usr/lib/apache2/modules/mod_${name}.so`),
    "ServerName localhost",
    `ServerRoot ${directory}`,
    `Listen 127.0.0.1:${port}`,
    `PidFile ${directory}/pid`,
    `ErrorLog ${directory}/error.log`,
    `DefaultRuntimeDir ${directory}`,
    // Started by root it does not serve as root.
    ...(process.getuid?.() === 0 ? ["User www-data", "Group www-data"] : []),
    "TypesConfig /dev/null",
    "AddType text/plain .txt",
    `DocumentRoot ${directory}`,
    `<Directory ${directory}>`,
    "AuthType Digest",
    'AuthName "the realm"',
    "AuthDigestProvider file",
    `AuthUserFile ${directory}/passwords`,
    "Require valid-user",
    "</Directory>",
    "",
  ].join("\n");
}

/** Waits at least two minutes for something to listen. */
async function waitForPort(port: number): Promise<"up" | "down"> {
  for (let tries = 0; tries < 6000; tries += 1) {
    const isUp = await new Promise<boolean>((resolve) => {
      const socket = connect(port, "127.0.0.1");
      socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
      socket.unref();
    });
    if (isUp) return "up";
    await sleep(20);
  }
  return "down";
}
