import type { JsonObject } from "@tutti/model";
import { callBank, faultsAt } from "@tutti/testkit";
import { describe, expect, test } from "vitest";
import { World } from "./runtime-for-tests.ts";

const DAY_MS = 24 * 60 * 60 * 1000;
const PUT = callBank("put", "account.put:1", { amount: 5 });
/** Ten minutes of work with a limit of an hour; what is inside fails at first. */
const LIMITED: JsonObject = {
  limited: { timeout: { after: { hours: 1 } }, do: [{ rest: { wait: { minutes: 10 } } }, PUT, { more: { wait: { minutes: 10 } } }] },
};

function refusing(): World {
  return new World({ bank: { faults: faultsAt({ fault: { kind: "answer-error", status: 400 }, attempt: 1 }) } });
}

describe("time that a person takes does not count against a limit", () => {
  for (const isRestarted of [false, true]) {
    test(`a faulted run is resumed a day later and has as much left as it had${isRestarted ? ", after a restart" : ""}`, async () => {
      const world = refusing();
      await world.start();
      await world.publish([LIMITED]);
      const runId = await world.begin();
      expect(await world.wait(runId)).toMatchObject({ status: "faulted" });
      await world.pass(DAY_MS);
      if (isRestarted) await world.restart();
      await world.operate(runId, { kind: "resume" });
      expect(await world.wait(runId)).toMatchObject({ status: "completed" });
    });
  }

  test("what is left of it still counts after the resumption", async () => {
    const world = refusing();
    await world.start();
    const tasks: JsonObject[] = [{ rest: { wait: { minutes: 10 } } }, PUT, { long: { wait: { minutes: 51 } } }];
    await world.publish([{ limited: { timeout: { after: { hours: 1 } }, do: tasks } }]);
    const runId = await world.begin();
    expect(await world.wait(runId)).toMatchObject({ status: "faulted" });
    await world.pass(DAY_MS);
    await world.operate(runId, { kind: "resume" });
    const before = world.clock.monotonicMs();
    expect(await world.wait(runId)).toMatchObject({ status: "faulted", errorType: expect.stringMatching(/timeout$/) });
    expect(Math.round((world.clock.monotonicMs() - before) / 60_000)).toBe(50);
  });

  test("a suspended run goes on as if no time had passed, without being woken meanwhile", async () => {
    const world = new World();
    await world.start();
    await world.publish([LIMITED]);
    const runId = await world.begin();
    await world.pass(60_000);
    await world.operate(runId, { kind: "pause" });
    await world.pass(DAY_MS);
    expect(await world.runtime.loadRow(runId)).toMatchObject({ status: "suspended", wakeAtMs: undefined });
    await world.operate(runId, { kind: "resume" });
    expect(await world.wait(runId)).toMatchObject({ status: "completed" });
  });

  test("a limit that seemed exceeded when the process came back is not, though a person is quicker than the step that would say so", async () => {
    const gate = Promise.withResolvers<void>();
    let marks = Number.NEGATIVE_INFINITY;
    const world = new World({
      bank: { faults: faultsAt({ fault: { kind: "hang", effect: false }, attempt: 1 }) },
      // The load is marked, and so is each first step after it: here they wait.
      faults: ({ method }) =>
        method === "markSuspect" && (marks += 1) > 1 ? { kind: "late", until: () => gate.promise } : { kind: "none" },
    });
    await world.start();
    await world.publish([LIMITED]);
    const runId = await world.begin();
    await world.pass(11 * 60_000);
    await world.operate(runId, { kind: "pause" });
    world.kill();
    await world.clock.advance(DAY_MS);
    marks = 0;
    await world.start();
    const resumed = world.runtime.operate({ runId, actor: "ana", action: { kind: "resume" } });
    await world.calm();
    expect(marks).toBeGreaterThan(1);
    gate.resolve();
    await world.settle(resumed);
    expect(await world.wait(runId)).toMatchObject({ status: "completed" });
  });

  test("an attempt that is under way is held to its own limit also while the run is suspended", async () => {
    const world = new World({ bank: { faults: faultsAt({ fault: { kind: "hang", effect: false }, attempt: 1 }) } });
    await world.start();
    await world.publish([{ put: { ...(PUT["put"] as JsonObject), timeout: { after: { minutes: 5 } } } }]);
    const runId = await world.begin();
    await world.operate(runId, { kind: "pause" });
    await world.pass(10 * 60_000);
    expect(await world.runtime.loadRow(runId)).toMatchObject({ status: "faulted", errorType: expect.stringMatching(/timeout$/) });
  });
});

test("a wait is for a moment: it is over when the run is resumed after it", async () => {
  const world = new World();
  await world.start();
  await world.publish([{ rest: { wait: { hours: 1 } } }, PUT]);
  const runId = await world.begin();
  await world.operate(runId, { kind: "pause" });
  await world.pass(DAY_MS);
  await world.operate(runId, { kind: "resume" });
  const before = world.clock.monotonicMs();
  expect(await world.wait(runId)).toMatchObject({ status: "completed" });
  expect(world.clock.monotonicMs() - before).toBeLessThan(1000);
});
