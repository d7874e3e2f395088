import { createServer, type Http2Server, type ServerHttp2Stream } from "node:http2";

/** A method's path, and what it says to the one text of its request. */
export interface GrpcMethod {
  readonly path: string;
  readonly prefix: string;
}

/** Protocol Buffers, encoding: field 1 with a length, which is a text here; lengths below 128 are one byte. */
const FIELD_1_TEXT = 0x0a;
const LENGTH_MAX = 127;
/** gRPC over HTTP/2: a flag and four bytes of length before each message. */
const PREFIX_BYTES = 5;
const UNIMPLEMENTED = "12";

/** A gRPC server without TLS, with one method from a message of one text to a message of one text. */
export class GrpcServer {
  readonly #server: Http2Server;
  readonly #sessions = new Set<{ destroy(): void }>();
  /** The texts that arrived. */
  readonly calls: string[] = [];

  constructor({ path, prefix }: GrpcMethod) {
    this.#server = createServer();
    this.#server.on("session", (session) => {
      this.#sessions.add(session);
      session.on("error", () => undefined);
      session.on("close", () => this.#sessions.delete(session));
    });
    this.#server.on("stream", (stream, headers) => {
      const chunks: Buffer[] = [];
      stream.on("error", () => undefined);
      stream.on("data", (chunk: Buffer) => chunks.push(chunk));
      stream.on("end", () => {
        if (headers[":path"] !== path) return answer(stream, undefined, UNIMPLEMENTED);
        const text = textIn(Buffer.concat(chunks));
        this.calls.push(text);
        answer(stream, `${prefix}${text}`, "0");
      });
    });
  }

  start(port: number, address: string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(port, address, resolve);
    });
  }

  async stop(): Promise<void> {
    for (const session of this.#sessions) session.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

function textIn(message: Buffer): string {
  const body = message.subarray(PREFIX_BYTES);
  if (body.length === 0) return "";
  if (body[0] !== FIELD_1_TEXT || body[1] !== body.length - 2) throw new Error("the request is no message of one short text");
  return body.subarray(2).toString();
}

function answer(stream: ServerHttp2Stream, text: string | undefined, status: string): void {
  stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": status }));
  stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
  if (text === undefined) return void stream.end();
  const bytes = Buffer.from(text);
  if (bytes.length > LENGTH_MAX) throw new Error("the answer is too long");
  const message = Buffer.concat([Buffer.from([FIELD_1_TEXT, bytes.length]), bytes]);
  const prefix = Buffer.alloc(PREFIX_BYTES);
  prefix.writeUInt32BE(message.length, 1);
  stream.end(Buffer.concat([prefix, message]));
}
