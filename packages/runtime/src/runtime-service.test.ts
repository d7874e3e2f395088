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

test("a document with errors is refused with all of them, and is no version", async () => {
  const world = new World();
  const runtime = await world.start();
  const text = JSON.stringify({
    document: { dsl: "1.0.3", namespace: "test", name: "wrong", version: "1.0.0" },
    do: [{ jump: { set: {}, then: "nowhere" } }, { call: { call: "nobody.knows:1@it" } }],
  });
  await expect(runtime.publish({ text })).rejects.toMatchObject({ code: "definition-invalid" });
  expect(await runtime.listDefinitions()).toEqual([]);
});
