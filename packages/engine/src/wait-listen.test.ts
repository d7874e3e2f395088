import { describe, expect, it } from "vitest";
import { TestRun } from "./test-run.ts";

const listen = (to: string, more = "") => `do: [ { hear: { listen: { to: ${to}${more} } } } ]`;

describe("wait", () => {
  it("waits as long as it says, in both spellings and by expression", () => {
    for (const wait of ["PT90S", "{ minutes: 1, seconds: 30 }", '"${ .for }"']) {
      const run = new TestRun({ document: `do: [ { pause: { wait: ${wait} } } ]`, input: { for: "PT1M30S" } });
      expect(run.summary).toMatchObject({ status: "waiting", wakeAtMs: run.state.startedAtMs + 90_000 });
      run.finish();
      expect(run.summary).toMatchObject({ status: "completed", output: { for: "PT1M30S" } });
    }
  });
});

describe("emit", () => {
  it("gives the event as output and to the outbox, with what was left out filled in", () => {
    const run = new TestRun({
      document: "do: [ { say: { emit: { event: { with: { type: com.x.y, data: { n: '${ .n }' } } } } } } ]",
      input: { n: 1 },
    });
    expect(run.summary.output).toEqual(run.emitted[0]);
    expect(run.emitted).toMatchObject([
      { specversion: "1.0", type: "com.x.y", source: "tutti:/test/case/run_0000000000000001", data: { n: 1 } },
    ]);
    expect(run.emitted[0]?.id).toMatch(/^evt_/);
  });
});

describe("listen", () => {
  it("one: takes the first event of its type and filter", () => {
    const run = new TestRun({ document: listen("{ one: { with: { type: t.a, data: '${ .x > 1 }' } } }") });
    expect(run.send("t.b", { x: 5 })).toBe(0);
    expect(run.send("t.a", { x: 1 })).toBe(0);
    expect(run.send("t.a", { x: 2 })).toBe(1);
    expect(run.summary.output).toEqual([{ x: 2 }]);
  });

  it("reads data, envelope or raw", () => {
    const read = (how: string) => {
      const run = new TestRun({ document: listen("{ one: { with: { type: t } } }", `, read: ${how}`) });
      run.send("t", { x: 1 });
      return run.summary.output;
    };
    expect(read("data")).toEqual([{ x: 1 }]);
    expect(read("envelope")).toMatchObject([{ type: "t", data: { x: 1 } }]);
    expect(read("raw")).toEqual(['{"x":1}']);
  });

  it("all: takes one event per filter, in the order in which they come", () => {
    const run = new TestRun({ document: listen("{ all: [ { with: { type: a } }, { with: { type: b } } ] }") });
    run.send("b", 1);
    expect(run.send("b", 2)).toBe(0);
    run.send("a", 3);
    expect(run.summary.output).toEqual([1, 3]);
  });

  it("any: takes the first of any filter; an empty list takes anything", () => {
    const two = new TestRun({ document: listen("{ any: [ { with: { type: a } }, { with: { type: b } } ] }") });
    two.send("b", 1);
    expect(two.summary.output).toEqual([1]);
    const all = new TestRun({ document: listen("{ any: [] }") });
    all.send("whatever", 1);
    expect(all.summary.output).toEqual([1]);
  });

  it("any until a condition, and until an event that is no output", () => {
    const condition = new TestRun({ document: listen("{ any: [], until: '( . | length ) > 2' }") });
    for (const n of [1, 2, 3]) condition.send("t", n);
    expect(condition.summary.output).toEqual([1, 2, 3]);
    const event = new TestRun({ document: listen("{ any: [ { with: { type: a } } ], until: { one: { with: { type: stop } } } }") });
    event.send("a", 1);
    event.send("a", 2);
    event.send("stop", 9);
    expect(event.summary.output).toEqual([1, 2]);
  });

  it("correlates with the run's data, or with the first event", () => {
    const expected = new TestRun({
      input: { id: 7 },
      document: listen("{ one: { with: { type: t }, correlate: { order: { from: .data.order, expect: '${ .id }' } } } }"),
    });
    expect(expected.send("t", { order: 8 })).toBe(0);
    expect(expected.send("t", { order: 7 })).toBe(1);
    const first = new TestRun({
      document: listen(
        "{ all: [ { with: { type: a }, correlate: { room: { from: .room } } }, { with: { type: b }, correlate: { room: { from: .room } } } ] }",
      ),
    });
    first.send("a", 1, { room: "kitchen" });
    expect(first.send("b", 2, { room: "hall" })).toBe(0);
    expect(first.send("b", 3, { room: "kitchen" })).toBe(1);
    expect(first.summary.output).toEqual([1, 3]);
  });

  it("iterates over the events in their order, with output and export, until the condition over what was exported", () => {
    const run = new TestRun({
      input: { sum: 0 },
      functions: { "x.do:1@t": (input) => (input["n"] === 1 ? "«hang»" : (input["n"] as number) * 10) },
      document: `
do:
  - hear:
      listen: { to: { any: [ { with: { type: n } } ], until: '$context.sum >= 30' } }
      foreach:
        item: event
        at: i
        do: [ { work: { call: x.do:1@t, with: { n: '\${ $event }' } } } ]
        output: { as: '{ i: $i, out: . }' }
        export: { as: '{ sum: ($context.sum + .out) }' }`,
    });
    run.send("n", 1);
    run.send("n", 2);
    expect(run.sent.length).toBe(1);
    run.end("/do/hear/foreach/do/work", { kind: "completed", output: 10 });
    expect(run.summary).toMatchObject({
      status: "completed",
      output: [
        { i: 0, out: 10 },
        { i: 1, out: 20 },
      ],
    });
  });

  it("forgets which events it took once nobody can offer them again", () => {
    const run = new TestRun({ document: listen("{ any: [], until: 'length > 3' }") });
    run.send("t", 1);
    run.nowMs += 15 * 24 * 60 * 60 * 1000;
    run.send("t", 2);
    expect([...run.state.consumed.keys()]).toEqual([2]);
  });

  it("a listen that times out lets go of its subscription", () => {
    const run = new TestRun({
      document: "do: [ { hear: { timeout: { after: PT1S }, listen: { to: { one: { with: { type: t } } } } } } ]",
    }).finish();
    expect(run.summary).toMatchObject({ status: "faulted", error: { status: 408 } });
  });
});
