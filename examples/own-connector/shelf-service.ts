import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** A box on the shelf. The shelf gives it its id; the label is whatever its maker wrote on it. */
export interface Box {
  readonly id: string;
  readonly size: number;
  readonly label: string;
}

/** Sizes that the shelf has room for. */
const SIZE_MAX = 100;

/**
 * A small service that somebody else has written: `GET /boxes`, `POST /boxes` `{size, label}`, `GET` and `DELETE /boxes/ID`, with a key in the header
 * `authorization: Bearer …`. It takes two boxes of one label without a word.
 */
export class ShelfService {
  readonly boxes = new Map<string, Box>();
  readonly #key: string;
  readonly #server: Server = createServer((request, response) => {
    this.#serve(request, response).catch(() => response.destroy());
  });
  #made = 0;

  constructor(key: string) {
    this.#key = key;
  }

  async start(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    // A listening TCP server has an address and a port.
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    const say = (status: number, body: unknown): void => {
      response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
    };
    if (request.headers.authorization !== `Bearer ${this.#key}`) return say(401, { error: "who are you?" });
    const id = (request.url ?? "").split("/")[2] ?? "";
    if (request.method === "POST") return this.#make(Buffer.concat(parts).toString("utf8"), say);
    if (id === "") return say(200, [...this.boxes.values()]);
    const box = this.boxes.get(id);
    if (box === undefined) return say(404, { error: "no such box" });
    if (request.method === "DELETE") this.boxes.delete(id);
    say(200, box);
  }

  #make(text: string, say: (status: number, body: unknown) => void): void {
    const { size, label } = JSON.parse(text) as { readonly size: number; readonly label: string };
    if (size > SIZE_MAX) return say(422, { error: `no room for a box of ${size}` });
    this.#made += 1;
    const box = { id: `box-${this.#made}`, size, label };
    this.boxes.set(box.id, box);
    say(201, box);
  }
}
