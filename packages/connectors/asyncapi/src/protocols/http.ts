import {
  buildHeaders,
  bytesOf,
  decodeContent,
  exchangeAuthenticated,
  openStream,
  parseUrl,
  readEvents,
  statusError,
} from "@tutti/connector-http";
import type { Json } from "@tutti/model";
import { misfit } from "../asyncapi-document.ts";
import { inbound, MESSAGE_BYTES_MAX } from "../message.ts";
import { type Delivery, type Exchange, lost, type Protocol, type Source } from "../protocol.ts";
import { bindingText, type Target } from "../target.ts";

/** HTTP: a message is a request, a subscription a stream of server-sent events. */
export const httpProtocol: Protocol = {
  async publish(exchange, message) {
    const { attempt, http } = exchange;
    const headers = buildHeaders(message.headers);
    if (!headers.has("content-type")) headers.set("content-type", message.contentType);
    if (!headers.has("idempotency-key")) headers.set("idempotency-key", attempt.token);
    const method = bindingText(exchange.target.bindings.operation, "method")?.toUpperCase() ?? "POST";
    if (method === "GET" || method === "HEAD") throw misfit(`The operation's HTTP method is ${method}, which carries no message.`);
    const request = { method, url: urlOf(exchange), headers, body: message.body, followRedirects: false };
    const answer = await exchangeAuthenticated(request, exchange.authentication, { ...http, attempt });
    if (answer.status >= 300) throw statusError(answer, attempt);
    return { statusCode: answer.status, content: decodeContent(answer.body, answer.headers) };
  },

  async subscribe(exchange): Promise<Source> {
    const { attempt, http, target } = exchange;
    const headers = buildHeaders({ accept: "text/event-stream", "cache-control": "no-cache" });
    await authorize(exchange, headers);
    const ending = new AbortController();
    const request = { method: "GET", url: urlOf(exchange), headers, body: undefined };
    const response = await openStream(http.send, request, {
      headTimeoutMs: http.limits.headTimeoutMs,
      signal: AbortSignal.any([attempt.signal, ending.signal]),
      attempt,
    });
    const type = response.headers.get("content-type") ?? "none";
    if (!type.startsWith("text/event-stream")) {
      ending.abort();
      throw misfit(`${target.host} answered with ${type} and not with a stream of events (text/event-stream).`);
    }
    return {
      deliveries: deliveriesOf(response, exchange),
      close: async () => ending.abort(),
    };
  },
};

async function* deliveriesOf(response: Response, { target }: Exchange): AsyncGenerator<Delivery, void, undefined> {
  try {
    for await (const event of readEvents(bytesOf(response), MESSAGE_BYTES_MAX)) {
      const headers: Record<string, Json> = { event: event.type };
      if (event.id !== undefined) headers["id"] = event.id;
      yield { message: inbound(Buffer.from(event.data), undefined, headers), bytes: event.data.length };
    }
  } catch (error) {
    throw lost(target, error);
  }
}

function urlOf({ target }: Exchange): URL {
  return parseUrl(`${originOf(target)}${target.path}/${target.address.replace(/^\/+/, "")}`);
}

function originOf({ host, port, isSecure }: Target): string {
  return `${isSecure ? "https" : "http"}://${host}${port === 0 ? "" : `:${port}`}`;
}

/** Adds the `authorization` header of the call's policy. */
export async function authorize({ authentication, http, attempt, target }: Exchange, headers: Headers): Promise<void> {
  if (authentication === undefined) return;
  headers.set("authorization", await http.authenticator.bearerHeader(authentication, originOf(target), attempt));
}
