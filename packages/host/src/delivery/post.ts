import type { NetworkFetch } from "@tutti/connector-kit";

/** Of an answer; what a collector or a sink has to say is short. */
const ANSWER_BYTES_MAX = 64 * 1024;

/** What became of a request. Nothing here quotes an address, a header or an answer: reports of it may be told. */
export type PostOutcome =
  | { readonly kind: "answered"; readonly status: number; readonly retryAfterMs: number | undefined; readonly text: string }
  | { readonly kind: "unreachable"; readonly why: string };

export interface PostRequest {
  readonly url: string;
  readonly headers: Headers;
  readonly body: string;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  readonly nowMs: () => number;
}

/** Sends a body to somebody whom the operator named and reads the answer, within the time. Redirects are answers. Never rejects. */
export async function post(send: NetworkFetch, request: PostRequest): Promise<PostOutcome> {
  const limit = AbortSignal.timeout(request.timeoutMs);
  const { url, headers, body } = request;
  try {
    const signal = AbortSignal.any([limit, request.signal]);
    const response = await send(url, { method: "POST", headers, body, redirect: "manual", signal });
    const text = await readStart(response);
    return {
      kind: "answered",
      status: response.status,
      retryAfterMs: parseRetryAfter(response.headers.get("retry-after"), request.nowMs()),
      text,
    };
  } catch (error) {
    return { kind: "unreachable", why: limit.aborted ? `no answer within ${request.timeoutMs / 1000} s` : reasonOf(error) };
  }
}

/** RFC 9110 10.2.3: seconds or a date; milliseconds from now. */
export function parseRetryAfter(text: string | null, nowMs: number): number | undefined {
  if (text === null) return undefined;
  if (/^\d{1,9}$/.test(text.trim())) return Number(text) * 1000;
  const at = Date.parse(text);
  return Number.isNaN(at) ? undefined : Math.max(0, at - nowMs);
}

async function readStart(response: Response): Promise<string> {
  if (response.body === null) return "";
  // A fetch body is a stream of bytes; the types of the standard library leave that open.
  const reader = (response.body as ReadableStream<Uint8Array>).getReader();
  const chunks: Uint8Array[] = [];
  let length = 0;
  try {
    for (let part = await reader.read(); !part.done && length < ANSWER_BYTES_MAX; part = await reader.read()) {
      chunks.push(part.value);
      length += part.value.length;
    }
  } finally {
    // Its failure changes nothing: the status has arrived.
    await reader.cancel().catch(() => undefined);
  }
  return Buffer.concat(chunks).subarray(0, ANSWER_BYTES_MAX).toString("utf8");
}

/** The code of the innermost cause: messages of clients quote what was sent. */
function reasonOf(error: unknown): string {
  let inner = error;
  while (inner instanceof Error && inner.cause instanceof Error) inner = inner.cause;
  if (inner instanceof Error && "code" in inner && typeof inner.code === "string") return inner.code;
  return inner instanceof Error ? inner.name : "unknown";
}
