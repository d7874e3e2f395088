import type { RunView } from "@tutti/engine";
import { describe, expect, it } from "vitest";
import { World } from "./runtime-for-tests.ts";

const slotted = { metadata: { tutti: { concurrency: { key: '"k"', limit: 1 } } } };

describe("explaining a run", () => {
  it("names who holds the slot that a task waits for, and its place in the queue", async () => {
    const world = new World();
    await world.start();
    await world.publish([{ hold: { wait: "PT1H", ...slotted } }]);
    const holder = await world.begin();
    await world.wait(holder, "parked");
    const first = await world.begin();
    const second = await world.begin();
    await world.calm();
    const [waiting] = (await world.settle(world.runtime.explain(second))).tasks;
    expect(waiting).toMatchObject({
      path: "/do/hold",
      status: "waiting",
      slot: { key: "k", limit: 1, holders: [{ runId: holder, task: 1 }], place: 2, queued: 2 },
    });
    expect((await world.settle(world.runtime.explain(first, { task: "hold" }))).tasks[0]?.slot?.place).toBe(1);
    expect((await world.settle(world.runtime.explain(holder, { task: "#1" }))).tasks[0]).toMatchObject({
      slot: undefined,
      wait: { kind: "timer" },
    });
  });

  it("says of each event that came why the task has not taken it", async () => {
    const world = new World();
    await world.start();
    await world.publish([
      {
        hear: {
          listen: {
            to: {
              one: {
                with: { type: "order", data: "${ .total > 10 }" },
                correlate: { customer: { from: ".data.customer", expect: "ana" } },
              },
            },
          },
        },
      },
    ]);
    const runId = await world.begin();
    await world.wait(runId, "parked");
    const send = (id: string, type: string, data: { readonly total: number; readonly customer: string }) =>
      world.settle(world.runtime.acceptEvent({ specversion: "1.0", id, source: "test", type, data }));
    await send("1", "other", { total: 20, customer: "ana" });
    await send("2", "order", { total: 5, customer: "ana" });
    await send("3", "order", { total: 20, customer: "bob" });
    await world.calm();
    const [hear] = (await world.settle(world.runtime.explain(runId))).tasks;
    expect(hear?.events.map(({ id, why }) => [id, ...why])).toEqual([
      ["3", 'filter 1: its customer is "bob", not "ana"'],
      ["2", "filter 1: data: `.total > 10` does not hold"],
      ["1", 'filter 1: type is "other", not "order"'],
    ]);
    await send("4", "order", { total: 20, customer: "ana" });
    await world.wait(runId, "final");
    expect((await world.settle(world.runtime.explain(runId))).tasks).toEqual([]);
  });

  it("shows how the run stands that a task waits for", async () => {
    const world = new World();
    await world.start();
    await world.publish([{ long: { wait: "PT1H" } }], { document: { name: "child" } });
    await world.publish([{ call: { run: { workflow: { namespace: "test", name: "child", version: "1.0.0" } } } }]);
    const runId = await world.begin();
    await world.wait(runId, "parked");
    await world.calm();
    const [call] = (await world.settle(world.runtime.explain(runId))).tasks;
    expect(call).toMatchObject({ path: "/do/call", child: { status: "waiting", reason: "1 waiting for time" } });
    expect((await world.settle(world.runtime.explain(call?.child?.runId ?? ""))).tasks[0]).toMatchObject({ path: "/do/long" });
  });

  it("refuses a task that is not there or not unique", async () => {
    const world = new World();
    await world.start();
    await world.publish([{ a: { do: [{ x: { wait: "PT1H" } }] } }, { b: { do: [{ x: { set: { y: 1 } } }] } }]);
    const runId = await world.begin();
    await world.wait(runId, "parked");
    await expect(world.runtime.explain(runId, { task: "x" })).rejects.toMatchObject({ code: "task-ambiguous" });
    await expect(world.runtime.explain(runId, { task: "no" })).rejects.toMatchObject({ code: "task-not-found" });
    await expect(world.runtime.explain("run_none")).rejects.toMatchObject({ code: "run-not-found" });
    expect((await world.runtime.explain(runId, { task: "/do/b/do/x" })).tasks[0]).toMatchObject({ status: "not-reached" });
  });
});

describe("time travel", () => {
  it("after each record the run is what it was when that record had just been stored", async () => {
    const world = new World();
    await world.start();
    await world.publish([
      { start: { set: { n: 1 }, export: { as: "{ begun: true }" } } },
      { nap: { wait: "PT5S" } },
      { both: { fork: { branches: [{ left: { wait: "PT1S" } }, { right: { wait: "PT2S" } }] } } },
      { act: { call: "account.transfer:1@bank", with: { account: "a", amount: 3 } } },
      { hear: { listen: { to: { one: { with: { type: "go" } } } } } },
    ]);
    const runId = await world.begin();
    const seen = new Map<number, RunView>();
    const stop = new AbortController();
    const watching = (async () => {
      for await (const view of world.runtime.watch(runId, stop.signal)) seen.set(view.seq, view);
    })();
    await world.wait(runId, "parked");
    for (let second = 0; second < 12; second++) await world.pass(1000);
    await world.operate(runId, { kind: "pause" });
    await world.operate(runId, { kind: "resume" });
    await world.settle(world.runtime.acceptEvent({ specversion: "1.0", id: "1", source: "test", type: "go", data: 1 }));
    await world.wait(runId, "final");
    await world.settle(watching);
    const last = await world.runtime.show(runId);
    expect(last.status).toBe("completed");
    expect(seen.size).toBeGreaterThan(6);
    for (const [seq, view] of seen) {
      expect(await world.runtime.show(runId, { atSeq: seq })).toEqual(view);
      // By time: the last of the records that were made at that moment.
      const atThatTime = await world.runtime.show(runId, { atMs: view.atMs });
      expect(atThatTime.seq).toBeGreaterThanOrEqual(seq);
      expect(atThatTime.atMs).toBe(view.atMs);
    }
    expect((await world.runtime.show(runId, { atMs: last.atMs + 1e9 })).seq).toBe(last.seq);
    await expect(world.runtime.show(runId, { atMs: last.startedAtMs - 1 })).rejects.toMatchObject({ code: "usage" });
    await expect(world.runtime.show(runId, { atSeq: last.seq + 1 })).rejects.toThrow(/has records 1 to/);
    await expect(world.runtime.show(runId, { atSeq: 0 })).rejects.toMatchObject({ code: "usage" });
  });
});
