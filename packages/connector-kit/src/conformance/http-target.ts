import { randomInt } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { AttemptProvider } from "../provider.ts";
import type { ConnectorUnderTest, OpenTarget, TargetFault } from "./connector-under-test.ts";

/** Far more than any answer that a connector has a use for, and little enough for the machine of a connector that takes it all. */
const FLOOD_BYTES = 256 * 1024 * 1024;
const FLOOD_PART_BYTES = 64 * 1024;

/** The way to a target that speaks HTTP, which loses, delays and spoils answers on demand. */
export function httpTarget(options: {
  /** Where the target listens: `http://127.0.0.1:8081`. */
  readonly url: string;
  /** A provider whose target is at `url`. */
  readonly provider: (url: string) => AttemptProvider;
  /** The same with credentials that the target does not take; left out when it asks for none. */
  readonly denied?: (url: string) => AttemptProvider;
}): ConnectorUnderTest["open"] {
  return async (fault) => {
    const door = new Door(new URL(options.url), fault);
    const url = await door.open();
    const provider = fault.kind === "denied" && options.denied !== undefined ? options.denied(url) : options.provider(url);
    return { provider, requests: () => door.requests, reached: door.reached, close: () => door.close() };
  };
}

class Door implements Omit<OpenTarget, "provider" | "requests"> {
  requests = 0;
  readonly reached: Promise<void>;
  readonly #target: URL;
  readonly #fault: TargetFault;
  readonly #server: Server;
  #reach: () => void = () => {};

  constructor(target: URL, fault: TargetFault) {
    this.#target = target;
    this.#fault = fault;
    this.reached = new Promise((resolve) => (this.#reach = resolve));
    this.#server = createServer((given, answer) => {
      this.#serve(given, answer).catch(() => answer.destroy());
    });
  }

  async open(): Promise<string> {
    const base = this.#target.pathname.replace(/\/$/, "");
    if (this.#fault.kind === "down") return `http://127.0.0.1:${await freePort()}${base}`;
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    // A listening TCP server has an address and a port.
    const { port } = this.#server.address() as AddressInfo;
    return `http://127.0.0.1:${port}${base}`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  async #serve(given: IncomingMessage, answer: ServerResponse): Promise<void> {
    this.requests += 1;
    const { requests } = this;
    const body = await bodyOf(given);
    this.#reach();
    const fault = this.#fault;
    switch (fault.kind) {
      case "silent":
        return;
      case "busy":
        answer.writeHead(503, { "content-type": "text/plain", "retry-after": "1" }).end("Come back later.");
        return;
      case "garbage":
        answer.writeHead(200, { "content-type": "text/html" }).end("<html>\u0000 {[ not what you think");
        return;
      case "stranger":
        answer.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify({ status: "ok", message: "welcome" }));
        return;
      case "flood":
        await flood(answer);
        return;
      case "echo":
        answer
          .writeHead(400, { "content-type": "application/json" })
          .end(JSON.stringify({ error: `${given.method} ${given.url} ${JSON.stringify(given.headers)}`, body: body.toString("utf8") }));
        return;
      case "request-lost":
        if (requests === fault.request) given.socket.destroy();
        else await this.#pass(given, body, answer);
        return;
      case "answer-lost":
        if (requests === fault.request) {
          await this.#forward(given, body);
          given.socket.destroy();
        } else await this.#pass(given, body, answer);
        return;
      case "failed-after":
        if (requests === fault.request) {
          await this.#forward(given, body);
          answer.writeHead(500, { "content-type": "text/plain" }).end("Something went wrong.");
        } else await this.#pass(given, body, answer);
        return;
      case "doubled":
        if (requests === fault.request) await this.#forward(given, body);
        await this.#pass(given, body, answer);
        return;
      case "none":
      case "down":
      case "denied":
        await this.#pass(given, body, answer);
    }
  }

  async #pass(given: IncomingMessage, body: Buffer, answer: ServerResponse): Promise<void> {
    const { status, headers, body: said } = await this.#forward(given, body);
    answer.writeHead(status, headers).end(said);
  }

  async #forward(
    given: IncomingMessage,
    body: Buffer,
  ): Promise<{ readonly status: number; readonly headers: Record<string, string>; readonly body: Buffer }> {
    const { host: _, connection: __, "transfer-encoding": ___, ...headers } = given.headers;
    const answer = await new Promise<IncomingMessage>((resolve, reject) => {
      const sent = request(
        { host: this.#target.hostname, port: this.#target.port, method: given.method, path: given.url, headers, agent: false },
        resolve,
      );
      sent.on("error", reject);
      sent.end(body);
    });
    const type = answer.headers["content-type"];
    return { status: answer.statusCode ?? 502, headers: type === undefined ? {} : { "content-type": type }, body: await bodyOf(answer) };
  }
}

/** A port that nobody listens on and that the system gives to nobody: from 32768 on it does. */
async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(20_000, 30_000);
    const probe = createServer();
    const isFree = await new Promise<boolean>((resolve) => {
      probe.once("error", () => resolve(false));
      probe.listen(port, "127.0.0.1", () => probe.close(() => resolve(true)));
    });
    if (isFree) return port;
  }
}

/** JSON without an end, as fast as it is taken; after `FLOOD_BYTES` it hangs, so that who takes it all waits for more. */
async function flood(answer: ServerResponse): Promise<void> {
  answer.writeHead(200, { "content-type": "application/json" });
  const closed = once(answer, "close");
  const part = Buffer.alloc(FLOOD_PART_BYTES, '"drop",');
  answer.write("[");
  for (let sent = 0; sent < FLOOD_BYTES && !answer.destroyed; sent += part.length)
    if (!answer.write(part)) await Promise.race([once(answer, "drain"), closed]);
}

async function bodyOf(message: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = [];
  // A message without an encoding gives buffers.
  for await (const part of message) parts.push(part as Buffer);
  return Buffer.concat(parts);
}
