import { createServer, type IncomingMessage } from "node:http";
import { request } from "node:https";
import type { AddressInfo } from "node:net";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { AttemptProvider } from "@tutti/connector-kit";
import { isJsonObject, type Json, type JsonObject } from "@tutti/model";
import { freePort, startLabSystem } from "@tutti/testkit/lab";

const PASSWORD = "lab-password-0123456789";

/** An Icinga of a test's own. */
export interface Icinga {
  /** Its own address, by TLS. */
  readonly url: string;
  /** The certificate of the authority that vouches for it. */
  readonly authority: string;
  /** The same without TLS, for the faults that the suite makes on the way. */
  readonly plainUrl: string;
  provider(url: string, password?: string): AttemptProvider;
  /** Speaks to it past the connector. */
  ask(method: string, path: string, body?: Json): Promise<JsonObject>;
  /** Deletes all that was made through its API. */
  empty(): Promise<void>;
  stop(): Promise<void>;
}

/** Starts Icinga by `lab/icinga.sh`, beside any other that runs. */
export async function startIcinga(): Promise<Icinga> {
  const port = await freePort();
  const system = await startLabSystem("icinga", { ICINGA_PORT: port, ICINGA_PASSWORD: PASSWORD });
  const authority = await readFile(join(system.state, "icinga/lib/certs/ca.crt"), "utf8");
  const forward = (
    method: string,
    path: string,
    headers: IncomingMessage["headers"],
    body: Buffer,
  ): Promise<{ status: number; body: Buffer; type: string }> =>
    new Promise((resolve, reject) => {
      const { host: _, connection: __, "transfer-encoding": ___, ...own } = headers;
      const sent = request({ host: "127.0.0.1", port, method, path, headers: own, ca: authority, agent: false }, (answer) => {
        bodyOf(answer).then(
          (bytes) => resolve({ status: answer.statusCode ?? 502, body: bytes, type: answer.headers["content-type"] ?? "text/plain" }),
          reject,
        );
      });
      sent.on("error", reject);
      sent.end(body);
    });
  const plain = createServer((given, answer) => {
    bodyOf(given)
      .then((body) => forward(given.method ?? "GET", given.url ?? "/", given.headers, body))
      .then(({ status, body, type }) => answer.writeHead(status, { "content-type": type }).end(body))
      .catch(() => answer.destroy());
  });
  await new Promise<void>((resolve) => plain.listen(0, "127.0.0.1", resolve));
  const login = `Basic ${Buffer.from(`root:${PASSWORD}`).toString("base64")}`;
  const ask = async (method: string, path: string, body?: Json): Promise<JsonObject> => {
    const text = body === undefined ? "" : JSON.stringify(body);
    const headers = { authorization: login, accept: "application/json", "content-length": String(Buffer.byteLength(text)) };
    const answer = await forward(method, `/v1${path}`, headers, Buffer.from(text));
    const said = JSON.parse(answer.body.toString("utf8")) as Json;
    if (!isJsonObject(said)) throw new Error(`${method} ${path} answered ${answer.status}`);
    return said;
  };
  return {
    url: `https://127.0.0.1:${port}`,
    authority,
    // A listening TCP server has an address and a port.
    plainUrl: `http://127.0.0.1:${(plain.address() as AddressInfo).port}`,
    provider: (url, password = PASSWORD) => ({ name: "monitoring", configuration: { url, user: "root" }, credentials: { password } }),
    ask,
    empty: async () => {
      for (const kind of ["hosts", "services"])
        await ask("DELETE", `/objects/${kind}?cascade=1&filter=${encodeURIComponent(`${kind.slice(0, -1)}.package=="_api"`)}`);
      await ask("POST", "/actions/remove-downtime", { type: "Downtime", filter: "true" });
      await ask("POST", "/actions/remove-acknowledgement", { type: "Service", filter: "true" });
    },
    stop: async () => {
      plain.closeAllConnections();
      await new Promise<void>((resolve) => plain.close(() => resolve()));
      await system.stop();
    },
  };
}

async function bodyOf(message: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = [];
  // A message without an encoding gives buffers.
  for await (const part of message) parts.push(part as Buffer);
  return Buffer.concat(parts);
}
