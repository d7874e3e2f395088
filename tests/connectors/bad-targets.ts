import { createServer, type RequestListener } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo, Server } from "node:net";
import type { TestAuthority, TestCertificate } from "../../packages/connectors/http/src/test-certificates.ts";

/** What may be wrong with the system of a provider: a row of docs/connectors.md and a test of the same name, with PowerDNS for an example. */
export interface BadTarget {
  readonly name: string;
  /** For people. */
  readonly what: string;
  /** Parts of what a call says, in their order. */
  readonly says: readonly string[];
  /** Whether the same call may work later, so that a `retry` repeats it. */
  readonly isRetryable: boolean;
  /** The check says something else: of a system that answers calls, but not rightly. */
  readonly checkSays?: string;
  /** How the call of a system that answers calls ends otherwise than by an error. */
  readonly callWorks?: boolean;
  serve(made: Making): Promise<Served>;
}

export interface Making {
  readonly authority: TestAuthority;
  /** Closed after the test. */
  keep(server: Server): void;
}

export interface Served {
  readonly url: string;
  readonly key?: string;
}

/** Limits of the connector in these tests: short, so that nobody waits for them. */
export const SHORT_LIMITS = { headTimeoutMs: 500, idleTimeoutMs: 500, totalTimeoutMs: 1500, bodyBytesMax: 1024 * 1024 } as const;

const json =
  (body: unknown, status = 200): RequestListener =>
  (_, response) => {
    response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
  };
const web: RequestListener = (_, response) => {
  response.writeHead(200, { "content-type": "text/html" }).end("<html><h1>It works!</h1></html>");
};

export const BAD_TARGETS: readonly BadTarget[] = [
  {
    name: "nothing listens",
    what: "Nothing listens there",
    says: ["can't be reached", "start the service, or correct host and port"],
    isRetryable: true,
    // None of the ports that the system gives to others, and nobody's.
    serve: async () => ({ url: "http://127.0.0.1:28997" }),
  },
  {
    name: "unknown name",
    what: "No name server knows the host",
    says: ["nowhere.invalid:8081 can't be reached", "no name server knows this name"],
    isRetryable: false,
    serve: async () => ({ url: "http://nowhere.invalid:8081" }),
  },
  {
    name: "wrong key",
    what: "The credential is wrong",
    says: ["does not take the API key of provider dns (401)", "correct the secret"],
    isRetryable: false,
    serve: plain(json({ error: "Unauthorized" }, 401)),
  },
  {
    name: "expired certificate",
    what: "Its certificate has expired",
    says: ["expired"],
    isRetryable: false,
    serve: tls((authority) => authority.issue("IP:127.0.0.1", { from: "20200101000000Z", to: "20210101000000Z" })),
  },
  {
    name: "certificate of nobody",
    what: "Its certificate is signed by itself",
    says: ["The certificate of 127.0.0.1", "is signed by itself", "add it to tls.authorities"],
    isRetryable: false,
    serve: tls((authority) => authority.selfSigned("IP:127.0.0.1")),
  },
  {
    name: "certificate of another name",
    what: "Its certificate is for another name",
    says: ["The certificate of 127.0.0.1", "is for another name (it has DNS:other.test)"],
    isRetryable: false,
    serve: tls((authority) => authority.issue("DNS:other.test")),
  },
  {
    name: "another web server",
    what: "Another web server answers",
    says: ["does not answer as PowerDNS does: correct the url"],
    isRetryable: false,
    serve: plain(web),
  },
  {
    name: "another api",
    what: "Another API answers, with success",
    says: ["does not answer as PowerDNS does: correct the url"],
    isRetryable: false,
    serve: plain(json({ status: "ok" })),
  },
  {
    name: "another kind",
    what: "It is a PowerDNS that keeps no zones",
    says: [],
    checkSays: "This is the recursor of PowerDNS, which keeps no zones.",
    callWorks: true,
    isRetryable: false,
    serve: plain((request, response) =>
      json(request.url?.endsWith("/zones") === true ? [] : { daemon_type: "recursor", version: "4.8.8" })(request, response),
    ),
  },
  {
    name: "unsupported version",
    what: "Its version is too old",
    says: [],
    checkSays: "PowerDNS 4.1.6 is older than 4.3",
    callWorks: true,
    isRetryable: false,
    serve: plain((request, response) =>
      json(request.url?.endsWith("/zones") === true ? [] : { daemon_type: "authoritative", version: "4.1.6" })(request, response),
    ),
  },
  {
    name: "overloaded",
    what: "It can't now",
    says: ["PowerDNS answered 503 to GET"],
    isRetryable: true,
    serve: plain(json({ error: "overloaded" }, 503)),
  },
  {
    name: "silence",
    what: "It takes the request and never answers",
    says: ["was given up", "the head of the answer did not come within"],
    isRetryable: true,
    serve: plain(() => undefined),
  },
  {
    name: "slow loris",
    what: "It answers a letter at a time, for ever",
    says: ["was given up", "the whole answer did not come within"],
    isRetryable: true,
    serve: plain((_, response) => {
      response.writeHead(200, { "content-type": "application/json" });
      const drip = setInterval(() => response.write(" "), 100);
      response.on("close", () => clearInterval(drip));
    }),
  },
  {
    name: "gone in the middle",
    what: "It goes away in the middle of its answer",
    says: ["The connection to", "was lost"],
    isRetryable: true,
    serve: plain((_, response) => {
      response.writeHead(200, { "content-type": "application/json", "content-length": "1000" });
      response.write('[{"name":', () => response.destroy());
    }),
  },
  {
    name: "answer without end",
    what: "Its answer has a gigabyte",
    says: ["The answer of", "is larger than 1 MiB"],
    isRetryable: false,
    serve: plain((_, response) => {
      response.writeHead(200, { "content-type": "application/json", "content-length": `${1024 ** 3}` });
      const more = (): void => {
        while (!response.destroyed && response.write("0".repeat(65_536)));
      };
      response.on("drain", more);
      more();
    }),
  },
];

function plain(handler: RequestListener): BadTarget["serve"] {
  return async (made) => ({ url: `http://127.0.0.1:${await listening(createServer(handler), made)}` });
}

function tls(certificate: (authority: TestAuthority) => TestCertificate): BadTarget["serve"] {
  return async (made) => ({ url: `https://127.0.0.1:${await listening(createTlsServer(certificate(made.authority), web), made)}` });
}

async function listening(server: Server, made: Making): Promise<number> {
  made.keep(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  // A listening TCP server has an address and a port.
  return (server.address() as AddressInfo).port;
}
