import { type ConnectorFunction, defineConnector, z } from "@tutti/connector-kit";
import type { EffectClass, JsonObject } from "@tutti/model";
import { callBank, createRandom } from "@tutti/testkit";
import { describe, expect, test } from "vitest";
import { CRASHES_MAX } from "./poison-watch.ts";
import { World } from "./runtime-for-tests.ts";

const PUT = callBank("put", "account.put:1", { amount: 5 });
/** Starts of the process after which a poisonous run has to be aside: three that it takes down and one or two that find it. */
const STARTS_MAX = CRASHES_MAX + 2;

/** `blow.up:1` ends the process while it is being called, as a fault in native code would; `work.long:1` takes five minutes. */
function bomb(world: () => World, effect: EffectClass): { isArmed: boolean; readonly connector: ReturnType<typeof defineConnector> } {
  const common = { input: z.any(), output: z.any(), requestTimeoutMs: 0, settleMs: 0 };
  const state = {
    isArmed: true,
    connector: defineConnector({
      name: "bomb",
      version: "1.0.0",
      functions: {
        "blow.up:1": {
          ...common,
          title: "Blows up",
          effect,
          ...(effect === "findable" ? { find: async () => undefined, unique: true } : {}),
          run: (async () => {
            if (state.isArmed) world().kill();
            return 1;
          }) satisfies ConnectorFunction["run"],
        },
      },
    }),
  };
  return state;
}

const BLOW: JsonObject = { blow: { call: "blow.up:1@bomb", with: {} } };

/** A world in which one run blows up and another waits a minute and works. */
async function poisoned(effect: EffectClass, tasks: readonly JsonObject[] = [PUT, BLOW]) {
  const holder: { world?: World } = {};
  const charge = bomb(() => holder.world as World, effect);
  const world = new World({ connectors: [charge.connector] });
  holder.world = world;
  await world.start();
  await world.publish(tasks, { document: { name: "poison" } });
  await world.publish([{ rest: { wait: { minutes: 1 } } }, PUT], { document: { name: "healthy" } });
  const healthy = await world.begin({}, { name: "healthy" });
  await world.runtime.startRun({ namespace: "test", name: "poison", version: "latest", input: {}, actor: "t" }).catch(() => undefined);
  await world.calm();
  const poison = [...world.disk.runs.keys()].find((runId) => runId !== healthy) as string;
  return { world, charge, healthy, poison };
}

/** What a command such as `tutti run show` does: owns the directory for a moment and looks. */
async function look(world: World, runId: string): Promise<void> {
  const { drive } = world.options;
  world.options = { ...world.options, drive: "asked" };
  await world.start();
  await world.runtime.show(runId);
  await world.settle(world.runtime.stop());
  world.options = { ...world.options, drive };
}

describe("a call that takes the process down", () => {
  for (const effect of ["read", "idempotent"] as const) {
    test(`is found and its run set aside, effect class ${effect}; everybody else goes on`, async () => {
      const { world, charge, healthy, poison } = await poisoned(effect);
      let starts = 0;
      for (; starts < 2 * STARTS_MAX && !world.isAlive; starts += 1) {
        await world.restart().catch(() => undefined);
        await world.calm();
      }
      expect({ isAlive: world.isAlive, isInTime: starts <= STARTS_MAX }).toEqual({ isAlive: true, isInTime: true });
      expect(await world.wait(poison)).toMatchObject({
        status: "quarantined",
        reason: expect.stringContaining("took the process down three times"),
      });
      expect(await world.wait(healthy)).toMatchObject({ status: "completed" });
      charge.isArmed = false;
      await world.operate(poison, { kind: "resume" });
      expect(await world.wait(poison)).toMatchObject({ status: "completed" });
    });

    test(`is found although other processes own the directory for a moment between the crashes, effect class ${effect}`, async () => {
      const { world, healthy, poison } = await poisoned(effect);
      let starts = 0;
      for (; starts < 2 * STARTS_MAX && !world.isAlive; starts += 1) {
        for (let short = 0; short < starts % 3; short += 1) await look(world, healthy);
        await world.restart().catch(() => undefined);
        await world.calm();
      }
      expect({ isAlive: world.isAlive, isInTime: starts <= STARTS_MAX }).toEqual({ isAlive: true, isInTime: true });
      expect(await world.wait(poison)).toMatchObject({ status: "quarantined" });
      expect(await world.wait(healthy)).toMatchObject({ status: "completed" });
    });
  }

  test("of one branch among others that do no harm is found", async () => {
    const branches: JsonObject[] = [{ one: PUT["put"] ?? null }, { two: BLOW["blow"] ?? null }, { three: PUT["put"] ?? null }];
    const { world, poison } = await poisoned("idempotent", [{ all: { fork: { branches } } }]);
    for (let starts = 0; starts < 2 * STARTS_MAX && !world.isAlive; starts += 1) {
      await world.restart().catch(() => undefined);
      await world.calm();
    }
    expect(world.isAlive).toBe(true);
    expect(await world.wait(poison)).toMatchObject({ status: "quarantined" });
  });

  test("when a parked run is woken is found", async () => {
    const { world, poison, healthy } = await poisoned("read", [{ rest: { wait: { minutes: 2 } } }, BLOW]);
    for (let starts = 0; starts < 2 * STARTS_MAX; starts += 1) {
      if (!world.isAlive) await world.restart().catch(() => undefined);
      if (world.isAlive) await world.pass(150_000);
      if (world.isAlive) break;
    }
    expect(world.isAlive).toBe(true);
    expect(await world.wait(poison)).toMatchObject({ status: "quarantined" });
    expect(await world.wait(healthy)).toMatchObject({ status: "completed" });
  });
});

describe("runs that do no harm", () => {
  test("are never set aside, however often the process is killed and whoever owns the directory in between", async () => {
    const random = createRandom(20_260);
    const world = new World();
    await world.start();
    await world.publish([
      PUT,
      { rest: { wait: { seconds: 20 } } },
      { again: PUT["put"] as JsonObject },
      { last: PUT["put"] as JsonObject },
    ]);
    const runs: string[] = [];
    for (let round = 0; round < 40; round += 1) {
      runs.push(await world.begin());
      await world.pass(random.integer(0, 9000));
      world.kill();
      for (let short = random.integer(0, 2); short > 0; short -= 1) await look(world, runs[0] as string);
      await world.start();
    }
    for (const runId of runs) expect(await world.wait(runId)).toMatchObject({ status: "completed" });
    await world.settle(world.runtime.stop());
    expect(world.disk.stoppedCleanly).toBe(true);
    expect([...world.disk.crashes]).toEqual([]);
  });
});
