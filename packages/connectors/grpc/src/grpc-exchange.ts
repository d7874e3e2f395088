import { type ClientHttp2Session, type ClientHttp2Stream, constants, type IncomingHttpHeaders, sensitiveHeaders } from "node:http2";
import { ConnectorError } from "@tutti/connector-kit";
import { FAN_OUT_MAX, PAYLOAD_BYTES_MAX } from "@tutti/model";
import { codeOfHttpStatus } from "./grpc-status.ts";

/** A complete answer: messages, and the status at their end. */
export interface GrpcAnswer {
  readonly messages: readonly Uint8Array[];
  readonly code: number;
  /** What the server says to its status, perhaps nothing. */
  readonly message: string;
  /** A google.rpc.Status in Protocol Buffers. */
  readonly details: Uint8Array | undefined;
}

export interface GrpcRequest {
  /** `/acme.pets.v1.PetService/GetPet`. */
  readonly path: string;
  readonly message: Uint8Array;
  readonly metadata: Readonly<Record<string, string>>;
  /** For messages: what is called, and where. */
  readonly target: string;
}

/** A flag and the length, before each message. */
const PREFIX_BYTES = 5;

/**
 * Sends one request over a session of its own and takes the answer to its end. Source: grpc.github.io/grpc/core/md_doc__p_r_o_t_o_c_o_l-_h_t_t_p2.html.
 *
 * @throws ConnectorError `never-began` when the other side says that it has not looked at the request (REFUSED_STREAM, or GOAWAY with an earlier
 * stream); else `unknown`, for an answer that is broken off, too large or silent for too long, and when the attempt is stopped: the other side is
 * told then.
 */
export async function exchange(
  session: ClientHttp2Session,
  request: GrpcRequest,
  { silenceMs, signal }: { readonly silenceMs: number; readonly signal: AbortSignal },
): Promise<GrpcAnswer> {
  let isUnseen = false;
  const stream = session.request({
    ":method": "POST",
    ":path": request.path,
    "content-type": "application/grpc",
    te: "trailers",
    "user-agent": "tutti",
    "grpc-accept-encoding": "identity",
    ...request.metadata,
    // Neither side keeps it in the tables that shorten repeated headers.
    [sensitiveHeaders]: ["authorization"],
  });
  session.on("goaway", (_code: number, lastStream: number) => {
    if (stream.id !== undefined && lastStream < stream.id) isUnseen = true;
  });
  const { target } = request;
  let problem: ConnectorError | undefined;
  const giveUp = (reason: string, kind: "timeout" | "communication" = "communication"): void => {
    problem ??= new ConnectorError(`${target}: ${reason}.`, { kind, outcome: "unknown", retryable: kind === "timeout" && !signal.aborted });
    stream.close(constants.NGHTTP2_CANCEL);
  };
  const onAbort = (): void => giveUp("the attempt was stopped", "timeout");
  if (signal.aborted) onAbort();
  else signal.addEventListener("abort", onAbort, { once: true });
  stream.setTimeout(silenceMs, () => giveUp(`nothing came within ${silenceMs / 1000} s`, "timeout"));

  const frames = new FrameReader();
  let head: IncomingHttpHeaders = {};
  let tail: IncomingHttpHeaders = {};
  stream.on("response", (headers) => {
    head = headers;
  });
  stream.on("trailers", (headers) => {
    tail = headers;
  });
  stream.on("data", (chunk: Buffer) => {
    // What a proxy says with its own status is a page for people, not messages.
    if (head[":status"] !== undefined && Number(head[":status"]) !== 200) return;
    const fault = frames.push(chunk);
    if (fault !== undefined) giveUp(fault);
  });
  stream.end(framed(request.message));
  try {
    const cause = await closed(stream);
    if (problem !== undefined) throw problem;
    const answer = answerOf(head, tail, frames);
    if (answer !== undefined) return answer;
    throw brokenOff(target, { isUnseen: isUnseen || stream.rstCode === constants.NGHTTP2_REFUSED_STREAM, cause });
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

/** When nothing comes any more. @returns the error that ended it, if any. */
function closed(stream: ClientHttp2Stream): Promise<Error | undefined> {
  return new Promise((resolve) => {
    let cause: Error | undefined;
    stream.on("error", (error) => {
      cause = error;
    });
    stream.once("close", () => resolve(cause));
  });
}

function answerOf(head: IncomingHttpHeaders, tail: IncomingHttpHeaders, frames: FrameReader): GrpcAnswer | undefined {
  // An answer without messages may have its status in front.
  const found = tail["grpc-status"] === undefined ? head : tail;
  const text = found["grpc-status"];
  if (text !== undefined) {
    const details = found["grpc-status-details-bin"];
    return {
      messages: frames.messages,
      code: /^\d{1,2}$/.test(String(text)) ? Number(text) : 2,
      // As long as a head may be: the runtime cuts it, after it has masked what is secret.
      message: decoded(String(found["grpc-message"] ?? "")),
      details: typeof details === "string" ? Buffer.from(details, "base64") : undefined,
    };
  }
  const status = Number(head[":status"] ?? 0);
  // Of a success nothing is known without its status.
  if (status === 0 || status === 200) return undefined;
  return { messages: [], code: codeOfHttpStatus(status), message: `HTTP status ${status}`, details: undefined };
}

function brokenOff(target: string, { isUnseen, cause }: { readonly isUnseen: boolean; readonly cause: Error | undefined }): ConnectorError {
  if (isUnseen)
    return new ConnectorError(`${target}: the server takes no more requests on this connection.`, {
      kind: "communication",
      outcome: "never-began",
      retryable: true,
      cause,
    });
  return new ConnectorError(`${target}: the connection was lost: ${(cause?.message ?? "the answer has no end").replace(/\.$/, "")}.`, {
    kind: "communication",
    outcome: "unknown",
    retryable: true,
    cause,
  });
}

function framed(message: Uint8Array): Buffer {
  const frame = Buffer.alloc(PREFIX_BYTES + message.length);
  frame.writeUInt32BE(message.length, 1);
  frame.set(message, PREFIX_BYTES);
  return frame;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Puts messages together from the pieces in which they come. */
class FrameReader {
  readonly messages: Uint8Array[] = [];
  #pieces: Buffer[] = [];
  #pending = 0;
  #taken = 0;

  /** @returns what is wrong with what came. */
  push(chunk: Buffer): string | undefined {
    this.#pieces.push(chunk);
    this.#pending += chunk.length;
    while (this.#pending >= PREFIX_BYTES) {
      const prefix = this.#peek(PREFIX_BYTES);
      const length = prefix.readUInt32BE(1);
      if (prefix[0] !== 0) return "the answer is compressed, which was not asked for";
      if (this.#taken + length > PAYLOAD_BYTES_MAX) return `the answer is larger than ${PAYLOAD_BYTES_MAX} bytes`;
      if (this.messages.length >= FAN_OUT_MAX) return `the answer has more than ${FAN_OUT_MAX} messages`;
      if (this.#pending < PREFIX_BYTES + length) return undefined;
      const whole = this.#peek(PREFIX_BYTES + length);
      this.messages.push(whole.subarray(PREFIX_BYTES, PREFIX_BYTES + length));
      this.#taken += length;
      this.#pieces = [whole.subarray(PREFIX_BYTES + length)];
      this.#pending -= PREFIX_BYTES + length;
    }
    return undefined;
  }

  /** The pieces as one, when they hold so many bytes. */
  #peek(bytes: number): Buffer {
    if ((this.#pieces[0]?.length ?? 0) < bytes) this.#pieces = [Buffer.concat(this.#pieces)];
    return this.#pieces[0] ?? Buffer.alloc(0);
  }
}
