import type { Json, JsonObject } from "@tutti/model";
import { callBank } from "@tutti/testkit";
import { describe, expect, test } from "vitest";
import { World } from "./runtime-for-tests.ts";

const PUT = callBank("put", "account.put:1", { amount: 5 });
const MIB = 1024 * 1024;

/** A world in which another run waits a minute and works: it must not notice anything. */
async function withNeighbour(): Promise<{ readonly world: World; readonly neighbour: string }> {
  const world = new World();
  await world.start();
  await world.publish([{ rest: { wait: { minutes: 1 } } }, PUT], { document: { name: "neighbour" } });
  return { world, neighbour: await world.begin({}, { name: "neighbour" }) };
}

async function livesOn(world: World, neighbour: string): Promise<void> {
  expect(world.isAlive).toBe(true);
  expect(await world.wait(neighbour)).toMatchObject({ status: "completed" });
}

describe("what a workflow computes ends with an error that names the task, and its neighbours go on", () => {
  const cases: readonly { readonly name: string; readonly tasks: readonly JsonObject[]; readonly says: RegExp }[] = [
    { name: "an expression without end", tasks: [{ bad: { set: { x: '${ last(repeat("a")) }' } } }], says: /step|fuel|long|limit/i },
    {
      name: "an expression that makes too much",
      tasks: [{ bad: { set: { x: "${ [range(1000000000)] }" } } }],
      says: /step|fuel|large|limit/i,
    },
    {
      name: "an expression that makes too long a text",
      tasks: [{ bad: { set: { x: '${ reduce range(40) as $i ("ab"; . + .) }' } } }],
      says: /large|long|limit|size/i,
    },
    {
      name: "a loop over a million elements",
      tasks: [{ bad: { for: { in: "[range(1000000)]" }, do: [PUT] } }],
      says: /100,?000|limit|step/i,
    },
    {
      name: "a jump back for ever",
      tasks: [{ first: { set: { a: 1 } } }, { bad: { set: { b: 1 }, then: "first" } }],
      says: /too many steps/,
    },
  ];
  for (const { name, tasks, says } of cases) {
    test(`ends as an error: ${name}`, async () => {
      const { world, neighbour } = await withNeighbour();
      const view = await world.run(tasks);
      expect(view.status).toBe("faulted");
      expect(JSON.stringify(view.error)).toMatch(says);
      expect(JSON.stringify(view.error?.["instance"])).toMatch(/bad|first/);
      await livesOn(world, neighbour);
    });
  }

  test("a workflow that runs itself", async () => {
    const { world, neighbour } = await withNeighbour();
    const again = { again: { run: { workflow: { namespace: "test", name: "sample", version: "1.0.0" } } } };
    await world.publish([again]);
    const runId = await world.begin();
    const row = await world.wait(runId);
    expect(row.status).toBe("faulted");
    const view = await world.runtime.show(runId);
    expect(JSON.stringify(view.error)).toMatch(/deep|depth|nested/i);
    await livesOn(world, neighbour);
  });
});

describe("what is too large, or no text, is refused at the door", () => {
  test("an input of 50 MiB", async () => {
    const { world, neighbour } = await withNeighbour();
    await world.publish([PUT]);
    await expect(world.begin({ text: "x".repeat(50 * MIB) })).rejects.toMatchObject({
      code: "payload-too-large",
      message: expect.stringMatching(/16777216.*artifact/),
    });
    await livesOn(world, neighbour);
  });

  test("a value that is not plain JSON", async () => {
    const { world, neighbour } = await withNeighbour();
    await world.publish([PUT]);
    const around: JsonObject = {};
    Object.assign(around, { around });
    await expect(world.begin(around)).rejects.toMatchObject({ code: "input-invalid" });
    await livesOn(world, neighbour);
  });

  test("half a surrogate pair travels as it is, over a restart, or is refused; it is never replaced in silence", async () => {
    const { world, neighbour } = await withNeighbour();
    await world.publish([{ keep: { set: { text: "${ .text }" } } }, { rest: { wait: { seconds: 5 } } }]);
    const input: Json = { text: "a\ud800b" };
    const runId = await world.begin(input);
    await world.restart();
    expect(await world.wait(runId)).toMatchObject({ status: "completed" });
    expect((await world.runtime.show(runId)).output).toEqual(input);
    await livesOn(world, neighbour);
  });

  test("keys that JavaScript's objects know by themselves are keys like others", async () => {
    const { world, neighbour } = await withNeighbour();
    const input = JSON.parse('{"__proto__": {"polluted": true}, "constructor": {"prototype": {"polluted": true}}}') as Json;
    await world.publish([{ merge: { set: "${ . * {more: 1} | del(.more) }" } }, { rest: { wait: { seconds: 5 } } }]);
    const runId = await world.begin(input);
    await world.restart();
    expect(await world.wait(runId)).toMatchObject({ status: "completed" });
    expect(JSON.stringify((await world.runtime.show(runId)).output)).toBe(JSON.stringify(input));
    expect(Reflect.get({}, "polluted")).toBeUndefined();
    await livesOn(world, neighbour);
  });
});

describe("documents that blow up when they are read are refused", () => {
  const HEAD = "document: { dsl: 1.0.3, namespace: test, name: bomb, version: 1.0.0 }\n";
  const bomb = ["a: &a [x, x, x, x, x, x, x, x, x]"];
  for (let level = 1; level < 10; level++) {
    const before = String.fromCharCode(96 + level);
    const name = String.fromCharCode(97 + level);
    bomb.push(`${name}: &${name} [${Array.from({ length: 9 }, () => `*${before}`).join(", ")}]`);
  }
  const texts: Readonly<Record<string, string>> = {
    "a thousand million aliases": `${HEAD}metadata:\n  ${bomb.join("\n  ")}\ndo: [ { a: { set: { b: 1 } } } ]\n`,
    "an anchor that holds itself": `${HEAD}do: &list\n  - a: { set: { again: *list } }\n`,
    "nesting without end": `${HEAD}do: ${"[".repeat(200_000)}`,
  };
  for (const [name, text] of Object.entries(texts)) {
    test(`is refused: ${name}`, async () => {
      const { world, neighbour } = await withNeighbour();
      await expect(world.runtime.publish({ text })).rejects.toMatchObject({
        code: expect.stringMatching(/^definition-invalid|too-large$/),
      });
      await livesOn(world, neighbour);
    });
  }
});

test("a run whose records can't be read is named; everybody else goes on", async () => {
  const { world, neighbour } = await withNeighbour();
  await world.publish([{ slow: { call: "account.read:1@bank", with: { account: "a" } } }, { rest: { wait: { seconds: 30 } } }, PUT]);
  const runId = await world.begin();
  await world.calm();
  world.kill();
  world.disk.damage(runId);
  await world.start();
  await livesOn(world, neighbour);
  await expect(world.runtime.show(runId)).rejects.toMatchObject({ code: "store-damaged", message: expect.stringContaining(runId) });
  expect(world.reports.join("\n")).toContain(runId);
});
