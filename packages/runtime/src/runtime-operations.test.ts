import { callBank, faultsAt } from "@tutti/testkit";
import { expect, test } from "vitest";
import { World } from "./runtime-for-tests.ts";

const PUT = (name: string) => callBank(name, "account.put:1", { amount: 5 });
const TRANSFER = callBank("transfer", "account.transfer:1", { amount: 5 });
const WAIT = { pause: { wait: { hours: 2 } } };

async function startedWorld(options: ConstructorParameters<typeof World>[0] = {}): Promise<World> {
  const world = new World(options);
  await world.start();
  return world;
}

test("a paused run sends nothing until it is resumed", async () => {
  const world = await startedWorld();
  await world.publish([WAIT, PUT("after")]);
  const runId = await world.begin();
  expect((await world.operate(runId, { kind: "pause" })).status).toBe("suspended");
  await world.pass(3 * 60 * 60 * 1000);
  expect(world.bank.calls()).toEqual([]);
  await world.operate(runId, { kind: "resume" });
  expect(await world.wait(runId)).toMatchObject({ status: "completed" });
  expect(world.bank.effects().size).toBe(1);
});

test("a failed task is retried, or skipped with an output", async () => {
  const world = await startedWorld({ bank: { faults: faultsAt({ attempt: "every", fault: { kind: "answer-error", status: 418 } }) } });
  const view = await world.run([PUT("tea")]);
  expect(view.status).toBe("faulted");
  await world.operate(view.runId, { kind: "retry", task: "tea" });
  expect(await world.wait(view.runId)).toMatchObject({ status: "faulted" });
  await world.operate(view.runId, { kind: "skip", task: "tea", output: "coffee" });
  expect(await world.wait(view.runId)).toMatchObject({ status: "completed" });
  expect((await world.runtime.show(view.runId)).output).toBe("coffee");
});

test("a cancelled run starts no further task", async () => {
  const world = await startedWorld();
  await world.publish([WAIT, PUT("after")]);
  const runId = await world.begin();
  await world.operate(runId, { kind: "cancel" });
  expect(await world.wait(runId)).toMatchObject({ status: "cancelled" });
  await world.pass(3 * 60 * 60 * 1000);
  expect(world.bank.calls()).toEqual([]);
  await expect(world.operate(runId, { kind: "resume" })).rejects.toMatchObject({ code: "operation-not-possible" });
});

test("a killed run leaves its attempt in doubt, and settle only records", async () => {
  const world = await startedWorld({ bank: { faults: faultsAt({ fault: { kind: "hang", effect: true } }) } });
  await world.publish([TRANSFER]);
  const runId = await world.begin();
  await world.calm();
  await world.operate(runId, { kind: "kill" });
  expect(world.reports).toEqual([]);
  await world.pass(10_000);
  expect(await world.runtime.loadRow(runId)).toMatchObject({ status: "cancelled" });
  const view = await world.runtime.show(runId);
  expect(view.doubts.map((doubt) => doubt.path)).toEqual(["/do/transfer"]);
  const settled = await world.operate(runId, { kind: "settle", task: "transfer", verdict: { kind: "done", output: null } });
  expect(settled.doubts.map((doubt) => doubt.settled)).toEqual(["done"]);
  expect(settled.status).toBe("cancelled");
});

test("resume from a task runs it again in a new group", async () => {
  const world = await startedWorld();
  await world.publish([
    PUT("first"),
    PUT("second"),
    { stop: { raise: { error: { type: "https://example.com/x", status: 400, title: "no" } } } },
  ]);
  const runId = await world.begin();
  expect(await world.wait(runId)).toMatchObject({ status: "faulted" });
  await world.operate(runId, { kind: "resume", from: "second" });
  await world.wait(runId);
  expect(world.bank.calls().map((call) => call.taskPath)).toEqual(["/do/first", "/do/second", "/do/second"]);
  expect(world.bank.effects().size).toBe(3);
});

test("a task that nobody knows is named with those that are there", async () => {
  const world = await startedWorld();
  const view = await world.run([PUT("one"), WAIT]);
  await expect(world.operate(view.runId, { kind: "skip", task: "two" })).rejects.toMatchObject({ code: "task-not-found" });
  await expect(world.operate(view.runId, { kind: "skip", task: "two" })).rejects.toThrow("/do/pause");
});

test("two tasks of one name are told apart by number", async () => {
  const world = await startedWorld();
  const branch = (name: string) => ({ [name]: { do: [{ rest: { wait: { hours: 1 } } }] } });
  const view = await world.run([{ both: { fork: { branches: [branch("left"), branch("right")] } } }]);
  await expect(world.operate(view.runId, { kind: "skip", task: "rest" })).rejects.toMatchObject({ code: "task-ambiguous" });
  await world.operate(view.runId, { kind: "skip", task: "left/do/rest", output: 1 });
  const [left] = (await world.runtime.show(view.runId)).tasks[0]?.children[1]?.children ?? [];
  await world.operate(view.runId, { kind: "skip", task: String(left?.task), output: 2 });
  expect(await world.wait(view.runId)).toMatchObject({ status: "completed" });
});

test("the same start key starts one run, another input is refused", async () => {
  const world = await startedWorld();
  await world.publish([PUT("one")]);
  const request = { namespace: "test", name: "sample", version: "1.0.0", input: { a: 1 }, actor: "tester", startKey: "order-7" };
  const [first, second] = await world.settle(Promise.all([world.runtime.startRun(request), world.runtime.startRun(request)]));
  expect([first.created, second.created]).toEqual([true, false]);
  expect(second.runId).toBe(first.runId);
  await world.restart();
  expect(await world.runtime.startRun(request)).toEqual({ runId: first.runId, created: false });
  await expect(world.runtime.startRun({ ...request, input: { a: 2 } })).rejects.toMatchObject({ code: "run-exists" });
  await world.wait(first.runId);
  expect(world.bank.effects().size).toBe(1);
});

test("replay starts a new run with the same input", async () => {
  const world = await startedWorld();
  await world.publish([PUT("one")]);
  const runId = await world.begin({ a: 1 });
  await world.wait(runId);
  const again = await world.settle(
    world.runtime.startRun({ namespace: "test", name: "sample", version: "1.0.0", input: null, actor: "t", replayOf: runId }),
  );
  await world.wait(again.runId);
  expect((await world.runtime.show(again.runId)).input).toEqual({ a: 1 });
  expect(world.bank.effects().size).toBe(2);
});

test("show at an earlier record gives the run as it was", async () => {
  const world = await startedWorld();
  const view = await world.run([PUT("one")]);
  expect((await world.runtime.show(view.runId, { atSeq: 1 })).status).not.toBe("completed");
  await expect(world.runtime.show(view.runId, { atSeq: 99 })).rejects.toMatchObject({ code: "usage" });
});

test("a run is found by the unique beginning of its id", async () => {
  const world = await startedWorld();
  await world.publish([PUT("one")]);
  const first = await world.begin();
  await world.clock.advance(5);
  const second = await world.begin();
  expect(await world.runtime.resolveRunId("@latest")).toBe(second);
  expect(await world.runtime.resolveRunId(first)).toBe(first);
  expect(await world.runtime.resolveRunId(first.slice(4))).toBe(first);
  await expect(world.runtime.resolveRunId("run_0")).rejects.toMatchObject({ code: "run-ambiguous" });
  await expect(world.runtime.resolveRunId("zzz")).rejects.toMatchObject({ code: "run-not-found" });
});

test("watching a run shows it again after each change and ends with it", async () => {
  const world = await startedWorld();
  await world.publish([PUT("one"), { short: { wait: { seconds: 30 } } }, PUT("two")]);
  const runId = await world.begin();
  const seen: string[] = [];
  const watching = (async () => {
    for await (const view of world.runtime.watch(runId, new AbortController().signal)) seen.push(view.status);
  })();
  await world.settle(watching);
  expect(seen.at(-1)).toBe("completed");
  expect(seen).toContain("waiting");
});

test("what is said of one attempt settles no later one", async () => {
  const world = await startedWorld({ bank: { faults: faultsAt({ attempt: "every", fault: { kind: "fail-after" } }) } });
  await world.publish([TRANSFER]);
  const runId = await world.begin();
  await world.wait(runId, "person");
  const { seq: seen } = await world.runtime.show(runId);
  expect(await world.runtime.loadRow(runId)).toMatchObject({ inDoubt: 1 });
  const again = { kind: "settle", task: "transfer", seen, verdict: { kind: "not-done", then: "run" } } as const;
  await world.operate(runId, again);
  await world.wait(runId, "person");
  expect(await world.runtime.loadRow(runId)).toMatchObject({ inDoubt: 1 });
  const calls = world.bank.calls().length;
  // The same word once more: from somebody else, who looked at the same time.
  await expect(world.operate(runId, again)).rejects.toMatchObject({
    code: "operation-not-possible",
    message: expect.stringMatching(/after what you have seen/) as string,
  });
  await world.calm();
  expect(world.bank.calls().length).toBe(calls);
  const { seq } = await world.runtime.show(runId);
  await world.operate(runId, { ...again, seen: seq, verdict: { kind: "done", output: 1 } });
  expect(await world.wait(runId)).toMatchObject({ status: "completed" });
});
