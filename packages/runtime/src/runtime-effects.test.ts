import { defineConnector, z } from "@tutti/connector-kit";
import { ERROR_TYPE_BASE, type JsonObject } from "@tutti/model";
import { type AddressedFault, callBank, faultsAt, NO_FAULTS } from "@tutti/testkit";
import { describe, expect, test } from "vitest";
import { ABORT_GRACE_MS } from "./dispatcher.ts";
import { World } from "./runtime-for-tests.ts";

const OPEN = callBank("open", "account.open:1", { amount: 5 });
const TRANSFER = callBank("transfer", "account.transfer:1", { amount: 5 });
const PUT = callBank("put", "account.put:1", { amount: 5 });
const READ = callBank("read", "account.read:1", {});

function effectsOf(world: World): readonly number[] {
  return [...world.bank.effects().values()];
}

async function worldWith(fault: AddressedFault): Promise<World> {
  const world = new World({ bank: { faults: faultsAt(fault) } });
  await world.start();
  return world;
}

describe("an answer that is lost after the effect", () => {
  test.each([
    ["findable", OPEN],
    ["idempotent", PUT],
  ])("leads to the same result and one effect when the call is %s", async (_, task: JsonObject) => {
    const world = await worldWith({ fault: { kind: "fail-after" } });
    const view = await world.run([task]);
    expect(view.status).toBe("completed");
    expect(effectsOf(world)).toEqual([1]);
  });

  test("leaves an unsafe call in doubt until a person settles it", async () => {
    const world = await worldWith({ fault: { kind: "fail-after" } });
    const view = await world.run([TRANSFER]);
    expect(view.tasks[0]?.status).toBe("in-doubt");
    const runId = view.runId;
    expect((await world.runtime.loadRow(runId)).inDoubt).toBe(1);
    await world.operate(runId, { kind: "settle", task: "transfer", verdict: { kind: "done", output: { ok: true } } });
    expect(await world.wait(runId)).toMatchObject({ status: "completed", inDoubt: 0 });
    expect((await world.runtime.show(runId)).output).toEqual({ ok: true });
    expect(effectsOf(world)).toEqual([1]);
  });
});

describe("who waits until a person's turn", () => {
  const until = async (world: World, runId: string): Promise<string> => (await world.wait(runId, "person")).status;
  const EVENT: JsonObject = { hear: { listen: { to: { one: { with: { type: "told" } } } } } };
  const both = (other: JsonObject): JsonObject => ({ both: { fork: { branches: [TRANSFER, other] } } });

  test("is told when only a doubt is left, in the run or in one that it waits for", async () => {
    const world = await worldWith({ fault: { kind: "fail-after" } });
    await world.publish([TRANSFER], { document: { name: "inner" } });
    await world.publish([{ sub: { run: { workflow: { namespace: "test", name: "inner", version: "1.0.0" } } } }]);
    expect(await until(world, await world.begin({}, { name: "inner" }))).toBe("waiting");
    expect(await until(world, await world.begin())).toBe("waiting");
  });

  test("waits on while anything else may move it: a timer, an event, an attempt", async () => {
    const world = await worldWith({ fault: { kind: "fail-after" } });
    await world.publish([both({ pause: { wait: { minutes: 30 } } })]);
    const timed = await world.begin();
    const beginMs = world.clock.wallClockMs();
    expect(await until(world, timed)).toBe("waiting");
    expect(world.clock.wallClockMs() - beginMs).toBeGreaterThanOrEqual(30 * 60_000);
    await world.publish([both(EVENT)], { document: { name: "hears" } });
    await expect(until(world, await world.begin({}, { name: "hears" }))).rejects.toThrow("in vain");
  });

  test("is told of a run at rest as before", async () => {
    const world = await worldWith({ fault: { kind: "answer-error", status: 400 } });
    await world.publish([TRANSFER]);
    expect(await until(world, await world.begin())).toBe("faulted");
  });
});

test.each([
  ["does not fit", { id: "" }, "id: "],
  ["makes the schema itself fail", { id: { length: { toString: 0 } } }, "the schema itself fails on it (TypeError)"],
])("an output that %s is the task's error, and the effect is not made again", async (_, output, problem) => {
  let made = 0;
  const connector = defineConnector({
    name: "machines",
    version: "1.0.0",
    functions: {
      "vm.create:1": {
        title: "Create a machine",
        input: z.strictObject({}),
        output: z.object({ id: z.string().min(1) }),
        effect: "idempotent",
        requestTimeoutMs: 0,
        settleMs: 0,
        run: async () => {
          made += 1;
          return output;
        },
      },
    },
  });
  const world = new World({ connectors: [connector] });
  await world.start();
  await world.publish([{ create: { call: "vm.create:1@machines", with: {} } }]);
  const runId = await world.begin();
  expect((await world.wait(runId, "person")).status).toBe("faulted");
  expect((await world.runtime.show(runId)).error).toMatchObject({
    type: `${ERROR_TYPE_BASE}validation`,
    title: expect.stringContaining(problem) as string,
  });
  expect(made).toBe(1);
});

describe("a request that is lost before the effect", () => {
  test("is repeated for a findable call after the look-up found nothing", async () => {
    const world = await worldWith({ fault: { kind: "lose-before" } });
    const view = await world.run([OPEN]);
    expect(view.status).toBe("completed");
    expect(effectsOf(world)).toEqual([1]);
    expect(world.bank.calls().map((call) => call.phase)).toEqual(["run", "find", "run"]);
  });

  test("is repeated for an unsafe call only by a person's word", async () => {
    const world = await worldWith({ fault: { kind: "lose-before" } });
    const { runId } = await world.run([TRANSFER]);
    world.bank.setFaults(NO_FAULTS);
    await world.operate(runId, { kind: "settle", task: "transfer", verdict: { kind: "not-done", then: "run" } });
    expect(await world.wait(runId)).toMatchObject({ status: "completed" });
    expect(effectsOf(world)).toEqual([1]);
  });
});

test("a read that fails in an unexpected way is a failure and no doubt", async () => {
  const world = await worldWith({ fault: { kind: "answer-error", status: 503 } });
  const view = await world.run([READ]);
  expect(view.status).toBe("faulted");
  expect(view.error).toMatchObject({ status: 503 });
  await world.operate(view.runId, { kind: "retry", task: "read" });
  expect(await world.wait(view.runId)).toMatchObject({ status: "completed" });
});

test("arguments that do not fit never reach the connector", async () => {
  const world = new World();
  await world.start();
  const view = await world.run([callBank("put", "account.put:1", { amount: "${ .much }" })], { much: "a lot" });
  expect(view.status).toBe("faulted");
  expect(view.error?.["title"]).toContain("account.put:1@bank");
  expect(world.bank.calls()).toEqual([]);
});

describe("a timeout", () => {
  test("aborts the attempt, and the effect class decides", async () => {
    const world = await worldWith({ fault: { kind: "hang", effect: true } });
    const view = await world.run([callBank("open", "account.open:1", { amount: 5 }, { timeout: { after: { seconds: 2 } } })]);
    expect(["faulted", "completed"]).toContain(view.status);
    expect(effectsOf(world)).toEqual([1]);
  });

  test("of a function that ignores its signal ends after the grace", async () => {
    const { defineConnector, z } = await import("@tutti/connector-kit");
    const deaf = defineConnector({
      name: "deaf",
      version: "1.0.0",
      functions: {
        "go.on:1": {
          title: "Never ends",
          input: z.any(),
          output: z.any(),
          effect: "unsafe",
          requestTimeoutMs: 0,
          settleMs: 0,
          run: () => new Promise(() => undefined),
        },
      },
    });
    const world = new World({ connectors: [deaf] });
    await world.start();
    await world.publish([{ call: { call: "go.on:1@deaf", with: {}, timeout: { after: { seconds: 2 } } } }]);
    const runId = await world.begin();
    await world.pass(2000 + ABORT_GRACE_MS + 100);
    const view = await world.runtime.show(runId);
    expect(view.tasks[0]?.status).toBe("in-doubt");
  });
});

test("an output that is not plain JSON fails the task, and says where", async () => {
  const { defineConnector, z } = await import("@tutti/connector-kit");
  const odd = defineConnector({
    name: "odd",
    version: "1.0.0",
    functions: {
      "date.get:1": {
        title: "A date",
        input: z.any(),
        output: z.any(),
        effect: "read",
        requestTimeoutMs: 0,
        settleMs: 0,
        // A connector with a bug.
        run: async () => ({ when: new Date(0) }) as never,
      },
    },
  });
  const world = new World({ connectors: [odd] });
  await world.start();
  const view = await world.run([{ get: { call: "date.get:1@odd", with: {} } }]);
  expect(view.status).toBe("faulted");
  expect(view.error?.["title"]).toContain("/when");
});
