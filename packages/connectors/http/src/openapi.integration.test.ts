import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { attemptForTests, type ConnectorFunction } from "@tutti/connector-kit";
import type { Json, JsonObject } from "@tutti/model";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { httpConnector } from "./http-connector.ts";
import { type SeenRequest, startTestServer, type TestServer } from "./test-server.ts";

let server: TestServer;
let nowMs: number;
let openapi: ConnectorFunction;
let documents: Record<string, string>;

beforeEach(async () => {
  nowMs = 0;
  documents = {};
  server = await startTestServer((request, response) => {
    const text = documents[request.url];
    response.writeHead(200, { "content-type": text === undefined ? "application/json" : "application/yaml" });
    response.end(text ?? JSON.stringify({ method: request.method, url: request.url, body: request.body }));
  });
  openapi = httpConnector({ nowMs: () => nowMs }).functions["openapi"] as ConnectorFunction;
});
afterEach(() => server.stop());

function publish(document: JsonObject, path = "/doc"): void {
  documents[path] = JSON.stringify(document);
}

function call(operationId: string, parameters: JsonObject = {}, more: JsonObject = {}): Promise<Json> {
  const document = { endpoint: `${server.origin}/doc` };
  return openapi.run({ document, operationId, parameters, ...more }, attemptForTests());
}

function operations(): readonly SeenRequest[] {
  return server.seen.filter(({ url }) => documents[url] === undefined);
}

const swagger = (more: JsonObject = {}): JsonObject => ({
  swagger: "2.0",
  basePath: "/v2/",
  consumes: ["application/json"],
  produces: ["application/xml", "application/json"],
  paths: {
    "/pet/{petId}": {
      parameters: [{ $ref: "#/parameters/petId" }],
      get: { operationId: "getPet" },
      post: {
        operationId: "updateForm",
        consumes: ["application/x-www-form-urlencoded"],
        parameters: [
          { name: "name", in: "formData", type: "string" },
          { name: "status", in: "formData", type: "string" },
        ],
      },
    },
    "/pet": {
      put: { operationId: "putPet", parameters: [{ name: "pet", in: "body", required: true, schema: {} }] },
      get: {
        operationId: "findPets",
        parameters: [
          { name: "status", in: "query", type: "array", collectionFormat: "multi" },
          { name: "tags", in: "query", type: "array" },
          { name: "X-Tenant", in: "header", type: "string" },
        ],
      },
    },
    "/upload": {
      post: { operationId: "upload", consumes: ["multipart/form-data"], parameters: [{ name: "file", in: "formData", type: "file" }] },
    },
  },
  parameters: { petId: { name: "petId", in: "path", required: true, type: "integer" } },
  ...more,
});

const openapi3 = (more: JsonObject = {}): JsonObject => ({
  openapi: "3.0.3",
  servers: [{ url: "/api/{version}", variables: { version: { default: "v3" } } }],
  paths: {
    "/things/{id}": {
      get: {
        operationId: "getThing",
        parameters: [
          { name: "id", in: "path", required: true },
          { name: "fields", in: "query", explode: false },
          { name: "filter", in: "query", style: "deepObject", explode: true },
          { name: "session", in: "cookie" },
        ],
        responses: { 200: { content: { "application/hal+json": {}, "text/csv": {} } } },
      },
    },
    "/things": {
      servers: [{ url: "https://elsewhere.example/root/" }],
      post: {
        operationId: "createThing",
        servers: [{ url: "../own" }],
        requestBody: { $ref: "#/components/requestBodies/Thing" },
      },
      patch: { operationId: "elsewhere" },
    },
  },
  components: {
    requestBodies: { Thing: { required: true, content: { "application/json": { schema: { $ref: "#/components/schemas/Thing" } } } } },
    schemas: { Thing: { type: "object", properties: { name: {}, size: {} } } },
  },
  ...more,
});

describe("Swagger 2.0", () => {
  beforeEach(() => publish(swagger()));

  test("path and query parameters, headers, base path and accepted type come from the document", async () => {
    await call("getPet", { petId: 7 });
    await call("findPets", { status: ["a", "b"], tags: ["x", "y"], "X-Tenant": "t" });
    expect(operations()).toMatchObject([
      { method: "GET", url: "/v2/pet/7", headers: { accept: "application/json" } },
      { method: "GET", url: "/v2/pet?status=a&status=b&tags=x%2Cy", headers: { "x-tenant": "t" } },
    ]);
  });

  test("body and form parameters become the request's body", async () => {
    await call("putPet", { pet: { name: "Milou" } });
    await call("updateForm", { petId: 1, name: "a b" });
    expect(operations()).toMatchObject([
      { method: "PUT", body: '{"name":"Milou"}', headers: { "content-type": "application/json" } },
      { method: "POST", url: "/v2/pet/1", body: "name=a+b", headers: { "content-type": "application/x-www-form-urlencoded" } },
    ]);
    await expect(call("upload", { file: "x" })).rejects.toMatchObject({
      outcome: "never-began",
      message: expect.stringContaining("multipart"),
    });
  });

  test("https is taken wherever it is offered, and the document's own scheme otherwise", async () => {
    const seen: string[] = [];
    const connector = httpConnector({
      fetch: async (url) => {
        seen.push(url);
        return url.endsWith("/doc") ? Response.json(swagger({ host: "pets.example", schemes: ["http", "https"] })) : Response.json(null);
      },
    });
    await (connector.functions["openapi"] as ConnectorFunction).run(
      { document: { endpoint: "http://docs.example/doc" }, operationId: "getPet", parameters: { petId: 1 } },
      attemptForTests(),
    );
    expect(seen).toEqual(["http://docs.example/doc", "https://pets.example/v2/pet/1"]);
  });
});

describe("OpenAPI 3", () => {
  beforeEach(() => publish(openapi3()));

  test("styles, cookies and server variables are applied", async () => {
    await call("getThing", { id: "a/b", fields: ["x", "y"], filter: { size: 1 }, session: "s 1" });
    expect(operations()).toMatchObject([
      {
        url: "/api/v3/things/a%2Fb?fields=x%2Cy&filter%5Bsize%5D=1",
        headers: { cookie: "session=s%201", accept: "application/hal+json" },
      },
    ]);
  });

  test("the request body is the parameter body, or the parameters that its schema names", async () => {
    await call("createThing", { body: { name: "n" } });
    await call("createThing", { name: "n", size: 2 });
    expect(operations().map(({ url, body }) => [url, body])).toEqual([
      ["/own/things", '{"name":"n"}'],
      ["/own/things", '{"name":"n","size":2}'],
    ]);
    await expect(call("createThing")).rejects.toMatchObject({ message: expect.stringContaining("needs a request body") });
  });

  test("a document in YAML from the workflow's directory works when it names its server", async () => {
    const directory = mkdtempSync(join(tmpdir(), "openapi-"));
    const attempt = attemptForTests({ baseDirectory: directory });
    const input = { document: { endpoint: "api.yaml" }, operationId: "ping" };
    const text = `openapi: 3.1.0\npaths:\n  /ping:\n    get: { operationId: ping }\n`;
    try {
      writeFileSync(join(directory, "api.yaml"), text);
      await expect(openapi.run(input, attempt)).rejects.toMatchObject({ message: expect.stringContaining("does not name its server") });
      writeFileSync(join(directory, "api.yaml"), `${text}servers: [{ url: "${server.origin}/base" }]\n`);
      expect(await openapi.run(input, attempt)).toMatchObject({ url: "/base/ping" });
      await expect(openapi.run({ ...input, document: { endpoint: "../api.yaml" } }, attempt)).rejects.toMatchObject({
        errorKind: "validation",
        outcome: "never-began",
        message: expect.stringContaining("is outside of"),
      });
      await expect(openapi.run({ ...input, document: { endpoint: "none.yaml" } }, attempt)).rejects.toMatchObject({
        errorKind: "configuration",
        outcome: "never-began",
      });
    } finally {
      rmSync(directory, { recursive: true });
    }
    await expect(openapi.run(input, attemptForTests())).rejects.toMatchObject({ message: expect.stringContaining("is relative") });
  });
});

describe("mistakes and limits", () => {
  test.each<[string, string, JsonObject, string]>([
    ["an unknown operation", "getPets", {}, 'no operation "getPets"; it has: getPet, updateForm, findPets, putPet, upload'],
    ["a missing parameter", "getPet", {}, "needs the parameter petId"],
    ["an unknown parameter", "getPet", { petId: 1, petID: 2 }, "has no parameter petID; it has: petId"],
  ])("%s is refused, naming what there is", async (_, operationId, parameters, message) => {
    publish(swagger());
    await expect(call(operationId, parameters)).rejects.toMatchObject({
      outcome: "never-began",
      message: expect.stringContaining(message),
    });
    expect(operations()).toEqual([]);
  });

  test.each([
    ["no OpenAPI", "{}", "neither Swagger 2.0 nor OpenAPI 3"],
    ["broken JSON", "{", "does not parse"],
    [
      "a YAML bomb",
      `a: &a [x,x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b]\nd: [*c,*c,*c,*c]`,
      "does not parse",
    ],
    ["a circle", '{"openapi":"3.0.0","paths":{"$ref":"#/paths"}}', "run in a circle"],
    ["a foreign reference", '{"openapi":"3.0.0","paths":{"/a":{"$ref":"other.yaml"}}}', "refers to another document"],
  ])("a document that is %s is refused", async (_, text, message) => {
    documents["/doc"] = text;
    await expect(call("x")).rejects.toMatchObject({ outcome: "never-began", message: expect.stringContaining(message) });
  });

  test("a document that can't be loaded leaves the call unbegun", async () => {
    const input = { document: { endpoint: "http://127.0.0.1:6000/doc" }, operationId: "x" };
    await expect(openapi.run(input, attemptForTests())).rejects.toMatchObject({ outcome: "never-began" });
  });

  test("a document is kept for five minutes, unless credentials opened it", async () => {
    publish(swagger());
    const loads = (): number => server.seen.filter(({ url }) => url === "/doc").length;
    await call("getPet", { petId: 1 });
    await call("getPet", { petId: 2 });
    expect(loads()).toBe(1);
    nowMs = 5 * 60 * 1000;
    await call("getPet", { petId: 1 });
    expect(loads()).toBe(2);
    const document = { endpoint: { uri: `${server.origin}/doc`, authentication: { bearer: { token: "t" } } } };
    for (let times = 0; times < 2; times += 1) await call("getPet", { petId: 1 }, { document });
    expect(loads()).toBe(4);
    expect(server.seen.at(-2)?.headers.authorization).toBe("Bearer t");
    expect(server.seen.at(-1)?.headers).not.toHaveProperty("authorization");
  });

  test("the class is unsafe: the method is known only once the document is loaded", () => {
    expect(openapi.effect).toBe("unsafe");
  });
});
