import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { WebSocketServer } from "ws";
import type { Json, JsonObject } from "@tutti/model";
import { type Bench, benchOf } from "./call-for-tests.ts";

// HTTP and WebSocket: servers in this process that speak the real protocols.
let server: Server;
let sockets: WebSocketServer;
let bench: Bench;
let answer: (request: IncomingMessage, body: string, response: ServerResponse) => void;

beforeEach(async () => {
  server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => answer(request, Buffer.concat(chunks).toString(), response));
  });
  sockets = new WebSocketServer({ server });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  // Version 2, where operations stand in the channels.
  bench = await benchOf({
    asyncapi: "2.6.0",
    info: { title: "streams", version: "1.0.0" },
    servers: {
      web: { url: "http://127.0.0.1:{port}/base/", protocol: "http", variables: { port: { default: String(port) } } },
      socket: { url: `127.0.0.1:${port}/base`, protocol: "ws" },
    },
    channels: {
      "orders/{tenant}": {
        parameters: { tenant: { schema: { type: "string", default: "t0" } } },
        publish: { operationId: "sendOrder", message: { contentType: "application/json" } },
        subscribe: { operationId: "onOrder" },
      },
    },
  });
});

afterEach(async () => {
  await bench.remove();
  sockets.close();
  for (const client of sockets.clients) client.terminate();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

const consumeTwo: JsonObject = { consume: { amount: 2 } };

describe("HTTP", () => {
  test("a message is a request under the token", async () => {
    const seen: Json[] = [];
    answer = (request, body, response) => {
      seen.push([
        request.method ?? "",
        request.url ?? "",
        request.headers["idempotency-key"] as string,
        request.headers["x-site"] as string,
        body,
      ]);
      response.writeHead(202, { "content-type": "application/json" }).end('{"queued":true}');
    };
    const attempt = bench.attempt({ taskInput: { tenant: "t1" } });
    const output = await bench.call(
      { operation: "sendOrder", protocol: "http", message: { payload: { id: 7 }, headers: { "x-site": "b" } } },
      attempt,
    );
    expect(seen).toEqual([["POST", "/base/orders/t1", attempt.token, "b", '{"id":7}']]);
    expect(output).toEqual({ messageId: attempt.token, channel: "orders/t1", statusCode: 202, content: { queued: true } });
  });

  test("an error status is a complete answer", async () => {
    answer = (_request, _body, response) => response.writeHead(503).end("later");
    await expect(bench.call({ operation: "sendOrder", message: { payload: {} } })).rejects.toMatchObject({
      outcome: "answered",
      status: 503,
      retryable: true,
    });
  });

  test("a subscription reads server-sent events, wherever the network cuts them", async () => {
    answer = (_request, _body, response) => {
      response.writeHead(200, { "content-type": "text/event-stream" });
      response.write(": hello\r\n\r\nevent: order\nid: 1\nda");
      setImmediate(() => response.write('ta: {"n":\ndata: 1}\n\ndata: plain\r'));
      setImmediate(() => setImmediate(() => response.write("\n\r\n")));
    };
    const call = bench.call({
      operation: "onOrder",
      protocol: "http",
      subscription: consumeTwo,
      authentication: { bearer: { token: "t" } },
    });
    expect(await call).toEqual([
      { payload: { n: 1 }, headers: { event: "order", id: "1" } },
      { payload: "plain", headers: { event: "message", id: "1" } },
    ]);
  });

  test("a stream that ends too early is a lost connection, and an answer that is no stream is said to be none", async () => {
    answer = (_request, _body, response) => response.writeHead(200, { "content-type": "text/event-stream" }).end("data: 1\n\n");
    await expect(bench.call({ operation: "onOrder", protocol: "http", subscription: consumeTwo })).rejects.toMatchObject({
      errorKind: "communication",
      outcome: "unknown",
    });
    answer = (_request, _body, response) => response.writeHead(200, { "content-type": "application/json" }).end("[]");
    await expect(bench.call({ operation: "onOrder", protocol: "http", subscription: consumeTwo })).rejects.toMatchObject({
      errorKind: "configuration",
    });
  });
});

describe("WebSocket", () => {
  test("a message is a frame, and has been read when the call ends", async () => {
    const seen: string[] = [];
    sockets.on("connection", (socket, request) => {
      seen.push(request.url ?? "", request.headers["x-site"] as string);
      socket.on("message", (data: Buffer) => seen.push(data.toString()));
    });
    await bench.call({ channel: "orders/{tenant}", protocol: "ws", message: { payload: { id: 1 }, headers: { "x-site": "b" } } });
    expect(seen).toEqual(["/base/orders/t0", "b", '{"id":1}']);
  });

  test("frames are messages, until the condition holds", async () => {
    sockets.on("connection", (socket) => {
      for (const n of [1, 2, 3]) socket.send(JSON.stringify({ n }));
    });
    const questions = { until: (taken: Json) => (taken as Json[]).length === 2 };
    const call = bench.call(
      { operation: "onOrder", server: { name: "socket" }, subscription: { consume: { until: "${ … }" } } },
      bench.attempt({ questions }),
    );
    expect(await call).toEqual([
      { payload: { n: 1 }, headers: {} },
      { payload: { n: 2 }, headers: {} },
    ]);
  });

  test("a side that hangs up before the message was read leaves an unknown outcome", async () => {
    sockets.on("connection", (socket) => socket.on("message", () => socket.terminate()));
    await expect(bench.call({ operation: "sendOrder", protocol: "ws", message: { payload: {} } })).rejects.toMatchObject({
      outcome: "unknown",
    });
  });

  test("a refused handshake has its status", async () => {
    server.removeAllListeners("upgrade");
    server.on("upgrade", (_request, socket) => socket.end("HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n"));
    await expect(bench.call({ operation: "onOrder", protocol: "ws", subscription: consumeTwo })).rejects.toMatchObject({
      errorKind: "authentication",
      outcome: "never-began",
      status: 401,
    });
  });
});

describe("a call that does not fit its document", () => {
  test.each([
    [{ channel: "nope", message: { payload: {} } }, 'no channel "nope"; it has: orders/{tenant}'],
    [{ operation: "nope", message: { payload: {} } }, 'no operation "nope"; it has: sendOrder, onOrder'],
    [{ operation: "onOrder", message: { payload: {} } }, "for clients that subscribe"],
    [{ operation: "sendOrder", server: { name: "nope" }, message: {} }, 'no server "nope"; it has: web, socket'],
    [{ operation: "sendOrder", protocol: "kafka", message: {} }, "No server of the channel speaks kafka"],
    [{ operation: "sendOrder", message: { headers: { a: [1] } } }, 'The header "a"'],
    [{ operation: "sendOrder", message: {}, subscription: consumeTwo }, "either message or subscription"],
  ] as const)("case %#: %j", async (input, message) => {
    answer = (_request, _body, response) => response.end();
    await expect(bench.call(input as unknown as JsonObject)).rejects.toMatchObject({
      outcome: "never-began",
      message: expect.stringContaining(message),
    });
  });
});
