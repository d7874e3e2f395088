import type { JsonObject } from "@tutti/model";
import { shardOf, SHARDS } from "@tutti/store";
import { callBank, faultsAt } from "@tutti/testkit";
import { describe, expect, test } from "vitest";
import { World, type WorldOptions } from "./runtime-for-tests.ts";
import { LEASE_MS } from "./shared-ownership.ts";

const PUT = callBank("put", "account.put:1", { amount: 5 });
const TRANSFER = callBank("transfer", "account.transfer:1", { amount: 5 });
const WAIT: JsonObject = { pause: { wait: { seconds: 1 } } };
const LONG_WAIT: JsonObject = { night: { wait: { hours: 1 } } };
/** A beat after the lease has ended: a second, and some. */
const TAKEN_OVER_MS = LEASE_MS + 2000;

/** Two nodes on one store, each with its part of the shards. */
async function twoNodes(options: WorldOptions = {}): Promise<{ readonly first: World; readonly second: World }> {
  const first = new World({ ...options, node: { id: "a" } });
  await first.start();
  const second = new World({ ...options, node: { id: "b", of: first } });
  await second.start();
  // One hands over what is above its share, the other claims it.
  await second.pass(3000);
  return { first, second };
}

/** How many shards each node has, as the store sees it. */
function sharesOf({ disk }: World): Readonly<Record<string, number>> {
  const shares: Record<string, number> = {};
  for (const { nodeId = "nobody" } of disk.leases.values()) shares[nodeId] = (shares[nodeId] ?? 0) + 1;
  return shares;
}

function ownerOf({ disk }: World, runId: string): string | undefined {
  return disk.leases.get(shardOf(runId))?.nodeId;
}

describe("two nodes on one store", () => {
  test("share the shards; a node that stops leaves all to the other at once", async () => {
    const { first, second } = await twoNodes();
    expect(sharesOf(first)).toEqual({ node_a1: SHARDS / 2, node_b1: SHARDS / 2 });
    await first.settle(first.runtime.stop());
    await second.pass(1000);
    expect(sharesOf(first)).toEqual({ node_b1: SHARDS });
  });

  test("drive what is started through either, and take each other's start keys and words", async () => {
    const { first, second } = await twoNodes();
    await first.publish([PUT, LONG_WAIT]);
    const keys = Array.from({ length: 8 }, (_, index) => `key ${index}`);
    const runIds: string[] = [];
    for (const startKey of keys) runIds.push(await first.begin({}, { startKey }));
    for (const [index, startKey] of keys.entries()) expect(await second.begin({}, { startKey })).toBe(runIds[index]);
    expect(new Set(runIds.map((runId) => ownerOf(first, runId)))).toEqual(new Set(["node_a1", "node_b1"]));
    await first.pass(2000);
    for (const runId of runIds) {
      expect(await first.runtime.loadRow(runId)).toMatchObject({ status: "waiting" });
      expect(await second.operate(runId, { kind: "cancel" })).toMatchObject({ status: "cancelled" });
      await expect(first.operate(runId, { kind: "pause" })).rejects.toMatchObject({ code: "operation-not-possible" });
    }
    expect([...first.bank.effects().values()]).toEqual(keys.map(() => 1));
    expect(first.disk.messages.size).toBe(0);
  });

  test("a dead node's runs go on within a lease and two seconds, with every effect once", async () => {
    const { first, second } = await twoNodes();
    await first.publish([WAIT, PUT, LONG_WAIT]);
    const runIds: string[] = [];
    for (let index = 0; index < 8; index += 1) runIds.push(await first.begin());
    expect(new Set(runIds.map((runId) => ownerOf(first, runId)))).toEqual(new Set(["node_a1"]));
    first.kill();
    await second.pass(TAKEN_OVER_MS);
    expect(sharesOf(second)).toEqual({ node_b1: SHARDS });
    for (const runId of runIds) expect(await second.runtime.loadRow(runId)).toMatchObject({ status: "waiting" });
    expect([...second.bank.effects().values()]).toEqual(runIds.map(() => 1));
  });

  test("a node that loses the store sends nothing once its lease may have ended, and another goes on", async () => {
    let isCutOff = false;
    const faults: WorldOptions["faults"] = () => (isCutOff ? { kind: "failed-before" } : { kind: "none" });
    const first = new World({ node: { id: "a" }, faults });
    await first.start();
    first.bank.setFaults(faultsAt({ fault: { kind: "delay", ms: 3000 } }));
    await first.publish([TRANSFER]);
    const runId = await first.begin();
    await first.calm();
    isCutOff = true;
    const second = new World({ node: { id: "b", of: first } });
    await second.start();
    await second.pass(TAKEN_OVER_MS);
    expect(ownerOf(second, runId)).toBe("node_b1");
    // Sent, answered, and never stored: nobody knows.
    expect(await second.runtime.loadRow(runId)).toMatchObject({ inDoubt: 1 });
    isCutOff = false;
    await first.pass(TAKEN_OVER_MS);
    expect(await second.operate(runId, { kind: "settle", task: "transfer", verdict: { kind: "done", output: {} } })).toMatchObject({
      status: "completed",
    });
    expect([...first.bank.effects().values()]).toEqual([1]);
  });

  test("a word is obeyed once, though it was read before the lease was lost and the answer came when the shard was back", async () => {
    let state: "well" | "armed" | "cut off" = "well";
    const gate = Promise.withResolvers<void>();
    const first = new World({
      node: { id: "a" },
      faults: ({ method }) => {
        if (state === "cut off") return { kind: "failed-before" };
        if (state === "well" || method !== "readMessages") return { kind: "none" };
        state = "cut off";
        return { kind: "late", until: () => gate.promise };
      },
    });
    await first.start();
    const second = new World({ node: { id: "b", of: first } });
    await second.start();
    await second.pass(3000);
    await first.publish([PUT, { refuse: { raise: { error: { type: "https://example.com/refused", status: 400 } } } }]);
    const runId = await first.begin();
    expect((await first.wait(runId)).status).toBe("faulted");
    const { seq } = await first.runtime.loadRow(runId);
    state = "armed";
    await second.operate(runId, { kind: "resume" });
    expect(state).toBe("cut off");
    expect(ownerOf(second, runId)).toBe("node_b1");
    await second.pass(1000);
    const obeyed = await second.runtime.loadRow(runId);
    expect(obeyed).toMatchObject({ status: "faulted" });
    expect(obeyed.seq).toBeGreaterThan(seq);
    state = "well";
    await second.settle(second.runtime.stop());
    await first.pass(TAKEN_OVER_MS);
    expect(ownerOf(first, runId)).toBe("node_a1");
    gate.resolve();
    await first.pass(1000);
    expect(await first.runtime.loadRow(runId)).toMatchObject({ status: "faulted", seq: obeyed.seq });
  });

  test("events go on reaching runs after one was on its way to the store when the lease ended", async () => {
    let state: "well" | "armed" | "cut off" = "well";
    const gate = Promise.withResolvers<void>();
    const world = new World({
      node: { id: "a" },
      faults: ({ method }) => {
        if (state === "cut off") return { kind: "failed-before" };
        if (state === "well" || method !== "commit") return { kind: "none" };
        state = "cut off";
        return { kind: "late", until: () => gate.promise };
      },
    });
    await world.start();
    const hear = (type: string): JsonObject => ({ [type]: { listen: { to: { one: { with: { type } } } } } });
    await world.publish([hear("first"), hear("second")]);
    const runId = await world.begin();
    await world.pass(1000);
    state = "armed";
    await world.settle(world.runtime.acceptEvent({ specversion: "1.0", id: "1", source: "/test", type: "first" }));
    await world.pass(TAKEN_OVER_MS);
    expect(state).toBe("cut off");
    expect(world.disk.runs.get(runId)?.row.status).toBe("waiting");
    gate.resolve();
    await world.calm();
    state = "well";
    await world.pass(TAKEN_OVER_MS);
    await world.settle(world.runtime.acceptEvent({ specversion: "1.0", id: "2", source: "/test", type: "second" }));
    await world.pass(1000);
    expect(await world.runtime.loadRow(runId)).toMatchObject({ status: "completed" });
  });

  test("an event reaches listeners of both, a child its parent on the other, and a tick starts one run", async () => {
    const { first, second } = await twoNodes();
    const listen: JsonObject = { hear: { listen: { to: { one: { with: { type: "alarm" } } } } } };
    await first.publish([listen], { document: { name: "listener" } });
    await first.publish([WAIT], { document: { name: "child" } });
    const call: JsonObject = { below: { run: { workflow: { namespace: "test", name: "child", version: "1.0.0" } } } };
    await first.publish([call], { document: { name: "parent" } });
    await first.publish([{ tick: { set: { ticked: true } } }], { document: { name: "ticking" }, schedule: { every: { seconds: 10 } } });
    const runIds: string[] = [];
    for (const world of [first, second])
      for (let index = 0; index < 4; index += 1)
        runIds.push(await world.begin({}, { name: "listener" }), await world.begin({}, { name: "parent" }));
    await first.pass(1000);
    await first.settle(second.runtime.acceptEvent({ specversion: "1.0", id: "1", source: "/test", type: "alarm" }));
    await first.settle(second.runtime.setSchedule("test", "ticking", true));
    await first.pass(35_000);
    for (const runId of runIds) expect(await first.runtime.loadRow(runId)).toMatchObject({ status: "completed" });
    const ticks = (await first.runtime.list({ name: "ticking", limit: 100 })).runs.map(({ labels }) => labels["scheduledAt"]);
    expect(ticks).toHaveLength(3);
    expect(new Set(ticks).size).toBe(3);
  });

  test("a limit holds over runs of both, first come, first served", async () => {
    const { first, second } = await twoNodes();
    await first.publish([WAIT], { document: { metadata: { tutti: { concurrency: { key: '${ "door" }', limit: 1 } } } } });
    const runIds: string[] = [];
    for (let index = 0; index < 3; index += 1) for (const world of [first, second]) runIds.push(await world.begin());
    for (let done = 0; done <= runIds.length; done += 1) {
      const rows = await Promise.all(runIds.map((runId) => first.runtime.loadRow(runId)));
      expect(rows.map(({ status }) => status === "completed")).toEqual(runIds.map((_, index) => index < done));
      await first.pass(1000);
    }
  });
});
