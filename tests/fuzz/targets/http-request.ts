import { httpConnector } from "@tutti/connector-http";
import { attemptForTests } from "@tutti/connector-kit";
import type { Json, JsonObject } from "@tutti/model";
import type { Random } from "@tutti/testkit";
import { json, text } from "../generate/json.ts";
import { mutateText, textOf } from "../generate/text.ts";
import { endOf, judgeEnd } from "../http-result.ts";
import { broken, type OpenTarget, type Target, type Verdict } from "../target.ts";

interface Input {
  readonly [key: string]: Json;
  readonly arguments: JsonObject;
}

const URLS = [
  "http://service.test/",
  "https://u:p@service.test:8443/a/b?c=d#e",
  "http://%zz:%41@service.test/",
  "http://[::1]:1/",
  "http://service.test/%zz?%",
  "http://é.test/ü",
  "file:///etc/passwd",
  "ws://service.test/",
  "http://a b/",
  "//x",
  "",
  "http://service.test:99999/",
  "HTTP://SERVICE.TEST/../..",
];
const METHODS = ["get", "post", "PUT", "Patch", "delete", "head", "options", "connect", "trace", "track", "x", "GeT", "", "a b"];
const HEADERS = [
  "x-a",
  "content-type",
  "Content-Length",
  "host",
  "authorization",
  "idempotency-key",
  "cookie",
  "accept",
  "",
  "a b",
  "é",
  "__proto__",
  "constructor",
  "transfer-encoding",
  "user-agent",
];
const VALUES = [
  "a",
  "",
  "application/json",
  "application/x-www-form-urlencoded",
  "a\r\nx-injected: 1",
  "\u0000",
  "é",
  "😀",
  " a ",
  "x".repeat(100),
];

export const httpRequest: Target<Input> = {
  name: "http-request",
  law: "arguments of a call become a request that could be sent, or an error that says nothing was sent; no line ends in headers; changes carry their token",
  control: "one in three requests loses its token",
  make: (random) => ({ arguments: argumentsOf(random) }),
  open: async (isSabotaged) => open(isSabotaged),
};

function argumentsOf(random: Random): JsonObject {
  const uri = random.chance(0.6) ? random.pick(URLS) : mutateText(random.pick(URLS), random, ["%", "@", ":", "/", "?", "\ud800", "[", "]"]);
  const pairs = (values: () => Json, names: readonly string[]): JsonObject =>
    Object.fromEntries(Array.from({ length: random.integer(0, 3) }, () => [random.pick(names), values()]));
  const all: JsonObject = {
    method: random.chance(0.95) ? random.pick(METHODS) : json(random, { isNasty: true, depth: 1 }),
    endpoint: random.chance(0.6)
      ? uri
      : {
          uri,
          ...(random.chance(0.5) && { authentication: { basic: { username: text(random, true), password: textOf(random, VALUES, 2) } } }),
        },
    headers: pairs(() => (random.chance(0.8) ? random.pick(VALUES) : random.pick<Json>([1, true, 1e300])), HEADERS),
    query: pairs(() => json(random, { isNasty: true, depth: 2 }), ["a", "b[]", "constructor", "", "é", "\ud800"]),
    body: json(random, { isNasty: true, depth: 3 }),
    output: random.pick(["content", "raw", "response"]),
    redirect: random.chance(0.5),
  };
  return Object.fromEntries(Object.entries(all).filter(([name]) => name === "method" || name === "endpoint" || random.chance(0.5)));
}

function open(isSabotaged: boolean): OpenTarget<Input> {
  const requests: Request[] = [];
  const http = httpConnector({
    fetch: async (url, init) => {
      // Refuses what cannot be sent, as fetch itself does.
      requests.push(new Request(url, init));
      return new Response(null, { status: 204 });
    },
  }).functions["http"];
  return {
    check: async (input): Promise<Verdict> => {
      requests.length = 0;
      if (http === undefined) return broken("no function", "http");
      const attempt = attemptForTests();
      const end = await endOf(http.run(input.arguments, attempt));
      const [sent] = requests;
      if ("error" in end && sent === undefined && end.error.outcome !== "never-began")
        return broken("unknown though nothing was sent", `${end.error.outcome}: ${end.error.message}`);
      if (sent === undefined) return "output" in end ? broken("an output without a request", JSON.stringify(end.output)) : judgeEnd(end);
      for (const [name, value] of sent.headers) if (/[\r\n\0]/.test(name + value)) return broken("a line end in a header", name);
      const key = isSabotaged && sent.url.length % 3 === 0 ? null : sent.headers.get("idempotency-key");
      if (!["GET", "HEAD", "OPTIONS"].includes(sent.method) && key === null) return broken("a change without a token", sent.method);
      if (new URL(sent.url).username !== "") return broken("credentials in the URL", sent.url);
      return judgeEnd(end);
    },
  };
}
