import { createHash } from "node:crypto";
import type { Socket } from "node:net";
import { type Hear, toldOn } from "./hear.ts";

/** Source: RFC 6455, 1.3 and 5.2. */
const HANDSHAKE_KEY = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const CLOSE = 8;
const POLICY_VIOLATION = 1008;
/** A frame that controls has at most this much. */
const REASON_BYTES_MAX = 123;

/** WebSocket: tells on at once what stood in the handshake, and closes on what is sent to `/refuse` in words of its own. */
export function serveWebSocket(socket: Socket, hear: Hear): void {
  let head = "";
  let rest: Buffer = Buffer.alloc(0);
  let dump = "";
  socket.on("data", (chunk: Buffer) => {
    dump += chunk.toString("utf8");
    rest = Buffer.concat([rest, chunk]);
    if (head === "") {
      const end = rest.indexOf("\r\n\r\n");
      if (end < 0) return;
      head = rest.toString("utf8", 0, end);
      rest = rest.subarray(end + 4);
      open(head, hear(dump), socket);
    }
    for (let frame = takeFrame(rest); frame !== undefined; frame = takeFrame(rest)) {
      rest = rest.subarray(frame.end);
      const secrets = hear(`${dump} ${frame.payload.toString("utf8")}`);
      if (frame.code === CLOSE) socket.end(framed(CLOSE, frame.payload));
      else if (head.startsWith("GET /refuse")) socket.end(framed(CLOSE, reasoned(secrets.join(" "))));
      else socket.write(framed(1, Buffer.from(toldOn(secrets))));
    }
  });
}

function open(head: string, secrets: readonly string[], socket: Socket): void {
  if (head.startsWith("GET /status")) {
    const body = secrets.join(" ");
    socket.end(`HTTP/1.1 403 no ${encodeURIComponent(body)}\r\nx-echo: ${encodeURIComponent(body)}\r\nconnection: close\r\n\r\n${body}`);
    return;
  }
  const key = /^sec-websocket-key: *(\S+)/im.exec(head)?.[1] ?? "";
  const accept = createHash("sha1").update(`${key}${HANDSHAKE_KEY}`).digest("base64");
  socket.write(`HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`);
  if (secrets.length > 0) socket.write(framed(1, Buffer.from(toldOn(secrets))));
}

/** The first frame of a client, unmasked, when it is whole; the lengths that a test sends. */
function takeFrame(bytes: Buffer): { readonly code: number; readonly payload: Buffer; readonly end: number } | undefined {
  if (bytes.length < 8) return undefined;
  const short = (bytes[1] ?? 0) & 127;
  const [length, from] = short === 126 ? [bytes.readUInt16BE(2), 4] : [short, 2];
  const end = from + 4 + length;
  if (bytes.length < end) return undefined;
  const mask = bytes.subarray(from, from + 4);
  const payload = Buffer.from(bytes.subarray(from + 4, end).map((byte, index) => byte ^ (mask[index % 4] ?? 0)));
  return { code: (bytes[0] ?? 0) & 15, payload, end };
}

function framed(code: number, payload: Buffer): Buffer {
  const head = payload.length < 126 ? Buffer.from([128 | code, payload.length]) : Buffer.from([128 | code, 126, 0, 0]);
  if (payload.length >= 126) head.writeUInt16BE(payload.length, 2);
  return Buffer.concat([head, payload]);
}

function reasoned(reason: string): Buffer {
  const body = Buffer.alloc(2);
  body.writeUInt16BE(POLICY_VIOLATION);
  // A character that was cut would be no UTF-8.
  return Buffer.concat([body, Buffer.from(reason.slice(0, REASON_BYTES_MAX / 3))]);
}
