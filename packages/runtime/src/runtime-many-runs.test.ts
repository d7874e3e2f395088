import { callBank } from "@tutti/testkit";
import { describe, expect, test } from "vitest";
import { World, type WorldOptions } from "./runtime-for-tests.ts";

/** More than twice what makes the runtime store one half while the other takes its steps. */
const RUNS = 150;
const STEPS = [
  callBank("a", "account.put:1", { amount: 1 }),
  callBank("b", "account.open:1", { amount: 1 }),
  callBank("c", "account.put:1", { amount: 1 }),
];

/** A world whose store takes a millisecond for each commit. */
function slowWorld(options: Omit<WorldOptions, "faults">): World {
  const world: World = new World({
    ...options,
    faults: ({ method }) => (method === "commit" ? { kind: "delay", until: () => world.clock.sleep(1) } : { kind: "none" }),
  });
  return world;
}

async function beginAll(world: World): Promise<readonly string[]> {
  const begun: Promise<{ readonly runId: string }>[] = [];
  for (let run = 0; run < RUNS; run += 1)
    begun.push(world.runtime.startRun({ namespace: "test", name: "sample", version: "latest", input: { run }, actor: "tester" }));
  return (await world.settle(Promise.all(begun))).map(({ runId }) => runId);
}

async function finish(world: World, runIds: readonly string[]): Promise<void> {
  for (const runId of runIds) expect(await world.wait(runId, "final")).toMatchObject({ status: "completed", inDoubt: 0 });
  expect(world.bank.effects().size).toBe(RUNS * STEPS.length);
  expect(new Set(world.bank.effects().values())).toEqual(new Set([1]));
}

test("runs that move together are stored in two groups, so that one takes its steps while the other is stored", async () => {
  const sizes: number[] = [];
  const world = slowWorld({
    crashAt: (name, detail) => {
      if (name === "commit.before") sizes.push(Number(detail["runs"]));
      return false;
    },
  });
  await world.start();
  await world.publish(STEPS);
  await finish(world, await beginAll(world));
  expect(sizes[0]).toBe(RUNS);
  const groups = sizes.slice(1);
  expect(Math.max(...groups)).toBe(RUNS / 2);
  expect(groups.filter((size) => size === RUNS / 2).length).toBeGreaterThanOrEqual(2 * STEPS.length - 1);
});

test("runs that come due together are on time, however long a commit takes", async () => {
  const runs = 1700;
  const commitMs = 2000;
  let isSlow = false;
  const world: World = new World({
    faults: ({ method }) =>
      method === "commit" && isSlow ? { kind: "delay", until: () => world.clock.sleep(commitMs) } : { kind: "none" },
  });
  await world.start();
  await world.publish([{ rest: { wait: { minutes: 1 } } }]);
  const started = Array.from({ length: runs }, (_, run) =>
    world.runtime.startRun({ namespace: "test", name: "sample", version: "latest", input: { run }, actor: "tester" }),
  );
  const runIds = (await world.settle(Promise.all(started))).map(({ runId }) => runId);
  // By then they have left memory.
  await world.pass(30_000);
  isSlow = true;
  const lateness: number[] = [];
  for (const runId of runIds) {
    const { startedAtMs, endedAtMs } = await world.wait(runId, "final");
    lateness.push((endedAtMs ?? Number.NaN) - startedAtMs - 60_000);
  }
  expect(Math.max(...lateness)).toBeLessThan(commitMs / 2);
});

describe("a process that dies among many runs", () => {
  test.each([2, 3, 5, 8, 200, 260, 330, 400])("at its crash point number %i loses and repeats nothing", async (nth) => {
    let point = 0;
    let isLethal = false;
    const world = slowWorld({
      crashAt: (name) => {
        if (!isLethal || !(name === "commit.before" || name === "commit.after")) return false;
        point += 1;
        return point === nth;
      },
    });
    await world.start();
    await world.publish(STEPS);
    const runIds = await beginAll(world);
    isLethal = true;
    for (let turn = 0; turn < 100 && world.isAlive; turn += 1) await world.pass(1);
    expect(world.isAlive).toBe(false);
    isLethal = false;
    await world.restart();
    await finish(world, runIds);
  });
});
