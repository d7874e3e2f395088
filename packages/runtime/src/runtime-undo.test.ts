import { type Connector, defineConnector, type Undo, z } from "@tutti/connector-kit";
import type { JsonObject } from "@tutti/model";
import { expect, test } from "vitest";
import { World } from "./runtime-for-tests.ts";

/** Boxes that are there, by provider and id, and what was done in order. */
class Boxes {
  readonly there = new Map<string, string>();
  readonly done: string[] = [];

  connector(undo: Undo = { call: "box.drop:1", with: { id: "${ .output.id }", size: "${ .input.size }" } }): Connector {
    const traits = { output: z.custom<JsonObject>(), effect: "idempotent", requestTimeoutMs: 0, settleMs: 0 } as const;
    return defineConnector({
      name: "boxes",
      version: "1.0.0",
      configuration: z.strictObject({ shelf: z.string() }),
      functions: {
        "box.make:1": {
          ...traits,
          title: "Makes a box",
          input: z.strictObject({ name: z.string(), size: z.string() }),
          undo,
          run: async (input, { provider }) => {
            const id = `${provider?.name ?? ""}/${input["name"] as string}`;
            this.there.set(id, input["size"] as string);
            this.done.push(`make ${id}`);
            return { id };
          },
        },
        "box.drop:1": {
          ...traits,
          title: "Drops a box",
          input: z.strictObject({ id: z.string(), size: z.string() }),
          run: async (input, { provider }) => {
            const id = input["id"] as string;
            if (this.there.get(id) === input["size"]) this.there.delete(id);
            this.done.push(`drop ${id} on ${provider?.name ?? ""}`);
            return null;
          },
        },
      },
    });
  }
}

async function worldWith(boxes: Boxes): Promise<World> {
  const world = new World({ connectors: [boxes.connector()] });
  await world.start();
  for (const name of ["left", "right"])
    await world.runtime.addProvider({
      name,
      connector: "boxes",
      configuration: { shelf: name },
      credentials: {},
      replace: false,
      dryRun: false,
    });
  return world;
}

const make = (name: string, more: JsonObject = {}): JsonObject => ({
  call: "box.make:1@boxes",
  with: { provider: "${ .on }", name, size: "m" },
  output: { as: "${ $input }" },
  ...more,
});
const saga = (...tasks: JsonObject[]): JsonObject[] => [
  {
    s: {
      metadata: { tutti: { saga: {} } },
      do: [
        ...tasks.map((task, index) => ({ [`t${index}`]: task })),
        { boom: { raise: { error: { type: "https://x.test/e", status: 500 } } } },
      ],
    },
  },
];

async function play(world: World, tasks: JsonObject[], name: string): Promise<string> {
  await world.publish(tasks, { document: { name } });
  const runId = await world.begin({ on: "right" }, { name });
  await world.wait(runId, "parked");
  return (await world.runtime.show(runId)).status;
}

test("a call whose connector says how it is undone is undone in a saga, on its own provider, by what the connector gave", async () => {
  const boxes = new Boxes();
  const world = await worldWith(boxes);
  expect(await play(world, saga(make("a"), make("b")), "plain")).toBe("faulted");
  expect(boxes.done).toEqual(["make right/a", "make right/b", "drop right/b on right", "drop right/a on right"]);
  expect(boxes.there.size).toBe(0);
});

test("what the author says goes before the connector's undo; an empty list switches it off", async () => {
  const boxes = new Boxes();
  const world = await worldWith(boxes);
  const own = {
    metadata: { tutti: { compensate: [{ other: { call: "box.make:1@boxes", with: { provider: "left", name: "instead", size: "m" } } }] } },
  };
  expect(await play(world, saga(make("a", own), make("b", { metadata: { tutti: { compensate: [] } } })), "own")).toBe("faulted");
  expect(boxes.done).toEqual(["make right/a", "make right/b", "make left/instead"]);
});

test("a workflow is undone as its connectors said when it was published, also after they have changed", async () => {
  const boxes = new Boxes();
  const world = await worldWith(boxes);
  await world.publish(saga(make("a"), { wait: { minutes: 1 } }), { document: { name: "pinned" } });
  const runId = await world.begin({ on: "right" }, { name: "pinned" });
  world.kill();
  world.options = { ...world.options, connectors: [boxes.connector({ call: "box.make:1", with: { name: "wrong", size: "x" } })] };
  await world.start();
  await world.wait(runId, "rest");
  expect(boxes.done).toEqual(["make right/a", "drop right/a on right"]);
});
