import { ConnectorError, defineConnector, z } from "@tutti/connector-kit";
import type { Json, JsonObject } from "@tutti/model";
import { describe, expect, test } from "vitest";
import { World } from "../runtime-for-tests.ts";
import type { Runtime } from "../runtime.ts";
import type { ChangePreview } from "./change-preview.ts";
import { PREVIEW_CALL_MS } from "./preview-attempt.ts";

const textOf = (value: Json | undefined): string => (typeof value === "string" ? value : "");
const KEY = "correct-horse-battery";

/** A system of things, as connectors see one. */
class System {
  readonly things = new Set<string>();
  readonly asked: string[] = [];
  hangs = false;

  readonly connector = defineConnector({
    name: "shelf",
    version: "1.0.0",
    resources: {
      thing: {
        title: "Thing",
        schema: z.custom<Json>(),
        id: (thing) => textOf(thing),
        read: async (id) => (this.things.has(id) ? id : undefined),
        list: async () => [...this.things],
      },
    },
    functions: {
      "thing.make:1": {
        title: "Makes a thing",
        input: z.strictObject({ name: z.string(), key: z.string().optional() }),
        output: z.custom<JsonObject>(),
        effect: "idempotent",
        requestTimeoutMs: 0,
        settleMs: 0,
        creates: "thing",
        undo: { call: "thing.drop:1", with: { name: "${ .output.name }" } },
        run: async (input, { token }) => {
          const name = textOf(input["name"]);
          this.things.add(name);
          return { name, serial: token.slice(-4) };
        },
        preview: async (input, { token }) => {
          const name = textOf(input["name"]);
          this.asked.push(`${name} with ${textOf(input["key"])}`);
          if (name === "forbidden") throw new ConnectorError("forbidden is reserved", { kind: "validation", outcome: "answered" });
          if (this.hangs) return new Promise(() => undefined);
          const made = { kind: "create" as const, resource: "thing", name: `${name} ${token.slice(-4)}`, isReversible: true };
          return { effects: this.things.has(name) ? [] : [made], output: { name } };
        },
      },
      "thing.drop:1": {
        title: "Drops a thing",
        input: z.strictObject({ name: z.string() }),
        output: z.custom<JsonObject>(),
        effect: "idempotent",
        requestTimeoutMs: 0,
        settleMs: 0,
        deletes: "thing",
        irreversible: true,
        run: async ({ name }) => {
          this.things.delete(textOf(name));
          return {};
        },
      },
      "thing.list:1": {
        title: "Lists things",
        input: z.strictObject({}),
        output: z.custom<Json>(),
        effect: "read",
        requestTimeoutMs: 0,
        settleMs: 0,
        run: async () => {
          if (this.hangs) return new Promise(() => undefined);
          return [...this.things, KEY];
        },
      },
    },
  });
}

const WORKFLOW = { namespace: "test", name: "case", version: "1.0.0" };
const DO: readonly JsonObject[] = [
  { list: { call: "thing.list:1@shelf", with: {} } },
  { a: { call: "thing.make:1@shelf", with: { name: "${ $workflow.input.name }", key: "${ $secrets.key }" } } },
  { b: { if: '${ .serial != "none" }', call: "thing.make:1@shelf", with: { name: "${ .name + .serial }" } } },
];

async function started(tasks: readonly JsonObject[] = DO): Promise<{ readonly world: World; readonly system: System }> {
  const system = new System();
  const world = new World({ connectors: [system.connector], secrets: { key: KEY } });
  await world.start();
  await world.publish(tasks, { document: WORKFLOW, use: { secrets: ["key"] } });
  return { world, system };
}

const previewOf = (world: World, request: Parameters<Runtime["previewRun"]>[0]): Promise<ChangePreview> =>
  world.settle(world.runtime.previewRun(request));
const startOf = (world: World, request: Parameters<Runtime["startPreviewed"]>[0]): ReturnType<Runtime["startPreviewed"]> =>
  world.settle(world.runtime.startPreviewed(request));

const order = { workflow: WORKFLOW, input: { name: "x" } };
/** As it comes from a file. */
const stored = (preview: ChangePreview): ChangePreview => JSON.parse(JSON.stringify(preview)) as ChangePreview;

describe("a preview", () => {
  test("says what the run would do and changes nothing; it is the same as long as the world is", async () => {
    const { world, system } = await started();
    const preview = await previewOf(world, order);
    expect(system.things.size).toBe(0);
    expect(preview).toMatchObject({
      workflow: WORKFLOW,
      outlook: {
        calls: [
          {
            path: "/do/a",
            function: "thing.make:1@shelf",
            reversible: "yes",
            certainty: { kind: "certain" },
            with: { name: "x", key: "***" },
          },
          { path: "/do/b", certainty: { kind: "conditional" }, effects: [{ kind: "create", resource: "thing" }] },
        ],
        facts: [{ path: "/do/list", value: ["***"] }],
      },
      blast: { creates: 2, conditional: 1, unknown: 0 },
    });
    expect(preview.outlook.calls[0]?.effects).toEqual([
      { kind: "create", resource: "thing", name: expect.stringMatching(/^x ..../), isReversible: true },
    ]);
    // With the real secret, and nobody who reads the preview sees it.
    expect(system.asked).toContain(`x with ${KEY}`);
    expect(JSON.stringify(preview)).not.toContain(KEY);
    const [listed] = await world.runtime.listDefinitions();
    expect((await world.runtime.list({ limit: 10 })).runs).toEqual([]);
    expect(listed).toMatchObject(WORKFLOW);
  });

  test("is what its run then does, under the id and the tokens that it names, once", async () => {
    const { world, system } = await started();
    const preview = stored(await previewOf(world, order));
    const first = await startOf(world, { preview, actor: "ana" });
    expect(first).toEqual({ runId: preview.runId, created: true });
    await world.wait(first.runId, "parked");
    expect((await world.runtime.show(first.runId)).status).toBe("completed");
    const sent = (await world.runtime.records(first.runId, 1, 100)).flatMap(({ record }) => {
      const { type, token } = record as { readonly type: string; readonly token?: string };
      return type === "attempt-intended" ? [token] : [];
    });
    expect(preview.outlook.calls.map(({ token }) => token)).toEqual(sent);
    const serial = String(preview.outlook.calls[0]?.token.slice(-4));
    expect([...system.things]).toEqual(["x", `x${serial}`]);
    // The world has moved by the run itself, and still the preview has one run.
    expect(await startOf(world, { preview, actor: "ana" })).toEqual({ runId: preview.runId, created: false });
    const again = await previewOf(world, order);
    expect(again.runId).not.toBe(preview.runId);
    expect(again.estimate.runs).toBe(1);
    expect(Object.keys(again.estimate.tasks)).toContain("/do/a");
  });

  test("is void when the world has moved, and says how; nothing is started", async () => {
    const { world, system } = await started();
    const preview = stored(await previewOf(world, order));
    system.things.add("x");
    const refused = await startOf(world, { preview, actor: "ana" }).then(undefined, (error: unknown) => error);
    expect(refused).toMatchObject({
      code: "preview-void",
      message: expect.stringContaining("call /do/a changed, fact /do/list changed, back-out /do/a gone"),
      details: {
        differences: [
          { of: "call", path: "/do/a", what: "changed", after: { effects: [] } },
          { of: "fact", path: "/do/list" },
          { of: "back-out", path: "/do/a", what: "gone" },
        ],
      },
    });
    expect((await world.runtime.list({ limit: 10 })).runs).toEqual([]);
    system.things.delete("x");
    expect((await startOf(world, { preview, actor: "ana" })).created).toBe(true);
  });

  test("tolerates what was said when it was made, and nothing else", async () => {
    const { world, system } = await started();
    const loose = stored(await previewOf(world, { ...order, tolerances: ["facts"] }));
    const strict = stored(await previewOf(world, order));
    expect(loose.hash).not.toBe(strict.hash);
    system.things.add("another");
    await expect(startOf(world, { preview: strict, actor: "ana" })).rejects.toMatchObject({ code: "preview-void" });
    expect((await startOf(world, { preview: loose, actor: "ana" })).created).toBe(true);
    const named = stored(await previewOf(world, { workflow: WORKFLOW, input: { name: "y" }, tolerances: ["facts", "a"] }));
    system.things.add("y");
    expect((await startOf(world, { preview: named, actor: "ana" })).created).toBe(true);
  });

  test("that somebody has changed, or that is given another input, is refused", async () => {
    const { world } = await started();
    const preview = stored(await previewOf(world, order));
    const forged = { ...preview, outlook: { ...preview.outlook, calls: preview.outlook.calls.slice(1) } };
    await expect(startOf(world, { preview: forged, actor: "ana" })).rejects.toThrow("changed after it was made");
    const rehashed = { ...preview, input: { name: "z" } };
    await expect(startOf(world, { preview: rehashed, actor: "ana" })).rejects.toMatchObject({ code: "preview-void" });
    await expect(startOf(world, { preview, input: { name: "z" }, actor: "ana" })).rejects.toThrow("not the input that was previewed");
  });

  test("does not hold secrets of the input: then the input is given once more", async () => {
    const { world } = await started();
    const input = { name: KEY };
    const preview = stored(await previewOf(world, { workflow: WORKFLOW, input }));
    expect(JSON.stringify(preview)).not.toContain(KEY);
    await expect(startOf(world, { preview, actor: "ana" })).rejects.toThrow("give the input as well");
    expect((await startOf(world, { preview, input, actor: "ana" })).created).toBe(true);
  });

  test("of a document needs no publishing, and has the digest that publishing gives", async () => {
    const { world } = await started();
    const text = JSON.stringify({
      document: { dsl: "1.0.3", ...WORKFLOW, name: "draft" },
      do: [{ a: { call: "thing.make:1@shelf", with: { name: "d" } } }],
    });
    const preview = stored(await previewOf(world, { workflow: { document: { text } }, input: {} }));
    expect((await world.runtime.listDefinitions()).map(({ name }) => name)).toEqual(["case"]);
    await expect(startOf(world, { preview, actor: "ana" })).rejects.toMatchObject({ code: "definition-not-found" });
    await world.runtime.publish({ text });
    expect((await startOf(world, { preview, actor: "ana" })).created).toBe(true);
  });
});

describe("what a target says", () => {
  test("is the run's end when nothing before can have changed it, and open when something may have", async () => {
    const { world } = await started([{ a: { call: "thing.make:1@shelf", with: { name: "forbidden" } } }]);
    const sure = await previewOf(world, order);
    expect(sure.outlook.ends).toMatchObject([{ status: "faulted", error: { title: "forbidden is reserved" } }]);
    const { world: later } = await started([
      { first: { call: "thing.make:1@shelf", with: { name: "x" } } },
      { a: { call: "thing.make:1@shelf", with: { name: "forbidden" } } },
    ]);
    const { outlook } = await previewOf(later, order);
    // Wrong arguments stay wrong.
    expect(outlook.ends).toMatchObject([{ status: "faulted" }]);
  });

  test("is not waited for without end: what it would have said is unknown", async () => {
    const { world, system } = await started();
    system.hangs = true;
    const beforeMs = world.clock.monotonicMs();
    const { outlook } = await previewOf(world, order);
    expect(world.clock.monotonicMs() - beforeMs).toBe(2 * PREVIEW_CALL_MS);
    expect(outlook.calls.map(({ path, reason }) => [path, reason])).toEqual([
      ["/do/list", expect.stringContaining("no answer within 10 s")],
      ["/do/a", expect.stringContaining("no answer within 10 s")],
      ["/do/b", expect.stringContaining("depends on the output of /do/a")],
    ]);
  });

  test("is not asked where only the author says that a call reads", async () => {
    const { world, system } = await started([
      { a: { call: "thing.drop:1@shelf", with: { name: "x" }, metadata: { tutti: { effect: { class: "read" } } } } },
    ]);
    system.things.add("x");
    const { outlook } = await previewOf(world, order);
    expect(system.things.has("x")).toBe(true);
    expect(outlook.calls[0]?.reason).toContain("what the workflow's author says");
  });
});
