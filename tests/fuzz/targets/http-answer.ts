import { httpConnector } from "@tutti/connector-http";
import { attemptForTests } from "@tutti/connector-kit";
import type { Json, JsonObject } from "@tutti/model";
import type { Random } from "@tutti/testkit";
import { json } from "../generate/json.ts";
import { bytesOfText, cutsOf, mutateBytes, mutateText, piecesOf, textOf } from "../generate/text.ts";
import { endOf, judgeEnd } from "../http-result.ts";
import { broken, type OpenTarget, type Target, type Verdict } from "../target.ts";

/** One answer as it comes out of the HTTP client. */
interface Answer extends JsonObject {
  readonly status: number;
  readonly headers: readonly (readonly [string, string])[];
  /** One character a byte. */
  readonly body: string;
  readonly cuts: readonly number[];
  readonly isCutOff: boolean;
}

interface Input {
  readonly [key: string]: Json;
  /** One after the other, the last one again and again. */
  readonly answers: readonly Answer[];
  readonly method: string;
  readonly output: string;
  readonly redirect: boolean;
  readonly hasDigest: boolean;
}

const TYPES = [
  "application/json",
  "text/plain",
  "application/problem+json",
  "text/html; charset=utf-8",
  "application/octet-stream",
  "text/plain; charset=utf-16le",
  "application/json; charset=latin1",
  'text/plain;charset="nonsense"',
  "",
  ";;;",
  "application/vnd.a+xml",
];
const STATUSES = [
  200, 200, 200, 201, 202, 206, 226, 299, 301, 302, 303, 307, 308, 300, 400, 401, 401, 404, 408, 409, 418, 425, 429, 500, 503, 599,
];
const LOCATIONS = [
  "/",
  "http://service.test/next",
  "http://other.test:99999/",
  "https://service.test/",
  "ftp://x/",
  "//",
  "http://[::1",
  "?a=%zz",
  "http://u:p%zz@service.test/",
  "javascript:1",
  "\u00e9",
  "",
];
const CHALLENGE = 'Digest realm="r", nonce="n", qop="auth", algorithm=SHA-256';
const WORDS = ['"', ",", "=", "Digest ", "Basic", "nonce=", "qop=auth-int", "algorithm=MD5-sess", "stale=true", "realm", "\\"];
const BODIES = [
  '{"a":1}',
  "null",
  "[1,2",
  "",
  "plain",
  '"text"',
  "1e999",
  "[".repeat(400),
  '{"__proto__":{"x":1}}',
  "\u00ef\u00bb\u00bf{}",
  "\u00ff\u00fe{\u0000",
];
/** Larger answers are cut off there; the bodies here are around it. */
const BODY_BYTES_MAX = 2_000;

export const httpAnswer: Target<Input> = {
  name: "http-answer",
  law: "any answer becomes an output or a documented error, in bounded requests; JSON and text that came whole are the output",
  control: "a text comes out in quotes",
  make,
  open: async (isSabotaged) => open(isSabotaged),
};

function make(random: Random): Input {
  return {
    answers: Array.from({ length: random.chance(0.7) ? 1 : random.integer(2, 4) }, () => answer(random)),
    method: random.pick(["get", "get", "GET", "post", "put", "delete", "HEAD", "patch", "options"]),
    output: random.pick(["content", "content", "raw", "response"]),
    redirect: random.chance(0.4),
    hasDigest: random.chance(0.2),
  };
}

function answer(random: Random): Answer {
  const body = bodyOf(random);
  const headers: [string, string][] = [["content-type", random.pick(TYPES)]];
  if (random.chance(0.3))
    headers.push(["location", random.chance(0.7) ? random.pick(LOCATIONS) : mutateText(random.pick(LOCATIONS), random)]);
  if (random.chance(0.4)) headers.push(["www-authenticate", random.chance(0.4) ? CHALLENGE : mutateText(CHALLENGE, random, WORDS)]);
  if (random.chance(0.2))
    headers.push([
      random.pick(["x-a", "set-cookie", "content-length", "retry-after", "constructor"]),
      textOf(random, Array.from('a1 ,;=\t"').concat("\u00e9"), 8),
    ]);
  return { status: random.pick(STATUSES), headers, body, cuts: cutsOf(random, body.length, 3), isCutOff: random.chance(0.05) };
}

function bodyOf(random: Random): string {
  const kind = random.integer(0, 5);
  if (kind <= 1) return Buffer.from(JSON.stringify(json(random, { isNasty: true, depth: 3 }))).toString("latin1");
  if (kind === 2) return random.pick(BODIES);
  if (kind === 3) return mutateBytes(random.pick(BODIES), random);
  return random.chance(0.9)
    ? textOf(
        random,
        ["a", "é", "\u0000", "\n", "\u00ff"].map((one) => Buffer.from(one).toString("latin1")),
        30,
      )
    : "x".repeat(random.integer(0, 2 * BODY_BYTES_MAX));
}

/** Redirects, challenges and their renewals together; more would be a loop. */
const REQUESTS_MAX = 30;

function open(isSabotaged: boolean): OpenTarget<Input> {
  return {
    check: async (input): Promise<Verdict> => {
      let requests = 0;
      const connector = httpConnector({
        limits: { bodyBytesMax: BODY_BYTES_MAX },
        fetch: async (_url, init) => responseTo(init, input.answers[Math.min(requests++, input.answers.length - 1)] as Answer),
      });
      const endpoint = input.hasDigest
        ? { uri: "http://service.test/path", authentication: { digest: { username: "u", password: "p" } } }
        : "http://service.test/path";
      const call = connector.functions["http"]?.run(
        { method: input.method, endpoint, output: input.output, redirect: input.redirect },
        attemptForTests(),
      );
      if (call === undefined) return broken("no function", "http");
      const end = await endOf(call);
      if (requests > REQUESTS_MAX) return broken("too many requests", String(requests));
      return (
        judgeEnd(end) ??
        judgeContent(input, isSabotaged && "output" in end && typeof end.output === "string" ? { output: JSON.stringify(end.output) } : end)
      );
    },
  };
}

function responseTo(init: RequestInit, { status, headers, body, cuts, isCutOff }: Answer): Response {
  const given = new Headers();
  for (const [name, value] of headers) {
    // As the client: what cannot be a header is refused with the whole answer.
    if (/^[\t\u0020-\u007e\u0080-\u00ff]*$/.test(value)) given.append(name, value.trim());
  }
  if (init.method === "HEAD" || [204, 205, 304].includes(status)) return new Response(null, { status, headers: given });
  const pieces = piecesOf(body, cuts).map(bytesOfText);
  const stream = new ReadableStream<Uint8Array>({
    pull: (controller) => {
      const piece = pieces.shift();
      if (piece !== undefined && piece.length > 0) controller.enqueue(piece);
      else if (pieces.length === 0 && isCutOff) controller.error(new TypeError("terminated"));
      else if (pieces.length === 0) controller.close();
      else controller.enqueue(new Uint8Array(0));
    },
  });
  return new Response(stream, { status, headers: given });
}

/** A plain success whose meaning is beyond doubt. */
function judgeContent({ answers, method, output, hasDigest }: Input, end: Awaited<ReturnType<typeof endOf>>): Verdict {
  const [only] = answers;
  if (only === undefined || only.status >= 300 || hasDigest || method === "HEAD") return undefined;
  const isWhole = !only.isCutOff && only.body.length <= BODY_BYTES_MAX;
  if (!isWhole)
    return "output" in end && only.body.length > 0 ? broken("half an answer is taken for a whole", JSON.stringify(end.output)) : undefined;
  if (!("output" in end)) return broken("an error for a success", end.error.message);
  if (output === "raw")
    return end.output === bytesOfText(only.body).toString("base64") ? undefined : broken("other bytes", JSON.stringify(end.output));
  if (output !== "content" || only.headers[0]?.[1] !== "application/json" || only.body === "") return undefined;
  const text = new TextDecoder().decode(bytesOfText(only.body));
  const expected = parsed(text);
  return JSON.stringify(expected) === JSON.stringify(end.output)
    ? undefined
    : broken("other content", `expected ${JSON.stringify(expected)}, got ${JSON.stringify(end.output)}`);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
