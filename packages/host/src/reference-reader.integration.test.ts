import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Network } from "@tutti/connector-kit";
import type { Json, JsonObject } from "@tutti/model";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createReferenceReader } from "./reference-reader.ts";

let server: Server;
let origin: string;
let other: Server;
const seen: { readonly path: string; readonly authorization: string | undefined }[] = [];
let root: string;
let flows: string;

beforeAll(async () => {
  root = realpathSync(mkdtempSync(join(tmpdir(), "tutti-reader-")));
  flows = join(root, "flows");
  mkdirSync(join(flows, "functions"), { recursive: true });
  mkdirSync(join(root, "shared"));
  writeFileSync(join(flows, "functions", "f.yaml"), "set: { x: 1 }");
  writeFileSync(join(flows, "g.yaml"), "set: { y: 1 }");
  writeFileSync(join(root, "shared", "s.yaml"), "set: { s: 1 }");
  writeFileSync(join(flows, "latin.yaml"), Buffer.from([0x61, 0xff, 0xfe]));
  symlinkSync(join(root, "shared", "s.yaml"), join(flows, "link.yaml"));
  other = createServer((request, response) => {
    seen.push({ path: `other${request.url ?? ""}`, authorization: request.headers.authorization });
    response.end("set: { other: 1 }");
  });
  await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
  const elsewhere = `http://127.0.0.1:${(other.address() as AddressInfo).port}`;
  server = createServer((request, response) => {
    const path = request.url ?? "";
    seen.push({ path, authorization: request.headers.authorization });
    const to = { "/away": `${elsewhere}/f.yaml`, "/loop": "/loop", "/file": "file:///etc/passwd", "/moved": "/f.yaml" }[path];
    if (to !== undefined) response.writeHead(302, { location: to }).end();
    else if (path === "/endless") {
      const write = (): void => {
        while (response.write("x".repeat(65_536)));
        response.once("drain", write);
      };
      write();
    } else if (path === "/f.yaml") response.end("set: { x: 1 }");
    else response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => {
  for (const one of [server, other]) {
    one.closeAllConnections();
    one.close();
  }
  rmSync(root, { recursive: true, force: true });
});

interface Given {
  readonly from?: string;
  readonly baseDirectory?: string | undefined;
  readonly authentication?: JsonObject;
  readonly network?: Network;
  readonly directories?: readonly string[];
}

function read(uri: string, given: Given = {}): Promise<{ readonly url: string; readonly text: string }> {
  const secrets: Record<string, Json> = { login: { username: "u", password: "p" }, key: "k" };
  const reader = createReferenceReader({
    network: given.network ?? new Network(),
    directories: given.directories ?? [],
    secret: async (name) => secrets[name],
  });
  const { from, authentication } = given;
  return reader.read({ uri, from, baseDirectory: "baseDirectory" in given ? given.baseDirectory : flows, authentication });
}

describe("files", () => {
  test("lie in the document's directory; what they refer to is relative to them", async () => {
    const { url, text } = await read("./functions/f.yaml");
    expect([url, text]).toEqual([`file://${flows}/functions/f.yaml`, "set: { x: 1 }"]);
    expect((await read("../g.yaml", { from: url })).text).toBe("set: { y: 1 }");
    expect((await read(`file://${flows}/g.yaml`)).text).toBe("set: { y: 1 }");
  });

  test.each([["../shared/s.yaml"], ["link.yaml"], ["/etc/hostname"], ["file:///etc/hostname"], ["functions/../../shared/s.yaml"]])(
    "%s is refused, with the way out",
    async (uri) => {
      await expect(read(uri)).rejects.toMatchObject({ code: "reference-invalid", message: expect.stringContaining("files.allow") });
    },
  );

  test("the operator may allow more directories", async () => {
    expect((await read("../shared/s.yaml", { directories: [join(root, "shared")] })).text).toBe("set: { s: 1 }");
    expect((await read(`file://${root}/shared/s.yaml`, { directories: [root], baseDirectory: undefined })).text).toBe("set: { s: 1 }");
  });

  test.each([
    ["f.yaml", { baseDirectory: undefined }, /came without a directory/],
    ["none.yaml", {}, /none\.yaml can't be read: ENOENT/],
    ["latin.yaml", {}, /not UTF-8/],
    ["ftp://x.test/f.yaml", {}, /can't be read by ftp/],
    ["file:///etc/hostname", { from: "https://x.test/f.yaml" }, /may not name files here/],
  ])("%s with %j: %s", async (uri, given, message) => {
    await expect(read(uri, given)).rejects.toMatchObject({ code: "reference-invalid", message: expect.stringMatching(message) });
  });
});

describe("HTTP", () => {
  test("follows redirects, and keeps the name under which it was asked for", async () => {
    expect(await read(`${origin}/moved`)).toEqual({ url: `${origin}/moved`, text: "set: { x: 1 }" });
  });

  test.each([
    [{ basic: { username: "a", password: "b" } }, `Basic ${Buffer.from("a:b").toString("base64")}`],
    [{ basic: { use: "login" } }, `Basic ${Buffer.from("u:p").toString("base64")}`],
    [{ bearer: { token: "t" } }, "Bearer t"],
    [{ bearer: { use: "key" } }, "Bearer k"],
  ])("%j is sent, but not to whom a redirect leads", async (authentication, header) => {
    seen.length = 0;
    await read(`${origin}/away`, { authentication });
    expect(seen).toEqual([
      { path: "/away", authorization: header },
      { path: "other/f.yaml", authorization: undefined },
    ]);
  });

  test.each([
    ["/none", /status 404/],
    ["/loop", /more than 5 times/],
    ["/file", /redirects to file:/],
  ])("%s: %s", async (path, message) => {
    await expect(read(origin + path)).rejects.toMatchObject({ code: "reference-unreachable", message: expect.stringMatching(message) });
  });

  test("an answer without end is cut off; a host that nobody listens at and one that is not allowed are named", async () => {
    await expect(read(`${origin}/endless`)).rejects.toMatchObject({ code: "reference-invalid", message: expect.stringContaining("4 MiB") });
    await expect(read("http://127.0.0.1:1/f.yaml")).rejects.toMatchObject({ code: "reference-unreachable" });
    const network = new Network({ rules: { mode: "local", allow: [], deny: ["127.0.0.1"] } });
    await expect(read(`${origin}/f.yaml`, { network })).rejects.toMatchObject({
      code: "reference-unreachable",
      message: expect.stringContaining("may not be called"),
    });
  });

  test("other schemes of authentication, and secrets that are not there, are refused before anything is sent", async () => {
    seen.length = 0;
    await expect(read(`${origin}/f.yaml`, { authentication: { digest: { use: "login" } } })).rejects.toMatchObject({
      code: "reference-invalid",
    });
    await expect(read(`${origin}/f.yaml`, { authentication: { basic: { use: "nobody" } } })).rejects.toMatchObject({
      code: "secret-not-found",
    });
    expect(seen).toEqual([]);
  });
});
