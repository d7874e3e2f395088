import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { attemptForTests, type ConnectorFunction, type RecordingAttempt } from "@tutti/connector-kit";
import type { Json, JsonObject } from "@tutti/model";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { mcpConnector } from "./mcp-connector.ts";

// A small server of the protocol, once behind HTTP and once as a program: what it answers to each request.
const SERVER = `
export const seen = [];
export function answer(message) {
  seen.push(message.method);
  if (message.id === undefined || message.method === undefined) return undefined;
  const ok = (result) => ({ jsonrpc: "2.0", id: message.id, result });
  switch (message.method) {
    case "initialize": {
      const version = message.params.protocolVersion === "1999-01-01" ? "1998-01-01" : message.params.protocolVersion;
      return ok({ protocolVersion: version, capabilities: { tools: {} }, serverInfo: { name: message.params.clientInfo.name, version: "1" } });
    }
    case "tools/list": return ok({ tools: [{ name: "add" }] });
    case "tools/call":
      if (message.params.name === "add") return ok({ content: [{ type: "text", text: String(message.params.arguments.a + message.params.arguments.b) }] });
      if (message.params.name === "fail") return ok({ isError: true, content: [{ type: "text", text: "no such room" }] });
      if (message.params.name === "environment") return ok({ content: Object.keys(process.env).sort() });
      if (message.params.name === "die") process.exit(3);
      if (message.params.name === "hang") return void console.error("hanging");
  }
  return { jsonrpc: "2.0", id: message.id, error: { code: -32601, message: "unknown" } };
}
`;
const PROGRAM = `
import { createInterface } from "node:readline";
import { answer } from "./server.mjs";
console.error("ready");
createInterface({ input: process.stdin }).on("line", (line) => {
  const message = JSON.parse(line);
  console.log("not a message");
  if (message.method === "tools/list") console.log(JSON.stringify({ jsonrpc: "2.0", id: 99, method: "ping" }));
  const reply = answer(message);
  if (reply !== undefined) console.log(JSON.stringify(reply));
});
`;

let directory: string;
let server: Server;
let endpoint: string;
let requests: { readonly method: string; readonly headers: JsonObject; readonly body: Json }[];
let asStream: boolean;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "tutti-mcp-"));
  await writeFile(join(directory, "server.mjs"), SERVER);
  await writeFile(join(directory, "program.mjs"), PROGRAM);
  const { answer } = (await import(join(directory, "server.mjs"))) as { readonly answer: (message: Json) => Json | undefined };
  requests = [];
  asStream = false;
  server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const text = Buffer.concat(chunks).toString();
      const message = text === "" ? null : (JSON.parse(text) as JsonObject);
      requests.push({ method: request.method ?? "", headers: { ...request.headers } as JsonObject, body: message });
      if (request.headers.authorization === "Bearer wrong") return response.writeHead(401).end("who are you?");
      if (message === null) return response.writeHead(200).end();
      const reply = answer(message);
      const session = message["method"] === "initialize" ? { "mcp-session-id": "session-1" } : {};
      if (reply === undefined) return message["id"] === undefined ? response.writeHead(202).end() : response.destroy();
      if (!asStream) return response.writeHead(200, { "content-type": "application/json", ...session }).end(JSON.stringify(reply));
      response.writeHead(200, { "content-type": "text/event-stream", ...session });
      response.write(`data: ${JSON.stringify({ jsonrpc: "2.0", method: "notifications/progress", params: {} })}\n\n`);
      return response.end(`event: message\ndata: ${JSON.stringify(reply)}\n\n`);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`;
});

afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await rm(directory, { recursive: true, force: true });
});

const { mcp } = mcpConnector().functions as { readonly mcp: ConnectorFunction };

function run(input: JsonObject, attempt: RecordingAttempt = attemptForTests({ baseDirectory: directory })): Promise<Json> {
  return mcp.run(input, attempt);
}

function byProgram(environment: JsonObject = {}): JsonObject {
  return { stdio: { command: process.execPath, arguments: [join(directory, "program.mjs")], environment } };
}

const ADD: JsonObject = { method: "tools/call", parameters: { name: "add", arguments: { a: 1, b: 2 } } };
const SUM = { content: [{ type: "text", text: "3" }] };

describe.each([
  ["a JSON body", false],
  ["a stream of events", true],
])("HTTP, answers as %s", (_, stream) => {
  test("a tool is called in a session of its own, under the token", async () => {
    asStream = stream;
    const attempt = attemptForTests({ secrets: { login: "s3cret" } });
    const http = { endpoint: { uri: endpoint, authentication: { bearer: { use: "login" } } }, headers: { "x-site": "b" } };
    expect(await run({ ...ADD, transport: { http } }, attempt)).toEqual(SUM);
    expect(requests.map(({ method, body }) => [method, (body as JsonObject | null)?.["method"]])).toEqual([
      ["POST", "initialize"],
      ["POST", "notifications/initialized"],
      ["POST", "tools/call"],
      ["DELETE", undefined],
    ]);
    expect(requests[2]?.headers).toMatchObject({
      "mcp-session-id": "session-1",
      "mcp-protocol-version": "2025-06-18",
      "idempotency-key": attempt.token,
      authorization: "Bearer s3cret",
      "x-site": "b",
    });
  });
});

describe("HTTP", () => {
  test("a refused log-in never began", async () => {
    const transport = { http: { endpoint: { uri: endpoint, authentication: { bearer: { token: "wrong" } } } } };
    await expect(run({ ...ADD, transport })).rejects.toMatchObject({ outcome: "never-began", status: 401 });
  });

  test("a connection that breaks after the tool was called leaves an unknown outcome", async () => {
    const call = run({ method: "tools/call", parameters: { name: "hang" }, transport: { http: { endpoint } } });
    await expect(call).rejects.toMatchObject({ errorKind: "communication", outcome: "unknown" });
  });
});

describe("a program", () => {
  test("is called over its standard streams; what else it prints is passed over, and its errors are logged", async () => {
    const attempt = attemptForTests({ baseDirectory: directory });
    expect(await run({ ...ADD, transport: byProgram() }, attempt)).toEqual(SUM);
    expect(await run({ method: "tools/list", transport: byProgram() })).toEqual({ tools: [{ name: "add" }] });
    expect(attempt.lines).toContainEqual({ stream: "stderr", text: "ready\n" });
  });

  test("sees only what it is given of the environment", async () => {
    process.env["TUTTI_TEST_CANARY"] = "1";
    const input = { method: "tools/call", parameters: { name: "environment" }, transport: byProgram({ SLACK_TOKEN: "x" }) };
    const { content } = (await run(input)) as { readonly content: string[] };
    delete process.env["TUTTI_TEST_CANARY"];
    expect(content).toContain("SLACK_TOKEN");
    expect(content).not.toContain("TUTTI_TEST_CANARY");
  });

  test.each([
    ["a tool that failed", { ...ADD, parameters: { name: "fail" } }, { errorKind: "runtime", outcome: "answered" }],
    ["a method that it does not know", { method: "prompts/list" }, { errorKind: "validation", outcome: "answered" }],
    ["its death during the call", { ...ADD, parameters: { name: "die" } }, { errorKind: "communication", outcome: "unknown" }],
    ["another version", { method: "tools/list", protocolVersion: "1999-01-01" }, { errorKind: "configuration", outcome: "never-began" }],
  ])("%s", async (_, input, error) => {
    await expect(run({ ...(input as JsonObject), transport: byProgram() })).rejects.toMatchObject(error);
  });

  test("silence is given up: as unknown once the tool was called, as never begun while the session was being opened", async () => {
    let outcome = "";
    // How long the program takes to start depends on the machine: each time it is given more, until it has come to the call.
    for (let seconds = 0.5; outcome !== "unknown" && seconds < 120; seconds *= 2) {
      const attempt = attemptForTests({ baseDirectory: directory });
      const hanging = run({ ...ADD, parameters: { name: "hang" }, timeout: `PT${seconds}S`, transport: byProgram() }, attempt);
      const error = (await hanging.catch((failure: unknown) => failure)) as { readonly errorKind: string; readonly outcome: string };
      expect(error.errorKind).toBe("timeout");
      ({ outcome } = error);
      const isCalled = attempt.lines.some(({ text }) => text === "hanging\n");
      if (isCalled) expect(outcome).toBe("unknown");
    }
    expect(outcome).toBe("unknown");
  });

  test("one that is not there never began", async () => {
    const call = run({ ...ADD, transport: { stdio: { command: "/nonexistent/mcp-server" } } });
    await expect(call).rejects.toMatchObject({ errorKind: "configuration", outcome: "never-began" });
  });
});
