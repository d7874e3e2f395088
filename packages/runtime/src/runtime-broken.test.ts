import { type Connector, z } from "@tutti/connector-kit";
import { callBank } from "@tutti/testkit";
import { setImmediate as turn } from "node:timers/promises";
import { expect, test } from "vitest";
import { World } from "./runtime-for-tests.ts";

/** A connector whose function makes the engine fail on the result of every look-up, while it `fails`: once each time, so that a replay goes well. */
function fragile(): { readonly connector: Connector; fails: boolean } {
  const state = { fails: true };
  let isNext = false;
  const connector: Connector = {
    name: "fragile",
    version: "1.0.0",
    functions: {
      "part.do:1": {
        title: "Says nothing sensible of itself, sometimes",
        input: z.looseObject({}),
        output: z.unknown(),
        effect: "findable",
        get settleMs(): number {
          if (!isNext) return 0;
          isNext = false;
          throw new Error("the function says nothing");
        },
        requestTimeoutMs: 1000,
        run: () => new Promise<never>(() => undefined),
        find: async () => {
          isNext = state.fails;
          return undefined;
        },
      },
    },
  };
  return Object.assign(state, { connector });
}

test("a run that the engine fails on after every load is set aside with the reason; the others go on, and a person brings it back", async () => {
  const broken = fragile();
  // As with a database: a write needs a turn of the event loop, a read of a local file does not.
  const world = new World({
    connectors: [broken.connector],
    faults: ({ method }) => (method === "commit" ? { kind: "delay", until: turn } : { kind: "none" }),
  });
  await world.start();
  await world.publish([{ rest: { wait: { minutes: 1 } } }, callBank("put", "account.put:1", { amount: 5 })], {
    document: { name: "neighbour" },
  });
  const neighbour = await world.begin({}, { name: "neighbour" });
  await world.publish([{ act: { call: "part.do:1@fragile", with: {} } }]);
  const runId = await world.begin();
  await world.calm();
  await world.restart();
  expect(await world.wait(runId)).toMatchObject({ status: "quarantined", reason: expect.stringContaining("the function says nothing") });
  expect(await world.wait(neighbour)).toMatchObject({ status: "completed" });
  const tries = world.reports.filter((line) => line.includes("could not take a fact"));
  expect(tries.length).toBeGreaterThan(1);
  expect(tries.length).toBeLessThan(10);
  broken.fails = false;
  await world.operate(runId, { kind: "resume" });
  await world.pass(5000);
  expect((await world.runtime.show(runId)).status).toBe("running");
});
