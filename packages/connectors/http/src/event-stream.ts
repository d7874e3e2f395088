import { type Attempt, ConnectorError } from "@tutti/connector-kit";

import type { ExchangeRequest, Fetch } from "./exchange.ts";
import { describeNetworkFailure } from "./failure.ts";
import { statusError } from "./http-call.ts";

/** One event of a stream of server-sent events. */
export interface StreamEvent {
  /** `message` when the server named none. */
  readonly type: string;
  readonly data: string;
  /** The last id that the server gave. */
  readonly id: string | undefined;
}

const BYTE_ORDER_MARK = "\uFEFF";

/** Of the body of an answer that refuses the stream; only an excerpt is shown. */
const REFUSAL_BYTES_MAX = 64 * 1024;

/**
 * Sends a request whose answer may be a stream, and returns it with its body unread once its head has come.
 *
 * @throws ConnectorError `answered` for a status that is no success, else what is known about the request.
 */
export async function openStream(
  send: Fetch,
  request: Omit<ExchangeRequest, "followRedirects">,
  options: { readonly headTimeoutMs: number; readonly signal: AbortSignal; readonly attempt: Pick<Attempt, "masked"> },
): Promise<Response> {
  const head = new AbortController();
  const timer = setTimeout(() => head.abort(), options.headTimeoutMs);
  const target = request.url.host;
  let response: Response;
  try {
    response = await send(request.url.href, {
      method: request.method,
      headers: request.headers,
      redirect: "manual",
      signal: AbortSignal.any([head.signal, options.signal]),
      ...(request.body === undefined ? {} : { body: request.body as string | Uint8Array<ArrayBuffer> }),
    });
  } catch (error) {
    if (head.signal.aborted || options.signal.aborted) throw gaveUp(target, head.signal.aborted ? options.headTimeoutMs : undefined);
    throw describeNetworkFailure(error, target);
  } finally {
    clearTimeout(timer);
  }
  if (response.status < 300) return response;
  throw await refused(response, request, options.attempt);
}

function gaveUp(target: string, headTimeoutMs: number | undefined): ConnectorError {
  const why =
    headTimeoutMs === undefined ? "the attempt was stopped" : `the head of the answer did not come within ${headTimeoutMs / 1000} s`;
  return new ConnectorError(`The request to ${target} was given up: ${why}.`, {
    kind: "timeout",
    outcome: "unknown",
    retryable: headTimeoutMs !== undefined,
  });
}

async function refused(
  response: Response,
  request: Omit<ExchangeRequest, "followRedirects">,
  attempt: Pick<Attempt, "masked">,
): Promise<ConnectorError> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  try {
    for await (const chunk of bytesOf(response)) {
      chunks.push(chunk);
      length += chunk.length;
      if (length > REFUSAL_BYTES_MAX) break;
    }
  } catch {
    // The status has said it; the rest of its explanation is lost.
  }
  const { status, statusText, headers } = response;
  return statusError({ status, statusText, headers, body: Buffer.concat(chunks), request }, attempt);
}

/** The bytes of a body as they come; the connection is closed when the reader stops early. */
export async function* bytesOf(response: Response): AsyncGenerator<Uint8Array, void, undefined> {
  if (response.body === null) return;
  // A fetch body is a stream of bytes; the types of the standard library leave that open.
  const reader = (response.body as ReadableStream<Uint8Array>).getReader();
  try {
    for (;;) {
      const part = await reader.read();
      if (part.done) return;
      yield part.value;
    }
  } finally {
    await reader.cancel().catch(() => {});
  }
}

/**
 * Reads server-sent events. Source: HTML standard, section 9.2.6; comments, `retry` and unknown fields are passed over, an event without its
 * empty line at the end of the stream is incomplete and dropped.
 *
 * @throws ConnectorError `unknown` for an event larger than `eventBytesMax`: nobody can tell what it would have said.
 */
export async function* readEvents(chunks: AsyncIterable<Uint8Array>, eventBytesMax: number): AsyncGenerator<StreamEvent, void, undefined> {
  // A decoder that takes the mark at the beginning away itself takes a second one, too, when the first comes in pieces.
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  let isAtBeginning = true;
  const cutter = new LineCutter();
  let fields: { type: string; data: string[] } = { type: "", data: [] };
  let id: string | undefined;
  let heldBytes = 0;
  for await (const chunk of chunks) {
    let text = decoder.decode(chunk, { stream: true });
    if (isAtBeginning && text !== "") {
      isAtBeginning = false;
      if (text.startsWith(BYTE_ORDER_MARK)) text = text.slice(1);
    }
    for (const line of cutter.push(text)) {
      if (line === "") {
        if (fields.data.length > 0) yield { type: fields.type || "message", data: fields.data.join("\n"), id };
        fields = { type: "", data: [] };
        heldBytes = 0;
        continue;
      }
      const colon = line.indexOf(":");
      const name = colon < 0 ? line : line.slice(0, colon);
      const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
      if (name === "event") fields.type = value;
      else if (name === "data") {
        fields.data.push(value);
        // A line of its own costs something even when it is empty.
        heldBytes += Buffer.byteLength(value) + 1;
      } else if (name === "id" && !value.includes("\0")) id = value;
    }
    if (heldBytes + cutter.pendingLength > eventBytesMax)
      throw new ConnectorError(`An event of the stream is larger than ${eventBytesMax} bytes.`, {
        kind: "communication",
        outcome: "unknown",
      });
  }
}

/** Cuts text that comes in pieces into lines; each character is looked at once, however long a line grows. */
class LineCutter {
  #pieces: string[] = [];
  #length = 0;
  /** The last line ended with a carriage return: a line feed that follows belongs to it. */
  #isAfterReturn = false;

  /** Characters of the line that has not ended. */
  get pendingLength(): number {
    return this.#length;
  }

  push(given: string): string[] {
    if (given === "") return [];
    const text = this.#isAfterReturn && given.startsWith("\n") ? given.slice(1) : given;
    this.#isAfterReturn = given.endsWith("\r");
    const lines = text.split(/\r\n|\n|\r/);
    const rest = lines.pop() ?? "";
    if (lines.length > 0) {
      lines[0] = this.#pieces.join("") + (lines[0] ?? "");
      this.#pieces = [];
      this.#length = 0;
    }
    if (rest !== "") this.#pieces.push(rest);
    this.#length += rest.length;
    return lines;
  }
}
