import { createServer, type Http2Server, type IncomingHttpHeaders, type ServerHttp2Stream } from "node:http2";
import type { AddressInfo } from "node:net";
import { ENCODINGS } from "./encodings.ts";
import type { Hear } from "./hear.ts";

/** What the server says it understands. */
export const PROTO = `syntax = "proto3";
package canary;
message Ask { string key = 1; repeated string more = 2; map<string, string> named = 3; int32 count = 4; }
message Told { string text = 1; repeated string all = 2; bytes raw = 3; map<string, string> keyed = 4; }
service Echo {
  rpc Tell(Ask) returns (Told);
  rpc Stream(Ask) returns (stream Told);
  rpc Fail(Ask) returns (Told);
  rpc Garble(Ask) returns (Told);
  rpc Refuse(Ask) returns (Told);
}
`;
const INVALID_ARGUMENT = "3";
/** A message's length stands behind a byte that says whether it is compressed. */
const PREFIX_BYTES = 5;

/** A server of gRPC without TLS that tells on what it is sent, request and metadata: in answers, and in statuses with their details. */
export class HostileGrpc {
  readonly #hear: Hear;
  readonly #server: Http2Server = createServer();

  constructor(hear: Hear) {
    this.#hear = hear;
    this.#server.on("sessionError", () => {});
    this.#server.on("stream", (stream, headers) => {
      const chunks: Buffer[] = [];
      stream.on("error", () => {});
      stream.on("data", (chunk: Buffer) => chunks.push(chunk));
      stream.on("end", () => this.#answer(stream, headers, Buffer.concat(chunks).subarray(PREFIX_BYTES).toString("utf8")));
    });
  }

  /** @returns its port on this machine. */
  async start(): Promise<number> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    // A server that listens on a port has an address with it.
    return (this.#server.address() as AddressInfo).port;
  }

  /** Connections last one call each. */
  async stop(): Promise<void> {
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #answer(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, body: string): void {
    const dump = `${JSON.stringify(headers)} ${body}`;
    const secrets = this.#hear(dump);
    const method = headers[":path"]?.split("/").at(-1);
    if (method === "Refuse") {
      stream.respond({ ":status": 401, "content-type": "text/plain", "x-echo": asciiOf(secrets) });
      stream.end(secrets.join(" "));
      return;
    }
    const end = method === "Fail" ? failure(secrets, dump) : { "grpc-status": "0" };
    stream.respond({ ":status": 200, "content-type": "application/grpc", "x-echo": asciiOf(secrets) }, { waitForTrailers: true });
    stream.on("wantTrailers", () => stream.sendTrailers({ ...end, "x-echo": asciiOf(secrets) }));
    if (method === "Garble") stream.write(framed(Buffer.from(secrets.join(" "))));
    if (method === "Tell") stream.write(framed(told(secrets, dump)));
    if (method === "Stream") for (const encode of Object.values(ENCODINGS)) stream.write(framed(field(1, secrets.map(encode).join(" "))));
    stream.end();
  }
}

function told(secrets: readonly string[], dump: string): Buffer {
  const encoded = Object.values(ENCODINGS).flatMap((encode) => secrets.map(encode));
  return Buffer.concat([
    field(1, dump),
    ...encoded.map((text) => field(2, text)),
    field(3, secrets.join("")),
    ...secrets.map((text) => field(4, Buffer.concat([field(1, text), field(2, text)]))),
  ]);
}

/** A status with the details that servers like to give. Source: googleapis, google/rpc/status.proto and error_details.proto. */
function failure(secrets: readonly string[], dump: string): Readonly<Record<string, string>> {
  const info = Buffer.concat([
    field(1, secrets.join(" ")),
    ...secrets.map((text) => field(3, Buffer.concat([field(1, text), field(2, `for ${text}`)]))),
  ]);
  const detail = Buffer.concat([field(1, "type.googleapis.com/google.rpc.ErrorInfo"), field(2, info)]);
  const unknown = Buffer.concat([field(1, `type.googleapis.com/canary.${encodeURIComponent(secrets[0] ?? "")}`), field(2, info)]);
  const status = Buffer.concat([Buffer.from([8, Number(INVALID_ARGUMENT)]), field(2, dump), field(3, detail), field(3, unknown)]);
  return {
    "grpc-status": INVALID_ARGUMENT,
    "grpc-message": encodeURIComponent(`${secrets.join(" ")} in ${dump}`),
    "grpc-status-details-bin": status.toString("base64"),
  };
}

/** A field of Protocol Buffers that has a length: text, bytes, a message. */
function field(number: number, content: string | Buffer): Buffer {
  const body = Buffer.from(content);
  return Buffer.concat([Buffer.from([(number << 3) | 2]), varint(body.length), body]);
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 127; rest >>>= 7) bytes.push((rest & 127) | 128);
  return Buffer.from([...bytes, rest]);
}

function framed(message: Buffer): Buffer {
  const head = Buffer.alloc(PREFIX_BYTES);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

/** What metadata may hold as it is. */
function asciiOf(secrets: readonly string[]): string {
  return encodeURIComponent(secrets.join(" "));
}
