import { type Attempt, defineConnector, z } from "@tutti/connector-kit";
import type { Json, JsonObject } from "@tutti/model";
import { describe, expect, test } from "vitest";
import { World } from "./runtime-for-tests.ts";

/** A stand-in for the call `asyncapi`: it has messages, asks about them, and is told when what it took is stored. */
function inbox(messages: readonly Json[], told: string[], world: () => World) {
  return defineConnector({
    name: "inbox",
    version: "1.0.0",
    functions: {
      asyncapi: {
        title: "Takes messages",
        input: z.any(),
        output: z.any(),
        effect: "read",
        requestTimeoutMs: 0,
        settleMs: 0,
        run: async (_input: JsonObject, attempt: Attempt): Promise<Json> => {
          const taken: Json[] = [];
          for (const message of messages) {
            if (!(await attempt.ask("filter", message))) continue;
            taken.push(message);
            if (await attempt.ask("until", taken)) break;
          }
          attempt.afterStored(async () => {
            const row = await world().runtime.loadRow(attempt.runId);
            told.push(`stored, run ${row.status}`);
          });
          return taken;
        },
      },
    },
  });
}

function listenTask(until: string): JsonObject {
  return {
    take: {
      call: "asyncapi",
      with: {
        document: { endpoint: "https://example.com/asyncapi.json" },
        operation: "onOrder",
        subscription: { filter: "${ .n > $input.least and .n != $context.not }", consume: { until } },
      },
    },
  };
}

describe("a call that asks while it runs, and takes what it was lent", () => {
  test("its questions see the message and the task's data, and it is told once its output is stored", async () => {
    const told: string[] = [];
    const messages = [1, 2, 3, 4, 5].map((n) => ({ n }));
    const world: World = new World({ connectors: [inbox(messages, told, () => world)] });
    await world.start();
    const view = await world.run([listenTask("${ length == 2 }")], { least: 1, not: 3 });
    expect(view.output).toEqual([{ n: 2 }, { n: 4 }]);
    await world.settle(world.runtime.stop());
    expect(told).toEqual(["stored, run completed"]);
  });

  test("a question that fails is the task's error, and nothing is taken", async () => {
    const told: string[] = [];
    const world: World = new World({ connectors: [inbox([{ n: 9 }], told, () => world)] });
    await world.start();
    const view = await world.run([listenTask('${ error("no") }')], { least: 1, not: 3 });
    expect(view.status).toBe("faulted");
    expect(view.error?.type).toContain("/errors/expression");
    await world.settle(world.runtime.stop());
    expect(told).toEqual([]);
  });
});
