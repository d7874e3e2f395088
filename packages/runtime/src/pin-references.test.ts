import { AppError } from "@tutti/model";
import { describe, expect, test } from "vitest";
import type { ReferenceReader } from "./reference-reader.ts";
import { World } from "./runtime-for-tests.ts";

const HEAD = "document: { dsl: 1.0.3, namespace: test, name: main, version: 1.0.0 }\n";
const CATALOGS = "use: { catalogs: { ours: { endpoint: https://x.test/cat/ } } }\n";

/** Texts by URL, and what was asked for. */
function outside(texts: Record<string, string>): ReferenceReader & { readonly asked: string[] } {
  const asked: string[] = [];
  return {
    asked,
    read: async ({ uri, from, baseDirectory }) => {
      const url = new URL(uri, from ?? (baseDirectory === undefined ? undefined : `file://${baseDirectory}/`)).href;
      asked.push(url);
      const text = texts[url];
      if (text === undefined) throw new AppError("reference-unreachable", `${url}: status 404.`);
      return { url, text };
    },
  };
}

async function run(world: World, text: string, given: { readonly baseDirectory?: string } = {}): Promise<unknown> {
  const runtime = await world.start();
  await world.settle(runtime.publish({ text: HEAD + text, ...given }));
  return world.settle(finish(world));
}

async function finish(world: World): Promise<unknown> {
  const { runtime } = world;
  const { runId } = await runtime.startRun({ namespace: "test", name: "main", version: "1.0.0", input: { n: 2 }, actor: "t" });
  await runtime.waitFor(runId, "rest", new AbortController().signal);
  const view = await runtime.show(runId);
  return view.error ?? view.output;
}

const DOUBLE = "https://x.test/cat/functions/double/1.0.0/function.yaml";

describe("functions from outside", () => {
  test("of a catalog: read once, when the document is published; what the catalog says later changes nothing", async () => {
    const texts: Record<string, string> = {
      [DOUBLE]: "input: { schema: { document: { type: object, required: [n] } } }\nset: { twice: '${ .n * 2 }' }\n",
    };
    const references = outside(texts);
    const world = new World({ references });
    const text = `${CATALOGS}do: [ { a: { call: "double:1.0.0@ours", with: { n: "\${ .n }" } } } ]`;
    expect(await run(world, text)).toEqual({ twice: 4 });
    expect(references.asked).toEqual([DOUBLE]);
    texts[DOUBLE] = "raise: { error: { type: other, status: 500 } }";
    const runtime = await world.restart();
    const { created, definition } = await world.settle(runtime.publish({ text: HEAD + text }));
    expect(created).toBe(false);
    expect(definition.digest).toBe((await runtime.loadDefinition("test", "main", "1.0.0")).digest);
    expect(await world.settle(finish(world))).toEqual({ twice: 4 });
    expect(references.asked).toEqual([DOUBLE]);
  });

  test("by URL and by file; their own references are relative to where they stand, and bring their schemas and scripts", async () => {
    const references = outside({
      "file:///flows/functions/outer.yaml": "do: [ { inner: { call: ./inner.yaml, with: { n: '${ .n + 1 }' } } } ]",
      "file:///flows/functions/inner.yaml": "output: { schema: { resource: { endpoint: ../schemas/number.json } } }\nset: '${ .n }'\n",
      "file:///flows/schemas/number.json": '{ "type": "number", "maximum": 3 }',
    });
    const text = 'do: [ { a: { call: ./functions/outer.yaml, with: { n: "${ .n }" } } } ]';
    expect(await run(new World({ references }), text, { baseDirectory: "/flows" })).toBe(3);
    const large = "do: [ { a: { call: ./functions/outer.yaml, with: { n: 3 } } } ]";
    expect(await run(new World({ references }), large, { baseDirectory: "/flows" })).toMatchObject({ status: 400 });
  });

  test("show as the task of a function, and are extended like one", async () => {
    const references = outside({ [DOUBLE]: "set: { f: 1 }" });
    const world = new World({ references });
    await run(
      world,
      "use: { catalogs: { ours: { endpoint: https://x.test/cat } }, extensions: [ { e: { extend: set, before: [ { x: { wait: PT0S } } ] } } ] }\ndo: [ { a: { call: double:1.0.0@ours } } ]",
    );
    const [latest] = (await world.runtime.list({ limit: 1 })).runs;
    const view = await world.runtime.show(latest?.runId ?? "");
    expect(view.tasks[0]?.children[0]).toMatchObject({ path: "/do/a/call/double:1.0.0@ours", children: [{ name: "x" }] });
  });

  test.each([
    ["is not there", {}, "reference-unreachable", /double:1\.0\.0@ours of the catalog ours \(\/do\/0\/a\/call\): .*404/],
    ["is no task", { [DOUBLE]: "nothing: here" }, "reference-invalid", /function\.yaml:1:1 /],
    ["is no YAML", { [DOUBLE]: "a: [" }, "reference-invalid", /function\.yaml:1:/],
    ["has an error", { [DOUBLE]: "set:\n  x: ${ .a + }\n" }, "reference-invalid", /function\.yaml:2:/],
    ["wants what is the workflow's own", { [DOUBLE]: "call: helper" }, "reference-invalid", /There is no function `helper`/],
    ["calls itself", { [DOUBLE]: `do: [ { a: { call: '${DOUBLE}' } } ]` }, "reference-invalid", /calls itself/],
  ])("one that %s is refused before anything is published", async (_what, texts, code, message) => {
    const world = new World({ references: outside(texts) });
    const runtime = await world.start();
    const text = `${HEAD}use: { catalogs: { ours: { endpoint: https://x.test/cat } }, functions: { helper: { set: { x: 1 } } } }\ndo: [ { a: { call: double:1.0.0@ours } } ]`;
    await expect(world.settle(runtime.publish({ text }))).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
    expect(await runtime.listDefinitions()).toEqual([]);
  });

  test("functions that call each other many times are refused as too many tasks", async () => {
    const at = (n: number): string => `https://x.test/f${n}.yaml`;
    const texts = Object.fromEntries(
      Array.from({ length: 30 }, (_, n) => [at(n), `do: [ { a: { call: '${at(n + 1)}' } }, { b: { call: '${at(n + 1)}' } } ]`]),
    );
    const world = new World({ references: outside({ ...texts, [at(30)]: "set: { x: 1 }" }) });
    const runtime = await world.start();
    const text = `${HEAD}do: [ { a: { call: '${at(0)}' } } ]`;
    await expect(world.settle(runtime.publish({ text }))).rejects.toMatchObject({ code: "definition-invalid" });
  });
});

test("a schema from outside holds for the input, and an expression as its place is refused", async () => {
  const references = outside({ "https://x.test/s.json": '{ "required": ["m"] }' });
  const world = new World({ references });
  const runtime = await world.start();
  await world.settle(
    runtime.publish({
      text: `${HEAD}input: { schema: { resource: { endpoint: https://x.test/s.json } } }\ndo: [ { a: { set: { x: 1 } } } ]`,
    }),
  );
  await expect(world.settle(finish(world))).rejects.toMatchObject({ code: "input-invalid" });
  const text = `${HEAD.replace("1.0.0", "2.0.0")}input: { schema: { resource: { endpoint: 'https://x.test/{name}.json' } } }\ndo: [ { a: { set: { x: 1 } } } ]`;
  await expect(world.settle(runtime.publish({ text }))).rejects.toMatchObject({ code: "reference-invalid" });
});
