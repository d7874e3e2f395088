import { describe, expect, test } from "vitest";
import { World } from "./runtime-for-tests.ts";

const step = (name: string, more = {}) => ({ [name]: { call: "step.run:1@bank", with: { value: "${ . }" }, ...more } });

describe("a run", () => {
  test("of one call goes from start to completed", async () => {
    const world = new World();
    await world.start();
    await world.publish([step("one")]);
    const runId = await world.begin({ a: 1 });
    const row = await world.wait(runId);
    expect(world.reports).toEqual([]);
    expect(row.status).toBe("completed");
    const view = await world.runtime.show(runId);
    expect(view.output).toEqual({ value: { a: 1 } });
    expect(view.tasks.map((task) => [task.name, task.status, task.attempts])).toEqual([["one", "completed", 1]]);
  });
});
