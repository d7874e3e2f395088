import { describe, expect, test } from "vitest";
import type { JsonObject } from "@tutti/model";
import { FOREVER_MS, RUNS_KEPT_MS } from "./retention.ts";
import { World } from "./runtime-for-tests.ts";

const HOUR_MS = 3_600_000;
const SET: JsonObject = { done: { set: { done: true } } };
const named = (name: string, retention?: JsonObject): JsonObject => ({
  document: { name, ...(retention === undefined ? {} : { metadata: { tutti: { retention } } }) },
});

async function idsOf(world: World): Promise<readonly string[]> {
  return (await world.runtime.list({ limit: 100 })).runs.map((run) => run.runId);
}

describe("by itself", () => {
  test("a finished run goes when its time is over, and not before", async () => {
    const world = new World({ retention: { runsMs: 10 * HOUR_MS } });
    await world.start();
    await world.publish([SET]);
    const runId = await world.begin();
    await world.wait(runId);
    await world.pass(9 * HOUR_MS);
    expect(await idsOf(world)).toEqual([runId]);
    await world.pass(2 * HOUR_MS);
    expect(await idsOf(world)).toEqual([]);
    await expect(world.runtime.show(runId)).rejects.toMatchObject({ code: "run-not-found" });
    expect(world.disk.condemned.size).toBe(0);
  });

  test("what a document says goes before what the host says; `forever` stays", async () => {
    const world = new World({ retention: { runsMs: 10 * HOUR_MS } });
    await world.start();
    await world.publish([SET]);
    await world.publish([SET], named("short", { runs: "PT2H" }));
    await world.publish([SET], named("long", { runs: { hours: 20 } }));
    await world.publish([SET], named("always", { runs: "forever" }));
    const [host, short, long, always] = [
      await world.begin(),
      await world.begin({}, { name: "short" }),
      await world.begin({}, { name: "long" }),
      await world.begin({}, { name: "always" }),
    ];
    await world.pass(3 * HOUR_MS);
    expect(new Set(await idsOf(world))).toEqual(new Set([host, long, always]));
    expect(await idsOf(world)).not.toContain(short);
    await world.pass(8 * HOUR_MS);
    expect(new Set(await idsOf(world))).toEqual(new Set([long, always]));
    await world.pass(100 * HOUR_MS);
    expect(await idsOf(world)).toEqual([always]);
  });

  test("runs that are faulted, waiting or suspended stay", async () => {
    const world = new World({ retention: { runsMs: HOUR_MS } });
    await world.start();
    await world.publish([{ fail: { raise: { error: { type: "https://test/x", status: 500 } } } }], named("faulted"));
    await world.publish([{ later: { wait: { days: 300 } } }], named("waiting"));
    const faulted = await world.begin({}, { name: "faulted" });
    const waiting = await world.begin({}, { name: "waiting" });
    const suspended = await world.begin({}, { name: "waiting" });
    await world.operate(suspended, { kind: "pause" });
    await world.pass(30 * HOUR_MS);
    expect(new Set(await idsOf(world))).toEqual(new Set([faulted, waiting, suspended]));
    await world.operate(suspended, { kind: "cancel" });
    await world.pass(2 * HOUR_MS);
    expect(new Set(await idsOf(world))).toEqual(new Set([faulted, waiting]));
  });

  describe("a clock that is years ahead", () => {
    const YEARS_MS = 12 * 365 * 24 * HOUR_MS;
    const finished = async (): Promise<{ readonly world: World; readonly runId: string }> => {
      const world = new World({});
      await world.start();
      await world.publish([SET]);
      const runId = await world.begin();
      await world.wait(runId);
      return { world, runId };
    };

    test("deletes nothing when it is put right within hours", async () => {
      const { world, runId } = await finished();
      world.clock.jumpWallClock(YEARS_MS);
      await world.pass(5 * HOUR_MS);
      world.clock.jumpWallClock(-YEARS_MS);
      await world.pass(100 * HOUR_MS);
      expect(await idsOf(world)).toEqual([runId]);
    });

    test("deletes nothing either when the process starts with it", async () => {
      const { world, runId } = await finished();
      world.kill();
      world.clock.jumpWallClock(YEARS_MS);
      await world.restart();
      await world.pass(5 * HOUR_MS);
      world.clock.jumpWallClock(-YEARS_MS);
      await world.pass(100 * HOUR_MS);
      expect(await idsOf(world)).toEqual([runId]);
    });

    test.each(["under a live process", "before a start"])("is believed after a while, when it moved %s", async (when) => {
      const { world, runId } = await finished();
      if (when === "before a start") world.kill();
      world.clock.jumpWallClock(YEARS_MS);
      if (when === "before a start") await world.restart();
      await world.pass(5 * HOUR_MS);
      expect(await idsOf(world)).toEqual([runId]);
      await world.pass(3 * HOUR_MS);
      expect(await idsOf(world)).toEqual([]);
    });
  });

  test("a child stays as long as its parent, and goes with it", async () => {
    const world = new World({ retention: { runsMs: HOUR_MS } });
    await world.start();
    await world.publish([SET], named("child", { runs: "PT1M" }));
    await world.publish(
      [{ call: { run: { workflow: { namespace: "test", name: "child", version: "1.0.0" } } } }],
      named("parent", { runs: "PT5H" }),
    );
    const parent = await world.begin({}, { name: "parent" });
    await world.wait(parent);
    await world.pass(4 * HOUR_MS);
    expect(await idsOf(world)).toHaveLength(2);
    await world.pass(2 * HOUR_MS);
    expect(await idsOf(world)).toEqual([]);
  });

  test("logs go with their run, and earlier when they are to", async () => {
    const world = new World({ retention: { logsMs: 10 * HOUR_MS } });
    await world.start();
    await world.publish([SET]);
    await world.publish([SET], named("brief", { runs: "PT50H", logs: "PT3H" }));
    const [plain, brief] = [await world.begin(), await world.begin({}, { name: "brief" })];
    for (const runId of [plain, brief, "run_of_nobody"])
      world.logLines.push({ atMs: 0, runId, task: 1, path: "/do/done", attempt: 1, stream: "info", text: "line" });
    const logged = (): readonly string[] => world.logLines.map((line) => line.runId);
    await world.pass(4 * HOUR_MS);
    expect(logged()).toEqual([plain, "run_of_nobody"]);
    expect(await idsOf(world)).toHaveLength(2);
    await world.pass(8 * HOUR_MS);
    expect(logged()).toEqual(["run_of_nobody"]);
    expect(await idsOf(world)).toHaveLength(2);
  });

  test("a process that drives only what it is asked for deletes nothing", async () => {
    const world = new World({ retention: { runsMs: HOUR_MS }, drive: "asked" });
    await world.start();
    await world.publish([SET]);
    await world.wait(await world.begin());
    await world.pass(10 * HOUR_MS);
    expect(await idsOf(world)).toHaveLength(1);
  });

  test("a failing store is tried again", async () => {
    let isBroken = true;
    const world = new World({
      retention: { runsMs: HOUR_MS },
      faults: ({ method }) => (isBroken && method === "sweepRuns" ? { kind: "failed-before" } : { kind: "none" }),
    });
    await world.start();
    await world.publish([SET]);
    await world.wait(await world.begin());
    await world.pass(2 * HOUR_MS);
    expect(world.disk.condemned.size).toBe(1);
    expect(world.reports.join()).toContain("Old runs could not be deleted");
    isBroken = false;
    await world.pass(HOUR_MS);
    expect(world.disk.condemned.size).toBe(0);
  });
});

describe("by hand", () => {
  test("without any rule a run stays for a quarter of a year", async () => {
    // A process that deletes by itself would look every hour.
    const world = new World({ drive: "asked" });
    await world.start();
    await world.publish([SET]);
    await world.wait(await world.begin());
    await world.pass(RUNS_KEPT_MS - HOUR_MS);
    expect(await world.settle(world.runtime.prune({ dryRun: true }))).toMatchObject({ runs: 0 });
    await world.pass(2 * HOUR_MS);
    expect(await world.settle(world.runtime.prune({ dryRun: true }))).toMatchObject({ runs: 1 });
  });

  test("a dry run counts and changes nothing; the age given counts instead of every rule", async () => {
    const world = new World({ retention: { runsMs: FOREVER_MS } });
    await world.start();
    await world.publish([SET]);
    await world.publish([SET], named("other", { runs: "P900D" }));
    for (let count = 0; count < 3; count++) await world.wait(await world.begin());
    await world.wait(await world.begin({}, { name: "other" }));
    await world.pass(HOUR_MS);
    const workflows = [
      { namespace: "test", name: "sample", runs: 3 },
      { namespace: "test", name: "other", runs: 1 },
    ];
    expect(await world.settle(world.runtime.prune({ dryRun: true }))).toMatchObject({ runs: 0 });
    expect(await world.settle(world.runtime.prune({ dryRun: true, olderThanMs: 2 * HOUR_MS }))).toMatchObject({ runs: 0, workflows: [] });
    expect(await world.settle(world.runtime.prune({ dryRun: true, olderThanMs: 1000 }))).toMatchObject({ runs: 4, workflows });
    expect(await idsOf(world)).toHaveLength(4);
    expect(await world.settle(world.runtime.prune({ dryRun: false, olderThanMs: 1000 }))).toMatchObject({
      runs: 4,
      runsBelow: 0,
      workflows,
    });
    expect(await idsOf(world)).toEqual([]);
  });

  test("a kill in the middle leaves whole runs or none, and the next process goes on", async () => {
    const world = new World();
    await world.start();
    await world.publish([SET]);
    for (let count = 0; count < 120; count++) await world.begin();
    await world.pass(HOUR_MS);
    const pruning = world.runtime.prune({ dryRun: false, olderThanMs: 1000 });
    pruning.catch(() => undefined);
    while (world.disk.condemned.size === 0) await Promise.resolve();
    world.kill();
    expect(world.disk.condemned.size).toBeGreaterThan(0);
    await world.start();
    const left = await idsOf(world);
    for (const runId of left) expect(await world.runtime.show(runId)).toMatchObject({ status: "completed" });
    await world.pass(HOUR_MS);
    expect(world.disk.condemned.size).toBe(0);
    expect(await idsOf(world)).toEqual(left);
  });
});
