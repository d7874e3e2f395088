import assert from "node:assert/strict";
import { createServer as createPlainServer } from "node:http";
import { createServer, type Server } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import { gzipSync } from "node:zlib";
import { type TestCertificate, TestAuthority } from "../../packages/connectors/http/src/test-certificates.ts";
import { findClosedPort, startRawServer, startTestServer } from "../../packages/connectors/http/src/test-server.ts";
import { House } from "./house.ts";
import { failingRun, type Row, type Seen } from "./row.ts";

const MIB = 1024 * 1024;
/** What a server may have sent before it is cut off: the limit of 16 MiB, and what lies in buffers between. */
const SENT_BYTES_MAX = 64 * MIB;
const RESTS = "The run rests at `/do/bad` with its error";

interface Call {
  readonly url: string;
  readonly cure?: () => void | Promise<void>;
  /** Seconds that the task may take. */
  readonly seconds?: number;
  readonly followsRedirects?: boolean;
}

/** A run whose task `bad` calls a server that `use` has brought up. */
function call(
  row: Omit<Row, "act" | "exit" | "goesOn"> & { readonly goesOn?: string },
  serve: (use: (call: Call, names?: Seen["names"]) => Promise<void>) => Promise<void>,
): Row {
  return {
    exit: 1,
    goesOn: `${RESTS}; retry, skip or resume goes on.`,
    ...row,
    says: ["/do/bad failed", ...row.says, "tutti run retry"],
    act: async (house) => {
      let seen: Seen | undefined;
      await serve(async ({ url, cure, seconds, followsRedirects = false }, names) => {
        const timeout = seconds === undefined ? "" : `, timeout: { after: { seconds: ${seconds} } }`;
        const tasks = `  - bad: { call: http, with: { method: get, endpoint: '${url}', redirect: ${followsRedirects} }${timeout} }\n`;
        const ended = await failingRun(house, { name: row.name, tasks, ...(cure === undefined ? {} : { cure }) });
        seen = { ended, ...(names === undefined ? {} : { names }) };
      });
      assert(seen !== undefined, "the server was used");
      return seen;
    },
  };
}

/** A raw server that answers every connection as `answer` does. */
function raw(answer: (socket: Socket) => void, more: Omit<Call, "url"> = {}): Parameters<typeof call>[1] {
  return async (use) => {
    const server = await startRawServer((socket) => {
      socket.once("data", () => answer(socket));
    });
    try {
      await use({ url: `${server.origin}/`, ...more }, { host: `127.0.0.1:${server.port}` });
    } finally {
      await server.stop();
    }
  };
}

function counting(write: (send: (chunk: Buffer) => void, socket: Socket) => void): Parameters<typeof call>[1] {
  let sent = 0;
  const serve = raw((socket) => {
    sent = 0;
    const send = (chunk: Buffer): void => {
      if (socket.destroyed) return;
      sent += chunk.length;
      socket.write(chunk, (error) => void (error ?? send(chunk)));
    };
    write(send, socket);
  });
  return async (use) => {
    await serve(use);
    assert(sent < SENT_BYTES_MAX, `the server could send ${sent} bytes`);
  };
}

/** An HTTPS server with a wrong certificate, which gets a right one afterwards. */
function certificate(wrong: (authority: TestAuthority) => TestCertificate): Parameters<typeof call>[1] {
  return async (use) => {
    const authority = AUTHORITY.get();
    const server: Server = createServer(wrong(authority), (_, response) => response.end("fine"));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    // A server that listens on an address has a port.
    const { port } = server.address() as AddressInfo;
    try {
      const cure = (): void => server.setSecureContext(authority.issue("IP:127.0.0.1"));
      await use({ url: `https://127.0.0.1:${port}/`, cure }, { host: `127.0.0.1:${port}` });
    } finally {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    }
  };
}

/** A house that trusts the authority of these rows. */
export async function openTrustingHouse(): Promise<House> {
  const house = House.make({ environment: { TUTTI_CA_FILE: "ca.pem" } });
  house.write("ca.pem", AUTHORITY.get().certificate);
  await house.start();
  return house;
}

/** Made when it is first asked for, since openssl takes its time. */
export const AUTHORITY = {
  made: undefined as TestAuthority | undefined,
  get(): TestAuthority {
    return (this.made ??= new TestAuthority());
  },
  remove(): void {
    this.made?.remove();
    this.made = undefined;
  },
};

const ENDLESS = "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n";

export const NETWORK_ROWS: readonly Row[] = [
  call(
    {
      name: "connection-refused",
      input: "a server that is down",
      code: "communication 500",
      says: ["{host} can't be reached: nothing listens there; start the service, or correct host and port"],
      goesOn: `${RESTS}; once the server is up, \`retry\` completes it.`,
    },
    async (use) => {
      const port = await findClosedPort();
      const server = createPlainServer((_, response) => response.end("fine"));
      const cure = (): Promise<void> => new Promise((resolve) => server.listen(port, "127.0.0.1", resolve));
      try {
        await use({ url: `http://127.0.0.1:${port}/`, cure }, { host: `127.0.0.1:${port}` });
      } finally {
        server.closeAllConnections();
        server.close();
      }
    },
  ),
  call(
    {
      name: "unknown-host",
      input: "a host name that does not exist",
      code: "communication 500",
      says: ["nothere.invalid can't be reached: ", "name servers of this machine"],
    },
    (use) => use({ url: "http://nothere.invalid/" }),
  ),
  call(
    {
      name: "port-of-another-protocol",
      input: "a port that HTTP never uses",
      code: "communication 500",
      says: ["127.0.0.1:25 can't be reached: this port belongs to another protocol", "correct the URL"],
    },
    (use) => use({ url: "http://127.0.0.1:25/" }),
  ),
  call(
    {
      name: "forbidden-host",
      input: "the address of a cloud's metadata service",
      code: "authorization 403",
      says: ["169.254.169.254 may not be called", "list it under network.allow in the data directory's settings.yaml"],
      goesOn: `${RESTS}; nothing was sent.`,
    },
    (use) => use({ url: "http://169.254.169.254/" }),
  ),
  call(
    {
      name: "self-signed-certificate",
      input: "a certificate signed by itself",
      code: "communication 500",
      says: ["The certificate of {host} is signed by itself", "TUTTI_CA_FILE"],
      goesOn: `${RESTS}; once the server has a right one, \`retry\` completes it.`,
    },
    certificate((authority) => authority.selfSigned("IP:127.0.0.1")),
  ),
  call(
    {
      name: "expired-certificate",
      input: "a certificate of the past",
      code: "communication 500",
      says: ["The certificate of {host} has expired: it must be renewed there. (Is this machine's clock right?)"],
      goesOn: `${RESTS}; once the server has a new one, \`retry\` completes it.`,
    },
    certificate((authority) => authority.issue("IP:127.0.0.1", { from: "20200101000000Z", to: "20200201000000Z" })),
  ),
  call(
    {
      name: "wrong-certificate",
      input: "a certificate for another name",
      code: "communication 500",
      says: ["The certificate of {host} is for another name (it has DNS:other.example)", "Call the server by a name in its certificate."],
      goesOn: `${RESTS}; once the server has a right one, \`retry\` completes it.`,
    },
    certificate((authority) => authority.issue("DNS:other.example")),
  ),
  call(
    {
      name: "redirect-loop",
      input: "a redirect that leads to itself",
      code: "communication 302",
      says: ["{host} redirects more than 5 times", "The last redirect led to http://{host}."],
    },
    async (use) => {
      const server = await startTestServer((_, response) => response.writeHead(302, { location: "/again" }).end());
      try {
        await use({ url: `${server.origin}/`, followsRedirects: true }, { host: `127.0.0.1:${server.port}` });
        assert.equal(server.seen.length, 6);
      } finally {
        await server.stop();
      }
    },
  ),
  call(
    {
      name: "answer-without-end",
      input: "an answer that never ends",
      code: "communication 500",
      says: ["The answer of {host} is larger than 16 MiB. Ask for less, or store it elsewhere and pass its URI."],
      goesOn: `${RESTS}; the connection was closed at the limit.`,
    },
    counting((send, socket) => {
      socket.write(`${ENDLESS}\r\n`);
      send(Buffer.alloc(64 * 1024, "x"));
    }),
  ),
  call(
    {
      name: "answer-of-a-gigabyte",
      input: "an answer of 1 GB, said so at its beginning",
      code: "communication 500",
      says: ["The answer of {host} is larger than 16 MiB."],
      goesOn: `${RESTS}; the connection was closed at the limit.`,
    },
    counting((send, socket) => {
      socket.write(`${ENDLESS}content-length: 1000000000\r\n\r\n`);
      send(Buffer.alloc(64 * 1024, "x"));
    }),
  ),
  call(
    {
      name: "gzip-bomb",
      input: "64 MiB of zeros in a gzip of 65 kB",
      code: "communication 500",
      says: ["The answer of {host} is larger than 16 MiB."],
      goesOn: `${RESTS}; no more than the limit was unpacked.`,
    },
    async (use) => {
      const bomb = gzipSync(Buffer.alloc(64 * MIB));
      const server = await startTestServer((_, response) =>
        response.writeHead(200, { "content-type": "text/plain", "content-encoding": "gzip" }).end(bomb),
      );
      try {
        await use({ url: `${server.origin}/` }, { host: `127.0.0.1:${server.port}` });
      } finally {
        await server.stop();
      }
    },
  ),
  call(
    {
      name: "slow-answer",
      input: "an answer that comes byte by byte (slow loris)",
      code: "timeout 408",
      says: ["timeout 408: bad did not end in time"],
      goesOn: `${RESTS} when the task's own \`timeout\` is over; without one after 5 minutes.`,
    },
    raw(
      (socket) => {
        socket.write(`${ENDLESS}content-length: 100000\r\n\r\n`);
        const timer = setInterval(() => socket.write("x"), 100);
        socket.on("close", () => clearInterval(timer));
      },
      { seconds: 1 },
    ),
  ),
  call(
    {
      name: "silent-server",
      input: "a server that accepts the connection and says nothing",
      code: "timeout 408",
      says: ["timeout 408: bad did not end in time"],
      goesOn: `${RESTS} when the task's own \`timeout\` is over; without one after 30 seconds a try.`,
    },
    raw(() => {}, { seconds: 1 }),
  ),
  call(
    {
      name: "answer-of-another-protocol",
      input: "an answer that is no HTTP",
      code: "communication 500",
      says: ["{host}"],
    },
    raw((socket) => socket.end("SSH-2.0-OpenSSH_9.9\r\n")),
  ),
  call(
    {
      name: "deep-answer",
      input: "an answer of 10,000 brackets in each other",
      code: "runtime 500",
      says: ["The output of http is not plain JSON", "is nested deeper than 1000"],
    },
    async (use) => {
      const server = await startTestServer((_, response) =>
        response.writeHead(200, { "content-type": "application/json" }).end(`${"[".repeat(10_000)}${"]".repeat(10_000)}`),
      );
      try {
        await use({ url: `${server.origin}/` });
      } finally {
        await server.stop();
      }
    },
  ),
];
