import { describe, expect, it } from "vitest";
import { DROP, fail, make, MAKE, scope, world } from "./back-out-world-for-tests.ts";
import { answer, HANG, unknown } from "./test-run.ts";

describe("a scope that faults", () => {
  it("is undone in reverse order, then its error goes on", () => {
    const { run, there, done, status } = world(`do: [ { s: ${scope(`{ a: ${make("a")} }, { b: ${make("b")} }, { c: ${fail} }`)} } ]`);
    expect(run.summary).toMatchObject({ status: "faulted", error: { title: "broken", instance: "/do/0/s/do/2/c" } });
    expect(done).toEqual(["make a", "make b", "drop b", "drop a"]);
    expect(there).toEqual(new Set());
    expect(status("/do/s/do/a")).toBe("compensated");
    expect(status("/do/s/do/a/compensate/drop")).toBe("completed");
    expect(status("/do/s/do/c")).toBe("failed");
    expect(status("/do/s")).toBe("failed");
  });

  it("is undone before the catch around it takes the error", () => {
    const { run, done } = world(`
do:
  - t:
      try: [ { s: ${scope(`{ a: ${make("a")} }, { c: ${fail} }`)} } ]
      catch: { do: [ { b: ${make("b")} } ] }`);
    expect(run.summary.status).toBe("completed");
    expect(done).toEqual(["make a", "drop a", "make b"]);
  });

  it("is not undone when the error is caught inside of it, but later when it faults all the same", () => {
    const inside = (more: string): string => `do:
  - s: ${scope(`{ t: { try: [ { a: ${make("a")} }, { c: ${fail} } ], catch: { do: [ { b: ${make("b")} } ] } } }${more}`)}`;
    expect(world(inside("")).done).toEqual(["make a", "make b"]);
    expect(world(inside(`, { d: ${fail} }`)).done).toEqual(["make a", "make b", "drop b", "drop a"]);
  });

  it("makes new effects when its block is repeated", () => {
    const tokens: string[] = [];
    const { run, done } = world(
      `do:
  - t:
      try: [ { s: ${scope(`{ a: ${make("a")} }, { c: ${make("c")} }`)} } ]
      catch: { retry: { delay: PT1S, limit: { attempt: { count: 2 } } } }`,
      { rule: (what, id, count) => (what === "make" && id === "c" && count < 3 ? answer(503) : undefined) },
    );
    run.finish();
    for (const sent of run.sent) if (sent.path.endsWith("/a")) tokens.push(sent.token);
    expect(run.summary.status).toBe("completed");
    expect(done).toEqual(["make a", "drop a", "make a", "drop a", "make a", "make c"]);
    expect(new Set(tokens).size).toBe(3);
  });

  it("undoes an effect once that a repetition inside of it has adopted", () => {
    const { run, done } = world(
      `do:
  - s: ${scope(`{ t: { try: [ { a: ${make("a")} }, { c: ${make("c")} } ], catch: { retry: { limit: { attempt: { count: 1 } } } } } }`)}`,
      { rule: (what, id) => (what === "make" && id === "c" ? answer(503) : undefined), effects: { [MAKE]: "unsafe" } },
    );
    expect(run.summary.status).toBe("faulted");
    expect(done).toEqual(["make a", "drop a"]);
  });

  it("undoes what inner scopes did that had completed, and inner scopes before outer ones", () => {
    const completed = world(`do: [ { s: ${scope(`{ i: ${scope(`{ a: ${make("a")} }`)} }, { c: ${fail} }`)} } ]`);
    expect(completed.done).toEqual(["make a", "drop a"]);
    const both = world(`do: [ { s: ${scope(`{ a: ${make("a")} }, { i: ${scope(`{ b: ${make("b")} }, { c: ${fail} }`)} }`)} } ]`);
    expect(both.done).toEqual(["make a", "make b", "drop b", "drop a"]);
  });

  it("may be the whole document", () => {
    const { run, done, there } = world(`
document: { dsl: 1.0.3, namespace: test, name: case, version: 1.0.0, metadata: { tutti: { saga: { on: [faulted] } } } }
do: [ { a: ${make("a")} }, { l: { for: { in: '[1, 2]' }, do: [ { b: ${make("b${ $item }").replace("'b${ $item }'", "'${ \"b\" + ($item | tostring) }'")} } ] } }, { c: ${fail} } ]`);
    expect(run.summary.status).toBe("faulted");
    expect(done).toEqual(["make a", "make b1", "make b2", "drop b2", "drop b1", "drop a"]);
    run.operate({ kind: "retry" });
    expect(run.summary.status).toBe("faulted");
    expect(done.slice(6)).toEqual(["make a", "make b1", "make b2", "drop b2", "drop b1", "drop a"]);
    expect(there).toEqual(new Set());
    const tokens = run.sent.filter(({ path }) => path === "/do/a").map(({ token }) => token);
    expect(new Set(tokens).size).toBe(2);
  });

  it("is left alone by a saga that means cancellations only, and begins anew when it is retried", () => {
    expect(world(`do: [ { s: ${scope(`{ a: ${make("a")} }, { c: ${fail} }`, "{ on: [cancelled] }")} } ]`).done).toEqual(["make a"]);
    let isMended = false;
    const { run, done } = world(`do: [ { s: ${scope(`{ a: ${make("a")} }, { c: ${make("c")} }`)} } ]`, {
      rule: (what, id) => (what === "make" && id === "c" && !isMended ? answer(500) : undefined),
    });
    expect(done).toEqual(["make a", "drop a"]);
    isMended = true;
    run.operate({ kind: "retry" });
    expect(run.summary.status).toBe("completed");
    expect(done).toEqual(["make a", "drop a", "make a", "make c"]);
  });

  it("of its own timeout, and of its own output that fails, is undone as well", () => {
    const timed = world(`do: [ { s: ${scope(`{ a: ${make("a")} }, { w: { wait: PT1H } }`, "{}", ", timeout: { after: PT1M }")} } ]`);
    timed.run.finish();
    expect(timed.run.summary).toMatchObject({ status: "faulted", error: { status: 408 } });
    expect(timed.done).toEqual(["make a", "drop a"]);
    const output = world(`do: [ { s: ${scope(`{ a: ${make("a")} }`, "{}", ", output: { as: '${ error(\"bad\") }' }")} } ]`);
    expect(output.run.summary.status).toBe("faulted");
    expect(output.done).toEqual(["make a", "drop a"]);
    expect(output.there).toEqual(new Set());
    // Of the task itself: what it made is there although its output failed.
    const own = world(`do: [ { s: ${scope(`{ a: ${make("a", ", output: { as: '${ error(\"bad\") }' }")} }`)} } ]`);
    expect(own.done).toEqual(["make a", "drop a"]);
  });

  it("does not undo what was skipped, or what a person gave in its place", () => {
    const { run, done } = world(
      `do: [ { s: ${scope(`{ n: ${make("n", ", if: '${ false }'")} }, { a: ${make("a")} }, { c: ${fail} }`)} } ]`,
      {
        rule: (what, id, count) => (what === "make" && id === "a" && count === 1 ? unknown("crash") : undefined),
        effects: { [MAKE]: "unsafe" },
      },
    );
    expect(run.summary.inDoubt).toBe(1);
    run.operate({ kind: "skip", task: run.view.waits[0]?.task ?? 0, output: { made: "by hand" } });
    expect(run.summary.status).toBe("faulted");
    expect(done).toEqual([]);
  });
});

describe("what is in flight when a scope ends", () => {
  const fork = (other: string, saga = "{}"): string =>
    `do: [ { s: ${scope(`{ f: { fork: { branches: [ { a: ${make("a")} }, { o: ${other} } ] } } }`, saga)} } ]`;

  it("comes to a known end, and is undone when it was done", () => {
    const { run, done } = world(fork(`{ do: [ { x: ${make("x")} } ] }`), {
      rule: (what, id) => (what === "make" ? (id === "a" ? HANG : answer(500)) : undefined),
      ignoresAborts: true,
    });
    expect(run.summary.status).toBe("running");
    run.end("/do/s/do/f/fork/branches/a", { kind: "completed", output: { made: "late" } });
    expect(done).toEqual(["drop late"]);
    expect(run.summary.status).toBe("faulted");
  });

  it("is looked up when it can be found, and nothing new is sent", () => {
    const found = world(fork(`{ do: [ { x: ${make("x")} } ] }`), {
      rule: (what, id) => (what === "make" ? (id === "a" ? HANG : answer(500)) : undefined),
      effects: { [MAKE]: "findable" },
      finds: { [MAKE]: () => ({ made: "found" }) },
    });
    expect(found.done).toEqual(["drop found"]);
    const absent = world(fork(`{ do: [ { x: ${make("x")} } ] }`), {
      rule: (what, id) => (what === "make" ? (id === "a" ? HANG : answer(500)) : undefined),
      effects: { [MAKE]: "findable" },
      finds: { [MAKE]: () => undefined },
    });
    expect(absent.done).toEqual([]);
    expect(absent.run.summary.status).toBe("faulted");
    expect(absent.run.sent.filter(({ path }) => path.endsWith("/a"))).toHaveLength(1);
  });

  it("holds the back-out while it is in doubt; a person settles it", () => {
    for (const [verdict, drops] of [
      [{ kind: "done", output: { made: "settled" } }, ["drop settled"]],
      [{ kind: "not-done", then: "run" }, []],
      [{ kind: "not-done", then: "fail" }, []],
    ] as const) {
      const { run, done } = world(fork(`{ do: [ { x: ${make("x")} } ] }`), {
        rule: (what, id) => (what === "make" ? (id === "a" ? HANG : answer(500)) : undefined),
        effects: { [MAKE]: "unsafe" },
      });
      expect(run.summary).toMatchObject({ status: "waiting", inDoubt: 1 });
      const [wait] = run.view.waits;
      run.operate({ kind: "settle", task: wait?.task ?? 0, verdict });
      expect(run.summary.status).toBe("faulted");
      expect(done).toEqual(drops);
    }
  });

  it("of an unsafe effect that failed unknown is settled first, although a catch outside would take the error", () => {
    const { run, done } = world(
      `do: [ { t: { try: [ { s: ${scope(`{ a: ${make("a")} }, { b: ${make("b")} }`)} } ], catch: { do: [ { n: { set: { caught: true } } } ] } } } ]`,
      { rule: (what, id) => (what === "make" && id === "b" ? unknown() : undefined), effects: { [MAKE]: "unsafe" } },
    );
    expect(run.summary).toMatchObject({ status: "waiting", inDoubt: 1 });
    expect(done).toEqual(["make a"]);
    run.operate({ kind: "settle", task: run.view.waits[0]?.task ?? 0, verdict: { kind: "not-done", then: "fail" } });
    expect(run.summary).toMatchObject({ status: "completed", output: { caught: true } });
    expect(done).toEqual(["make a", "drop a"]);
  });

  it("of another run is cancelled, and its end awaited", () => {
    const { run, done } = world(
      `do: [ { s: ${scope(`{ a: ${make("a")} }, { f: { fork: { branches: [ { r: { run: { workflow: { namespace: x, name: y, version: 1.0.0 } }, } }, { x: { wait: PT1S, } }, { z: { do: [ { w: { wait: PT1S } }, { c: ${fail} } ] } } ] } } }`)} } ]`,
    );
    run.finish();
    expect(run.commands.filter(({ type }) => type === "cancel-child")).toHaveLength(1);
    expect(done).toEqual(["make a"]);
    const child = run.view.waits.find(({ kind }) => kind === "child");
    const started = run.commands.find((command) => command.type === "start-child");
    run.feed({
      type: "child-ended",
      at: run.nowMs,
      task: child?.task ?? 0,
      runId: started?.type === "start-child" ? started.runId : "",
      outcome: { kind: "cancelled" },
    });
    expect(done).toEqual(["make a", "drop a"]);
    expect(run.summary.status).toBe("faulted");
  });
});

describe("a scope that is cancelled", () => {
  const waiting = `{ a: ${make("a")} }, { w: { wait: PT1H } }`;

  it("by a person is undone before the run is cancelled", () => {
    const { run, done } = world(`do: [ { s: ${scope(waiting)} } ]`);
    run.operate({ kind: "cancel" });
    expect(run.summary.status).toBe("cancelled");
    expect(done).toEqual(["make a", "drop a"]);
  });

  it("is killed without undoing anything", () => {
    const { run, done } = world(`do: [ { s: ${scope(waiting)} } ]`);
    run.operate({ kind: "kill" });
    expect(run.summary.status).toBe("cancelled");
    expect(done).toEqual(["make a"]);
  });

  it("by a lost race, by an end elsewhere, by an error beside it, is undone first", () => {
    const race = world(
      `do: [ { f: { fork: { compete: true, branches: [ { s: ${scope(waiting)} }, { q: { do: [ { w: { wait: PT1S } }, { v: { set: { won: true } } } ] } } ] } } } ]`,
    );
    race.run.finish();
    expect(race.run.summary).toMatchObject({ status: "completed", output: { won: true } });
    expect(race.done).toEqual(["make a", "drop a"]);
    const end = world(
      `do: [ { f: { fork: { branches: [ { s: ${scope(waiting)} }, { q: { do: [ { w: { wait: PT1S } }, { v: { set: { ended: true }, then: end } } ] } } ] } } } ]`,
    );
    end.run.finish();
    expect(end.run.summary).toMatchObject({ status: "completed", output: { ended: true } });
    expect(end.done).toEqual(["make a", "drop a"]);
    const error = world(
      `do: [ { t: { try: [ { f: { fork: { branches: [ { s: ${scope(waiting)} }, { q: { do: [ { w: { wait: PT1S } }, { v: ${fail} } ] } } ] } } } ], catch: { do: [ { n: { set: { caught: true } } } ] } } } ]`,
    );
    error.run.finish();
    expect(error.run.summary).toMatchObject({ status: "completed", output: { caught: true } });
    expect(error.done).toEqual(["make a", "drop a"]);
  });

  it("is left alone by a saga that means faults only", () => {
    const { run, done } = world(`do: [ { s: ${scope(waiting, "{ on: [faulted] }")} } ]`);
    run.operate({ kind: "cancel" });
    expect(run.summary.status).toBe("cancelled");
    expect(done).toEqual(["make a"]);
  });

  it("while it is being backed out already goes on to its end, and the run is cancelled then", () => {
    const { run, done } = world(
      `do: [ { t: { try: [ { s: ${scope(`{ a: ${make("a")} }, { c: ${fail} }`)} } ], catch: { do: [ { n: { wait: PT1H } } ] } } } ]`,
      {
        rule: (what) => (what === "drop" ? HANG : undefined),
        ignoresAborts: true,
      },
    );
    expect(run.summary.status).toBe("running");
    run.operate({ kind: "cancel" });
    expect(run.summary.status).toBe("running");
    expect(() => run.operate({ kind: "cancel" })).toThrow("the run is being cancelled");
    run.end("/do/t/try/s/do/a/compensate/drop", { kind: "completed", output: null });
    expect(run.summary.status).toBe("cancelled");
    expect(done).toEqual(["make a"]);
  });

  it("is undone when it had faulted without being backed out, and somebody cancels it", () => {
    const { run, done } = world(`do: [ { s: ${scope(`{ a: ${make("a")} }, { c: ${fail} }`, "{ on: [cancelled] }")} } ]`);
    expect(run.summary.status).toBe("faulted");
    run.operate({ kind: "cancel" });
    expect(run.summary.status).toBe("cancelled");
    expect(done).toEqual(["make a", "drop a"]);
  });
});

describe("an undo that fails", () => {
  const three = `{ a: ${make("a")} }, { b: ${make("b")} }, { c: ${fail} }`;

  it("stops the back-out where it is; it goes on when the undo is retried or skipped", () => {
    for (const word of ["retry", "skip"] as const) {
      const { run, done } = world(`do: [ { s: ${scope(three)} } ]`, {
        rule: (what, id, count) => (what === "drop" && id === "b" && count === 1 ? answer(500, "stuck") : undefined),
      });
      expect(run.summary).toMatchObject({ status: "faulted", error: { title: "the undo of /do/s/do/b failed: stuck", status: 500 } });
      expect(run.summary.errorType).toMatch(/compensation-failed$/);
      expect(done).toEqual(["make a", "make b"]);
      const failed = run.view.waits.find(({ kind }) => kind === "operator");
      expect(failed?.path).toBe("/do/s/do/b/compensate/drop");
      run.operate(word === "retry" ? { kind: "retry" } : { kind: "skip", task: failed?.task ?? 0 });
      expect(run.summary).toMatchObject({ status: "faulted", error: { title: "broken" } });
      expect(done).toEqual(["make a", "make b", ...(word === "retry" ? ["drop b"] : []), "drop a"]);
    }
  });

  it("lets the others go on with `continue`, and is reported at the end; a retry undoes what is left", () => {
    let isMended = false;
    const { run, done, status } = world(`do: [ { s: ${scope(three, "{ onFailure: continue }")} } ]`, {
      rule: (what, id) => (what === "drop" && id === "b" && !isMended ? answer(500, "stuck") : undefined),
    });
    expect(run.summary).toMatchObject({ status: "faulted", error: { title: "the undo of /do/s/do/b failed: stuck" } });
    expect(done).toEqual(["make a", "make b", "drop a"]);
    expect(status("/do/s/do/a")).toBe("compensated");
    expect(status("/do/s/do/b")).toBe("completed");
    isMended = true;
    run.operate({ kind: "retry" });
    expect(run.summary).toMatchObject({ status: "faulted", error: { title: "broken" } });
    expect(done).toEqual(["make a", "make b", "drop a", "drop b"]);
  });

  it("in a run that is being cancelled is retried, and then the run is cancelled", () => {
    const { run, done } = world(`do: [ { s: ${scope(`{ a: ${make("a")} }, { w: { wait: PT1H } }`)} } ]`, {
      rule: (what, _id, count) => (what === "drop" && count === 1 ? answer(500) : undefined),
    });
    run.operate({ kind: "cancel" });
    expect(run.summary.status).toBe("faulted");
    run.operate({ kind: "resume" });
    expect(run.summary.status).toBe("cancelled");
    expect(done).toEqual(["make a", "drop a"]);
  });

  it("may catch its own errors, may end, and knows input, output and context of that time", () => {
    const { run } = world(`
do:
  - s:
      metadata: { tutti: { saga: {} } }
      do:
        - a:
            input: { from: { id: a } }
            call: '${MAKE}'
            with: { id: '\${ .id }' }
            export: { as: { known: '\${ .made }' } }
            metadata:
              tutti:
                compensate:
                  - t: { try: [ { x: ${fail} } ], catch: { as: e, do: [ { y: { set: { title: '\${ $e.title }' } } } ] } }
                  - e: { emit: { event: { with: { source: 'https://t', type: undone, data: { all: '\${ $workflow.input }', context: '\${ $context }', title: '\${ .title }' } } } }, then: end }
                  - never: ${fail}
        - b: { set: {}, export: { as: { known: later } } }
        - c: ${fail}`);
    expect(run.summary).toMatchObject({ status: "faulted", error: { title: "broken", instance: "/do/0/s/do/2/c" } });
    expect(run.emitted.map(({ data }) => data)).toEqual([{ all: null, context: { known: "a" }, title: "broken" }]);
  });

  it("is a function when one is named, and sees input and output only", () => {
    const { done } = world(`
use: { functions: { back: { call: '${DROP}', with: { id: '\${ .input.id + .output.made }' } } } }
do:
  - s: ${scope(`{ l: { for: { in: '["x"]' }, do: [ { a: { input: { from: { id: '\${ $item }' } }, call: '${MAKE}', with: { id: '\${ .id }' }, metadata: { tutti: { compensate: back } } } } ] } }, { c: ${fail} }`)}`);
    expect(done).toEqual(["make x", "drop xx"]);
  });
});

describe("order and words", () => {
  it("undoes all at once with `parallel`", () => {
    const { run } = world(`do: [ { s: ${scope(`{ a: ${make("a")} }, { b: ${make("b")} }, { c: ${fail} }`, "{ order: parallel }")} } ]`, {
      rule: (what) => (what === "drop" ? HANG : undefined),
    });
    expect([...run.open.values()].map(({ path }) => path).toSorted()).toEqual(["/do/s/do/a/compensate/drop", "/do/s/do/b/compensate/drop"]);
  });

  it("is paused and goes on; nothing of it is lost", () => {
    const { run, done } = world(`do: [ { s: ${scope(`{ a: ${make("a")} }, { b: ${make("b")} }, { c: ${fail} }`)} } ]`, {
      rule: (what, id) => (what === "drop" && id === "b" ? HANG : undefined),
      ignoresAborts: true,
    });
    run.operate({ kind: "pause" });
    run.end("/do/s/do/b/compensate/drop", { kind: "completed", output: null });
    expect(run.summary.status).toBe("suspended");
    expect(done).toEqual(["make a", "make b"]);
    run.operate({ kind: "resume" });
    expect(run.summary.status).toBe("faulted");
    expect(done).toEqual(["make a", "make b", "drop a"]);
  });

  it("without a saga around it an undo is never run", () => {
    const { run, done } = world(`do: [ { a: ${make("a")} }, { c: ${fail} } ]`);
    expect(run.summary.status).toBe("faulted");
    run.operate({ kind: "cancel" });
    expect(done).toEqual(["make a"]);
  });
});
