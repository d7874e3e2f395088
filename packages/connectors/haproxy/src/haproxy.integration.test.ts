import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { callsForTests, freshToken } from "@tutti/connector-kit/conformance";
import { type Json, type JsonObject } from "@tutti/model";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { haproxyConnector } from "./haproxy-connector.ts";
import { hasLab } from "@tutti/testkit/lab";
import { type DoorFault, type Haproxy, openDoor, providerAt, startHaproxy } from "./haproxy-for-tests.ts";

const connector = haproxyConnector();
const { attempt, call, undo } = callsForTests(connector, () => providerAt({ socket: haproxy.socket }));
let haproxy: Haproxy;
const services: Server[] = [];

async function members(): Promise<Json> {
  return (await call("pool-member.list:1", { pool: "web" }))["members"] ?? null;
}

/** A service that says its name, and is well. */
async function service(name: string): Promise<{ readonly address: string; readonly port: number }> {
  const server = createServer((_request, response) => response.end(name));
  services.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  // A listening TCP server has an address and a port.
  return { address: "127.0.0.1", port: (server.address() as AddressInfo).port };
}

/** Who answers behind HAProxy, once per member and turn. */
async function answers(count: number): Promise<readonly string[]> {
  const said: string[] = [];
  for (let asked = 0; asked < count; asked += 1) {
    const answer = await fetch(`${haproxy.frontend}/`, { headers: { connection: "close" } });
    said.push(answer.ok ? await answer.text() : `${answer.status}`);
  }
  return [...new Set(said)].toSorted();
}

describe.skipIf(!hasLab)("haproxy", () => {
  beforeAll(async () => {
    haproxy = await startHaproxy();
  });
  afterEach(async () => {
    await haproxy.empty();
    for (const server of services.splice(0)) server.close();
  });
  afterAll(() => haproxy.stop());

  test("members take traffic when they are up, none while they drain or are in maintenance, and again after the undo", async () => {
    expect(await answers(1)).toEqual(["503"]);
    const check = { intervalMs: 20, rise: 1, fall: 1 };
    for (const name of ["a", "b"]) {
      await call("pool-member.create:1", { pool: "web", name, ...(await service(name)), check });
      await call("pool-member.await:1", { pool: "web", name });
    }
    expect(await answers(4)).toEqual(["a", "b"]);
    const change = { pool: "web", name: "a", state: "drain" };
    const output = await call("pool-member.change:1", change);
    expect(await answers(4)).toEqual(["b"]);
    await undo("pool-member.change:1", change, output);
    expect(await answers(4)).toEqual(["a", "b"]);
    await call("pool-member.change:1", { pool: "web", name: "b", ...(await service("c")) });
    await call("pool-member.change:1", { pool: "web", name: "a", state: "maint" });
    expect(await answers(4)).toEqual(["c"]);
    expect(await call("pool.statistics:1", { pool: "web" })).toMatchObject({
      pool: { name: "web", sessionsTotal: expect.any(Number) },
      members: [
        { name: "a", status: "MAINT" },
        { name: "b", status: "UP" },
      ],
    });
    expect(await call("pool.list:1", {})).toEqual({ pools: [{ name: "web", members: 2 }] });
  });

  test("a member whose check fails is not up, and what waits for it ends with the way out", async () => {
    const { address, port } = await service("a");
    await new Promise((resolve) => services.splice(0).map((server) => server.close(resolve)));
    await call("pool-member.create:1", { pool: "web", name: "a", address, port, check: { intervalMs: 20, rise: 1, fall: 1 } });
    await call("pool-member.await:1", { pool: "web", name: "a", status: "down" });
    await expect(call("pool-member.await:1", { pool: "web", name: "a", withinSeconds: 0 })).rejects.toMatchObject({
      errorKind: "timeout",
      outcome: "answered",
      message: expect.stringContaining("look at its service"),
    });
  });

  test("a member without a name has one that follows from its token", async () => {
    const token = freshToken();
    const input = { pool: "web", address: "127.0.0.1", port: 9 };
    const output = await call("pool-member.create:1", input, { token });
    expect(output).toMatchObject({ name: `m-${token.slice(4, 20)}` });
    expect(await call("pool-member.create:1", input, { token })).toEqual(output);
    expect(await members()).toMatchObject([{ token }]);
  });

  test("an undo leaves what somebody else has done since, and says so", async () => {
    const input = { pool: "web", name: "a", address: "127.0.0.1", port: 9 };
    const output = await call("pool-member.create:1", input);
    const changed = await call("pool-member.change:1", { pool: "web", name: "a", weight: 5 });
    await haproxy.ask("set server web/a weight 7");
    await expect(undo("pool-member.change:1", {}, changed)).rejects.toThrow("somebody has changed it since");
    expect(await members()).toMatchObject([{ weight: 7 }]);
    await haproxy.empty();
    await call("pool-member.create:1", input);
    await expect(undo("pool-member.create:1", input, output)).rejects.toThrow("somebody has added another one of this name");
    expect(await members()).toHaveLength(1);
  });

  test("what was before a change is kept until the end is stored, and then nothing of it is left", async () => {
    await call("pool-member.create:1", { pool: "web", name: "a", address: "127.0.0.1", port: 9, weight: 3 });
    const token = freshToken();
    const change = { pool: "web", name: "a", weight: 9 };
    await connector.functions["pool-member.change:1"]?.run(change, attempt({ token }));
    expect(await haproxy.ask("show servers state web")).toContain(`tutti-note.${token}`);
    expect(await members()).toHaveLength(1);
    expect(await call("pool.statistics:1", { pool: "web" })).toMatchObject({ members: [{ name: "a" }] });
    // The attempt after the lost answer gives what was before, not its own work.
    expect(await call("pool-member.change:1", change, { token })).toMatchObject({ before: { weight: 3 } });
    expect(await haproxy.ask("show servers state web")).not.toContain("tutti-note");
  });

  test("a member with open connections is not deleted before they end, unless that is wanted", async () => {
    const hanging = createServer(() => {});
    services.push(hanging);
    await new Promise<void>((resolve) => hanging.listen(0, "127.0.0.1", resolve));
    // A listening TCP server has an address and a port.
    const { port } = hanging.address() as AddressInfo;
    await call("pool-member.create:1", { pool: "web", name: "a", address: "127.0.0.1", port });
    const reached = new Promise((resolve) => hanging.once("request", resolve));
    const answer = fetch(`${haproxy.frontend}/`).then(({ status }) => status);
    await reached;
    await expect(call("pool-member.delete:1", { pool: "web", name: "a", withinSeconds: 0 })).rejects.toMatchObject({
      retryable: true,
      message: expect.stringContaining("closeSessions"),
    });
    expect(await members()).toMatchObject([{ state: "maint" }]);
    await call("pool-member.delete:1", { pool: "web", name: "a", closeSessions: true });
    expect(await members()).toEqual([]);
    expect(await answer).toBeGreaterThanOrEqual(500);
    hanging.closeAllConnections();
  });

  test("entries of maps and ACLs take effect at once, and an undo puts back what was there", async () => {
    const route = async (): Promise<string | null> =>
      (await fetch(`${haproxy.frontend}/a`, { headers: { connection: "close", "x-client": "c7" } })).headers.get("x-route");
    const set = { map: haproxy.map, key: "/a", value: "first" };
    await call("map-entry.set:1", set);
    const change = { ...set, value: "second" };
    const output = await call("map-entry.set:1", change);
    expect(await route()).toBe("second");
    const deny = { acl: haproxy.acl, pattern: "c7" };
    const denied = await call("acl-entry.set:1", deny);
    expect((await fetch(haproxy.frontend, { headers: { "x-client": "c7" } })).status).toBe(403);
    expect(await route()).toBeNull();
    await undo("acl-entry.set:1", deny, denied);
    await undo("map-entry.set:1", change, output);
    expect(await route()).toBe("first");
    const removed = await call("map-entry.set:1", { ...set, value: null });
    await haproxy.ask(`add map ${haproxy.map} /a other`);
    await expect(undo("map-entry.set:1", set, removed)).rejects.toThrow("somebody has changed it since");
    await expect(call("map-entry.set:1", { ...set, value: "***", ifIs: "other" })).rejects.toThrow("held a secret");
    expect(await call("map-entry.list:1", { map: haproxy.map })).toEqual({ entries: [{ map: haproxy.map, key: "/a", value: "other" }] });
  });

  test.each(["a b", "a;b", "a\\", "#1", "a<b", "", "a\nb"])(
    "a key that could be more than a key never reaches HAProxy: %j",
    async (key) => {
      const input = { map: haproxy.map, key, value: "x" };
      await expect(call("map-entry.set:1", input)).rejects.toMatchObject({ outcome: "never-began", errorKind: "validation" });
    },
  );

  test("an id of a resource that could be more than an id is that of nothing", async () => {
    await call("pool-member.create:1", { pool: "web", name: "b", address: "127.0.0.1", port: 9, state: "maint" });
    for (const [type, id] of [
      ["pool-member", "web;disable frontend web/b"],
      ["pool-member", "web;del server web/b"],
      ["map-entry", `${haproxy.map};clear\tmap\t${haproxy.map} x`],
    ] as const)
      expect(await connector.resources?.[type]?.read(id, attempt())).toBeUndefined();
    expect(await members()).toHaveLength(1);
    // The frontend still answers: that there is no member which takes traffic.
    expect(await answers(1)).toEqual(["503"]);
  });

  test.each(["a;del server web/b", "a b", "a\nb", "a\\", "", "a/b", "tutti-note.x"])(
    "a name that could be more than a name never reaches HAProxy: %j",
    async (name) => {
      const input = { pool: "web", name, address: "127.0.0.1", port: 9 };
      await expect(call("pool-member.create:1", input)).rejects.toMatchObject({ outcome: "never-began", errorKind: "validation" });
    },
  );

  test.each([["localhost"], ["127.0.0.1 weight 5"], ["127.0.0.1;x"], ["300.1.1.1"]])("no address: %j", async (address) => {
    const input = { pool: "web", name: "a", address, port: 9 };
    await expect(call("pool-member.create:1", input)).rejects.toMatchObject({ outcome: "never-began" });
  });

  describe("a bad target", () => {
    const list = (provider: JsonObject): Promise<JsonObject> => call("pool-member.list:1", {}, { provider: providerAt(provider) });

    test("works over TCP as well", async () => {
      expect(await list({ host: "127.0.0.1", port: haproxy.apiPort })).toEqual({ members: [] });
    });

    test("no socket there, a file that is none, a configuration that names neither", async () => {
      await expect(list({ socket: "/nowhere/admin.sock" })).rejects.toMatchObject({ outcome: "never-began", retryable: true });
      await expect(list({ socket: haproxy.map })).rejects.toMatchObject({ outcome: "never-began" });
      await expect(list({})).rejects.toMatchObject({
        errorKind: "configuration",
        message: expect.stringContaining("socket, or host and port"),
      });
    });

    test("a socket of level user: it can look, and what it may not is said with the way out", async () => {
      const provider = providerAt({ socket: haproxy.userSocket });
      const input = { pool: "web", name: "a", address: "127.0.0.1", port: 9 };
      await expect(call("pool-member.create:1", input, { provider })).rejects.toMatchObject({
        errorKind: "authorization",
        retryable: false,
        message: expect.stringContaining("level admin"),
      });
      expect(await connector.check?.(attempt({ provider }))).toMatchObject({
        status: "unhealthy",
        wayOut: expect.stringContaining("level admin"),
      });
    });

    test.each<[DoorFault["kind"], object]>([
      ["flood", { outcome: "unknown", retryable: false, message: expect.stringContaining("more than 16 MiB") }],
      ["cut", { message: expect.stringMatching(/lost before its answer was whole|does not answer as HAProxy/) }],
      ["garbage", { message: expect.stringContaining("does not answer as HAProxy's runtime API") }],
    ])("an answer that is %s", async (kind, expected) => {
      await call("pool-member.create:1", { pool: "web", name: "a", address: "127.0.0.1", port: 9 });
      // `flood`, `cut` and `garbage` need nothing more.
      const target = await openDoor(haproxy, { kind } as DoorFault);
      await expect(call("pool-member.list:1", {}, { provider: target.provider })).rejects.toMatchObject(expected);
      await target.close();
    });

    test("the same answer whole is no failure", async () => {
      const target = await openDoor(haproxy, { kind: "none" });
      expect(await call("pool-member.list:1", {}, { provider: target.provider })).toEqual({ members: [] });
      await target.close();
    });

    test("gone in the middle of a create: unknown, found half made is not made, and the next attempt finishes it", async () => {
      const input = { pool: "web", name: "a", address: "127.0.0.1", port: 9 };
      const token = freshToken();
      // Look, add, look again, ready: the answer of the second and everything after it is lost.
      const target = await openDoor(haproxy, { kind: "answer-lost", request: 2 });
      const create = connector.functions["pool-member.create:1"];
      await expect(create?.run(input, attempt({ token, provider: target.provider }))).rejects.toMatchObject({ outcome: "unknown" });
      await target.close();
      expect(await members()).toMatchObject([{ name: "a", state: "maint", token }]);
      expect(await create?.find?.(input, attempt({ token }))).toBeUndefined();
      await call("pool-member.create:1", input, { token });
      expect(await members()).toMatchObject([{ name: "a", state: "ready", token }]);
    });

    test.each([
      [1, "never-began"],
      [2, "unknown"],
    ])("gone after %d requests of a create: %s", async (request, outcome) => {
      const input = { pool: "web", name: "a", address: "127.0.0.1", port: 9 };
      const target = await openDoor(haproxy, { kind: "gone-after", request });
      await expect(call("pool-member.create:1", input, { provider: target.provider })).rejects.toMatchObject({ outcome, retryable: true });
      expect(await members()).toHaveLength(request - 1);
      await target.close();
    });
  });
});
