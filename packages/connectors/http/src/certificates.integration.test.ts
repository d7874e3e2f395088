import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { attemptForTests, Network } from "@tutti/connector-kit";
import type { Json } from "@tutti/model";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { httpConnector } from "./http-connector.ts";
import { TestAuthority, type TestCertificate } from "./test-certificates.ts";

let authority: TestAuthority;
const running: Server[] = [];
/** Requests that a handler saw: where a certificate is refused, none may arrive. */
let requests = 0;

beforeAll(() => {
  authority = new TestAuthority();
});
afterAll(() => authority.remove());
afterEach(() => {
  for (const server of running.splice(0)) {
    server.close();
    server.closeAllConnections();
  }
  requests = 0;
});

async function serve(certificate: TestCertificate): Promise<number> {
  const server = createServer({ key: certificate.key, cert: certificate.cert }, (_, response) => {
    requests += 1;
    response.end("secret");
  });
  running.push(server);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  // An HTTPS server on a TCP port has an address of this form.
  return (server.address() as AddressInfo).port;
}

/** Every name leads to the test's server. */
function call(url: string, authorities: readonly string[] = [authority.certificate]): Promise<Json> {
  const network = new Network({ certificateAuthorities: authorities, resolve: async () => [{ address: "127.0.0.1", family: 4 }] });
  const declared = httpConnector({ network }).functions["http"];
  if (declared === undefined) throw new Error("the connector has no http");
  return declared.run({ method: "get", endpoint: url, output: "raw" }, attemptForTests());
}

const refusal = (...words: readonly string[]): unknown =>
  expect.objectContaining({
    errorKind: "communication",
    outcome: "never-began",
    retryable: false,
    message: expect.stringMatching(new RegExp(words.map((word) => `(?=.*${word})`).join(""))),
  });

describe("certificates", () => {
  test("the control: a certificate of an authority that the operator added is accepted", async () => {
    const port = await serve(authority.issue("DNS:api.corp.test"));
    expect(await call(`https://api.corp.test:${port}/`)).toBe(Buffer.from("secret").toString("base64"));
    expect(requests).toBe(1);
  });

  test("an unknown authority: the message names host and setting", async () => {
    const port = await serve(authority.issue("DNS:api.corp.test"));
    await expect(call(`https://api.corp.test:${port}/`, [])).rejects.toEqual(
      refusal(`api\\.corp\\.test:${port}`, "not trusted", "tls\\.authorities", "settings\\.yaml", "TUTTI_CA_FILE"),
    );
    expect(requests).toBe(0);
  });

  test("another name: the message says which ones it has", async () => {
    const port = await serve(authority.issue("DNS:other.corp.test,DNS:www.corp.test"));
    await expect(call(`https://api.corp.test:${port}/`)).rejects.toEqual(refusal("another name", "DNS:other\\.corp\\.test"));
    expect(requests).toBe(0);
  });

  test("an address is a name of its own", async () => {
    const port = await serve(authority.issue("DNS:api.corp.test"));
    await expect(call(`https://127.0.0.1:${port}/`)).rejects.toEqual(refusal("another name"));
    expect(await call(`https://127.0.0.1:${await serve(authority.issue("IP:127.0.0.1"))}/`)).not.toBeNull();
  });

  test("expired, and not valid yet", async () => {
    const expired = await serve(authority.issue("DNS:a.test", { from: "20200101000000Z", to: "20200201000000Z" }));
    await expect(call(`https://a.test:${expired}/`)).rejects.toEqual(refusal("a\\.test", "has expired", "clock"));
    const early = await serve(authority.issue("DNS:a.test", { from: "20980101000000Z", to: "20990101000000Z" }));
    await expect(call(`https://a.test:${early}/`)).rejects.toEqual(refusal("not valid yet", "clock"));
    expect(requests).toBe(0);
  });

  test("self-signed: refused, unless just this one was added", async () => {
    const certificate = authority.selfSigned("DNS:self.test");
    const port = await serve(certificate);
    await expect(call(`https://self.test:${port}/`)).rejects.toEqual(refusal("self\\.test", "signed by itself", "TUTTI_CA_FILE"));
    expect(requests).toBe(0);
    expect(await call(`https://self.test:${port}/`, [certificate.cert])).not.toBeNull();
  });

  test("https towards a server that speaks no TLS, and http towards one that does", async () => {
    const port = await serve(authority.issue("DNS:a.test"));
    await expect(call(`http://a.test:${port}/`)).rejects.toMatchObject({ errorKind: "communication" });
    expect(requests).toBe(0);
  });

  test("NODE_TLS_REJECT_UNAUTHORIZED=0 in the environment turns nothing off", async () => {
    const port = await serve(authority.selfSigned("DNS:localhost"));
    const program = `
      import { Network } from ${JSON.stringify(import.meta.resolve("@tutti/connector-kit"))};
      const ask = (send) => send("https://localhost:${port}/", {}).then((answer) => answer.status, (error) => error.cause?.code);
      console.log(JSON.stringify([await ask(fetch), await ask((url, init) => new Network().fetch(url, init))]));`;
    const child = spawn(process.execPath, ["--input-type=module", "--no-warnings", "-e", program], {
      env: { ...process.env, NODE_TLS_REJECT_UNAUTHORIZED: "0" },
      stdio: ["ignore", "pipe", "inherit"],
    });
    const chunks: Buffer[] = [];
    child.stdout.on("data", (chunk: Buffer) => chunks.push(chunk));
    await once(child, "close");
    // The first is the control: plain fetch obeys the variable.
    expect(JSON.parse(Buffer.concat(chunks).toString())).toEqual([200, "DEPTH_ZERO_SELF_SIGNED_CERT"]);
  });
});
