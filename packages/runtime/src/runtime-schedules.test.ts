import type { Json, JsonObject } from "@tutti/model";
import { callBank } from "@tutti/testkit";
import { describe, expect, test } from "vitest";
import { World, type WorldOptions } from "./runtime-for-tests.ts";

const HOUR_MS = 60 * 60 * 1000;
const MINUTE_MS = 60 * 1000;
/** The virtual clock begins at midnight UTC. */
const T0 = Date.UTC(2026, 0, 1);
const QUICK: readonly JsonObject[] = [{ done: { set: { x: 1 } } }];
const SLOW: readonly JsonObject[] = [{ pause: { wait: { minutes: 90 } } }];

interface Scheduled {
  readonly schedule: JsonObject;
  readonly profile?: JsonObject;
  readonly tasks?: readonly JsonObject[];
  readonly version?: string;
}

async function publish(world: World, { schedule, profile = {}, tasks = QUICK, version = "1.0.0" }: Scheduled): Promise<void> {
  await world.publish(tasks, { document: { version, metadata: { tutti: { schedule: profile } } }, schedule });
}

async function enabled(given: Scheduled, options: WorldOptions = {}): Promise<World> {
  const world = new World(options);
  await world.start();
  await publish(world, given);
  await world.settle(world.runtime.setSchedule("test", "sample", true));
  return world;
}

/** The runs of the schedule, oldest first: their instants after T0 in minutes, and how they stand. */
async function runs(world: World): Promise<readonly (readonly [number, string])[]> {
  const { runs: rows } = await world.runtime.list({ limit: 1000 });
  return rows
    .map((row): readonly [number, string] => [(Date.parse(row.labels["scheduledAt"] ?? "") - T0) / MINUTE_MS, row.status])
    .toSorted((a, b) => a[0] - b[0]);
}

const instants = async (world: World): Promise<readonly number[]> => (await runs(world)).map(([minute]) => minute);

describe("by the clock", () => {
  test("nothing starts before the schedule is enabled, nor after it is disabled", async () => {
    const world = new World();
    await world.start();
    await publish(world, { schedule: { every: "PT1H" } });
    await world.pass(2 * HOUR_MS);
    expect(await runs(world)).toEqual([]);
    await world.settle(world.runtime.setSchedule("test", "sample", true));
    await world.pass(2.5 * HOUR_MS);
    expect(await instants(world)).toEqual([180, 240]);
    expect(await world.settle(world.runtime.setSchedule("test", "sample", false))).toMatchObject({ isEnabled: false, started: 2 });
    await world.pass(3 * HOUR_MS);
    expect(await instants(world)).toEqual([180, 240]);
    await world.settle(world.runtime.setSchedule("test", "sample", true));
    await world.pass(HOUR_MS);
    // What was not wanted is not made up for.
    expect(await instants(world)).toEqual([180, 240, 510]);
  });

  test("cron fires by the clock of its time zone", async () => {
    const world = await enabled({ schedule: { cron: "30 3,5 * * *" }, profile: { timezone: "Europe/Berlin" } });
    expect(await world.runtime.nextInstants("test", "sample", 3)).toEqual(
      [150, 270, 150 + 24 * 60].map((minute) => T0 + minute * MINUTE_MS),
    );
    await world.pass(6 * HOUR_MS);
    expect(await runs(world)).toEqual([
      [150, "completed"],
      [270, "completed"],
    ]);
    expect((await world.runtime.list({ limit: 1, label: { key: "schedule", value: "test/sample" } })).runs).toHaveLength(1);
  });

  test("after: the pause begins with the end of the run, also of one that failed", async () => {
    const failing: readonly JsonObject[] = [
      { pause: { wait: { minutes: 10 } } },
      { boom: { raise: { error: { type: "https://example.com/boom", status: 500, title: "boom" } } } },
    ];
    const world = await enabled({ schedule: { after: "PT20M" }, tasks: failing });
    await world.pass(65 * MINUTE_MS);
    expect(await runs(world)).toEqual([
      [0, "faulted"],
      [30, "faulted"],
      [60, "waiting"],
    ]);
  });

  test("the latest version counts from its publication on; the same schedule goes on, another begins", async () => {
    const world = await enabled({ schedule: { every: "PT1H" } });
    await world.pass(90 * MINUTE_MS);
    await publish(world, { schedule: { every: "PT1H" }, version: "1.1.0" });
    await world.pass(HOUR_MS);
    await publish(world, { schedule: { every: "PT20M" }, version: "2.0.0" });
    await world.pass(45 * MINUTE_MS);
    expect(await instants(world)).toEqual([60, 120, 170, 190]);
    await world.publish(QUICK, { document: { version: "3.0.0" } });
    await world.pass(HOUR_MS);
    expect(await instants(world)).toEqual([60, 120, 170, 190]);
    expect(await world.runtime.showSchedule("test", "sample")).toMatchObject({ version: "3.0.0", schedule: undefined, isEnabled: true });
  });

  test("a start that the workflow refuses is counted and named, and the next one comes", async () => {
    const world = await enabled({ schedule: { every: "PT1H" } });
    await world.publish(QUICK, {
      document: { version: "1.1.0" },
      schedule: { every: "PT1H" },
      input: { schema: { document: { type: "object", required: ["who"] } } },
    });
    await world.pass(2.5 * HOUR_MS);
    expect(await world.runtime.showSchedule("test", "sample")).toMatchObject({ started: 0, failed: 2 });
    expect((await world.runtime.showSchedule("test", "sample")).failure?.message).toContain("who");
  });

  test("a schedule that could never start is refused when it is enabled", async () => {
    const world = new World();
    await world.start();
    await world.publish(QUICK, { schedule: { every: "PT1H" }, input: { schema: { document: { type: "object", required: ["who"] } } } });
    await expect(world.runtime.setSchedule("test", "sample", true)).rejects.toMatchObject({ code: "input-invalid" });
    await world.publish(QUICK, { document: { name: "plain" } });
    await expect(world.runtime.setSchedule("test", "plain", true)).rejects.toMatchObject({ code: "schedule-not-found" });
  });

  test("fired by a person, a run starts besides the schedule", async () => {
    const world = await enabled({ schedule: { every: "PT1H" }, profile: { overlap: "skip" }, tasks: SLOW });
    const { runId } = await world.settle(
      world.runtime.fireSchedule({ namespace: "test", name: "sample", actor: "tester", input: { a: 1 } }),
    );
    await world.pass(61 * MINUTE_MS);
    expect(await world.runtime.showSchedule("test", "sample")).toMatchObject({ active: [runId], started: 1, skipped: 1 });
    await world.pass(HOUR_MS);
    expect(await world.runtime.showSchedule("test", "sample")).toMatchObject({ started: 2, skipped: 1 });
  });
});

describe("misfire: nobody was there for hours", () => {
  async function awayFor(ms: number, profile: JsonObject): Promise<World> {
    const world = await enabled({ schedule: { every: "PT1H" }, profile });
    await world.pass(HOUR_MS);
    world.kill();
    world.clock.jumpWallClock(ms);
    await world.restart();
    await world.calm();
    return world;
  }

  test.each([
    ["once, without a word", {}, [60, 300]],
    ["skip", { misfire: "skip" }, [60]],
    ["all", { misfire: "all" }, [60, 120, 180, 240, 300]],
    ["all within two hours", { misfire: { policy: "all", within: "PT2H" } }, [60, 240, 300]],
    ["once within ten minutes", { misfire: { policy: "once", within: "PT10M" } }, [60]],
  ])("%s", async (_, profile, expected) => {
    const world = await awayFor(4.5 * HOUR_MS, profile);
    expect(await instants(world)).toEqual(expected);
    expect(world.reports.join()).toContain("Nobody was there");
    await world.pass(HOUR_MS);
    expect(await instants(world)).toEqual([...expected, 360]);
  });

  test("an instant that is half a minute late was not missed", async () => {
    const world = await enabled({ schedule: { every: "PT1H" }, profile: { misfire: "skip" } });
    await world.pass(59 * MINUTE_MS);
    world.kill();
    world.clock.jumpWallClock(1.5 * MINUTE_MS);
    await world.restart();
    await world.calm();
    expect(await instants(world)).toEqual([60]);
  });

  test("after ten years, a hundred runs make up for it at most", async () => {
    const world = await awayFor((10 * 365 * 24 + 0.5) * HOUR_MS, { misfire: { policy: "all", within: "P20Y" } });
    expect(await runs(world)).toHaveLength(101);
  });
});

describe("a clock that jumps", () => {
  test("ahead in a living process: the instants that were jumped over are missed ones", async () => {
    const world = await enabled({ schedule: { every: "PT1H" } });
    world.clock.jumpWallClock(5.5 * HOUR_MS);
    await world.pass(10_000);
    expect(await instants(world)).toEqual([300]);
  });

  test("back by a minute or an hour: no instant comes twice, none early", async () => {
    for (const backMs of [MINUTE_MS, HOUR_MS, 3 * HOUR_MS]) {
      const world = await enabled({ schedule: { every: "PT1H" } });
      await world.pass(2 * HOUR_MS + 1000);
      world.clock.jumpWallClock(-backMs);
      await world.pass(backMs + HOUR_MS - 2000);
      expect(await instants(world)).toEqual([60, 120]);
      await world.pass(3000);
      expect(await instants(world)).toEqual([60, 120, 180]);
    }
  });

  test("ten years ahead and back again: the schedule is not dead until then", async () => {
    const world = await enabled({ schedule: { every: "PT1H" } });
    const yearsMs = (10 * 365 * 24 + 0.5) * HOUR_MS;
    world.clock.jumpWallClock(yearsMs);
    await world.pass(10_000);
    expect(await runs(world)).toHaveLength(1);
    world.kill();
    world.clock.jumpWallClock(-yearsMs);
    await world.restart();
    await world.pass(2 * HOUR_MS);
    expect((await instants(world)).slice(0, 2)).toEqual([60, 120]);
  });
});

describe("overlap: the earlier run is under way", () => {
  test.each([
    ["allow", [60, 120, 180, 240], 0],
    ["skip", [60, 180], 2],
    ["queue", [60, 120, 180], 0],
    ["replace", [60, 120, 180, 240], 0],
  ])("%s", async (overlap, expected, skipped) => {
    const world = await enabled({ schedule: { every: "PT1H" }, profile: { overlap }, tasks: SLOW });
    await world.pass(4 * HOUR_MS + MINUTE_MS);
    expect(await instants(world)).toEqual(expected);
    expect(await world.runtime.showSchedule("test", "sample")).toMatchObject({ skipped });
    if (overlap === "queue") expect(await world.runtime.showSchedule("test", "sample")).toMatchObject({ waiting: 1 });
    if (overlap === "replace")
      expect((await runs(world)).map(([, status]) => status)).toEqual(["cancelled", "cancelled", "cancelled", "waiting"]);
  });
});

describe("by events", () => {
  const send = async (world: World, id: string, type: string, data: Json = null): Promise<void> => {
    await world.settle(world.runtime.acceptEvent({ specversion: "1.0", source: "/test", id, type, data }));
    await world.calm();
  };
  const inputs = async (world: World): Promise<readonly Json[]> => {
    const { runs: rows } = await world.runtime.list({ limit: 100 });
    const found = await Promise.all(rows.map(async (row) => (await world.runtime.show(row.runId)).input));
    return found.toSorted((a, b) => JSON.stringify(a).localeCompare(JSON.stringify(b)));
  };

  test("one: each event that fits starts a run with an array of it; what came before does not", async () => {
    const world = new World();
    await world.start();
    await publish(world, { schedule: { on: { one: { with: { type: "alarm" } } } } });
    await send(world, "0", "alarm", 0);
    await world.settle(world.runtime.setSchedule("test", "sample", true));
    await send(world, "1", "alarm", 1);
    await send(world, "2", "other", 2);
    await send(world, "1", "alarm", 1);
    await send(world, "3", "alarm", 3);
    expect(await inputs(world)).toEqual([[1], [3]]);
  });

  test("read: envelope gives the whole event", async () => {
    const world = await enabled({ schedule: { on: { any: [{ with: { type: "a" } }] }, read: "envelope" } });
    await send(world, "1", "a", { x: 1 });
    expect(await inputs(world)).toEqual([[{ specversion: "1.0", source: "/test", id: "1", type: "a", data: { x: 1 } }]]);
  });

  test("all: events that belong together start one run, in the order in which they came", async () => {
    const filter = (type: string): JsonObject => ({ with: { type }, correlate: { order: { from: "${ .data.order }" } } });
    const world = await enabled({ schedule: { on: { all: [filter("paid"), filter("packed")] } } });
    await send(world, "1", "paid", { order: "a" });
    await send(world, "2", "paid", { order: "b" });
    await send(world, "3", "packed", { order: "b" });
    await world.restart();
    expect(await world.runtime.showSchedule("test", "sample")).toMatchObject({ openGroups: 1, started: 1 });
    await send(world, "4", "packed", { order: "a" });
    expect(await inputs(world)).toEqual([
      [{ order: "a" }, { order: "a" }],
      [{ order: "b" }, { order: "b" }],
    ]);
  });

  test("any until: events are gathered until the condition holds, or the event that ends it comes", async () => {
    const counted = await enabled({ schedule: { on: { any: [{ with: { type: "a" } }], until: "${ length == 2 }" } } });
    for (const id of ["1", "2", "3"]) await send(counted, id, "a", Number(id));
    expect(await inputs(counted)).toEqual([[1, 2]]);
    const ended = await enabled({ schedule: { on: { any: [{ with: { type: "a" } }], until: { one: { with: { type: "stop" } } } } } });
    for (const [id, type] of [
      ["0", "stop"],
      ["1", "a"],
      ["2", "a"],
      ["3", "stop"],
    ] as const)
      await send(ended, id, type, Number(id));
    expect(await inputs(ended)).toEqual([[1, 2]]);
  });

  test("with queue, one run after the other", async () => {
    const world = await enabled({ schedule: { on: { one: { with: { type: "a" } } } }, profile: { overlap: "queue" }, tasks: SLOW });
    for (const id of ["1", "2"]) await send(world, id, "a", Number(id));
    expect(await inputs(world)).toEqual([[1]]);
    await world.restart();
    await world.pass(91 * MINUTE_MS);
    expect(await inputs(world)).toEqual([[1], [2]]);
  });
});

test("killed at every step, each pair of events starts one run", async () => {
  const filter = (type: string): JsonObject => ({ with: { type }, correlate: { order: { from: "${ .data }" } } });
  async function paired(crashAt?: WorldOptions["crashAt"]): Promise<unknown> {
    const world = new World(crashAt === undefined ? {} : { crashAt });
    await world.start();
    await publish(world, {
      schedule: { on: { all: [filter("paid"), filter("packed")] } },
      tasks: [callBank("work", "account.open:1", { amount: 1 })],
    });
    const events = [1, 2, 3].flatMap((order) => [`paid ${order}`, `packed ${order}`]).toSorted();
    const steps: readonly (() => Promise<unknown>)[] = [
      () => world.runtime.setSchedule("test", "sample", true),
      ...events.map(
        (id) => () => world.runtime.acceptEvent({ specversion: "1.0", source: "/test", id, type: id.slice(0, -2), data: id.slice(-1) }),
      ),
    ];
    for (const step of steps) {
      do {
        if (!world.isAlive) await world.restart();
        await world.settle(step()).catch(() => undefined);
        await world.calm();
      } while (!world.isAlive);
    }
    const { runs: rows } = await world.runtime.list({ limit: 100 });
    return { runs: rows.map((row) => row.status), effects: [...world.bank.effects().values()] };
  }
  const undisturbed = await paired();
  expect(undisturbed).toEqual({ runs: ["completed", "completed", "completed"], effects: [1, 1, 1] });
  for (const point of ["schedule.before", "schedule.after", "commit.before", "commit.after"] as const) {
    for (let nth = 1; nth <= 12; nth += 1) {
      let count = 0;
      expect([point, nth, await paired((name) => name === point && (count += 1) === nth)]).toEqual([point, nth, undisturbed]);
      if (count < nth) break;
    }
  }
});

test("control: with start keys that a restart forgets, an instant whose bookkeeping was lost starts twice", async () => {
  for (const forgets of [false, true]) {
    let ids = 0;
    let count = 0;
    const world = await enabled(
      { schedule: { every: "PT1H" } },
      {
        installationId: () => (forgets ? `${(ids += 1)}` : "one"),
        crashAt: (name) => name === "schedule.before" && (count += 1) === 2,
      },
    );
    await world.pass(HOUR_MS);
    expect(world.isAlive).toBe(false);
    await world.restart();
    await world.calm();
    expect(await instants(world)).toEqual(forgets ? [60, 60] : [60]);
  }
});

describe.each(["allow", "skip", "queue", "replace"])("killed at every step, with overlap %s", (overlap) => {
  /** Six hours of a schedule whose runs take one and a half, with a kill whenever `crashAt` says so. */
  async function sixHours(crashAt?: WorldOptions["crashAt"]): Promise<unknown> {
    const world = new World(crashAt === undefined ? {} : { crashAt });
    await world.start();
    await publish(world, {
      schedule: { every: "PT1H" },
      profile: { overlap, misfire: "all" },
      tasks: [callBank("work", "account.open:1", { amount: 1 }), ...SLOW],
    });
    for (let tries = 0; tries < 20; tries += 1) {
      if (!world.isAlive) await world.restart();
      await world.settle(world.runtime.setSchedule("test", "sample", true)).catch(() => undefined);
      if (world.isAlive) break;
    }
    for (let second = 0; second < 6 * 12 + 1; second += 1) {
      await world.pass(5 * MINUTE_MS);
      if (!world.isAlive) await world.restart();
    }
    return { runs: await runs(world), effects: [...world.bank.effects().values()] };
  }

  test("no instant is lost or comes twice", async () => {
    const undisturbed = await sixHours();
    for (const point of ["schedule.before", "schedule.after", "commit.before", "commit.after"] as const) {
      for (let nth = 1; nth <= 12; nth += 1) {
        let count = 0;
        const crashed = await sixHours((name) => name === point && (count += 1) === nth);
        expect([point, nth, crashed]).toEqual([point, nth, undisturbed]);
        if (count < nth) break;
      }
    }
  });
});
