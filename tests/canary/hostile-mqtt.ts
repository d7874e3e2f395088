import type { Socket } from "node:net";
import { type Hear, REFUSED, toldOn } from "./hear.ts";

/** Types of packets, reason codes and properties. Source: OASIS MQTT 5.0, 2.1.2, 2.4 and 2.2.2.2. */
const CONNECT = 1;
const PUBLISH = 3;
const SUBSCRIBE = 8;
const NOT_AUTHORIZED = 0x87;
const QUOTA_EXCEEDED = 0x97;
const CONTENT_TYPE = 0x03;
const REASON = 0x1f;
const USER_PROPERTY = 0x26;

/** MQTT 5: tells on to who subscribes, and gives its reasons when it refuses. */
export function serveMqtt(socket: Socket, hear: Hear): void {
  let rest = Buffer.alloc(0);
  let dump = "";
  socket.on("data", (chunk: Buffer) => {
    rest = Buffer.concat([rest, chunk]);
    dump += chunk.toString("utf8");
    for (let taken = takePacket(rest); taken !== undefined; taken = takePacket(rest)) {
      rest = rest.subarray(taken.end);
      answer(taken, { socket, secrets: hear(dump) });
    }
  });
}

interface Packet {
  readonly type: number;
  readonly body: Buffer;
  readonly end: number;
}

function answer({ type, body }: Packet, { socket, secrets }: { readonly socket: Socket; readonly secrets: readonly string[] }): void {
  const reason = Buffer.concat([Buffer.from([REASON]), text(secrets.join(" "))]);
  if (type === CONNECT) {
    const isRefused = body.includes(REFUSED);
    socket.write(packet(0x20, Buffer.from([0, isRefused ? NOT_AUTHORIZED : 0]), counted(isRefused ? reason : Buffer.alloc(0))));
    if (isRefused) socket.end();
  } else if (type === PUBLISH) {
    const topicLength = body.readUInt16BE(0);
    const isRefused = body.toString("utf8", 2, 2 + topicLength) === "refuse";
    const id = body.subarray(2 + topicLength, 4 + topicLength);
    socket.write(packet(0x40, id, Buffer.from([isRefused ? QUOTA_EXCEEDED : 0]), counted(isRefused ? reason : Buffer.alloc(0))));
  } else if (type === SUBSCRIBE) {
    socket.write(packet(0x90, body.subarray(0, 2), counted(reason), Buffer.from([1])));
    const [secret = ""] = secrets;
    const properties = [Buffer.from([CONTENT_TYPE]), text("application/json"), Buffer.from([USER_PROPERTY]), text(secret), text(secret)];
    socket.write(packet(0x30, text("tell"), counted(Buffer.concat(properties)), Buffer.from(toldOn(secrets))));
  }
}

/** The first packet of `bytes` when it is whole. */
function takePacket(bytes: Buffer): Packet | undefined {
  let length = 0;
  for (let at = 1; at < bytes.length && at < 5; at += 1) {
    const byte = bytes[at] ?? 0;
    length += (byte & 127) << (7 * (at - 1));
    if (byte >= 128) continue;
    const end = at + 1 + length;
    return bytes.length < end ? undefined : { type: (bytes[0] ?? 0) >> 4, body: bytes.subarray(at + 1, end), end };
  }
  return undefined;
}

function packet(head: number, ...parts: readonly Buffer[]): Buffer {
  return Buffer.concat([Buffer.from([head]), counted(Buffer.concat(parts))]);
}

/** With its length in front, as remaining lengths and properties have it. */
function counted(body: Buffer): Buffer {
  const length: number[] = [];
  let rest = body.length;
  for (; rest > 127; rest >>>= 7) length.push((rest & 127) | 128);
  return Buffer.concat([Buffer.from([...length, rest]), body]);
}

function text(value: string): Buffer {
  const body = Buffer.from(value);
  const head = Buffer.alloc(2);
  head.writeUInt16BE(body.length);
  return Buffer.concat([head, body]);
}
