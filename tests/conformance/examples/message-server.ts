import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import type { Json } from "@tutti/model";

/** RFC 6455, section 1.3: what both sides of a handshake know. */
const HANDSHAKE = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
/** RFC 6455, section 5.2: a whole text message without mask; the longest length in one byte, and the mark for two bytes. */
const WHOLE_TEXT = 0x81;
const SHORT_MAX = 125;
const TWO_BYTES = 126;
/** Section 5.5.1: the end, with code 1000: nothing went wrong. */
const CLOSE = Buffer.from([0x88, 2, 0x03, 0xe8]);

/** A WebSocket server that sends the same messages to everybody who connects, and then is silent, or ends the connection. */
export class MessageServer {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  constructor(messages: readonly Json[], { hangsUp }: { readonly hangsUp: boolean }) {
    this.#server = createServer();
    this.#server.on("upgrade", (request: IncomingMessage, socket: Socket) => {
      const key = request.headers["sec-websocket-key"] ?? "";
      const accept = createHash("sha1").update(`${key}${HANDSHAKE}`).digest("base64");
      this.#sockets.add(socket);
      // A subscriber that has enough hangs up.
      socket.on("error", () => undefined);
      socket.on("close", () => this.#sockets.delete(socket));
      socket.write(
        `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
      );
      for (const message of messages) socket.write(frameOf(JSON.stringify(message)));
      if (hangsUp) socket.end(CLOSE);
    });
  }

  get port(): number {
    // A TCP server's address is an object once it listens.
    return (this.#server.address() as AddressInfo).port;
  }

  start(address: string): Promise<void> {
    return new Promise((resolve) => this.#server.listen(0, address, resolve));
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

function frameOf(text: string): Buffer {
  const payload = Buffer.from(text);
  if (payload.length <= SHORT_MAX) return Buffer.concat([Buffer.from([WHOLE_TEXT, payload.length]), payload]);
  return Buffer.concat([Buffer.from([WHOLE_TEXT, TWO_BYTES, payload.length >> 8, payload.length & 0xff]), payload]);
}
