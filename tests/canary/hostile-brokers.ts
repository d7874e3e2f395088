import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import type { JsonObject } from "@tutti/model";
import { type Hear, REFUSED, toldOn } from "./hear.ts";
import { serveMqtt } from "./hostile-mqtt.ts";
import { serveWebSocket } from "./hostile-websocket.ts";

type Serve = (socket: Socket, hear: Hear) => void;

const SERVED: Readonly<Record<string, Serve>> = { ws: serveWebSocket, mqtt: serveMqtt, nats: serveNats, amqp: serveAmqp };

/** Brokers that speak just enough of their protocol to tell on what they are told: to who subscribes, and in what they refuse. */
export class HostileBrokers {
  readonly #servers = new Map<string, Server>();
  readonly #sockets = new Set<Socket>();

  constructor(hear: Hear) {
    for (const [name, serve] of Object.entries(SERVED)) {
      const server = createServer((socket) => {
        this.#sockets.add(socket);
        socket.on("error", () => {});
        socket.on("close", () => this.#sockets.delete(socket));
        serve(socket, hear);
      });
      this.#servers.set(name, server);
    }
  }

  async start(): Promise<void> {
    for (const server of this.#servers.values()) await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    for (const server of this.#servers.values()) await new Promise((resolve) => server.close(resolve));
  }

  /** The AsyncAPI document of the brokers, and of the HTTP server at `origin`. */
  document(origin: string): JsonObject {
    const servers = [...this.#servers].map(([name, server]) => {
      // A server that listens on a port has an address with it.
      const { port } = server.address() as AddressInfo;
      return [name, { host: `127.0.0.1:${port}`, protocol: name, ...(name === "mqtt" && { protocolVersion: "5" }) }] as const;
    });
    return {
      asyncapi: "3.0.0",
      info: { title: "canary", version: "1.0.0" },
      servers: {
        ...Object.fromEntries(servers),
        http: { host: new URL(origin).host, protocol: "http" },
        varied: { host: new URL(origin).host, pathname: "/echo/{key}", protocol: "http" },
      },
      channels: {
        ...Object.fromEntries(["echo", "encodings", "status", "events", "tell", "refuse"].map((name) => [name, { address: name }])),
        addressed: { address: "tell/{key}", parameters: { key: { location: "$message.payload#/key" } } },
        queue: { address: "tell", bindings: { amqp: { is: "queue" } } },
      },
    };
  }
}

/** NATS: what a client is told are lines, and messages with their length. Source: docs.nats.io, "Client Protocol". */
function serveNats(socket: Socket, hear: Hear): void {
  let text = "";
  let dump = "";
  socket.setEncoding("utf8");
  socket.write(`INFO ${JSON.stringify({ server_id: "canary", version: "2.9.0", proto: 1, headers: true, max_payload: 1 << 20 })}\r\n`);
  socket.on("data", (chunk: string) => {
    text += chunk;
    dump += chunk;
    const lines = text.split("\r\n");
    text = lines.pop() ?? "";
    for (const line of lines) {
      const secrets = hear(dump);
      // Secrets of several lines are not sent here: a line is all there is to an error.
      const quoted = `"${secrets.join(" ")}"`;
      if (line.startsWith("CONNECT ") && line.includes(`"${REFUSED}"`)) socket.end(`-ERR 'Authorization Violation of ${quoted}'\r\n`);
      else if (line === "PING") socket.write("PONG\r\n");
      else if (/^H?PUB refuse /.test(line)) socket.write(`-ERR 'Permissions Violation for Publish to ${quoted}'\r\n`);
      else if (line.startsWith("SUB ")) {
        const [, subject = "", ...more] = line.split(" ");
        const body = Buffer.from(toldOn(secrets));
        socket.write(`MSG ${subject} ${more.at(-1)} ${body.length}\r\n`);
        socket.write(body);
        socket.write("\r\n");
      }
    }
  });
}

/** AMQP 0-9-1 up to the log-in, which it refuses in words of its own. Source: the specification, 2.3.5 and 1.4 of its reference. */
function serveAmqp(socket: Socket, hear: Hear): void {
  const START = Buffer.concat([shorts(10, 10), Buffer.from([0, 9]), longText(""), longText("PLAIN"), longText("en_US")]);
  socket.once("data", () => {
    socket.write(methodFrame(START));
    socket.once("data", (answer: Buffer) => {
      const secrets = hear(answer.toString("utf8"));
      // A short text has a byte for its length.
      const reason = Buffer.from(`no ${secrets.join(" ")}`).subarray(0, 255);
      socket.write(methodFrame(Buffer.concat([shorts(10, 50), shorts(403), Buffer.from([reason.length]), reason, shorts(10, 11)])));
    });
  });
}

function shorts(...values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(2 * values.length);
  for (const [index, value] of values.entries()) bytes.writeUInt16BE(value, 2 * index);
  return bytes;
}

function longText(text: string): Buffer {
  const head = Buffer.alloc(4);
  head.writeUInt32BE(Buffer.byteLength(text));
  return Buffer.concat([head, Buffer.from(text)]);
}

function methodFrame(body: Buffer): Buffer {
  const head = Buffer.alloc(7);
  head[0] = 1;
  head.writeUInt32BE(body.length, 3);
  return Buffer.concat([head, body, Buffer.from([0xce])]);
}
