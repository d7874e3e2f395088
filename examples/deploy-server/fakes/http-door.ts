import { createServer, type IncomingHttpHeaders, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { FaultPlan } from "./fault.ts";

export interface HttpRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}
export interface HttpAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export function json(status: number, value: unknown): HttpAnswer {
  return { status, headers: { "content-type": "application/json; charset=utf-8" }, body: JSON.stringify(value) };
}

export function text(status: number, body: string): HttpAnswer {
  return { status, headers: { "content-type": "text/plain; charset=utf-8" }, body };
}

/** A system that speaks HTTP on a loopback port, with faults on the way to it. */
export class HttpDoor {
  readonly #server: Server;

  constructor(name: string, plan: () => FaultPlan, handle: (request: HttpRequest) => HttpAnswer) {
    this.#server = createServer((incoming, outgoing) => {
      let body = "";
      incoming.setEncoding("utf8").on("data", (part: string) => (body += part));
      incoming.on("end", () => {
        const url = new URL(incoming.url ?? "/", "http://door");
        const request: HttpRequest = {
          method: incoming.method ?? "GET",
          path: url.pathname,
          query: url.searchParams,
          headers: incoming.headers,
          body,
        };
        const fault = plan().next(`${name} ${request.method} ${request.path}`);
        // Lost: the connection stays open and says nothing, as behind a router that drops packets.
        if (fault === "lost-before") return;
        const answer = handle(request);
        if (fault === "lost-after") return;
        if (fault === "reset") {
          incoming.socket.resetAndDestroy();
          return;
        }
        if (fault === "duplicate" && request.method !== "POST") handle(request);
        outgoing.writeHead(answer.status, { ...answer.headers, "content-length": Buffer.byteLength(answer.body) });
        outgoing.end(answer.body);
        if (fault === "duplicate" && request.method === "POST") {
          // Stray bytes after a complete answer; the client must not take them for the next one.
          incoming.socket.write(
            `HTTP/1.1 ${answer.status} Again\r\ncontent-length: ${Buffer.byteLength(answer.body)}\r\n\r\n${answer.body}`,
          );
        }
      });
    });
  }

  async open(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    // A server on a TCP port has such an address.
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }
}
