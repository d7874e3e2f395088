import { defineConnector, z } from "@tutti/connector-kit";
import type { Attempt } from "@tutti/connector-kit";
import type { Json, JsonObject } from "@tutti/model";
import { callBank, faultsAt } from "@tutti/testkit";
import { describe, expect, test } from "vitest";
import { CRASHES_MAX } from "./poison-watch.ts";
import { World } from "./runtime-for-tests.ts";
import { STOP_GRACE_MS } from "./runtime-service.ts";

const TRANSFER = callBank("transfer", "account.transfer:1", { amount: 5 });
const PUT = callBank("put", "account.put:1", { amount: 5 });

/** A connector with one `read` function that does what the test says. */
function scripted(run: (input: JsonObject, attempt: Attempt) => Promise<Json>, more: { readonly concurrencyMax?: number } = {}) {
  return defineConnector({
    name: "test",
    version: "1.0.0",
    functions: {
      "do.it:1": { title: "Does it", input: z.any(), output: z.any(), effect: "read", requestTimeoutMs: 0, settleMs: 0, run, ...more },
    },
  });
}
const SCRIPTED: JsonObject = { it: { call: "do.it:1@test", with: {} } };

describe("stop", () => {
  test("may be called before start, and twice", async () => {
    const world = new World();
    await world.start();
    await world.settle(Promise.all([world.runtime.stop(), world.runtime.stop()]));
    await world.runtime.stop();
    expect(world.disk.stoppedCleanly).toBe(true);
    await expect(world.runtime.list({ limit: 1 })).rejects.toMatchObject({ code: "stopping" });
  });

  test("lets an unsafe attempt end and records it; the next start goes on without doubt", async () => {
    const world = new World({ bank: { faults: faultsAt({ fault: { kind: "delay", ms: 3000 } }) } });
    await world.start();
    await world.publish([TRANSFER, { [`second`]: TRANSFER["transfer"] as JsonObject }, PUT]);
    const runId = await world.begin();
    await world.calm();
    const stopping = world.runtime.stop();
    await expect(world.begin()).rejects.toMatchObject({ code: "stopping" });
    await world.settle(stopping);
    expect(world.clock.monotonicMs()).toBeLessThan(STOP_GRACE_MS);
    await world.start();
    expect(await world.wait(runId)).toMatchObject({ status: "completed", inDoubt: 0 });
    expect([...world.bank.effects().values()]).toEqual([1, 1, 1]);
  });

  test("begins nothing that may wait for the next start", async () => {
    const world = new World({ bank: { faults: faultsAt({ fault: { kind: "delay", ms: 3000 } }) } });
    await world.start();
    await world.publish([PUT, { [`second`]: PUT["put"] as JsonObject }]);
    const runId = await world.begin();
    await world.calm();
    await world.settle(world.runtime.stop());
    expect([...world.bank.effects().values()]).toEqual([1]);
    await world.start();
    expect(await world.wait(runId)).toMatchObject({ status: "completed" });
    expect([...world.bank.effects().values()]).toEqual([1, 1]);
  });

  test("aborts what does not end in its grace; a repeatable call is repeated after the next start", async () => {
    const world = new World({ bank: { faults: faultsAt({ fault: { kind: "hang", effect: true } }) } });
    await world.start();
    await world.publish([PUT]);
    const runId = await world.begin();
    await world.calm();
    await world.settle(world.runtime.stop());
    expect(world.clock.monotonicMs()).toBeGreaterThanOrEqual(STOP_GRACE_MS);
    world.bank.setFaults(() => undefined);
    await world.start();
    expect(await world.wait(runId)).toMatchObject({ status: "completed" });
    expect([...world.bank.effects().values()]).toEqual([1]);
  });
});

describe("a run that takes the process down", () => {
  test("is quarantined after three crashes in a row, and the others go on", async () => {
    let isPoison = true;
    const world = new World({
      connectors: [
        scripted(async () => {
          // Dies as a native crash would: within the step.
          if (isPoison) world.kill();
          return 1;
        }),
      ],
    });
    await world.start();
    await world.publish([PUT, SCRIPTED], { document: { name: "poison" } });
    await world.publish([{ rest: { wait: { minutes: 1 } } }, PUT], { document: { name: "healthy" } });
    const healthy = await world.begin({}, { name: "healthy" });
    await world.runtime
      .startRun({ namespace: "test", name: "poison", version: "latest", input: {}, actor: "t", startKey: "p" })
      .catch(() => undefined);
    const [poison] = [...world.disk.runs.keys()].filter((runId) => runId !== healthy);
    for (let crash = 0; crash < CRASHES_MAX + 3 && !world.isAlive; crash += 1) {
      await world.restart().catch(() => undefined);
      await world.calm();
    }
    expect(world.isAlive).toBe(true);
    expect(await world.wait(healthy)).toMatchObject({ status: "completed" });
    expect(await world.wait(poison as string)).toMatchObject({ status: "quarantined" });
    isPoison = false;
    await world.operate(poison as string, { kind: "resume" });
    expect(await world.wait(poison as string)).toMatchObject({ status: "completed" });
  });
});

describe("a secret", () => {
  const WITH_SECRET: JsonObject = { it: { call: "do.it:1@test", with: { password: "${ $secrets.door }" } } };
  const USE = { use: { secrets: ["door"] } };

  test("reaches the attempt and nothing else", async () => {
    const seen: Json[] = [];
    const world = new World({
      secrets: { door: "open-sesame-42" },
      connectors: [
        scripted(async (input, attempt) => {
          seen.push(input["password"] as Json);
          attempt.log("stdout", "using open-ses");
          attempt.log("stdout", "ame-42 now");
          return { echo: input["password"] as Json, code: Buffer.from("open-sesame-42").toString("base64") };
        }),
      ],
    });
    await world.start();
    await world.publish([WITH_SECRET], USE);
    const runId = await world.begin();
    expect(await world.wait(runId)).toMatchObject({ status: "completed" });
    expect(seen).toEqual(["open-sesame-42"]);
    const stored = JSON.stringify([...world.disk.runs.values()].map((run) => run.records));
    for (const text of ["open-sesame", Buffer.from("open-sesame-42").toString("base64").slice(0, 12)]) {
      expect(stored).not.toContain(text);
      expect(JSON.stringify(world.logLines)).not.toContain(text);
    }
    expect(world.logLines.map((line) => line.text).join("")).toBe("using *** now");
  });

  test("that is missing is an authorization error, and nothing is sent", async () => {
    let calls = 0;
    const world = new World({
      connectors: [
        scripted(async () => {
          calls += 1;
          return 1;
        }),
      ],
    });
    await world.start();
    await world.publish([WITH_SECRET], USE);
    const runId = await world.begin();
    expect(await world.wait(runId)).toMatchObject({ status: "faulted" });
    expect((await world.runtime.show(runId)).error).toMatchObject({ status: 403 });
    expect(calls).toBe(0);
  });

  test("in an error's message is masked", async () => {
    const world = new World({
      secrets: { door: "open-sesame-42" },
      connectors: [
        scripted(async (_, attempt) => {
          throw new Error(`refused ${JSON.stringify(await attempt.secret("door"))}`);
        }),
      ],
    });
    await world.start();
    await world.publish([SCRIPTED], USE);
    const runId = await world.begin();
    await world.wait(runId);
    expect((await world.runtime.show(runId)).error?.title).toBe('refused "***"');
  });
});

test("logs can be followed to the end of the run, by task", async () => {
  const world = new World({
    connectors: [
      scripted(async (_, attempt) => {
        for (let line = 1; line <= 3; line += 1) {
          attempt.log("stdout", `${attempt.taskPath} ${line}`);
          await world.clock.sleep(10, attempt.signal);
        }
        attempt.log("stderr", "last");
        return 1;
      }),
    ],
  });
  await world.start();
  await world.publish([SCRIPTED, { other: SCRIPTED["it"] as JsonObject }]);
  const runId = await world.begin();
  const follow = async (task?: string): Promise<readonly string[]> => {
    const texts: string[] = [];
    for await (const line of world.runtime.logs(runId, {
      ...(task === undefined ? {} : { task }),
      follow: true,
      signal: new AbortController().signal,
    }))
      texts.push(line.text);
    return texts;
  };
  const [all, other] = await world.settle(Promise.all([follow(), follow("other")]));
  expect(other).toEqual(["/do/other 1", "/do/other 2", "/do/other 3", "last"]);
  expect(all).toHaveLength(8);
  expect(await follow()).toEqual(all);
});

test("a function that promised heartbeats and fell silent is aborted", async () => {
  const world = new World({
    connectors: [
      scripted(
        (_, attempt) =>
          new Promise((_resolve, reject) => {
            attempt.heartbeat();
            attempt.signal.addEventListener("abort", () => reject(new Error("aborted")), { once: true });
          }),
      ),
    ],
  });
  await world.start();
  await world.publish([SCRIPTED]);
  const runId = await world.begin();
  await world.pass(4 * 60_000);
  expect((await world.runtime.records(runId, 1, 10)).map(({ record }) => (record as JsonObject)["type"])).toEqual(["run-started"]);
  await world.pass(3 * 60_000);
  expect((await world.runtime.records(runId, 1, 10)).length).toBeGreaterThan(1);
  await world.operate(runId, { kind: "kill" });
});

test("attempts of one function run only as many at a time as its connector allows", async () => {
  let now = 0;
  let most = 0;
  const world = new World({
    connectors: [
      scripted(
        async (_, attempt) => {
          now += 1;
          most = Math.max(most, now);
          await world.clock.sleep(1000, attempt.signal);
          now -= 1;
          return 1;
        },
        { concurrencyMax: 2 },
      ),
    ],
  });
  await world.start();
  const branch = (name: string): JsonObject => ({ [name]: SCRIPTED["it"] as JsonObject });
  await world.publish([{ all: { fork: { branches: ["a", "b", "c", "d", "e"].map(branch) } } }]);
  expect(await world.wait(await world.begin())).toMatchObject({ status: "completed" });
  expect(most).toBe(2);
});

test("a large value lives beside the records; one over the limit fails the task and names the way out", async () => {
  const world = new World({ connectors: [scripted(async (input) => "x".repeat(Number(input["size"])))] });
  await world.start();
  await world.publish([{ it: { call: "do.it:1@test", with: { size: "${ .size }" } } }]);
  const large = await world.begin({ size: 200_000 });
  expect(await world.wait(large)).toMatchObject({ status: "completed" });
  expect(world.disk.payloads.size).toBe(1);
  await world.restart();
  expect((await world.runtime.show(large)).output).toHaveLength(200_000);
  const huge = await world.begin({ size: 17 * 1024 * 1024 });
  expect(await world.wait(huge)).toMatchObject({ status: "faulted" });
  expect((await world.runtime.show(huge)).error?.title).toContain("artifact");
});

test("a long run is snapshot, and goes on from there after a restart", async () => {
  const world = new World();
  await world.start();
  const tasks: readonly JsonObject[] = [
    { each: { for: { in: "${ [range(300)] }" }, do: [callBank("put", "step.run:1", { value: 1 })] } },
    { rest: { wait: { hours: 1 } } },
    PUT,
  ];
  await world.publish(tasks);
  const runId = await world.begin();
  await world.pass(1000);
  expect(world.disk.runs.get(runId)?.snapshot?.seq).toBeGreaterThan(256);
  await world.restart();
  expect(await world.wait(runId)).toMatchObject({ status: "completed" });
});

test("parked runs leave the memory and are woken by time", async () => {
  const world = new World();
  await world.start();
  await world.publish([{ rest: { wait: { minutes: 30 } } }, PUT]);
  const runIds = [await world.begin(), await world.begin()];
  await world.pass(60_000);
  expect(await world.runtime.diagnose()).toMatchObject({ loadedRuns: 0, attemptsInFlight: 0, runsByStatus: { waiting: 2 } });
  for (const runId of runIds) expect(await world.wait(runId)).toMatchObject({ status: "completed" });
});
