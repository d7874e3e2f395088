import { createMemoryStore, MemoryDisk } from "@tutti/store";
import { createBank, createRandom } from "@tutti/testkit";
import { expect, test } from "vitest";
import { Scheduler } from "./scheduler.ts";
import { SimClock } from "./sim-clock.ts";
import { SimProcess } from "./sim-process.ts";

test("a pause does not cut a longer one short: what was put off until its end comes no sooner", () => {
  const scheduler = new Scheduler(createRandom(1));
  const process = new SimProcess({
    scheduler,
    clock: new SimClock(() => scheduler.nowMs, 0),
    random: createRandom(1),
    secrets: {},
    limits: {},
    clockRate: 1,
    isMonotonicWall: false,
    makeStore: () => createMemoryStore(new MemoryDisk()),
    makeConnector: () => createBank({ nowMs: () => 0, sleep: async () => undefined }).connector,
    diesAt: () => false,
    reported: () => undefined,
  });
  process.pauseUntil(100);
  process.pauseUntil(10);
  expect(process.pausedUntilMs).toBe(100);
  process.pauseUntil(200);
  expect(process.pausedUntilMs).toBe(200);
});
