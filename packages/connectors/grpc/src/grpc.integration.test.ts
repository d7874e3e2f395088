import { execFileSync } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer as createHttpServer } from "node:http";
import { constants, createServer as createHttp2Server, type ServerHttp2Stream } from "node:http2";
import { type AddressInfo, createServer as createTcpServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { httpClient } from "@tutti/connector-http";
import { attemptForTests, type ConnectorFunction, Network, type RecordingAttempt } from "@tutti/connector-kit";
import { isJsonObject, type Json, type JsonObject } from "@tutti/model";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { grpcConnector, type GrpcConnectorOptions } from "./grpc-connector.ts";
import { PET_FILES } from "./pets-for-tests.ts";
import { type PetServer, startPetServer } from "./server-for-tests.ts";

let server: PetServer;

beforeAll(async () => {
  server = await startPetServer();
});

afterAll(async () => {
  await server.stop();
});

interface CallOptions extends GrpcConnectorOptions {
  readonly attempt?: RecordingAttempt;
  readonly service?: JsonObject;
  readonly endpoint?: Json;
}

function call(method: string, given: JsonObject, { attempt, service, endpoint, ...options }: CallOptions = {}): Promise<Json> {
  const { grpc } = grpcConnector(options).functions as { readonly grpc: ConnectorFunction };
  const input = {
    proto: { endpoint: endpoint ?? "acme/pets/v1/pets.proto" },
    service: { name: "acme.pets.v1.PetService", host: "localhost", port: server.port, ...service },
    method,
    arguments: given,
  };
  return grpc.run(input, attempt ?? attemptForTests({ baseDirectory: server.directory }));
}

/** With every member that has no value of its own left out. */
const PET: JsonObject = {
  name: "Mia",
  bornAtMs: "1700000000000",
  weight: 0,
  kind: "KIND_CAT",
  scores: [1, -2, 300],
  looseScores: [4_000_000_000],
  tags: { a: { text: "x", level: "HIGH" }, "b c": { text: "", level: "TOP" } },
  rates: { "-9007199254740993": 0.5 },
  place: { city: "Zürich", zip: 8000, spots: ["-1", "2"], inner: { depth: 1.5 }, size: "S" },
  photo: "AAECAw==",
  seen: "2026-01-02T03:04:05.600Z",
  more: { list: [1, null, { x: true }] },
  nick: "mi",
  extra: { "@type": "type.googleapis.com/acme.pets.v1.Size", size: 7 },
  parent: { name: "Old" },
  isTame: true,
  ratio: "NaN",
  big: "18446744073709551615",
  zig: -5,
  OddName: "",
};
const EMPTY: JsonObject = {
  name: "",
  bornAtMs: "0",
  kind: "KIND_UNKNOWN",
  scores: [],
  looseScores: [],
  tags: {},
  rates: {},
  photo: "",
  isTame: false,
  ratio: 0,
  big: "0",
  zig: 0,
};

describe("a method with one answer", () => {
  test("gives it with what has no value, as the server read it", async () => {
    expect(await call("Echo", PET)).toEqual({ ...PET, parent: { ...EMPTY, name: "Old" } });
    expect(await call("Echo", {})).toEqual(EMPTY);
    expect(await call("Echo", { is_tame: true, none: {} })).toEqual({ ...EMPTY, isTame: true, none: {} });
  });

  test("carries the token, the credentials and a deadline", async () => {
    const attempt = attemptForTests({ baseDirectory: server.directory, secrets: { login: "s3cret" } });
    await call("Echo", {}, { attempt, service: { authentication: { bearer: { use: "login" } } } });
    let event: JsonObject;
    do event = await server.seen("call");
    while (!isJsonObject(event["metadata"] ?? null) || !("authorization" in (event["metadata"] as JsonObject)));
    expect(event).toMatchObject({ metadata: { "idempotency-key": attempt.token, authorization: "Bearer s3cret" } });
    expect(event["deadline"]).toBeGreaterThan(200);
    expect(attempt.lines.map(({ text }) => text)).toEqual([`acme.pets.v1.PetService/Echo at localhost:${server.port} → OK`]);
  });

  test("may be as large as a value of a run, and no larger", async () => {
    expect(await call("Big", { size: 9_000_000 })).toEqual({ data: Buffer.alloc(9_000_000, "x").toString("base64") });
    await expect(call("Big", { size: 17_000_000 })).rejects.toMatchObject({
      errorKind: "communication",
      outcome: "unknown",
      message: expect.stringContaining("larger than"),
    });
  });

  test("is given up when the attempt is stopped, and the server learns it", async () => {
    const stop = new AbortController();
    const pending = call("Hang", {}, { attempt: attemptForTests({ baseDirectory: server.directory, signal: stop.signal }) });
    await server.seen("hanging");
    stop.abort();
    await expect(pending).rejects.toMatchObject({ errorKind: "timeout", outcome: "unknown" });
    await server.seen("cancelled");
  });

  test("is given up after silence, and the server learns it", async () => {
    // A server in this process: one that is starved may take up a call when its time is over already, and never say so.
    const cancelled = Promise.withResolvers<number>();
    const silent = createHttp2Server();
    silent.on("stream", (stream) => {
      stream.on("error", () => {});
      stream.on("close", () => cancelled.resolve(stream.rstCode));
    });
    await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
    const { port } = silent.address() as AddressInfo;
    const waiting = call("Hang", {}, { service: { port }, limits: { silenceMs: 300 } });
    await expect(waiting).rejects.toMatchObject({ errorKind: "timeout", outcome: "unknown" });
    expect(await cancelled.promise).toBe(constants.NGHTTP2_CANCEL);
    silent.close();
  });
});

test("a stream of answers is an array", async () => {
  expect(await call("Watch", { count: 3 })).toEqual([{ number: 0 }, { number: 1 }, { number: 2 }]);
  expect(await call("Watch", {})).toEqual([]);
  await expect(call("Watch", { count: 2, failAtEnd: true })).rejects.toMatchObject({ outcome: "answered", status: 500 });
});

describe("a status that is not OK", () => {
  test.each([
    [1, "CANCELLED", { errorKind: "communication", outcome: "unknown", status: 499 }],
    [2, "UNKNOWN", { errorKind: "communication", outcome: "answered", status: 500 }],
    [3, "INVALID_ARGUMENT", { errorKind: "validation", outcome: "answered", status: 400, retryable: false }],
    [4, "DEADLINE_EXCEEDED", { errorKind: "timeout", outcome: "unknown", status: 504 }],
    [5, "NOT_FOUND", { errorKind: "communication", outcome: "answered", status: 404 }],
    [6, "ALREADY_EXISTS", { errorKind: "communication", outcome: "answered", status: 409 }],
    [7, "PERMISSION_DENIED", { errorKind: "authorization", outcome: "answered", status: 403 }],
    [8, "RESOURCE_EXHAUSTED", { outcome: "answered", status: 429, retryable: true }],
    [9, "FAILED_PRECONDITION", { outcome: "answered", status: 400, retryable: false }],
    [10, "ABORTED", { outcome: "answered", status: 409, retryable: true }],
    [11, "OUT_OF_RANGE", { errorKind: "validation", outcome: "answered", status: 400 }],
    [12, "UNIMPLEMENTED", { errorKind: "configuration", outcome: "answered", status: 501 }],
    [13, "INTERNAL", { outcome: "answered", status: 500 }],
    [14, "UNAVAILABLE", { outcome: "unknown", status: 503, retryable: true }],
    [15, "DATA_LOSS", { outcome: "answered", status: 500 }],
    [16, "UNAUTHENTICATED", { errorKind: "authentication", outcome: "answered", status: 401 }],
  ])("%i is %s", async (code, name, error) => {
    const message = `acme.pets.v1.PetService/Fail at localhost:${server.port} answered ${name}: no such pet: Müller.`;
    await expect(call("Fail", { code })).rejects.toMatchObject({
      ...error,
      message,
      detail: { code: name, message: "no such pet: Müller." },
    });
  });

  test("comes with its details", async () => {
    await expect(call("Fail", { code: 5, withDetails: true })).rejects.toMatchObject({
      detail: {
        details: [
          { "@type": "type.googleapis.com/google.rpc.ErrorInfo", reason: "GONE", domain: "pets.example", metadata: { pet: "7" } },
          { "@type": "type.googleapis.com/google.protobuf.Duration", value: "3s" },
          { "@type": "type.example/acme.Unknown" },
        ],
      },
    });
  });

  test("of a method that the server does not have", async () => {
    await expect(call("Absent", {})).rejects.toMatchObject({ errorKind: "configuration", outcome: "answered", status: 501 });
  });
});

describe("never began", () => {
  test.each<[string, string, JsonObject, CallOptions, string]>([
    ["no such service", "Echo", {}, { service: { name: "PetService" } }, 'no service "PetService"; it has: acme.pets.v1.PetService'],
    ["no such method", "Ecco", {}, {}, 'no method "Ecco"; it has: Echo, Watch, Fail, Hang, Big, Upload, Absent'],
    ["a stream to the server", "Upload", {}, {}, "takes a stream of messages"],
    [
      "a member that is not there",
      "Echo",
      { nam: "x" },
      {},
      'The arguments are no acme.pets.v1.Pet: cannot decode message acme.pets.v1.Pet from JSON: key "nam" is unknown',
    ],
    ["a value of another type", "Echo", { name: 1 }, {}, "cannot decode field acme.pets.v1.Pet.name from JSON"],
    ["no such document", "Echo", {}, { endpoint: "nope.proto" }, "The proto document"],
    ["a document outside of the workflow's directory", "Echo", {}, { endpoint: "../x.proto" }, "is outside of"],
    ["a text that is no proto document", "Echo", {}, { endpoint: "bundled.bin" }, "bundled.bin, line "],
    ["credentials of HTTP alone", "Echo", {}, { service: { authentication: { digest: { username: "u", password: "p" } } } }, "by digest"],
    ["nobody there", "Echo", {}, { service: { port: 1 } }, "localhost:1 can't be reached"],
    ["no such name", "Echo", {}, { service: { host: "nobody.invalid" } }, "nobody.invalid:"],
  ])("%s", async (_, method, given, options, message) => {
    await expect(call(method, given, options)).rejects.toMatchObject({ outcome: "never-began", message: expect.stringContaining(message) });
  });

  test("a host that the rules refuse", async () => {
    const http = httpClient({ network: new Network({ rules: { mode: "local", allow: [], deny: ["localhost"] } }) });
    await expect(call("Echo", {}, { http })).rejects.toMatchObject({ errorKind: "authorization", outcome: "never-began" });
  });

  test("a server that speaks no HTTP/2, or nothing at all", async () => {
    const http1 = createHttpServer();
    const silent = createTcpServer(() => {});
    for (const other of [http1, silent]) await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
    const portOf = (other: typeof silent): number => (other.address() as AddressInfo).port;
    await expect(call("Echo", {}, { service: { port: portOf(http1) } })).rejects.toMatchObject({ outcome: "never-began", retryable: true });
    const waiting = call("Echo", {}, { service: { port: portOf(silent) }, limits: { connectMs: 300 } });
    await expect(waiting).rejects.toMatchObject({ outcome: "never-began", message: expect.stringContaining("in time") });
    http1.closeAllConnections();
    http1.close();
    silent.close();
  });
});

describe("what a broken server leaves", () => {
  async function withServer(answer: (stream: ServerHttp2Stream) => void, check: (port: number) => Promise<void>): Promise<void> {
    const broken = createHttp2Server();
    broken.on("stream", (stream) => {
      stream.on("error", () => {});
      answer(stream);
    });
    await new Promise<void>((resolve) => broken.listen(0, "127.0.0.1", resolve));
    try {
      await check((broken.address() as AddressInfo).port);
    } finally {
      broken.close();
    }
  }
  const head = { ":status": 200, "content-type": "application/grpc" };

  test.each<[string, (stream: ServerHttp2Stream) => void, JsonObject]>([
    ["a connection that is cut", (stream) => stream.session?.destroy(), { outcome: "unknown", retryable: true }],
    ["a request that is refused unseen", (stream) => stream.close(7), { outcome: "never-began", retryable: true }],
    ["a request that is reset", (stream) => stream.close(2), { outcome: "unknown" }],
    ["an answer without a status", (stream) => (stream.respond(head), stream.end()), { outcome: "unknown" }],
    [
      "half a message",
      (stream) => (stream.respond(head), stream.write(Buffer.from([0, 0, 0, 0, 9, 1])), stream.session?.destroy()),
      { outcome: "unknown" },
    ],
    ["OK without a message", (stream) => stream.respond({ ...head, "grpc-status": "0" }, { endStream: true }), { outcome: "answered" }],
    [
      "a proxy's refusal, with a page for people",
      (stream) => (stream.respond({ ":status": 401, "content-type": "text/html" }), stream.end("<html>Who are you?</html>")),
      { outcome: "answered", status: 401 },
    ],
    ["a proxy's error", (stream) => (stream.respond({ ":status": 502 }), stream.end("bad")), { outcome: "unknown", status: 503 }],
    [
      "a proxy that wants a log-in",
      (stream) => (stream.respond({ ":status": 401 }), stream.end()),
      { errorKind: "authentication", outcome: "answered" },
    ],
    ["a compressed message", (stream) => (stream.respond(head), stream.write(Buffer.from([1, 0, 0, 0, 1, 1]))), { outcome: "unknown" }],
    [
      "a message of another type",
      (stream) => {
        stream.respond(head, { waitForTrailers: true });
        stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
        stream.end(Buffer.from([0, 0, 0, 0, 2, 0x0a, 0x09]));
      },
      { errorKind: "configuration", outcome: "answered" },
    ],
  ])("%s", async (_, answer, error) => {
    await withServer(answer, async (port) => {
      await expect(call("Echo", {}, { service: { port } })).rejects.toMatchObject(error);
    });
  });
});

describe("with TLS", () => {
  let secure: PetServer;
  let certificate: string;

  beforeAll(async () => {
    const directory = await mkdtemp(join(tmpdir(), "tutti-grpc-tls-"));
    const [key, cert] = [join(directory, "key.pem"), join(directory, "cert.pem")];
    const about = ["-subj", "/CN=test", "-addext", "subjectAltName=DNS:grpc.test", "-days", "2", "-keyout", key, "-out", cert];
    execFileSync("openssl", ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", ...about], {
      stdio: "ignore",
      timeout: 30_000,
    });
    certificate = await readFile(cert, "utf8");
    secure = await startPetServer({ key: await readFile(key, "utf8"), cert: certificate });
    await rm(directory, { recursive: true });
  });

  afterAll(async () => {
    await secure.stop();
  });

  function callAt(
    host: string,
    options: { readonly trusted?: boolean; readonly port?: number; readonly cleartext?: string } = {},
  ): Promise<Json> {
    const network = new Network({
      rules: { mode: "local", allow: [], deny: [], cleartext: options.cleartext === undefined ? [] : [options.cleartext] },
      resolve: async () => [{ address: "127.0.0.1", family: 4 }],
      certificateAuthorities: options.trusted === false ? [] : [certificate],
    });
    return call("Watch", { count: 1 }, { http: httpClient({ network }), service: { host, port: options.port ?? secure.port } });
  }

  test("the server shows a certificate for the name that was called", async () => {
    expect(await callAt("grpc.test")).toEqual([{ number: 0 }]);
    const wrong = callAt("other.test");
    await expect(wrong).rejects.toMatchObject({ outcome: "never-began", message: expect.stringContaining("is for another name") });
    const unknown = callAt("grpc.test", { trusted: false });
    await expect(unknown).rejects.toMatchObject({ outcome: "never-began", message: expect.stringContaining("certificate of grpc.test") });
  });

  test("a server without it is not spoken to, unless the operator says so", async () => {
    await expect(callAt("grpc.test", { port: server.port })).rejects.toMatchObject({
      outcome: "never-began",
      message: expect.stringContaining("network.cleartext"),
    });
    expect(await callAt("grpc.test", { port: server.port, cleartext: "*.test" })).toEqual([{ number: 0 }]);
  });
});

test("documents come by HTTP, too, with their imports and credentials", async () => {
  const asked: string[] = [];
  const http = createHttpServer((request, response) => {
    const path = (request.url ?? "").slice("/protos/".length);
    asked.push(path);
    const text = request.headers.authorization === "Bearer t" ? PET_FILES[path] : undefined;
    response.writeHead(text === undefined ? 404 : 200).end(text);
  });
  await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
  const uri = `http://127.0.0.1:${(http.address() as AddressInfo).port}/protos/acme/pets/v1/pets.proto`;
  const endpoint = { uri, authentication: { bearer: { token: "t" } } };
  expect(await call("Watch", { count: 1 }, { endpoint, attempt: attemptForTests() })).toEqual([{ number: 0 }]);
  expect(asked).toContain("acme/pets/v1/kind.proto");
  http.closeAllConnections();
  http.close();
});

test("`file://acme/…` is a file of the workflow's directory, as the specification's example has it", async () => {
  expect(await call("Watch", { count: 1 }, { endpoint: "file://acme/pets/v1/pets.proto" })).toEqual([{ number: 0 }]);
});
