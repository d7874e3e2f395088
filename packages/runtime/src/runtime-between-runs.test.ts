import type { JsonObject } from "@tutti/model";
import { buildEvent, callBank } from "@tutti/testkit";
import { describe, expect, test } from "vitest";
import { World } from "./runtime-for-tests.ts";

const PUT = callBank("put", "account.put:1", { amount: 5 });
const CHILD: JsonObject = {
  call: { run: { workflow: { namespace: "test", name: "child", version: "1.0.0", input: { from: "parent" } } } },
};

async function startedWorld(options: ConstructorParameters<typeof World>[0] = {}): Promise<World> {
  const world = new World(options);
  await world.start();
  return world;
}

async function publishFamily(world: World, child: readonly JsonObject[], parent: readonly JsonObject[] = [CHILD]): Promise<void> {
  await world.publish(child, { document: { name: "child" } });
  await world.publish(parent, { document: { name: "parent" } });
}

describe("a child run", () => {
  test("gives its output to its parent", async () => {
    const world = await startedWorld();
    await publishFamily(world, [{ set: { set: { got: "${ .from }" } } }]);
    const runId = await world.begin({}, { name: "parent" });
    expect(await world.wait(runId, "parked")).toMatchObject({ status: "completed" });
    expect((await world.runtime.show(runId)).output).toEqual({ got: "parent" });
    expect(world.disk.messages.size).toBe(0);
  });

  test("that faults faults its parent; resuming the parent resumes the same child", async () => {
    const world = await startedWorld();
    await publishFamily(world, [callBank("read", "account.read:1", {})]);
    world.bank.setFaults((request) => (request.attempt === 1 ? { kind: "answer-error", status: 500 } : undefined));
    const runId = await world.begin({}, { name: "parent" });
    expect(await world.wait(runId)).toMatchObject({ status: "faulted" });
    await world.operate(runId, { kind: "resume" });
    expect(await world.wait(runId, "final")).toMatchObject({ status: "completed" });
    expect((await world.runtime.list({ limit: 10 })).runs.map((run) => run.status)).toEqual(["completed", "completed"]);
  });

  test("of an unknown workflow is refused", async () => {
    const world = await startedWorld();
    await world.publish([CHILD], { document: { name: "parent" } });
    const runId = await world.begin({}, { name: "parent" });
    const row = await world.wait(runId);
    expect(row.status).toBe("faulted");
    expect((await world.runtime.show(runId)).error?.title).toContain("test/child");
    expect(world.disk.messages.size).toBe(0);
  });

  test("is cancelled with its parent", async () => {
    const world = await startedWorld();
    await publishFamily(world, [{ rest: { wait: { hours: 1 } } }]);
    const runId = await world.begin({}, { name: "parent" });
    await world.calm();
    await world.operate(runId, { kind: "cancel" });
    await world.calm();
    expect((await world.runtime.list({ limit: 10 })).runs.map((run) => run.status)).toEqual(["cancelled", "cancelled"]);
  });

  test("ends the same when the process is killed at every commit", async () => {
    for (let nth = 1; nth <= 12; nth += 1) {
      let count = 0;
      const world = await startedWorld({ crashAt: (name) => name === "commit.after" && (count += 1) === nth });
      await publishFamily(world, [PUT], [CHILD, callBank("after", "account.open:1", {})]);
      let runId = "run_0000000000000001";
      try {
        runId = await world.begin({}, { name: "parent" });
        await world.wait(runId);
      } catch (error) {
        if (world.isAlive) throw error;
        await world.restart();
      }
      expect(await world.wait(runId)).toMatchObject({ status: "completed" });
      expect([...world.bank.effects().values()]).toEqual([1, 1]);
      expect((await world.runtime.list({ limit: 10 })).runs).toHaveLength(2);
      expect(world.disk.messages.size).toBe(0);
      if (count < nth) break;
    }
  });
});

describe("a concurrency slot", () => {
  const LIMITED = { document: { metadata: { tutti: { concurrency: { key: '${ "door" }', limit: 1 } } } } };
  const TASKS = [{ rest: { wait: { minutes: 10 } } }, PUT];

  test("lets one run in at a time, in order", async () => {
    const world = await startedWorld();
    await world.publish(TASKS, LIMITED);
    const first = await world.begin();
    const second = await world.begin();
    await world.pass(11 * 60_000);
    expect((await world.runtime.loadRow(first)).status).toBe("completed");
    expect((await world.runtime.loadRow(second)).status).toBe("waiting");
    await world.pass(11 * 60_000);
    expect((await world.runtime.loadRow(second)).status).toBe("completed");
  });

  test("is granted after a restart too", async () => {
    const world = await startedWorld();
    await world.publish(TASKS, LIMITED);
    const first = await world.begin();
    const second = await world.begin();
    await world.pass(60_000);
    await world.restart();
    await world.operate(first, { kind: "cancel" });
    expect(await world.wait(second)).toMatchObject({ status: "completed" });
  });
});

describe("an event", () => {
  const listen = (more: JsonObject = {}): JsonObject => ({ hear: { listen: { to: { one: { with: { type: "order.paid" }, ...more } } } } });
  const CORRELATED = listen({ correlate: { order: { from: "${ .data.order }", expect: "${ .order }" } } });

  test("wakes the run that listens for it, also when it is parked", async () => {
    const world = await startedWorld();
    await world.publish([listen()]);
    const runId = await world.begin();
    await world.pass(60_000);
    expect((await world.runtime.diagnose()).loadedRuns).toBe(0);
    await world.runtime.acceptEvent(buildEvent({ type: "order.lost", id: "other" }));
    await world.runtime.acceptEvent(buildEvent({ type: "order.paid", data: { a: 1 } }));
    expect(await world.wait(runId)).toMatchObject({ status: "completed" });
    expect((await world.runtime.show(runId)).output).toEqual([{ a: 1 }]);
    expect(world.disk.dispatchCursor).toBe(2);
  });

  test("that came before the task counts only for a correlated listener", async () => {
    const world = await startedWorld();
    await world.publish([{ rest: { wait: { minutes: 1 } } }, listen()], { document: { name: "deaf" } });
    await world.publish([{ rest: { wait: { minutes: 1 } } }, CORRELATED], { document: { name: "keen" } });
    const deaf = await world.begin({ order: 7 }, { name: "deaf" });
    const keen = await world.begin({ order: 7 }, { name: "keen" });
    await world.calm();
    await world.runtime.acceptEvent(buildEvent({ type: "order.paid", id: "a", data: { order: 8 } }));
    await world.runtime.acceptEvent(buildEvent({ type: "order.paid", id: "b", data: { order: 7 } }));
    await world.pass(120_000);
    expect((await world.runtime.loadRow(deaf)).status).toBe("waiting");
    expect((await world.runtime.loadRow(keen)).status).toBe("completed");
  });

  test("is accepted once, and reaches each run once over restarts", async () => {
    const world = await startedWorld();
    await world.publish([listen(), listen()].map((task, index) => ({ [`hear${index}`]: task["hear"] as JsonObject })));
    const runId = await world.begin();
    await world.calm();
    const event = buildEvent({ type: "order.paid", data: 1 });
    expect(await world.runtime.acceptEvent(event)).toEqual({ position: 1, duplicate: false });
    expect(await world.runtime.acceptEvent(event)).toEqual({ position: 1, duplicate: true });
    await world.calm();
    world.disk.dispatchCursor = 0;
    await world.restart();
    await world.calm();
    expect((await world.runtime.show(runId)).tasks.map((task) => task.status)).toEqual(["completed", "waiting"]);
    await world.runtime.acceptEvent({ ...event, id: "next" });
    expect(await world.wait(runId)).toMatchObject({ status: "completed" });
  });

  test("accepted just before a kill reaches its run after the restart", async () => {
    let isArmed = false;
    const world = await startedWorld({ crashAt: (name) => isArmed && name === "commit.before" });
    await world.publish([listen()]);
    const runId = await world.begin();
    await world.calm();
    isArmed = true;
    await world.runtime.acceptEvent(buildEvent({ type: "order.paid" }));
    await world.calm();
    expect(world.isAlive).toBe(false);
    isArmed = false;
    await world.restart();
    expect(await world.wait(runId)).toMatchObject({ status: "completed" });
  });

  test("emitted by one run wakes another", async () => {
    const world = await startedWorld();
    await world.publish([listen()], { document: { name: "listener" } });
    await world.publish([{ tell: { emit: { event: { with: { type: "order.paid", source: "https://example.com", data: 3 } } } } }], {
      document: { name: "teller" },
    });
    const listener = await world.begin({}, { name: "listener" });
    await world.calm();
    await world.wait(await world.begin({}, { name: "teller" }));
    expect(await world.wait(listener)).toMatchObject({ status: "completed" });
  });

  test("without id, source or type is refused", async () => {
    const world = await startedWorld();
    await expect(world.runtime.acceptEvent({ specversion: "1.0", id: "", source: "x", type: "y" })).rejects.toMatchObject({
      code: "event-invalid",
    });
  });
});

describe("a process that drives only what it is asked for", () => {
  test("leaves the others alone until they are driven, and drives children of its own", async () => {
    const world = await startedWorld();
    await world.publish([{ rest: { wait: { minutes: 1 } } }, PUT]);
    const other = await world.begin();
    await world.calm();
    world.options = { ...world.options, drive: "asked" };
    await world.restart();
    await world.pass(120_000);
    expect((await world.runtime.loadRow(other)).status).toBe("waiting");
    await publishFamily(world, [PUT]);
    const parent = await world.begin({}, { name: "parent" });
    expect(await world.wait(parent)).toMatchObject({ status: "completed" });
    expect((await world.runtime.loadRow(other)).status).toBe("waiting");
    await world.settle(world.runtime.drive(other));
    expect(await world.wait(other)).toMatchObject({ status: "completed" });
  });
});

test("a request for a slot that is withdrawn before it was stored leaves nothing behind", async () => {
  const world = new World();
  await world.start();
  const slot = { tutti: { concurrency: { key: '"k"', limit: 1, onConflict: "queue" } } };
  await world.publish([{ hold: { do: [{ rest: { wait: { minutes: 5 } } }], metadata: slot } }], { document: { name: "holder" } });
  await world.publish([
    {
      race: {
        fork: {
          compete: true,
          branches: [{ waiting: { do: [callBank("x", "account.put:1")], metadata: slot } }, { quick: { set: { done: true } } }],
        },
      },
    },
  ]);
  await world.begin({}, { name: "holder" });
  await world.calm();
  const runId = await world.begin();
  expect(await world.wait(runId)).toMatchObject({ status: "completed" });
  await world.pass(10 * 60_000);
  expect(world.disk.slots.size).toBe(0);
});

test("a subscription that is given up before it was stored leaves nothing behind", async () => {
  const world = await startedWorld();
  const hear = { hear: { listen: { to: { one: { with: { type: "never" } } } } } };
  const view = await world.run([{ race: { fork: { compete: true, branches: [hear, { quick: { set: { x: 1 } } }] } } }]);
  expect(view.status).toBe("completed");
  expect([...(world.disk.runs.get(view.runId)?.subscriptions.values() ?? [])]).toEqual([]);
});

test.each(["queue", "replace"])(
  "a slot that is asked for again (%s) after a restart, and was lost to another run, stays with that one",
  async (onConflict) => {
    let isArmed = true;
    const world = await startedWorld({ crashAt: (name) => isArmed && name === "commit.after" });
    const hold = (minutes: number, how: string): JsonObject => ({
      hold: { do: [{ rest: { wait: { minutes } } }], metadata: { tutti: { concurrency: { key: '"k"', limit: 1, onConflict: how } } } },
    });
    await world.publish([hold(5, onConflict)], { document: { name: "first" } });
    await world.publish([hold(1, "replace")], { document: { name: "second" } });
    // It dies when the slot is granted and nobody has recorded that.
    const first = await world.begin({}, { name: "first" });
    expect(world.isAlive).toBe(false);
    isArmed = false;
    world.options = { ...world.options, drive: "asked" };
    await world.restart();
    const second = await world.begin({}, { name: "second" });
    await world.calm();
    await world.settle(world.runtime.drive(first));
    expect(await world.wait(first)).toMatchObject({ status: "faulted" });
    await world.settle(world.runtime.drive(second));
    expect(await world.wait(second)).toMatchObject({ status: "completed" });
    await world.pass(10 * 60_000);
    expect(world.disk.slots.size).toBe(0);
  },
);
