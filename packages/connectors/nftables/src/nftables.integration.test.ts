import { callsForTests, freshToken } from "@tutti/connector-kit/conformance";
import { isJsonObject, type Json, type JsonObject } from "@tutti/model";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { nftablesConnector } from "./nftables-connector.ts";
import { type Firewall, hasLab, openDoor, providerOf, startFirewall } from "./nftables-for-tests.ts";

const connector = nftablesConnector({ environment: process.env });
const { attempt, call, undo } = callsForTests(connector, () => firewall.provider);
const PLACE = { table: "lab", chain: "forward" };
const SET = { table: "lab", set: "blocked" };
const CLIENT = "198.18.210.2";
let firewall: Firewall;

/** Rules of the chain, those with a comment. */
async function commented(): Promise<readonly JsonObject[]> {
  const { rules } = await call("firewall-rule.list:1", PLACE);
  return (Array.isArray(rules) ? rules : []).filter(isJsonObject).filter(({ comment }) => comment !== null);
}

async function entries(set = "blocked"): Promise<Json> {
  return (await call("address-set-entry.list:1", { table: "lab", set }))["entries"] ?? null;
}

describe.skipIf(!hasLab)("nftables", () => {
  beforeAll(async () => {
    firewall = await startFirewall();
    await firewall.serve(8000);
    await firewall.serve(8001);
  });
  afterEach(() => firewall.reset());
  afterAll(() => firewall.stop());

  test("a rule lets traffic through, and its undo stops it", async () => {
    expect(await firewall.reaches(8000)).toBe(true);
    expect(await firewall.reaches(8001)).toBe(false);
    const input = {
      ...PLACE,
      match: { source: "198.18.210.0/24", inInterface: "in0", protocol: "tcp", destinationPorts: ["8001-8009"], connection: ["new"] },
      verdict: "accept",
      comment: "application 7",
    };
    const output = await call("firewall-rule.create:1", input);
    expect(await firewall.reaches(8001)).toBe(true);
    expect(await commented()).toMatchObject([
      { comment: "application 7", token: output["token"], counters: { packets: 1, bytes: expect.any(Number) } },
    ]);
    await undo("firewall-rule.create:1", input, output);
    expect(await firewall.reaches(8001)).toBe(false);
    expect(await commented()).toEqual([]);
  });

  test("the first rule that decides, decides: a refusal before the others blocks, one after them does not", async () => {
    const reject = { ...PLACE, match: { destination: "198.18.211.2", protocol: "tcp" }, verdict: "reject", comment: "closed" };
    const last = await call("firewall-rule.create:1", reject);
    expect(await firewall.reaches(8000)).toBe(true);
    await undo("firewall-rule.create:1", reject, last);
    await call("firewall-rule.create:1", { ...reject, position: "first" });
    expect(await firewall.reaches(8000)).toBe(false);
    expect(await commented()).toMatchObject([{ counters: { packets: expect.toSatisfy((packets: number) => packets > 0) } }]);
  });

  test("an address in the set is blocked, and let through again after the undo; a deletion is taken back as it was", async () => {
    const input = { ...SET, value: CLIENT, timeoutSeconds: 3600, comment: "too many attempts" };
    const output = await call("address-set-entry.create:1", input);
    expect(await firewall.reaches(8000)).toBe(false);
    const removal = { ...SET, value: CLIENT };
    const removed = await call("address-set-entry.delete:1", removal);
    expect(await firewall.reaches(8000)).toBe(true);
    await undo("address-set-entry.delete:1", removal, removed);
    expect(await firewall.reaches(8000)).toBe(false);
    expect(await entries()).toMatchObject([{ value: CLIENT, timeoutSeconds: 3600, comment: "too many attempts", token: output["token"] }]);
    await undo("address-set-entry.create:1", input, output);
    expect(await firewall.reaches(8000)).toBe(true);
  });

  test("sets of networks and of IPv6 addresses; what does not fit a set is refused with the way out", async () => {
    await call("address-set-entry.create:1", { table: "lab", set: "networks", value: "198.18.0.0/16" });
    await call("address-set-entry.create:1", { table: "lab", set: "blocked6", value: "2001:DB8:0::1" });
    expect([await entries("networks"), await entries("blocked6")]).toMatchObject([
      [{ value: "198.18.0.0/16" }],
      [{ value: "2001:db8::1" }],
    ]);
    const refusals = [
      [{ table: "lab", set: "networks", value: "198.18.1.0/24" }, "covers 198.18.1.0/24 already"],
      [{ ...SET, value: "198.18.0.0/16" }, "the flag interval"],
      [{ table: "lab", set: "networks", value: "10.0.0.1", timeoutSeconds: 5 }, "the flag timeout"],
      [{ ...SET, value: "2001:db8::1" }, "holds IPv4 addresses"],
      [{ table: "lab", set: "nothing", value: CLIENT }, "has no set nothing"],
      [{ table: "nothing", set: "blocked", value: CLIENT }, "firewall-table.list"],
    ] as const;
    for (const [input, way] of refusals)
      await expect(call("address-set-entry.create:1", input)).rejects.toMatchObject({
        message: expect.stringContaining(way),
        outcome: "answered",
        retryable: false,
      });
    await expect(call("firewall-rule.create:1", { ...PLACE, match: { source: "@nothing" }, verdict: "drop" })).rejects.toThrow(
      "no set nothing",
    );
    await expect(call("firewall-rule.create:1", { table: "lab", chain: "nothing", match: {}, verdict: "drop" })).rejects.toThrow(
      "no chain nothing",
    );
  });

  test("what somebody else has put there stays, and is said", async () => {
    await firewall.nft(`add element inet lab blocked { ${CLIENT} comment "by hand" }`);
    const input = { ...SET, value: CLIENT };
    await expect(call("address-set-entry.create:1", input)).rejects.toThrow("this call has not added it");
    const removed = await call("address-set-entry.delete:1", input);
    await firewall.nft(`add element inet lab blocked { ${CLIENT} comment "again" }`);
    await expect(undo("address-set-entry.delete:1", input, removed)).rejects.toThrow("Somebody has added");
    await call("address-set-entry.delete:1", input);
    const output = await call("address-set-entry.create:1", input);
    await call("address-set-entry.delete:1", input);
    await call("address-set-entry.create:1", input);
    await expect(undo("address-set-entry.create:1", input, output)).rejects.toThrow("added it anew since");
    expect(await entries()).toHaveLength(1);
  });

  test("what was deleted is kept in the same transaction, until the end is stored, and then nothing of it is left", async () => {
    await firewall.nft(`add element inet lab blocked { ${CLIENT} timeout 1h comment "by hand" }`);
    const token = freshToken();
    await connector.functions["address-set-entry.delete:1"]?.run({ ...SET, value: CLIENT }, attempt({ token }));
    expect(await firewall.nft("list tables")).toContain(`tutti_note_${token}`);
    expect(await call("firewall-table.list:1", {})).toMatchObject({ tables: [{ name: "lab" }] });
    const again = await call("address-set-entry.delete:1", { ...SET, value: CLIENT }, { token });
    expect(again).toMatchObject({ before: { timeoutSeconds: 3600, comment: "by hand", token: null } });
    expect(await firewall.nft("list tables")).not.toContain("tutti_note");
  });

  test("an input that was corrected is carried out under the same token: there is one rule, one entry, as it says now", async () => {
    const token = freshToken();
    const rule = { ...PLACE, match: { protocol: "tcp", destinationPorts: [8001] }, verdict: "reject", comment: "first", position: "first" };
    await call("firewall-rule.create:1", rule, { token });
    expect(await firewall.reaches(8001)).toBe(false);
    await call("firewall-rule.create:1", { ...rule, verdict: "accept", comment: "second" }, { token });
    expect(await commented()).toMatchObject([{ comment: "second", token }]);
    expect(await firewall.reaches(8001)).toBe(true);
    const entry = { ...SET, value: "198.18.0.9", timeoutSeconds: 60 };
    await call("address-set-entry.create:1", entry, { token });
    await call("address-set-entry.create:1", { ...entry, timeoutSeconds: 3600, comment: "longer" }, { token });
    expect(await entries()).toMatchObject([{ timeoutSeconds: 3600, comment: "longer", token }]);
    const masked = { ...SET, value: "198.18.0.10", before: { timeoutSeconds: null, token: null, comment: "***" } };
    await expect(call("address-set-entry.restore:1", masked)).rejects.toThrow("held a secret");
  });

  test("rules of others are listed without a token, and deleted by their handle only", async () => {
    await firewall.nft(`add rule inet lab forward ip saddr ${CLIENT} counter comment "tok_short by hand"`);
    const [rule] = await commented();
    expect(rule).toMatchObject({ token: null, comment: "tok_short by hand", statements: expect.arrayContaining([{ counter: null }]) });
    await call("firewall-rule.delete:1", { ...PLACE, token: `tok_${"0".repeat(32)}` });
    expect(await commented()).toHaveLength(1);
    await call("firewall-rule.delete:1", { ...PLACE, handle: rule?.["handle"] ?? 0 });
    expect(await commented()).toEqual([]);
  });

  test.each<[string, JsonObject]>([
    ["a chain that is more than a name", { ...PLACE, chain: "forward; flush ruleset", match: {} }],
    ["an interface that is more than a name", { ...PLACE, match: { inInterface: 'in0" accept #' } }],
    ["an address that is a name", { ...PLACE, match: { source: "localhost" } }],
    ["an address with more behind it", { ...PLACE, match: { source: "10.0.0.1; flush" } }],
    ["a network with bits after its length", { ...PLACE, match: { source: "10.0.0.1/8" } }],
    ["ports without a protocol", { ...PLACE, match: { destinationPorts: [80] } }],
    ["a port that is none", { ...PLACE, match: { protocol: "tcp", destinationPorts: [70_000] } }],
    ["a range of ports that ends before it begins", { ...PLACE, match: { protocol: "tcp", destinationPorts: ["90-80"] } }],
    ["a comment with quotes", { ...PLACE, match: {}, comment: 'x" drop' }],
    ["a comment that is a token", { ...PLACE, match: {}, comment: `tok_${"1".repeat(32)}` }],
    ["a verdict that nft has and this has not", { ...PLACE, match: {}, verdict: "queue" }],
    ["statements of one's own", { ...PLACE, match: {}, expr: [{ accept: null }] }],
  ])("never begins: %s", async (_, input) => {
    await expect(call("firewall-rule.create:1", { verdict: "accept", ...input })).rejects.toMatchObject({
      outcome: "never-began",
      errorKind: "validation",
    });
  });

  describe("a bad target", () => {
    const list = (configuration: JsonObject): Promise<JsonObject> =>
      call("firewall-table.list:1", {}, { provider: providerOf(configuration) });

    test("no such namespace, no such program, words that a shell would read", async () => {
      await expect(list({ namespace: "lab-nowhere" })).rejects.toMatchObject({ errorKind: "configuration", retryable: false });
      await expect(list({ nft: "/nowhere/nft" })).rejects.toMatchObject({
        outcome: "never-began",
        message: expect.stringContaining("/nowhere/nft"),
      });
      await expect(list({ namespace: firewall.namespace, nft: "/nowhere/nft" })).rejects.toMatchObject({ errorKind: "configuration" });
      await expect(list({ command: ["sh", "-c", "id; id"] })).rejects.toMatchObject({ errorKind: "configuration", outcome: "never-began" });
      await expect(list({ namespace: "../../tmp/x" })).rejects.toMatchObject({ errorKind: "configuration", outcome: "never-began" });
    });

    test("a user who may not: said with the way out, by the check as well", async () => {
      const target = await openDoor(firewall, { kind: "denied" });
      const more = { provider: target.provider };
      await expect(call("firewall-table.list:1", {}, more)).rejects.toMatchObject({ errorKind: "authorization", retryable: false });
      expect(await connector.check?.(attempt(more))).toMatchObject({
        status: "unhealthy",
        wayOut: expect.stringContaining("may change the firewall"),
      });
      expect(await connector.check?.(attempt())).toMatchObject({ status: "healthy", version: expect.stringMatching(/^1\./) });
      await target.close();
    });

    test("an answer that does not end is cut at 16 MiB, and the program with it", async () => {
      const target = await openDoor(firewall, { kind: "flood" });
      await expect(call("firewall-table.list:1", {}, { provider: target.provider })).rejects.toMatchObject({
        outcome: "unknown",
        retryable: false,
        message: expect.stringContaining("more than 16 MiB"),
      });
      await target.close();
    });

    test.each([
      [1, "never-began", 0],
      [2, "done", 1],
    ])("gone after %d requests of a create: %s", async (request, outcome, rules) => {
      const target = await openDoor(firewall, { kind: "gone-after", request });
      const input = { ...PLACE, match: {}, verdict: "return", comment: "gone" };
      const ended = await call("firewall-rule.create:1", input, { provider: target.provider }).then(
        () => "done",
        (error: { readonly outcome: string }) => error.outcome,
      );
      expect(ended).toBe(outcome);
      expect(await commented()).toHaveLength(rules);
      await target.close();
    });

    test("a transaction that one part of fails changes nothing", async () => {
      const token = freshToken();
      await firewall.nft(`add table inet tutti_note_${token}`);
      await firewall.nft(`add element inet lab blocked { ${CLIENT} }`);
      const target = await openDoor(firewall, { kind: "gone-after", request: 2 });
      // The note's table is there already, so note and deletion fail together; then nothing answers any more.
      const removing = connector.functions["address-set-entry.delete:1"]?.run(
        { ...SET, value: CLIENT },
        attempt({ token, provider: target.provider }),
      );
      await expect(removing).rejects.toMatchObject({ retryable: true });
      expect(await entries()).toHaveLength(1);
      await target.close();
    });
  });
});
