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

const FAIL: JsonObject = { fail: { raise: { error: { type: "https://example.com/bad", status: 500, title: "bad" } } } };

function take(until: string, foreach: JsonObject): JsonObject {
  const { take: task } = listenTask(until) as { readonly take: { readonly with: { readonly subscription: JsonObject } } };
  const given = {
    ...task.with,
    subscription: { ...task.with.subscription, filter: "${ .n > $input.least and .n != $input.not }", foreach },
  };
  return { take: { ...task, with: given } };
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

  test("foreach goes through what it took: output and export of each, once all is stored", async () => {
    const told: string[] = [];
    const messages = [1, 2, 3, 4].map((n) => ({ n }));
    const world: World = new World({ connectors: [inbox(messages, told, () => world)] });
    await world.start();
    const foreach = {
      item: "message",
      at: "place",
      do: [{ twice: { set: { n: "${ $message.n * 2 }", place: "${ $place }", sum: "${ $context.sum }" } } }],
      output: { as: "[.n, .place, .sum]" },
      export: { as: "{ sum: ($context.sum + $message.n) }" },
    };
    const tasks: readonly JsonObject[] = [
      { begin: { set: { least: 0, not: 2 }, export: { as: "{ sum: 100 }" } } },
      take("${ length == 3 }", foreach),
      { after: { set: { took: "${ . }", sum: "${ $context.sum }" } } },
    ];
    const view = await world.run(tasks, null);
    expect(view.error).toBeUndefined();
    expect(view.output).toEqual({
      took: [
        [2, 0, 100],
        [6, 1, 101],
        [8, 2, 104],
      ],
      sum: 108,
    });
    expect(told).toHaveLength(1);
    await world.settle(world.runtime.stop());
  });

  test("foreach without tasks, and without messages", async () => {
    const world: World = new World({ connectors: [inbox([{ n: 1 }, { n: 2 }], [], () => world)] });
    await world.start();
    const foreach = { output: { as: "$item.n + $index" } };
    expect((await world.run([take("${ length == 2 }", foreach)], { least: 0, not: 9 })).output).toEqual([1, 3]);
    const none: World = new World({ connectors: [inbox([], [], () => none)] });
    await none.start();
    expect((await none.run([take("${ length == 2 }", foreach)], { least: 0, not: 9 })).output).toEqual([]);
  });

  test("an iteration that fails leaves the run at rest, and a resume goes on with that message, taking none anew", async () => {
    const told: string[] = [];
    const world: World = new World({ connectors: [inbox([{ n: 1 }, { n: 2 }, { n: 3 }], told, () => world)] });
    await world.start();
    const foreach: JsonObject = {
      do: [{ check: { switch: [{ bad: { when: "$item.n == 2 and .mended != true", then: "fail" } }, { good: { then: "exit" } }] } }, FAIL],
    };
    const view = await world.run([take("${ length == 3 }", foreach)], { least: 0, not: 9 });
    expect(view.status).toBe("faulted");
    const { runId } = view;
    await world.settle(world.runtime.operate({ runId, actor: "test", action: { kind: "skip", task: "fail", output: "skipped" } }));
    await world.settle(world.runtime.operate({ runId, actor: "test", action: { kind: "resume" } }).catch(() => undefined));
    const after = await world.settle(world.runtime.show(runId));
    expect(after.output).toEqual([{ n: 1 }, "skipped", { n: 3 }]);
    expect(told).toHaveLength(1);
    await world.settle(world.runtime.stop());
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
