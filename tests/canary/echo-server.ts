import type { Json } from "@tutti/model";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { type Canaries, textsOf } from "./canaries.ts";
import { ENCODINGS } from "./encodings.ts";
import { toldOn } from "./hear.ts";

/** Length to which an error's body is cut before it is recorded: a secret is laid across the cut. */
const EXCERPT_LENGTH = 2048;

/** What a server has heard. */
interface Heard {
  readonly url: URL;
  readonly dump: string;
  /** The secrets that came with the request, decoded. */
  readonly secrets: readonly string[];
}

/**
 * The worst server there is: it tells everything on that it hears, in its head, its body, its errors and the addresses it redirects to, in all
 * encodings. It also issues tokens, challenges for digest, and describes itself in OpenAPI.
 */
export class EchoServer {
  readonly #canaries: Canaries;
  readonly #server: Server;
  /** Everything heard so far, told again to whoever asks for `/stash`. */
  readonly #stash = new Set<string>();
  /** Tokens that it has issued: a process that was started later cannot know them again (`docs/secrets.md`), so they are not told to one. */
  readonly #issued = new Set<Json>();
  /** Documents that describe services, by name: told as they are under `/files`. */
  readonly files = new Map<string, string>();

  constructor(canaries: Canaries) {
    this.#canaries = canaries;
    this.#server = createServer((request, response) => void this.#answer(request, response));
  }

  async start(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    // A server that listens on a port has an address with it.
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** How many different secrets have arrived: what was never sent can't have leaked either. */
  get heard(): number {
    return this.#stash.size;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
    const body = Buffer.concat(chunks).toString("utf8");
    const url = new URL(request.url ?? "/", `http://${request.headers.host ?? "localhost"}`);
    const dump = `${request.method} ${request.url}\n${JSON.stringify(request.rawHeaders)}\n${body}`;
    const heard = { url, dump, secrets: this.hear(dump) };
    const mode = url.pathname.split("/")[1] ?? "";
    const answer = this.#answers[mode] ?? this.#answers["echo"];
    answer?.(heard, response, request);
  }

  /** The secrets in what was sent to anybody, also those that came as base64, as Basic credentials do. They are told again by `/stash`. */
  readonly hear = (dump: string): readonly string[] => {
    const decoded = [...dump.matchAll(/[A-Za-z0-9+/=_-]{16,}/g)].map(([run]) => Buffer.from(run, "base64").toString("utf8"));
    const secrets = this.#canaries.within([dump, ...decoded].join("\n")).flatMap(textsOf);
    for (const secret of secrets) this.#stash.add(secret);
    return secrets;
  };

  readonly #answers: Readonly<Record<string, (heard: Heard, response: ServerResponse, request: IncomingMessage) => unknown>> = {
    echo: ({ url, dump, secrets }, response, request) =>
      json(
        response,
        200,
        { url: url.href, headers: request.headers, dump, secrets, [secrets[0] ?? "none"]: "as a key" },
        printable(secrets),
      ),
    text: ({ dump, secrets }, response) => response.writeHead(200, { "content-type": "text/plain" }).end(`${dump}\n${secrets.join("\n")}`),
    // Each encoding by itself: one that is not masked is not hidden by its neighbour.
    encodings: ({ secrets }, response) =>
      json(
        response,
        200,
        Object.entries(ENCODINGS).map(([name, encode]) => [name, ...secrets.map(encode)]),
      ),
    status: ({ secrets }, response) => {
      response.writeHead(500, `no ${printable(secrets)}`, { "content-type": "text/plain", "x-echo": printable(secrets) });
      response.end(
        `${secrets.join(" ")} ${Object.values(ENCODINGS)
          .map((encode) => secrets.map(encode).join(" "))
          .join("\n")}`,
      );
    },
    cut: ({ secrets }, response) => {
      const [secret = ""] = secrets;
      const before = EXCERPT_LENGTH - Math.ceil(secret.length * 0.8);
      response.writeHead(400, { "content-type": "text/plain" }).end(`${"x".repeat(before)}${secret}${"y".repeat(100)}`);
    },
    "bad-json": ({ secrets }, response) =>
      response.writeHead(200, { "content-type": "application/json" }).end(`{"half": ${secrets.join("")}`),
    binary: ({ secrets }, response) =>
      response.writeHead(200, { "content-type": "application/octet-stream" }).end(Buffer.from(`\0\u0001${secrets.join("\0")}`)),
    redirect: ({ secrets, url }, response) => {
      const [secret = ""] = secrets;
      const to = new URL(`/echo/${encodeURI(secret).replaceAll("?", "%3F").replaceAll("#", "%23")}`, url);
      to.searchParams.set("again", secret);
      response.writeHead(307, { location: to.href }).end(secret);
    },
    // Answers as PowerDNS does, and what it says is the key.
    powerdns: ({ url, secrets }, response, request) => {
      const [key = ""] = secrets;
      const zone = { name: key, kind: "Native", account: key, rrsets: [{ name: key, type: "A", ttl: 60, records: [{ content: key }] }] };
      if (url.pathname.endsWith("/zones")) return json(response, request.method === "POST" ? 409 : 200, [zone]);
      if (url.pathname.includes("/zones/"))
        return json(response, request.method === "PATCH" ? 422 : 200, { ...zone, error: key, metadata: [] });
      return json(response, 200, { daemon_type: "authoritative", version: key });
    },
    token: ({ secrets }, response) => {
      const token = this.#canaries.make("token");
      if (secrets.length === 0) return json(response, 400, { error: "who are you?" });
      const refresh = this.#canaries.make("token");
      this.#issued.add(token.value).add(refresh.value);
      return json(response, 200, {
        access_token: token.value,
        refresh_token: refresh.value,
        token_type: "Bearer",
        expires_in: 3600,
      });
    },
    refuse: ({ secrets, dump }, response) => json(response, 401, { error: "invalid_client", secrets, dump }),
    "no-token": ({ secrets }, response) => json(response, 200, { secrets }),
    digest: (heard, response, request) => {
      if (request.headers.authorization !== undefined) return this.#answers["echo"]?.(heard, response, request);
      return response
        .writeHead(401, { "www-authenticate": 'Digest realm="canary", nonce="abcdef0123456789", qop="auth", algorithm=SHA-256' })
        .end();
    },
    ".well-known": ({ url }, response) => json(response, 200, { issuer: url.origin, token_endpoint: `${url.origin}/token` }),
    files: ({ url }, response) => response.writeHead(200).end(this.files.get(url.pathname.slice("/files/".length))),
    // Told once; then it stays open, as streams of events do.
    events: ({ secrets }, response) => {
      const [line = ""] = secrets.join(" ").split("\n");
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.write(`: ${line}\nid: ${line}\nevent: ${line}\ndata: ${toldOn(secrets)}\n\n`);
    },
    "openapi.json": ({ url }, response) => json(response, 200, openApi(url.origin)),
    stash: (_, response) =>
      json(
        response,
        200,
        [...this.#stash]
          .filter((secret) => !this.#issued.has(secret))
          .flatMap((secret) => Object.values(ENCODINGS).map((encode) => encode(secret))),
      ),
  };
}

function json(response: ServerResponse, status: number, body: unknown, echoed = ""): void {
  response
    .writeHead(status, { "content-type": "application/json", ...(echoed === "" ? {} : { "x-echo": echoed }) })
    .end(JSON.stringify(body));
}

/** What HTTP lets into a head: bytes of UTF-8, read as Latin 1, in one line. */
function printable(secrets: readonly string[]): string {
  return Buffer.from(secrets.join(" ").replaceAll(/\s+/g, " ")).toString("latin1");
}

function openApi(origin: string): unknown {
  const text = { type: "string" };
  const parameters = [
    { name: "path", in: "path", required: true, schema: text },
    { name: "q", in: "query", schema: text },
    { name: "X-Key", in: "header", schema: text },
  ];
  return {
    openapi: "3.0.3",
    info: { title: "echo", version: "1" },
    servers: [{ url: origin }],
    paths: {
      "/echo/{path}": {
        post: {
          operationId: "tell",
          parameters,
          requestBody: { content: { "application/json": { schema: { type: "object" } } } },
          responses: { "200": { description: "what was heard" } },
        },
      },
      "/status/{path}": { get: { operationId: "fail", parameters, responses: { "200": { description: "never" } } } },
    },
  };
}
