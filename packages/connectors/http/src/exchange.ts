import { ConnectorError } from "@tutti/connector-kit";
import { describeNetworkFailure } from "./failure.ts";
import { isSecretHeader } from "./secret-header.ts";
import { effectOfMethod } from "./http-method.ts";

/** How requests leave: the global fetch, or one that a test puts in its place. */
export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

export interface ExchangeLimits {
  /** From sending the request to the head of the answer. */
  readonly headTimeoutMs: number;
  /** Between two parts of the body. */
  readonly idleTimeoutMs: number;
  /** From sending the request to the last byte of the answer, redirects included. */
  readonly totalTimeoutMs: number;
  /** Of the decoded body, so that a compressed bomb is cut off as well. */
  readonly bodyBytesMax: number;
}

export const DEFAULT_LIMITS: ExchangeLimits = {
  // No request of ours waits longer for its answer; `requestTimeoutMs` of the functions is the same figure.
  headTimeoutMs: 30_000,
  idleTimeoutMs: 30_000,
  // A body of the largest size over a slow line (500 kbit/s).
  totalTimeoutMs: 300_000,
  // The hard limit of a value in a run.
  bodyBytesMax: 16 * 1024 * 1024,
};

/** Enough for the path http → https → canonical host → sign-in free page; more is a loop. */
const REDIRECTS_MAX = 5;
/** Of an error's body only an excerpt is shown, so no more is read. */
const ERROR_BODY_BYTES_MAX = 64 * 1024;

/** One request of an exchange, which after redirects has several. */
export interface Hop {
  readonly method: string;
  readonly url: URL;
  readonly body: string | Buffer | undefined;
}

export interface ExchangeRequest extends Hop {
  readonly headers: Headers;
  /** Follows redirects, and takes a redirect that can't be followed for an answer. */
  readonly followRedirects: boolean;
  /** The `authorization` header of each hop, which may depend on its URL and body; not asked any more after a redirect to another origin. */
  readonly authorize?: ((hop: Hop) => string | undefined) | undefined;
}

/** A complete answer of the target: any status. */
export interface Answer {
  readonly status: number;
  readonly statusText: string;
  readonly headers: Headers;
  readonly body: Buffer;
  /** The request that was answered; after redirects the last one. */
  readonly request: Hop & { readonly headers: Headers };
}

/**
 * Sends a request and reads its answer within the limits.
 *
 * @throws ConnectorError `never-began` or `unknown`, as far as it can be known; an answer with an error status is no failure here.
 */
export async function exchange(
  send: Fetch,
  request: ExchangeRequest,
  options: ExchangeLimits & { readonly signal: AbortSignal },
): Promise<Answer> {
  const watch = new Watch(options);
  try {
    return await follow(send, request, options, watch);
  } finally {
    watch.end();
  }
}

async function follow(send: Fetch, first: ExchangeRequest, limits: ExchangeLimits, watch: Watch): Promise<Answer> {
  let request = first;
  for (let hops = 0; ; hops += 1) {
    const answer = await sendOnce(send, request, limits, watch).catch((error: unknown) => {
      throw hops === 0 ? error : afterRedirect(error, first);
    });
    const next = first.followRedirects ? redirectTarget(answer) : undefined;
    if (next === undefined) return answer;
    if (hops === REDIRECTS_MAX) {
      throw new ConnectorError(`${first.url.host} redirects more than ${REDIRECTS_MAX} times.`, {
        kind: "communication",
        outcome: "answered",
        status: answer.status,
        detail: `The last redirect led to ${next.origin}.`,
      });
    }
    request = redirected(request, answer.status, next);
  }
}

/** The first target has answered, perhaps after acting: what fails on the way it pointed to did not fail before the effect. */
function afterRedirect(error: unknown, first: ExchangeRequest): unknown {
  if (!(error instanceof ConnectorError) || error.outcome !== "never-began" || effectOfMethod(first.method) === "read") return error;
  return new ConnectorError(error.message, { kind: error.errorKind, outcome: "unknown", retryable: error.retryable, cause: error });
}

async function sendOnce(send: Fetch, given: ExchangeRequest, limits: ExchangeLimits, watch: Watch): Promise<Answer> {
  const request = authorized(given);
  const target = request.url.host;
  if (watch.signal.aborted) throw notSent(target, watch);
  watch.expect("the head of the answer", limits.headTimeoutMs);
  let response: Response;
  try {
    response = await send(request.url.href, {
      method: request.method,
      headers: request.headers,
      redirect: "manual",
      signal: watch.signal,
      ...(request.body === undefined ? {} : { body: request.body as string | Uint8Array<ArrayBuffer> }),
    });
  } catch (error) {
    throw watch.signal.aborted ? watch.failure(target) : describeNetworkFailure(error, target);
  }
  const body = await readBody(response, request, limits, watch);
  const { status, statusText, headers } = response;
  return {
    status,
    statusText,
    headers,
    body,
    request: { method: request.method, url: request.url, headers: request.headers, body: request.body },
  };
}

function authorized(request: ExchangeRequest): ExchangeRequest {
  const value = request.authorize?.(request);
  if (value === undefined) return request;
  const headers = new Headers(request.headers);
  headers.set("authorization", value);
  return { ...request, headers };
}

async function readBody(response: Response, request: ExchangeRequest, limits: ExchangeLimits, watch: Watch): Promise<Buffer> {
  if (response.body === null) return Buffer.alloc(0);
  const isError = response.status >= 300;
  const bytesMax = isError ? ERROR_BODY_BYTES_MAX : limits.bodyBytesMax;
  // A fetch body is a stream of bytes; the types of the standard library leave that open.
  const reader = (response.body as ReadableStream<Uint8Array>).getReader();
  const chunks: Uint8Array[] = [];
  let length = 0;
  try {
    for (;;) {
      watch.expect("more of the answer", limits.idleTimeoutMs);
      const part = await reader.read();
      if (part.done) break;
      chunks.push(part.value);
      length += part.value.length;
      if (length > bytesMax) {
        if (isError) break;
        throw tooLarge(request, bytesMax);
      }
    }
  } catch (error) {
    // The status already said that the request failed; the rest of its explanation is not worth an unknown outcome.
    if (!isError) throw readFailure(error, request, watch);
  } finally {
    // Closes the connection when the body was not read to its end; its failure changes nothing.
    await reader.cancel().catch(() => {});
  }
  return Buffer.concat(chunks).subarray(0, bytesMax);
}

function readFailure(error: unknown, request: ExchangeRequest, watch: Watch): unknown {
  if (error instanceof ConnectorError) return error;
  if (watch.signal.aborted) return watch.failure(request.url.host);
  const failure = describeNetworkFailure(error, request.url.host);
  // The head has arrived, so the request was sent, whatever the code says.
  if (failure.outcome === "unknown") return failure;
  return new ConnectorError(failure.message, { kind: "communication", outcome: "unknown", retryable: true, cause: error });
}

function tooLarge(request: ExchangeRequest, bytesMax: number): ConnectorError {
  const mebibytes = Math.floor(bytesMax / 1024 / 1024);
  return new ConnectorError(
    `The answer of ${request.url.host} is larger than ${mebibytes > 0 ? `${mebibytes} MiB` : `${bytesMax} bytes`}. Ask for less, or store it elsewhere and pass its URI.`,
    // A read had no effect that could be in doubt, and asking again would bring the same; anything else has acted, and its answer is lost.
    { kind: "communication", outcome: effectOfMethod(request.method) === "read" ? "answered" : "unknown" },
  );
}

/** Where a redirect leads; undefined when the answer is none, or one that can't be followed. */
function redirectTarget(answer: Answer): URL | undefined {
  if (![301, 302, 303, 307, 308].includes(answer.status)) return undefined;
  const location = answer.headers.get("location");
  if (location === null || !URL.canParse(location, answer.request.url.href)) return undefined;
  const next = new URL(location, answer.request.url);
  const isDowngrade = answer.request.url.protocol === "https:" && next.protocol === "http:";
  if ((next.protocol !== "https:" && next.protocol !== "http:") || isDowngrade) return undefined;
  return next;
}

/** The next request of a redirect, as the fetch standard has it: 303 and a redirected POST become GET; credentials stay with their origin. */
function redirected(request: ExchangeRequest, status: number, next: URL): ExchangeRequest {
  const becomesGet = (status === 303 && request.method !== "HEAD") || (status < 303 && request.method === "POST");
  const headers = new Headers(request.headers);
  if (becomesGet) for (const name of ["content-type", "content-length", "idempotency-key"]) headers.delete(name);
  const isOtherOrigin = next.origin !== request.url.origin;
  if (isOtherOrigin) for (const name of [...headers.keys()].filter(isSecretHeader)) headers.delete(name);
  next.username = "";
  next.password = "";
  const authorize = isOtherOrigin ? undefined : request.authorize;
  return {
    ...request,
    authorize,
    url: next,
    headers,
    method: becomesGet ? "GET" : request.method,
    body: becomesGet ? undefined : request.body,
  };
}

function notSent(target: string, watch: Watch): ConnectorError {
  return new ConnectorError(`The request to ${target} was not sent: ${watch.why}.`, { kind: "timeout", outcome: "never-began" });
}

/** Ends an exchange that takes too long or is no longer wanted, and knows why it did. */
class Watch {
  why = "the attempt was stopped";
  readonly #controller = new AbortController();
  readonly #outer: AbortSignal;
  readonly #onAbort = (): void => this.#controller.abort();
  readonly #total: NodeJS.Timeout;
  #expected: NodeJS.Timeout | undefined;
  #timedOut = false;

  constructor(options: ExchangeLimits & { readonly signal: AbortSignal }) {
    this.#outer = options.signal;
    if (this.#outer.aborted) this.#controller.abort();
    else this.#outer.addEventListener("abort", this.#onAbort, { once: true });
    this.#total = setTimeout(() => this.#expire("the whole answer", options.totalTimeoutMs), options.totalTimeoutMs);
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** From now on `what` must come within `ms`. */
  expect(what: string, ms: number): void {
    clearTimeout(this.#expected);
    this.#expected = setTimeout(() => this.#expire(what, ms), ms);
  }

  /** The failure of a request that was under way when it was ended. */
  failure(target: string): ConnectorError {
    return new ConnectorError(`The request to ${target} was given up: ${this.why}.`, {
      kind: "timeout",
      outcome: "unknown",
      retryable: this.#timedOut,
    });
  }

  end(): void {
    clearTimeout(this.#total);
    clearTimeout(this.#expected);
    this.#outer.removeEventListener("abort", this.#onAbort);
  }

  #expire(what: string, ms: number): void {
    this.why = `${what} did not come within ${ms / 1000} s`;
    this.#timedOut = true;
    this.#controller.abort();
  }
}
