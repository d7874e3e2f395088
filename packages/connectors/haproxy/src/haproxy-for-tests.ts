import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { connect, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { AttemptProvider } from "@tutti/connector-kit";
import type { OpenTarget, TargetFault } from "@tutti/connector-kit/conformance";
import type { JsonObject } from "@tutti/model";
import { freePort, startLabSystem } from "@tutti/testkit/lab";

const FLOOD_BYTES = 64 * 1024 * 1024;
const FLOOD_PIECE_BYTES = 64 * 1024;

/** An HAProxy of a test's own, with a pool `web`. */
export interface Haproxy {
  readonly socket: string;
  readonly userSocket: string;
  readonly apiPort: number;
  readonly frontend: string;
  readonly map: string;
  readonly acl: string;
  /** Speaks to it past the connector. */
  ask(command: string): Promise<string>;
  /** Deletes all members, and all entries of map and ACL. */
  empty(): Promise<void>;
  stop(): Promise<void>;
}

/** Starts HAProxy by `lab/haproxy.sh`, beside any other that runs. */
export async function startHaproxy(): Promise<Haproxy> {
  const [front, statistics, apiPort] = [await freePort(), await freePort(), await freePort()];
  const system = await startLabSystem("haproxy", { HAPROXY_PORT: front, HAPROXY_STATS_PORT: statistics, HAPROXY_API_PORT: apiPort });
  const root = join(system.state, "haproxy");
  const socket = join(root, "admin.sock");
  const ask = (command: string): Promise<string> => exchange(socket, `${command}\n`).then((answer) => answer.toString("utf8"));
  const [map, acl] = [join(root, "routes.map"), join(root, "denied.acl")];
  return {
    socket,
    userSocket: join(root, "user.sock"),
    apiPort,
    frontend: `http://127.0.0.1:${front}`,
    map,
    acl,
    ask,
    empty: async () => {
      for (const line of (await ask("show servers state web")).split("\n").slice(2)) {
        const name = line.split(" ")[3];
        if (name === undefined) continue;
        await ask(`set server web/${name} state maint`);
        await ask(`shutdown sessions server web/${name}`);
        await ask(`del server web/${name}`);
      }
      await ask(`clear map ${map}`);
      await ask(`clear acl ${acl}`);
    },
    stop: () => system.stop(),
  };
}

export function providerAt(configuration: JsonObject): AttemptProvider {
  return { name: "lb", configuration, credentials: {} };
}

/** Faults on the way that only these tests make. */
export type DoorFault =
  | TargetFault
  /** An answer that is cut off in the middle. */
  | { readonly kind: "cut" }
  /** After this many requests nothing listens any more. */
  | { readonly kind: "gone-after"; readonly request: number };

/** A way to the runtime API that loses, doubles and spoils answers on demand. */
export async function openDoor(haproxy: Haproxy, fault: DoorFault): Promise<OpenTarget> {
  const directory = await mkdtemp(join(tmpdir(), "tutti-door-"));
  const door = new Door(haproxy, fault);
  const path = await door.open(join(directory, "s"));
  return {
    provider: providerAt({ socket: path }),
    requests: () => door.requests,
    reached: door.reached,
    close: async () => {
      await door.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

class Door {
  requests = 0;
  readonly reached: Promise<void>;
  readonly #haproxy: Haproxy;
  readonly #fault: DoorFault;
  readonly #server: Server;
  readonly #open = new Set<Socket>();
  #reach: () => void = () => {};

  constructor(haproxy: Haproxy, fault: DoorFault) {
    this.#haproxy = haproxy;
    this.#fault = fault;
    this.reached = new Promise((resolve) => (this.#reach = resolve));
    this.#server = createServer({ allowHalfOpen: true }, (client) => {
      this.#open.add(client.on("close", () => this.#open.delete(client)).on("error", () => {}));
      client.once("data", (command: Buffer) => {
        this.#serve(client, command).catch(() => client.destroy());
      });
    });
  }

  async open(path: string): Promise<string> {
    if (this.#fault.kind === "down") return path;
    this.#server.listen(path);
    await once(this.#server, "listening");
    return path;
  }

  async close(): Promise<void> {
    for (const client of this.#open) client.destroy();
    if (this.#server.listening) await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  async #serve(client: Socket, command: Buffer): Promise<void> {
    this.requests += 1;
    this.#reach();
    const fault = this.#fault;
    const isHere = "request" in fault && fault.request === this.requests;
    switch (fault.kind) {
      case "silent":
        return;
      case "busy":
        // A process that leaves at a reload takes no more commands and closes.
        client.destroy();
        return;
      case "garbage":
        client.end("<html>\u0000 {[ not what you think\n");
        return;
      case "stranger":
        // An empty answer is HAProxy's success.
        client.end("\n");
        return;
      case "echo":
        client.end(`Unknown command: '${command.toString("utf8").trim()}'\n\n`);
        return;
      case "flood":
        await pipeline(Readable.from(flood()), client).catch(() => {});
        return;
      case "cut": {
        const answer = await this.#forward(command);
        client.end(answer.subarray(0, Math.max(1, answer.length >> 1)));
        return;
      }
      case "gone-after": {
        const answer = await this.#forward(command);
        if (isHere) this.#server.close();
        client.end(answer);
        return;
      }
      case "request-lost":
        if (isHere) client.destroy();
        else client.end(await this.#forward(command));
        return;
      case "answer-lost":
      case "failed-after": {
        const answer = await this.#forward(command);
        if (isHere) client.destroy();
        else client.end(answer);
        return;
      }
      case "doubled":
        if (isHere) await this.#forward(command);
        client.end(await this.#forward(command));
        return;
      case "none":
      case "down":
      case "denied":
        client.end(await this.#forward(command));
    }
  }

  #forward(command: Buffer): Promise<Buffer> {
    return exchange(this.#fault.kind === "denied" ? this.#haproxy.userSocket : this.#haproxy.socket, command);
  }
}

function* flood(): Generator<Buffer> {
  for (let sent = 0; sent < FLOOD_BYTES; sent += FLOOD_PIECE_BYTES) yield Buffer.alloc(FLOOD_PIECE_BYTES, "x\n");
}

async function exchange(path: string, command: Buffer | string): Promise<Buffer> {
  const socket = connect({ path });
  socket.write(command);
  const parts: Buffer[] = [];
  // A socket without an encoding gives buffers.
  for await (const part of socket as AsyncIterable<Buffer>) parts.push(part);
  return Buffer.concat(parts);
}
