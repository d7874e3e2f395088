import { buildHeaders, bytesOf, type HttpClient, openStream, parseUrl, publicUrl, readEvents } from "@tutti/connector-http";
import { type Attempt, ConnectorError } from "@tutti/connector-kit";
import type { HttpTransport, Message } from "./mcp-input.ts";
import { answers, parseMessage, replyTo, type Transport } from "./session.ts";

/** The hard limit of a value in a run. */
const ANSWER_BYTES_MAX = 16 * 1024 * 1024;

/** Streamable HTTP: each message is a POST, its answer a JSON body or a stream of events. Source: MCP 2025-06-18, transports. */
export async function openHttp(given: HttpTransport, client: HttpClient, attempt: Attempt, signal: AbortSignal): Promise<Transport> {
  const { uri, authentication } = typeof given.endpoint === "string" ? { uri: given.endpoint, authentication: undefined } : given.endpoint;
  const url = parseUrl(uri);
  const headers = buildHeaders(given.headers);
  headers.set("content-type", "application/json");
  headers.set("accept", "application/json, text/event-stream");
  if (authentication !== undefined)
    headers.set("authorization", await client.authenticator.bearerHeader(authentication, url.origin, attempt));
  const target = publicUrl(url, attempt);

  const post = async (message: Message): Promise<Response> => {
    const request = { method: "POST", url, headers: new Headers(headers), body: JSON.stringify(message) };
    if (message["method"] === "tools/call") request.headers.set("idempotency-key", attempt.token);
    const response = await openStream(client.send, request, { headTimeoutMs: client.limits.headTimeoutMs, signal, attempt });
    const session = response.headers.get("mcp-session-id");
    if (session !== null) {
      attempt.mask(session);
      headers.set("mcp-session-id", session);
    }
    return response;
  };
  const notify = async (message: Message): Promise<void> => {
    await (await post(message)).body?.cancel();
  };
  return {
    target,
    notify,
    agreed: (version) => headers.set("mcp-protocol-version", version),
    request: async (message) => {
      const response = await post(message);
      try {
        const found = await answerIn(response, message, notify);
        if (found !== undefined) return found;
      } catch (error) {
        if (error instanceof ConnectorError) throw error;
        throw lost(target, error instanceof Error ? error.message : String(error), error);
      }
      throw lost(target, "its answer ended before the result came", undefined);
    },
    close: async () => {
      if (!headers.has("mcp-session-id")) return;
      // The server may not allow it (405), and the session ends by itself then.
      const request = { method: "DELETE", url, headers, body: undefined };
      const options = { headTimeoutMs: CLOSE_MS, signal: AbortSignal.timeout(CLOSE_MS), attempt };
      await openStream(client.send, request, options).then(
        (response) => response.body?.cancel(),
        () => {},
      );
    },
  };
}

/** Ending a session is a courtesy; nobody waits long for it. */
const CLOSE_MS = 2000;

async function answerIn(response: Response, request: Message, notify: (message: Message) => Promise<void>): Promise<Message | undefined> {
  const type = response.headers.get("content-type") ?? "";
  if (type.startsWith("text/event-stream")) {
    for await (const event of readEvents(bytesOf(response), ANSWER_BYTES_MAX)) {
      const message = parseMessage(event.data);
      if (answers(message, request)) return message;
      const reply = replyTo(message);
      if (reply !== undefined) await notify(reply);
    }
    return undefined;
  }
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of bytesOf(response)) {
    chunks.push(chunk);
    length += chunk.length;
    if (length > ANSWER_BYTES_MAX)
      throw new ConnectorError(`The answer is larger than ${ANSWER_BYTES_MAX} bytes.`, { kind: "communication", outcome: "unknown" });
  }
  const message = parseMessage(Buffer.concat(chunks).toString("utf8"));
  return answers(message, request) ? message : undefined;
}

function lost(target: string, reason: string, cause: unknown): ConnectorError {
  return new ConnectorError(`The connection to ${target} was lost: ${reason}.`, {
    kind: "communication",
    outcome: "unknown",
    retryable: true,
    cause,
  });
}
