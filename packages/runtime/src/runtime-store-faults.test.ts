import type { Fault } from "@tutti/store";
import { buildEvent, callBank } from "@tutti/testkit";
import { describe, expect, test } from "vitest";
import { World } from "./runtime-for-tests.ts";

const CALLS = [
  callBank("a", "account.transfer:1", { amount: 1 }),
  callBank("b", "account.open:1", { amount: 1 }),
  callBank("c", "account.transfer:1", { amount: 1 }),
];

/** The n-th commit of the world suffers the fault. */
async function worldWith(nth: number, fault: Fault): Promise<World> {
  const world = new World({ faults: ({ method, ordinal }) => (method === "commit" && ordinal === nth ? fault : { kind: "none" }) });
  await world.start();
  return world;
}

describe.each(["failed-before", "failed-after"] as const)("a commit that %s", (kind) => {
  test.each([1, 2, 3, 4, 5, 6, 7])("as number %i loses nothing, repeats nothing and asks nobody", async (nth) => {
    const world = await worldWith(nth, { kind });
    await world.publish(CALLS);
    let runId: string;
    try {
      runId = await world.begin();
    } catch (error) {
      expect(error).toMatchObject({ code: "commit-outcome-unknown" });
      expect([nth, kind]).toEqual([1, "failed-before"]);
      return;
    }
    expect(await world.wait(runId)).toMatchObject({ status: "completed", inDoubt: 0 });
    expect([...world.bank.effects().values()]).toEqual([1, 1, 1]);
    const records = await world.runtime.records(runId, 1, 100);
    expect(records.map((record) => record.seq)).toEqual(records.map((_, index) => index + 1));
  });
});

test("a start is answered, also when the store will not say at first whether a commit of unknown outcome was carried out", async () => {
  let commits = 0;
  let looks = 0;
  const world = new World({
    faults: ({ method }) => {
      if (method === "commit" && ++commits === 1) return { kind: "failed-after" };
      // The first look after it finds the run, the second is to find its record.
      if (method === "loadRun" && commits > 0 && ++looks === 2) return { kind: "failed-before" };
      return { kind: "none" };
    },
  });
  await world.start();
  await world.publish(CALLS);
  const runId = await world.begin();
  expect(looks).toBeGreaterThan(2);
  expect(await world.wait(runId)).toMatchObject({ status: "completed" });
});

test("an operator is told whether the word was stored when the commit's outcome is unknown", async () => {
  let fault: Fault = { kind: "none" };
  const world = new World({ faults: ({ method }) => (method === "commit" ? fault : { kind: "none" }) });
  await world.start();
  await world.publish([{ rest: { wait: { hours: 1 } } }]);
  const runId = await world.begin();
  await world.calm();
  fault = { kind: "failed-after" };
  const pausing = world.operate(runId, { kind: "pause" });
  await world.calm();
  fault = { kind: "none" };
  expect((await pausing).status).toBe("suspended");
});

test("a full store refuses what is new and goes on by itself when there is space", async () => {
  let isFull = false;
  const world = new World({ faults: ({ method }) => (isFull && method === "commit" ? { kind: "store-full" } : { kind: "none" }) });
  await world.start();
  await world.publish([{ rest: { wait: { seconds: 10 } } }, ...CALLS]);
  const runId = await world.begin();
  await world.calm();
  isFull = true;
  await expect(world.begin()).rejects.toMatchObject({ code: "store-full" });
  await world.pass(30_000);
  expect(world.bank.calls()).toEqual([]);
  await expect(world.begin()).rejects.toMatchObject({ code: "store-full" });
  await expect(world.operate(runId, { kind: "cancel" })).rejects.toMatchObject({ code: "store-full" });
  isFull = false;
  expect(await world.wait(runId)).toMatchObject({ status: "completed" });
  expect([...world.bank.effects().values()]).toEqual([1, 1, 1]);
});

test("a full store that only refused a start takes the next one when there is space", async () => {
  let isFull = true;
  const world = new World({ faults: ({ method }) => (isFull && method === "commit" ? { kind: "store-full" } : { kind: "none" }) });
  await world.start();
  await world.publish(CALLS);
  await expect(world.begin()).rejects.toMatchObject({ code: "store-full" });
  isFull = false;
  await world.pass(10_000);
  expect(await world.wait(await world.begin())).toMatchObject({ status: "completed" });
});

test("a full store that fails otherwise when there is space again takes what comes, also when no run moves", async () => {
  let fault: Fault = { kind: "none" };
  const world = new World({ faults: ({ method }) => (method === "commit" ? fault : { kind: "none" }) });
  await world.start();
  await world.publish([{ rest: { wait: { seconds: 10 } } }, { far: { wait: { hours: 5 } } }]);
  await world.begin();
  await world.calm();
  fault = { kind: "store-full" };
  await world.pass(12_000);
  await expect(world.begin()).rejects.toMatchObject({ code: "store-full" });
  // It is stored, and nobody is told: loaded again, the run has nothing to do for hours.
  fault = { kind: "failed-after" };
  await world.pass(10_000);
  fault = { kind: "none" };
  await world.pass(10_000);
  await world.begin();
});

test("a store that fails every commit is not tried without pause, and goes on when it works again", async () => {
  let isBroken = false;
  let commits = 0;
  const world = new World({
    faults: ({ method }) => {
      if (method !== "commit") return { kind: "none" };
      commits += 1;
      return { kind: isBroken ? "failed-before" : "none" };
    },
  });
  await world.start();
  await world.publish([{ rest: { wait: { seconds: 1 } } }, ...CALLS]);
  const runId = await world.begin();
  isBroken = true;
  const before = commits;
  await world.pass(60_000);
  expect(commits - before).toBeLessThan(30);
  isBroken = false;
  expect(await world.wait(runId)).toMatchObject({ status: "completed", inDoubt: 0 });
  expect([...world.bank.effects().values()]).toEqual([1, 1, 1]);
});

test("a damaged run is named, and the others go on", async () => {
  const world = new World();
  await world.start();
  await world.publish([{ rest: { wait: { minutes: 1 } } }, ...CALLS]);
  const bad = await world.begin();
  const good = await world.begin();
  await world.calm();
  world.kill();
  world.disk.damage(bad);
  await world.restart();
  expect(await world.wait(good)).toMatchObject({ status: "completed" });
  await expect(world.runtime.show(bad)).rejects.toMatchObject({ code: "store-damaged" });
  expect((await world.runtime.diagnose()).store.damage.map((one) => one.runId)).toEqual([bad]);
});

describe("a store that fails for a while", () => {
  test("does not keep a run from being loaded after a restart", async () => {
    let failures = 0;
    const world = new World({
      faults: ({ method }) => (method === "loadRecords" && failures-- > 0 ? { kind: "failed-before" } : { kind: "none" }),
    });
    await world.start();
    await world.publish([callBank("a", "account.put:1", { amount: 1 })]);
    world.bank.setFaults(() => ({ kind: "hang", effect: false }));
    const runId = await world.begin();
    await world.calm();
    world.kill();
    world.bank.setFaults(() => undefined);
    failures = 3;
    await world.start();
    expect(await world.wait(runId)).toMatchObject({ status: "completed" });
  });

  test("does not make a parked run miss an event", async () => {
    let failures = 0;
    const world = new World({
      faults: ({ method }) => (method === "loadRecords" && failures-- > 0 ? { kind: "failed-before" } : { kind: "none" }),
    });
    await world.start();
    await world.publish([{ hear: { listen: { to: { one: { with: { type: "go" } } } } } }]);
    const runId = await world.begin();
    await world.wait(runId, "parked");
    // Long enough to leave the memory.
    await world.pass(60_000);
    failures = 2;
    await world.settle(world.runtime.acceptEvent(buildEvent({ type: "go", data: 1 })));
    expect(await world.wait(runId)).toMatchObject({ status: "completed" });
  });

  test("does not stop the handing out of events when a step fails to be stored while other runs are offered the same event", async () => {
    const inFlight = Promise.withResolvers<void>();
    const loading = Promise.withResolvers<void>();
    const calls: [method: string, fault: Fault][] = [];
    const world = new World({
      faults: ({ method }) => {
        if (calls[0]?.[0] !== method) return { kind: "none" };
        return calls.shift()?.[1] ?? { kind: "none" };
      },
    });
    await world.start();
    const hear = { hear: { listen: { to: { one: { with: { type: "go" } } } } } };
    await world.publish([{ both: { fork: { branches: [hear, { rest: { wait: { minutes: 1 } } }] } } }]);
    await world.publish([hear], { document: { name: "other" } });
    const moving = await world.begin();
    const other = await world.begin({}, { name: "other" });
    // Long enough for both to leave the memory; then the first has its timer, and that step is on its way to the store.
    await world.pass(59_000);
    // It fails for the second time, so that some time passes until the next one.
    calls.push(["commit", { kind: "failed-before" }], ["commit", { kind: "delay", until: () => inFlight.promise }]);
    await world.pass(2000);
    calls.push(["loadRecords", { kind: "delay", until: () => loading.promise }]);
    await world.settle(world.runtime.acceptEvent(buildEvent({ type: "go", data: 1 })));
    await world.calm();
    expect(calls).toEqual([]);
    inFlight.reject(new Error("The disk has failed."));
    await world.calm();
    loading.resolve();
    await world.calm();
    expect(await world.wait(other)).toMatchObject({ status: "completed" });
    expect(await world.wait(moving)).toMatchObject({ status: "completed" });
  });
});
