import { defineConnector, z } from "@tutti/connector-kit";
import type { Json, JsonObject } from "@tutti/model";
import { callBank, faultsAt } from "@tutti/testkit";
import { describe, expect, test } from "vitest";
import { World } from "./runtime-for-tests.ts";

const CRASHES_PER_WALK_MAX = 60;

const call = (name: string, kind = "open", more: JsonObject = {}): JsonObject => callBank(name, `account.${kind}:1`, { amount: 1 }, more);

const WORKFLOWS: Readonly<Record<string, readonly JsonObject[]>> = {
  sequence: [call("a"), call("b", "put"), call("c")],
  reads: [call("a", "read"), call("b"), call("c", "read")],
  fork: [{ both: { fork: { branches: [call("x"), call("y", "put"), call("z")] } } }, call("after")],
  loop: [{ each: { for: { in: "${ [1, 2, 3] }" }, do: [call("item")] } }],
  wait: [call("a"), { pause: { wait: { seconds: 30 } } }, call("b")],
  catch: [
    {
      attempt: {
        try: [{ boom: { raise: { error: { type: "https://example.com/x", status: 400, title: "boom" } } } }],
        catch: { do: [call("repair")] },
      },
    },
  ],
  retry: [
    {
      attempt: {
        try: [
          call("a"),
          { boom: { if: "${ .amount == 1 }", raise: { error: { type: "https://example.com/x", status: 400, title: "boom" } } } },
        ],
        catch: { retry: { delay: { seconds: 1 }, limit: { attempt: { count: 2 } } }, do: [call("repair", "put")] },
      },
    },
  ],
  emit: [{ tell: { emit: { event: { with: { type: "told", source: "https://example.com", data: 1 } } } } }, call("a")],
};

/** Runs the workflow, killing the process at each crash point that `kill` names, and gives what can be seen of the end. */
async function outcome(
  tasks: readonly JsonObject[],
  kill?: (name: string, detail: Readonly<Record<string, Json>>) => boolean,
): Promise<unknown> {
  const world = new World(kill === undefined ? {} : { crashAt: kill });
  await world.start();
  await world.publish(tasks);
  // The id is known before the start is acknowledged, as with a start key.
  const request = { namespace: "test", name: "sample", version: "latest", input: {}, actor: "tester", startKey: "one" };
  let runId: string | undefined;
  for (let crashes = 0; crashes < CRASHES_PER_WALK_MAX; crashes += 1) {
    try {
      if (!world.isAlive) await world.restart();
      runId ??= (await world.settle(world.runtime.startRun(request))).runId;
      const row = await world.wait(runId, "rest");
      const view = await world.runtime.show(runId);
      return {
        status: row.status,
        output: view.output,
        tasks: view.tasks.map((task) => [task.name, task.status, task.output]),
        effects: [...world.bank.effects().values()].toSorted((a, b) => a - b),
        events: (await world.runtime.listEvents(10)).map((event) => event.id),
      };
    } catch (error) {
      if (world.isAlive) throw error;
    }
  }
  throw new Error("The run never came to rest.");
}

/** Tokens differ with nothing: run id is derived, so whole outcomes can be compared. */
describe.each(Object.entries(WORKFLOWS))("%s", (_, tasks) => {
  test("ends the same when the process is killed after every commit, once each", async () => {
    const undisturbed = await outcome(tasks);
    const seen = new Set<string>();
    const walked = await outcome(tasks, (name, detail) => {
      if (name !== "commit.after") return false;
      const records = detail["records"] as readonly JsonObject[];
      // The logical position: attempts repeat after a kill, positions do not.
      const key = JSON.stringify(records.map(({ type, path, outcome: kind }) => [type, path ?? null, kind ?? null]));
      if (seen.has(key)) return false;
      seen.add(key);
      return true;
    });
    expect(walked).toEqual(undisturbed);
    expect(seen.size).toBeGreaterThan(1);
  });

  test.each(["commit.before", "attempt.before", "attempt.after", "look-up.before", "acknowledge.before"])(
    "ends the same when the process is killed at the first, second, third … %s",
    async (point) => {
      const undisturbed = await outcome(tasks);
      for (let nth = 1; nth <= 6; nth += 1) {
        let count = 0;
        const walked = await outcome(tasks, (name) => name === point && (count += 1) === nth);
        expect(walked).toEqual(undisturbed);
        if (count < nth) break;
      }
    },
  );
});

test("an unsafe call that was interrupted by a kill is in doubt, and goes on when settled", async () => {
  let count = 0;
  const world = new World({ crashAt: (name) => name === "attempt.after" && (count += 1) === 1 });
  await world.start();
  await world.publish([call("pay", "transfer"), call("after")]);
  const runId = await world.begin().catch(() => "run_0000000000000001");
  await world.calm();
  expect(world.isAlive).toBe(false);
  await world.restart();
  await world.wait(runId, "parked");
  expect((await world.runtime.show(runId)).tasks.map((task) => task.status)).toEqual(["in-doubt"]);
  await world.operate(runId, {
    kind: "settle",
    task: "/do/pay",
    verdict: { kind: "done", output: { account: "main", amount: 1, token: "x" } },
  });
  expect(await world.wait(runId)).toMatchObject({ status: "completed" });
  expect([...world.bank.effects().values()]).toEqual([1, 1]);
});

test("a read whose time was over when the process died is not sent again: its task fails in time", async () => {
  const world = new World({
    bank: { faults: faultsAt({ function: "account.read:1", attempt: "every", fault: { kind: "hang", effect: false } }) },
    crashAt: (name, detail) => name === "commit.after" && (detail["types"] as readonly string[]).includes("timer-fired"),
  });
  await world.start();
  await world.publish([call("look", "read", { timeout: { after: "PT5S" } })]);
  const runId = await world.begin();
  await world.pass(5000);
  expect(world.isAlive).toBe(false);
  await world.restart();
  expect(await world.wait(runId)).toMatchObject({ status: "faulted" });
  expect((await world.runtime.show(runId)).error).toMatchObject({ status: 408, instance: "/do/0/look" });
});

test("an effect that was made late, since its attempt waited for its turn, is found after a crash and not made again", async () => {
  const made: { readonly token: string; readonly visibleAtMs: number }[] = [];
  const world: World = new World({
    connectors: [
      defineConnector({
        name: "slow",
        version: "1.0.0",
        functions: {
          "thing.make:1": {
            title: "Make",
            input: z.any(),
            output: z.any(),
            effect: "findable",
            requestTimeoutMs: 1000,
            settleMs: 30_000,
            concurrencyMax: 1,
            run: async (_, { token, signal }) => {
              made.push({ token, visibleAtMs: world.clock.wallClockMs() + 20_000 });
              // The first holds up the second, which is under way when the process dies.
              if (made.length <= 2) await world.clock.sleep(10 * 60_000, signal);
              return "made";
            },
            find: async (_, { token }) =>
              made.some((one) => one.token === token && one.visibleAtMs <= world.clock.wallClockMs()) ? "found" : undefined,
          },
        },
      }),
    ],
  });
  await world.start();
  await world.publish([{ make: { call: "thing.make:1@slow", with: {} } }]);
  await world.begin();
  const second = await world.begin();
  await world.pass(10 * 60_000 + 1000);
  expect(made).toHaveLength(2);
  await world.restart();
  await world.wait(second);
  expect(await world.runtime.show(second)).toMatchObject({ status: "completed", output: "found" });
  expect(made).toHaveLength(2);
});
