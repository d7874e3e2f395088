import type { JsonObject } from "@tutti/model";
import type { Fault } from "@tutti/store";
import { buildEvent, callBank, createRandom, seededFaults } from "@tutti/testkit";
import { expect, test } from "vitest";
import { World } from "./runtime-for-tests.ts";

/** More with SEEDS=1000 in the environment; a seed repeats its walk exactly. */
const SEEDS = Number(process.env["SEEDS"] ?? 40);
const KILLS_MAX = 8;
const STORE_FAULT_RATE = 0.08;
const KILL_RATE = 0.03;

const call = (name: string, kind: string): JsonObject => callBank(name, `account.${kind}:1`, { amount: 1 });
const branch = (name: string, ...tasks: readonly JsonObject[]): JsonObject => ({ [name]: { do: tasks } });

/** A bit of everything whose effects can be told apart by token and never need a person. */
const PARENT: readonly JsonObject[] = [
  call("first", "open"),
  {
    both: {
      fork: {
        branches: [
          branch("left", call("l1", "put"), { pause: { wait: { seconds: 20 } } }, call("l2", "open")),
          branch(
            "middle",
            {
              hear: { listen: { to: { one: { with: { type: "go" }, correlate: { key: { from: "${ .data.key }", expect: "${ 1 }" } } } } } },
            },
            call("m1", "read"),
          ),
          branch(
            "right",
            { sub: { run: { workflow: { namespace: "test", name: "child", version: "1.0.0", input: {} } } } },
            call("r1", "put"),
          ),
        ],
      },
    },
  },
  { each: { for: { in: "${ [1, 2, 3] }" }, do: [call("item", "open")] } },
  { tell: { emit: { event: { with: { type: "done", source: "https://example.com" } } } } },
  call("last", "put"),
];
const CHILD: readonly JsonObject[] = [call("c1", "open"), { rest: { wait: { seconds: 5 } } }, call("c2", "put")];
const EFFECTS = 10;

/** All that can go wrong, chosen by the seed: kills, lost commits, lost answers, lost requests. */
async function walk(seed: number): Promise<void> {
  const random = createRandom(seed);
  const lostOnTheWay = seededFaults({
    seed,
    rate: 0.25,
    attemptsMax: 2,
    faults: [{ kind: "fail-after" }, { kind: "lose-before" }, { kind: "delay", ms: 500 }],
  });
  let kills = 0;
  let isCalm = true;
  const world = new World({
    bank: {
      // A look-up that fails the same way each time ends in doubt, rightly; here nobody is to be asked.
      faults: (request) => (request.phase === "find" ? undefined : lostOnTheWay(request)),
    },
    faults: ({ method }): Fault => {
      if (isCalm || method !== "commit" || !random.chance(STORE_FAULT_RATE)) return { kind: "none" };
      return random.pick<Fault>([{ kind: "failed-before" }, { kind: "failed-after" }]);
    },
    crashAt: () => {
      if (isCalm || kills >= KILLS_MAX || !random.chance(KILL_RATE)) return false;
      kills += 1;
      return true;
    },
  });
  await world.start();
  await world.publish(CHILD, { document: { name: "child" } });
  await world.publish(PARENT, { document: { name: "parent" } });
  isCalm = false;
  const runId = await insist(world, () => world.begin({}, { name: "parent", startKey: "one" }));
  await insist(world, () => world.settle(world.runtime.acceptEvent(buildEvent({ type: "go", id: "one", data: { key: 1 } }))));
  await insist(world, () => world.wait(runId, "rest"));
  isCalm = true;
  if (!world.isAlive) await world.restart();
  await world.pass(60_000);
  const { runs } = await world.runtime.list({ limit: 10 });
  expect(runs.map((run) => [run.name, run.status, run.inDoubt])).toEqual([
    ["child", "completed", 0],
    ["parent", "completed", 0],
  ]);
  expect([...world.bank.effects().values()]).toEqual(Array.from({ length: EFFECTS }, () => 1));
  expect((await world.runtime.listEvents(10)).map((event) => event.type).toSorted((a, b) => a.localeCompare(b))).toEqual(["done", "go"]);
  expect(world.disk.messages.size).toBe(0);
  expect(world.disk.dispatchCursor).toBe(2);
  for (const { row, records } of world.disk.runs.values()) {
    expect(records).toHaveLength(row.seq);
    const positions = records.filter((record) => record.text.includes('"event-received"'));
    expect(positions.length).toBeLessThanOrEqual(1);
  }
  expect((await world.runtime.diagnose()).attemptsInFlight).toBe(0);
}

/** Does it again, on a new process if need be, until it was acknowledged. */
async function insist<T>(world: World, wish: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      if (!world.isAlive) await world.restart();
      return await wish();
    } catch (error) {
      const isExcused = !world.isAlive || (error instanceof Error && "code" in error && error.code === "commit-outcome-unknown");
      if (!isExcused) throw error;
    }
  }
}

test.each(Array.from({ length: SEEDS }, (_, index) => index + 1))(
  "seed %i: every effect happens once, nothing is lost, nothing is stuck, nobody is asked",
  async (seed) => {
    await walk(seed);
  },
  60_000,
);
