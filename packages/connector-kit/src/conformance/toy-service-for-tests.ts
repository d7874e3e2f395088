import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export const TOY_KEY = "toy-key-0123456789";

/** A thing of the toy service: a name, a size, and who made it. */
export interface Thing {
  readonly name: string;
  readonly size: number;
  readonly token: string;
  /** What was there before the change of a token; see `PATCH`. */
  readonly was?: { readonly token: string; readonly size: number };
}

/**
 * A service that keeps named things: `GET /things`, `GET`, `PUT` (409 when it is there), `PATCH`, `DELETE /things/NAME`. It wants the key in `x-key` and
 * takes sizes from 0 on.
 */
export class ToyService {
  readonly things = new Map<string, Thing>();
  readonly #server: Server = createServer((request, response) => {
    this.#serve(request, response).catch(() => response.destroy());
  });

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
    const say = (status: number, body: unknown = null): void => {
      response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
    };
    if (request.headers["x-key"] !== TOY_KEY) return say(401, { error: "wrong key" });
    const name = decodeURIComponent((request.url ?? "").split("/")[2] ?? "");
    if (name === "") return say(200, [...this.things.values()]);
    const thing = this.things.get(name);
    if (request.method === "DELETE") return say(this.things.delete(name) ? 200 : 404);
    if (request.method === "GET") return thing === undefined ? say(404) : say(200, thing);
    const given = JSON.parse(Buffer.concat(parts).toString("utf8")) as { readonly size: number; readonly token: string };
    if (given.size < 0) return say(422, { error: "a size is 0 or more" });
    if (request.method === "PUT" && thing !== undefined) return say(409, thing);
    if (request.method === "PATCH" && thing === undefined) return say(404);
    this.things.set(name, this.#changed(name, given, thing));
    say(200, this.things.get(name));
  }

  #changed(name: string, given: { readonly size: number; readonly token: string }, thing: Thing | undefined): Thing {
    if (thing === undefined) return { name, ...given };
    const was = thing.was?.token === given.token ? thing.was : { token: given.token, size: thing.size };
    return { name, size: given.size, token: thing.token, was };
  }
}
