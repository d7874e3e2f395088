import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";

/** Somebody outside to whom `tutti up` tells something by itself: keeps every byte of it, by the path that it came to. */
export class Listener {
  readonly heard = new Map<string, string>();
  /** Requests that came. */
  requests = 0;
  readonly #server: Server;

  constructor() {
    this.#server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on("error", () => {});
      request.on("data", (chunk: Buffer) => chunks.push(chunk));
      request.on("end", () => {
        const path = request.url ?? "/";
        const text = `${JSON.stringify(request.rawHeaders)}\n${Buffer.concat(chunks).toString("utf8")}\n`;
        this.heard.set(path, (this.heard.get(path) ?? "") + text);
        this.requests += 1;
        response.writeHead(200, { "content-type": "application/json" }).end("{}");
      });
    });
  }

  /** @returns where it listens. */
  async start(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    // A server that listens on a port has an address with it.
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
