import { gzipSync } from "node:zlib";
import type { ServerResponse } from "node:http";
import { attemptForTests, type ConnectorFunction, type RecordingAttempt } from "@tutti/connector-kit";
import type { JsonObject } from "@tutti/model";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { httpConnector } from "./http-connector.ts";
import { findClosedPort, type SeenRequest, startRawServer, startTestServer, type TestServer } from "./test-server.ts";

const running: TestServer[] = [];
let server: TestServer;
let answer: (request: SeenRequest, response: ServerResponse) => void;

beforeEach(async () => {
  answer = (_, response) => json(response, { ok: true });
  server = await startTestServer((request, response) => answer(request, response));
  running.push(server);
});
afterEach(async () => {
  for (const each of running.splice(0)) await each.stop();
});

const http = httpConnector({ limits: { bodyBytesMax: 100_000 } }).functions["http"] as ConnectorFunction;
/** For servers that never answer in time; all others get as long as in production, however busy the machine is. */
const hasty = httpConnector({ limits: { headTimeoutMs: 300 } }).functions["http"] as ConnectorFunction;
const restless = httpConnector({ limits: { idleTimeoutMs: 300 } }).functions["http"] as ConnectorFunction;
const brief = httpConnector({ limits: { totalTimeoutMs: 600 } }).functions["http"] as ConnectorFunction;

function json(response: ServerResponse, value: unknown, status = 200, headers: Record<string, string> = {}): void {
  response.writeHead(status, { "content-type": "application/json", ...headers });
  response.end(JSON.stringify(value));
}

function call(input: JsonObject, attempt: RecordingAttempt = attemptForTests(), by = http) {
  return by.run({ method: "get", endpoint: server.origin, ...input }, attempt);
}

describe("requests", () => {
  test("query, headers and a JSON body arrive; the token goes along as idempotency key", async () => {
    await call({
      method: "post",
      endpoint: `${server.origin}/a?x=1`,
      query: { y: ["2", 3], z: true, none: null },
      headers: { "X-Trace": "t" },
      body: { n: [1, null] },
    });
    expect(server.seen[0]).toMatchObject({
      method: "POST",
      url: "/a?x=1&y=2&y=3&z=true",
      body: '{"n":[1,null]}',
      headers: { "content-type": "application/json", "x-trace": "t", "idempotency-key": attemptForTests().token },
    });
  });

  test("a read carries no idempotency key, and the author's own key stays", async () => {
    await call({});
    await call({ method: "PUT", headers: { "Idempotency-Key": "mine" } });
    expect(server.seen.map(({ headers }) => headers["idempotency-key"])).toEqual([undefined, "mine"]);
  });

  test("the attempt's span is told, unless the author tells another or the operator none", async () => {
    const traceparent = "00-11111111111111111111111111111111-2222222222222222-01";
    const attempt = attemptForTests({ traceparent });
    await call({}, attempt);
    await call({ method: "post", headers: { TraceParent: "mine" } }, attempt);
    await call({});
    expect(server.seen.map(({ headers }) => headers["traceparent"])).toEqual([traceparent, "mine", undefined]);
  });

  test("text is sent as it is, and an object under a form's content type as a form", async () => {
    await call({ method: "post", body: "plain äöü" });
    await call({ method: "post", body: { content: "a&b", n: 1 }, headers: { "content-type": "application/x-www-form-urlencoded" } });
    await call({ method: "delete", body: null });
    expect(server.seen.map(({ body, headers }) => [body, headers["content-type"]])).toEqual([
      ["plain äöü", "text/plain;charset=UTF-8"],
      ["content=a%26b&n=1", "application/x-www-form-urlencoded"],
      ["", undefined],
    ]);
  });

  test.each<[string, JsonObject, string]>([
    ["a body on GET", { body: "x" }, "no body"],
    ["a method that fetch forbids", { method: "TRACE" }, "can't be sent"],
    ["a relative URL", { endpoint: "/pets" }, "no absolute URL"],
    ["another protocol", { endpoint: "ftp://host/x" }, "not called by HTTP"],
    ["a header with a line break", { headers: { a: "b\r\nc: d" } }, 'header "a"'],
    ["a header of the connection", { method: "post", body: "abcdef", headers: { "Content-Length": "3" } }, 'header "Content-Length"'],
    ["another host than the URL's", { headers: { host: "shop.example" } }, 'header "host"'],
    ["an unknown member", { bodi: 1 }, "bodi"],
    ["an authentication that nobody resolved", { endpoint: { uri: "http://a/", authentication: { use: "petStore" } } }, "does not fit"],
  ])("%s is refused before anything is sent", async (_, input, message) => {
    const refused = expect.objectContaining({ errorKind: "validation", outcome: "never-began", message: expect.stringContaining(message) });
    await expect(call(input)).rejects.toEqual(refused);
    expect(server.seen).toEqual([]);
  });
});

describe("answers", () => {
  test.each<[string, string | undefined, string | Buffer, unknown]>([
    ["JSON", "application/json", '{"a":1}', { a: 1 }],
    ["JSON with a suffix", "application/problem+json; charset=utf-8", "[1]", [1]],
    ["text", "text/plain", "hello\n", "hello\n"],
    ["text in Latin-1", "text/plain; charset=iso-8859-1", Buffer.from([0xe4]), "ä"],
    ["XML", "application/xml", "<a/>", "<a/>"],
    ["bytes", "application/octet-stream", Buffer.from([0, 255]), "AP8="],
    ["no content type", undefined, "hello", "aGVsbG8="],
    ["JSON that is none", "application/json", "<html>", "<html>"],
    ["nothing", "application/json", "", null],
  ])("%s is read by its content type", async (_, type, body, content) => {
    answer = (_request, response) => {
      response.writeHead(200, type === undefined ? {} : { "content-type": type });
      response.end(body);
    };
    expect(await call({})).toEqual(content);
  });

  test("raw gives base64 whatever the type; compressed bodies are decompressed", async () => {
    answer = (_, response) => {
      response.writeHead(200, { "content-type": "application/json", "content-encoding": "gzip" });
      response.end(gzipSync('{"zip":true}'));
    };
    expect(await call({ output: "raw" })).toBe(Buffer.from('{"zip":true}').toString("base64"));
    expect(await call({})).toEqual({ zip: true });
  });

  test("response gives request, status, headers and content, with the credentials masked", async () => {
    const uri = `${server.origin}/x?q=1`;
    const output = await call({
      endpoint: { uri, authentication: { basic: { username: "u", password: "secret-pw" } } },
      headers: { "X-Api-Key": "secret-key", accept: "application/json" },
      output: "response",
    });
    expect(output).toMatchObject({
      request: { method: "GET", uri, headers: { authorization: "***", "x-api-key": "***", accept: "application/json" } },
      statusCode: 200,
      headers: { "content-type": "application/json" },
      content: { ok: true },
    });
    expect(JSON.stringify(output)).not.toMatch(/secret|dTpzZWNyZXQ/);
    expect(server.seen[0]?.headers["x-api-key"]).toBe("secret-key");
  });

  test.each([
    [400, false],
    [401, false],
    [404, false],
    [408, true],
    [425, true],
    [429, true],
    [500, true],
    [503, true],
  ])("status %i is a communication error with that status, retryable %s", async (status, retryable) => {
    answer = (_, response) => json(response, { message: "because" }, status);
    await expect(call({ method: "post" })).rejects.toMatchObject({
      errorKind: "communication",
      outcome: "answered",
      status,
      retryable,
      detail: '{"message":"because"}',
    });
  });

  test("an error's detail is an excerpt, also of an endless body, and never bytes", async () => {
    answer = (_, response) => {
      response.writeHead(500, { "content-type": "text/plain" });
      const flood = (): void => {
        while (!response.destroyed && response.write("x".repeat(16_384)));
        response.once("drain", flood);
      };
      flood();
    };
    const error = await call({}).catch((failure: unknown) => failure as { detail: string; outcome: string });
    expect(error).toMatchObject({ outcome: "answered", detail: `${"x".repeat(2048)}…` });
    answer = (_, response) => response.writeHead(500, { "content-type": "image/png" }).end(Buffer.from([1, 2]));
    await expect(call({})).rejects.toMatchObject({ outcome: "answered", detail: undefined });
  });

  test("an error whose body breaks off stays an answer", async () => {
    answer = (_, response) => {
      response.writeHead(502, { "content-type": "text/plain", "content-length": "1000" });
      response.write("half a rea");
      setTimeout(() => response.destroy(), 20);
    };
    await expect(call({ method: "post" })).rejects.toMatchObject({ outcome: "answered", status: 502 });
  });
});

describe("redirects", () => {
  test("a redirect is an error unless asked for", async () => {
    answer = (_, response) => response.writeHead(302, { location: "/next" }).end();
    await expect(call({})).rejects.toMatchObject({ outcome: "answered", status: 302, message: expect.stringContaining("redirect: true") });
    expect(server.seen).toHaveLength(1);
  });

  test("with redirect it is followed: POST becomes GET after 303 and stays POST after 307", async () => {
    answer = (request, response) => {
      if (request.url === "/done") json(response, { method: request.method, body: request.body });
      else response.writeHead(request.url === "/303" ? 303 : 307, { location: "/done" }).end();
    };
    const post = { method: "post", body: "data", redirect: true };
    expect(await call({ ...post, endpoint: `${server.origin}/303` })).toEqual({ method: "GET", body: "" });
    expect(await call({ ...post, endpoint: `${server.origin}/307` })).toEqual({ method: "POST", body: "data" });
  });

  test("a redirect that leads nowhere is an answer when redirects are asked for", async () => {
    answer = (_, response) => response.writeHead(304).end();
    expect(await call({ redirect: true, output: "response" })).toMatchObject({ statusCode: 304, content: null });
    answer = (_, response) => response.writeHead(302, { location: "ftp://elsewhere/" }).end();
    expect(await call({ redirect: true, output: "response" })).toMatchObject({ statusCode: 302 });
  });

  test("a loop ends", async () => {
    answer = (_, response) => response.writeHead(302, { location: "/again" }).end();
    await expect(call({ redirect: true })).rejects.toMatchObject({ outcome: "answered", message: expect.stringContaining("more than 5") });
    expect(server.seen).toHaveLength(6);
  });

  test("credentials do not cross to another origin, and stay within one", async () => {
    const other = await startTestServer((_, response) => json(response, "other"));
    running.push(other);
    answer = (request, response) => response.writeHead(302, { location: request.url === "/" ? "/same" : `${other.origin}/` }).end();
    const authentication = { bearer: { token: "secret" } };
    const headers = { cookie: "s=1", "X-Vault-Token": "v", "x-plain": "p" };
    await call({ endpoint: { uri: server.origin, authentication }, headers, redirect: true });
    expect(server.seen[1]?.headers).toMatchObject({ authorization: "Bearer secret", cookie: "s=1" });
    expect(other.seen[0]?.headers["x-plain"]).toBe("p");
    for (const name of ["authorization", "cookie", "x-vault-token"]) expect(other.seen[0]?.headers).not.toHaveProperty(name);
  });

  test("what fails after a redirect of a POST is unknown, though the second target was never reached", async () => {
    const port = await findClosedPort();
    answer = (_, response) => response.writeHead(303, { location: `http://127.0.0.1:${port}/` }).end();
    await expect(call({ method: "post", redirect: true })).rejects.toMatchObject({ outcome: "unknown" });
    await expect(call({ redirect: true })).rejects.toMatchObject({ outcome: "never-began" });
  });
});

describe("failures of the connection", () => {
  test("a refused connection never began", async () => {
    const port = await findClosedPort();
    const refused = call({ method: "post", endpoint: `http://127.0.0.1:${port}/` });
    await expect(refused).rejects.toMatchObject({ errorKind: "communication", outcome: "never-began", retryable: true });
  });

  test("an unknown name and a refused port never began and are permanent", async () => {
    await expect(call({ endpoint: "http://127.0.0.1:6000/" })).rejects.toMatchObject({ outcome: "never-began", retryable: false });
    await expect(call({ endpoint: "http://no-such-host.invalid/" })).rejects.toMatchObject({ outcome: "never-began" });
  });

  test("a server that speaks no TLS never got the request", async () => {
    const raw = await startRawServer((socket) => socket.on("data", () => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n")));
    running.push(raw);
    await expect(call({ method: "post", endpoint: `https://127.0.0.1:${raw.port}/` })).rejects.toMatchObject({ outcome: "never-began" });
  });

  test("a connection cut before TLS was agreed never began", async () => {
    const raw = await startRawServer((socket) => socket.on("data", () => socket.destroy()));
    running.push(raw);
    await expect(call({ method: "post", endpoint: `https://127.0.0.1:${raw.port}/` })).rejects.toMatchObject({ outcome: "never-began" });
  });

  test.each<[string, string]>([
    ["resets without an answer", ""],
    ["ends in the middle of the head", "HTTP/1.1 200 O"],
    ["answers something else", "SSH-2.0-OpenSSH_9.2\r\n"],
    ["has a head of 100 KiB", `HTTP/1.1 200 OK\r\nx: ${"h".repeat(100 * 1024)}\r\n\r\n`],
    ["ends in the middle of the body", "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf"],
  ])("a server that %s leaves the outcome unknown", async (_, text) => {
    const raw = await startRawServer((socket) =>
      socket.on("data", () => {
        if (text === "") socket.resetAndDestroy();
        else socket.end(text);
      }),
    );
    running.push(raw);
    await expect(call({ method: "post", endpoint: raw.origin })).rejects.toMatchObject({ errorKind: "communication", outcome: "unknown" });
  });

  test("a server that hangs is given up, with the outcome unknown; as is one that stops in the body", async () => {
    answer = () => {};
    const post = (by: ConnectorFunction): Promise<unknown> => call({ method: "post" }, attemptForTests(), by);
    await expect(post(hasty)).rejects.toMatchObject({
      errorKind: "timeout",
      outcome: "unknown",
      message: expect.stringContaining("head of the answer did not come within 0.3 s"),
    });
    answer = (_, response) => response.writeHead(200, { "content-type": "text/plain" }).write("half");
    await expect(post(restless)).rejects.toMatchObject({
      outcome: "unknown",
      message: expect.stringContaining("more of the answer"),
    });
  });

  test("a server that drips is given up after the total time; one that drips and ends in time is not", async () => {
    const drip = (everyMs: number, parts: number) => (_: SeenRequest, response: ServerResponse) => {
      response.writeHead(200, { "content-type": "text/plain" });
      let sent = 0;
      const timer = setInterval(() => {
        if (response.destroyed || sent === parts) return void (clearInterval(timer), response.end());
        sent += 1;
        response.write("x");
      }, everyMs);
    };
    answer = drip(10, 30);
    expect(await call({})).toBe("x".repeat(30));
    answer = drip(100, 1000);
    await expect(call({}, attemptForTests(), brief)).rejects.toMatchObject({
      outcome: "unknown",
      message: expect.stringContaining("whole answer"),
    });
  });

  test("an endless answer is cut off at the limit: unknown for what may have acted, answered for a read", async () => {
    let sent = 0;
    answer = (_, response) => {
      response.writeHead(200, { "content-type": "text/plain" });
      const flood = (): void => {
        while (!response.destroyed && response.write("x".repeat(16_384))) sent += 16_384;
        response.once("drain", flood);
      };
      flood();
    };
    await expect(call({})).rejects.toMatchObject({ outcome: "answered", message: expect.stringContaining("larger than 100000 bytes") });
    await expect(call({ method: "post" })).rejects.toMatchObject({ outcome: "unknown" });
    expect(sent).toBeLessThan(50_000_000);
  });

  test("a compressed bomb counts by what it becomes; just below the limit it passes", async () => {
    let size = 5_000_000;
    answer = (_, response) => {
      response.writeHead(200, { "content-type": "text/plain", "content-encoding": "gzip" });
      response.end(gzipSync("x".repeat(size)));
    };
    await expect(call({})).rejects.toMatchObject({ message: expect.stringContaining("larger than") });
    size = 99_999;
    expect(await call({})).toHaveLength(size);
  });

  test("an aborted attempt ends at once: never-began before it was sent, unknown under way", async () => {
    const before = new AbortController();
    before.abort();
    await expect(call({}, attemptForTests({ signal: before.signal }))).rejects.toMatchObject({ outcome: "never-began" });
    expect(server.seen).toEqual([]);
    const during = new AbortController();
    answer = () => during.abort();
    await expect(call({ method: "post" }, attemptForTests({ signal: during.signal }))).rejects.toMatchObject({
      outcome: "unknown",
      message: expect.stringContaining("the attempt was stopped"),
    });
  });
});

describe("the effect class", () => {
  test.each([
    ["get", "read"],
    ["HEAD", "read"],
    ["options", "read"],
    ["put", "idempotent"],
    ["delete", "idempotent"],
    ["post", "unsafe"],
    ["patch", "unsafe"],
    ["query", "unsafe"],
  ])("%s is %s", (method, effect) => {
    expect(typeof http.effect === "function" && http.effect({ method })).toBe(effect);
  });
});
