import { type Attempt, ConnectorError, MASK } from "@tutti/connector-kit";
import type { Json, JsonObject } from "@tutti/model";
import type { Authenticator } from "./authentication.ts";
import { appendFields, decodeContent, encodeBody, excerpt } from "./body.ts";
import { exchangeAuthenticated } from "./authenticated-exchange.ts";
import type { Answer, ExchangeLimits, Fetch } from "./exchange.ts";
import type { Authentication, HttpInput, OutputForm } from "./http-input.ts";
import { effectOfMethod } from "./http-method.ts";
import { isSecretHeader } from "./secret-header.ts";

/** What the calls of this connector share. */
export interface HttpDeps {
  readonly send: Fetch;
  readonly limits: ExchangeLimits;
  readonly authenticator: Authenticator;
}

/** A request whose URL, headers and body are ready, credentials excepted. */
export interface PreparedRequest {
  readonly method: string;
  readonly url: URL;
  readonly headers: Headers;
  readonly body: string | undefined;
  readonly authentication: Authentication | undefined;
  readonly output: OutputForm;
  readonly redirect: boolean;
}

/** Statuses after which the same request may succeed: the target was slow, early, busy or broken. */
const RETRYABLE_STATUSES = new Set([408, 425, 429]);
/** Of an error's body; the whole of it belongs into the target's log. */
const ERROR_EXCERPT_CHARACTERS_MAX = 2048;
/** Methods that the fetch standard never sends. */
const FORBIDDEN_METHODS = new Set(["CONNECT", "TRACE", "TRACK"]);

/**
 * Headers that belong to the connection or follow from the request. fetch drops some of them silently and hangs on others, so a document
 * that sets one is told.
 */
const CONNECTION_HEADERS = new Set([
  "host",
  "content-length",
  "transfer-encoding",
  "connection",
  "keep-alive",
  "upgrade",
  "expect",
  "te",
  "trailer",
]);
const USER_AGENT = "tutti";

/** Builds the request of an `http` call. */
export function prepareHttpCall(input: HttpInput): PreparedRequest {
  const { uri, authentication } = typeof input.endpoint === "string" ? { uri: input.endpoint, authentication: undefined } : input.endpoint;
  const url = parseUrl(uri);
  appendFields(url.searchParams, input.query);
  const headers = buildHeaders(input.headers);
  const body = encodeBody(input.body, headers);
  const method = input.method.toUpperCase();
  return { method, url, headers, body, authentication, output: input.output, redirect: input.redirect };
}

/**
 * Sends a prepared request and gives the answer in the form asked for.
 *
 * @throws ConnectorError `answered` for every status that the call does not count as success.
 */
export async function carryOut(request: PreparedRequest, attempt: Attempt, deps: HttpDeps): Promise<Json> {
  refuseImpossible(request);
  const prepared = withUrlCredentials(request);
  if (effectOfMethod(prepared.method) !== "read" && !prepared.headers.has("idempotency-key")) {
    prepared.headers.set("idempotency-key", attempt.token);
  }
  if (attempt.traceparent !== undefined && !prepared.headers.has("traceparent")) prepared.headers.set("traceparent", attempt.traceparent);
  const { method, url, headers, body, authentication, redirect } = prepared;
  const answer = await exchangeAuthenticated({ method, url, headers, body, followRedirects: redirect }, authentication, {
    ...deps,
    attempt,
  });
  attempt.log("info", `${answer.request.method} ${publicUrl(answer.request.url, attempt)} → ${answer.status}`);
  const isSuccess = answer.status >= 200 && answer.status < (prepared.redirect ? 400 : 300);
  if (!isSuccess) throw statusError(answer, attempt);
  return shape(answer, prepared.output);
}

export function parseUrl(text: string): URL {
  if (!URL.canParse(text)) throw invalid(`"${text}" is no absolute URL.`);
  const url = new URL(text);
  if (url.protocol !== "http:" && url.protocol !== "https:") throw invalid(`${url.protocol} is not called by HTTP: "${text}".`);
  return url;
}

export function buildHeaders(given: Readonly<Record<string, string | number | boolean>>): Headers {
  const headers = new Headers({ "user-agent": USER_AGENT });
  for (const [name, value] of Object.entries(given)) {
    if (CONNECTION_HEADERS.has(name.toLowerCase())) throw invalid(`The header "${name}" follows from the request and can't be set.`);
    try {
      headers.set(name, String(value));
    } catch {
      // The value may be a secret, and the cause quotes it: only the name is told.
      throw new ConnectorError(`The header "${name}" can't be sent.`, { kind: "validation", outcome: "never-began" });
    }
  }
  return headers;
}

function refuseImpossible(request: PreparedRequest): void {
  if (FORBIDDEN_METHODS.has(request.method)) throw invalid(`The method ${request.method} can't be sent.`);
  if (request.body !== undefined && (request.method === "GET" || request.method === "HEAD")) {
    throw invalid(`A ${request.method} request has no body; use query parameters.`);
  }
}

/** `https://user:password@host/`: fetch refuses such URLs, and a recorded one would show the password. */
function withUrlCredentials(request: PreparedRequest): PreparedRequest {
  if (request.url.username === "" && request.url.password === "") return request;
  const url = new URL(request.url);
  const basic = { username: decodedPart(url.username), password: decodedPart(url.password) };
  url.username = "";
  url.password = "";
  return { ...request, url, authentication: request.authentication ?? { basic } };
}

/** What is no percent-encoded UTF-8 stands for itself, as in the rest of a URL. */
function decodedPart(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function invalid(message: string): ConnectorError {
  return new ConnectorError(message, { kind: "validation", outcome: "never-began" });
}

/** The error of a complete answer whose status is no success. */
export function statusError(answer: Answer, attempt: Pick<Attempt, "masked">): ConnectorError {
  const { status, request } = answer;
  const title = answer.statusText === "" ? `HTTP status ${status}` : `${status} ${answer.statusText}`;
  const redirect = status >= 300 && status < 400 ? " Redirects are errors unless `redirect: true` is set." : "";
  const detail = excerpt(answer, ERROR_EXCERPT_CHARACTERS_MAX, (text) => attempt.masked(text));
  return new ConnectorError(`${request.method} ${publicUrl(request.url, attempt)} answered ${title}.${redirect}`, {
    kind: "communication",
    outcome: "answered",
    status,
    retryable: status >= 500 || RETRYABLE_STATUSES.has(status),
    ...(detail === undefined ? {} : { detail }),
  });
}

/** For messages and logs: a query may hold credentials. Masked before it is cut, since a secret may hold a `?` or `#` itself. */
export function publicUrl(url: URL, attempt: Pick<Attempt, "masked">): string {
  return attempt.masked(url.href).replace(/[?#][^]*$/, "");
}

function shape(answer: Answer, output: OutputForm): Json {
  switch (output) {
    case "raw":
      return answer.body.toString("base64");
    case "content":
      return decodeContent(answer.body, answer.headers);
    case "response":
      return {
        request: { method: answer.request.method, uri: answer.request.url.href, headers: maskedHeaders(answer.request.headers) },
        headers: Object.fromEntries(answer.headers),
        statusCode: answer.status,
        content: decodeContent(answer.body, answer.headers),
      };
  }
}

function maskedHeaders(headers: Headers): JsonObject {
  return Object.fromEntries([...headers].map(([name, value]) => [name, isSecretHeader(name) ? MASK : value]));
}
