import type { JsonObject } from "@tutti/model";
import { describe, expect, it } from "vitest";
import { TestRun } from "../test-run.ts";
import { PREVIEW_PATHS_MAX } from "./explore.ts";
import type { CallAhead, CallForeseen } from "./walk.ts";
import { FUNCTIONS, outlook, said, TestWorld } from "./preview-world-for-tests.ts";

const make = (id: string, more = ""): string => `{ call: 'thing.make:1@t', with: { id: ${id} }${more} }`;
const shout = (more = ""): string => `{ call: 'thing.shout:1@t', with: {}${more} }`;

/** Path, certainty and the conditions in short. */
function told(calls: Awaited<ReturnType<typeof outlook>>["outlook"]["calls"]): readonly string[] {
  return calls.map(({ path, certainty }) => {
    if (certainty.kind === "certain") return `${path} certain`;
    return `${path} if ${certainty.when.map(({ of, name, holds, path: at }) => `${holds ? "" : "not "}${of}${name === undefined ? "" : ` ${name}`} of ${at}`).join(" and ")}`;
  });
}

describe("what a run would do", () => {
  it("is what it then does, with the same tokens, targets known before and parts that nobody knows", async () => {
    const { outlook: seen, run } = await outlook(`
use: { secrets: [password] }
do:
  - look: { call: 'thing.look:1@t', with: {} }
  - make: { call: 'thing.make:1@t', with: { id: '\${ "web-" + (.list | length | tostring) }' }, export: { as: { made: '\${ . }', name: web } } }
  - pause: { wait: PT1H }
  - mend: { call: 'thing.mend:1@t', with: { id: '\${ $context.name }', address: '\${ $context.made.address }', of: '\${ $context.made.id }' } }
  - say: { emit: { event: { with: { type: made } } } }
`);
    expect(said(seen.calls.map(({ path, with: given }) => ({ path, given })) as never)).toEqual([
      { path: "/do/make", given: { id: "web-0" } },
      { path: "/do/mend", given: { id: "web", address: "unknown: the output of /do/make.address", of: "web-0" } },
      { path: "/do/say", given: expect.objectContaining({ type: "made" }) },
    ]);
    expect(seen.calls.map(({ effects }) => effects?.map(({ kind, name }) => `${kind} ${name}`))).toEqual([
      ["create web-0"],
      ["change web"],
      ["send made"],
    ]);
    expect(seen.facts.map(({ path, value }) => [path, value])).toEqual([["/do/look", { list: [] }]]);
    expect(seen.ends).toEqual([{ status: "completed", when: [] }]);
    expect(seen.paths).toBe(1);
    while (run.summary.status === "waiting") run.tick();
    expect(run.summary.status).toBe("completed");
    expect(run.sent.filter(({ effect }) => effect !== "read").map(({ token }) => token)).toEqual(
      seen.calls.filter(({ token }) => token !== "").map(({ token }) => token),
    );
  });

  it("reads before anything changes, and not what changes may have touched", async () => {
    const world = new TestWorld();
    world.things.add("a");
    const { outlook: seen } = await outlook(
      `do: [ { before: { call: 'thing.look:1@t', with: {} } }, { mend: { call: 'thing.mend:1@t', with: { id: '\${ .list[0] }' } } }, { still: { call: 'thing.look:1@t', with: {} } }, { make: ${make("b")} }, { after: { call: 'thing.look:1@t', with: {} } } ]`,
      { world },
    );
    expect(seen.facts.map(({ path }) => path)).toEqual(["/do/before", "/do/still"]);
    expect(seen.calls.map(({ path, effects }) => [path, effects?.length])).toEqual([
      ["/do/mend", 0],
      ["/do/make", 1],
      ["/do/after", 0],
    ]);
  });

  it("does not read beside what may change it meanwhile", async () => {
    const { outlook: seen } = await outlook(
      `do: [ { both: { fork: { branches: [ { look: { call: 'thing.look:1@t', with: {} } }, { make: ${make("a")} } ] } } } ]`,
    );
    expect(seen.facts).toEqual([]);
    const { outlook: reads } = await outlook(
      `do: [ { both: { fork: { branches: [ { one: { call: 'thing.look:1@t', with: {} } }, { two: { call: 'thing.look:1@t', with: {} } } ] } } } ]`,
    );
    expect(reads.facts.length).toBe(2);
  });

  it("knows neither the time nor what depends on it", async () => {
    const { outlook: seen } = await outlook(
      `do: [ { a: ${make("'${ $workflow.startedAt.iso8601 }'")} }, { b: ${make("'${ now | tostring }'")} }, { c: ${make("'${ $task.startedAt.iso8601 }'")} }, { d: ${make("'${ $workflow.id }'")} } ]`,
    );
    expect(said(seen.calls.map((call) => call.with["id"]) as never)).toEqual([
      "unknown: when the run starts.iso8601",
      "unknown: the time at which it runs",
      "unknown: when /do/c starts.iso8601",
      "run_0000000000000001",
    ]);
    expect(seen.calls[0]?.reason).toBe("depends on when the run starts.iso8601");
  });
});

describe("decisions on what is unknown", () => {
  it("make what depends on them conditional", async () => {
    const { outlook: seen } = await outlook(`
do:
  - ask: ${shout()}
  - a: { if: '\${ . == "yes" }', call: 'thing.make:1@t', with: { id: a } }
  - choose:
      switch:
        - big: { when: '\${ .size > 3 }', then: big }
        - small: { when: '\${ .size > 1 }', then: small }
        - none: { then: exit }
  - big: ${make("b", ", then: last")}
  - small: ${make("c")}
  - last: ${make("d")}
`);
    expect(told(seen.calls)).toEqual([
      "/do/ask certain",
      "/do/a if if of /do/a",
      "/do/big if case big of /do/choose",
      "/do/small if not case big of /do/choose and case small of /do/choose",
      "/do/last if ",
    ]);
    expect(seen.decisions.map(({ dependsOn }) => dependsOn)[0]).toBe("the output of /do/ask");
    expect(seen.isComplete).toBe(true);
    expect(seen.paths).toBe(6);
  });

  it("go both ways over unknown items, races and loops", async () => {
    const { outlook: loop } = await outlook(`
do:
  - ask: ${shout()}
  - each: { for: { in: '\${ .list }', each: one }, do: [ { make: { call: 'thing.make:1@t', with: { id: '\${ $one.name }' } } } ] }
`);
    expect(told(loop.calls)).toEqual(["/do/ask certain", "/do/each/do/make if for of /do/each"]);
    expect(said(loop.calls[1]?.with as JsonObject)).toEqual({ id: "unknown: each item of /do/each.name" });
    const { outlook: race } = await outlook(`
do:
  - race: { fork: { compete: true, branches: [ { a: { do: [ { one: ${shout()} }, { two: ${shout()} } ] } }, { b: { do: [ { three: ${shout()} }, { four: ${shout()} } ] } } ] } }
  - last: ${shout()}
`);
    expect(told(race.calls).toSorted()).toEqual([
      "/do/last certain",
      "/do/race/fork/branches/a/do/one certain",
      "/do/race/fork/branches/a/do/two if race a of /do/race",
      "/do/race/fork/branches/b/do/four if not race a of /do/race",
      "/do/race/fork/branches/b/do/three certain",
    ]);
    const { outlook: again } = await outlook(`
do:
  - ask: ${shout()}
  - more: { switch: [ { again: { when: '\${ .more }', then: ask } }, { over: { then: last } } ] }
  - last: ${make("z")}
`);
    expect(again.ends).toMatchObject([{ status: "completed" }]);
    expect(told(again.calls)).toContain("/do/last certain");
  });

  it("of errors: a read that finds nothing is a fact, and its catch is gone through", async () => {
    const world = new (class extends TestWorld {
      override async foresee(call: CallAhead): Promise<CallForeseen> {
        const seen = await super.foresee(call);
        const error = { type: "https://serverlessworkflow.io/spec/1.0.0/errors/communication", status: 404, title: "not there" };
        return call.command.effect === "read" ? { ...seen, outcome: { kind: "failed", error } } : seen;
      }
    })();
    const { outlook: seen } = await outlook(
      `do: [ { known: { try: [ { look: { call: 'thing.look:1@t', with: {} } } ], catch: { errors: { with: { status: 404 } }, do: [ { make: ${make("a")} } ] } } } ]`,
      { world },
    );
    expect(told(seen.calls)).toEqual(["/do/known/catch/do/make certain"]);
    expect(seen.facts).toMatchObject([{ path: "/do/known/try/look", value: { error: { status: 404 } } }]);
    const { outlook: broken } = await outlook(`do: [ { look: { call: 'thing.look:1@t', with: {} } }, { make: ${make("a")} } ]`, { world });
    expect(broken.ends).toMatchObject([{ status: "faulted", error: { title: "not there" } }]);
    expect(broken.calls).toEqual([]);
  });

  it("are bounded, and it is said when not all combinations were seen", async () => {
    const many = Array.from(
      { length: 12 },
      (_, index) => `{ t${index}: { if: '\${ $context.x == ${index} }', call: 'thing.make:1@t', with: { id: t${index} } } }`,
    );
    const { outlook: seen } = await outlook(`do: [ { ask: ${shout(", export: { as: { x: '${ . }' } }")} }, ${many.join(", ")} ]`);
    expect(seen.paths).toBe(PREVIEW_PATHS_MAX);
    expect(seen.isComplete).toBe(false);
    expect(told(seen.calls).slice(1)).toEqual(Array.from({ length: 12 }, (_, index) => `/do/t${index} if if of /do/t${index}`));
  });
});

it("leaves schemas to the run where a value is not known, and not where it is", async () => {
  const schema = (type: string): string => `, output: { schema: { document: { type: ${type} } } }`;
  const { outlook: open } = await outlook(`do: [ { ask: ${shout(schema("string"))} }, { make: ${make("a")} } ]`);
  expect(open.ends).toMatchObject([{ status: "completed" }]);
  const { outlook: wrong } = await outlook(`do: [ { known: { set: { n: 1 }${schema("string")} } }, { make: ${make("a")} } ]`);
  expect(wrong.ends).toMatchObject([{ status: "faulted", error: { title: "the output of known does not match its schema" } }]);
});

describe("back-out, locks, children and events", () => {
  const undoable = (id: string): string =>
    make(id, `, metadata: { tutti: { compensate: [ { drop: { call: 'thing.mend:1@t', with: { id: '\${ .output.id }' } } } ] } }`);

  it("names what would be undone, what stays, and from where there is no return", async () => {
    const { outlook: seen } = await outlook(
      `do: [ { a: ${undoable("a")} }, { b: ${undoable("b")} }, { c: ${make("c")} }, { d: ${undoable("d")} } ]`,
    );
    expect(seen.backOut).toEqual({ undo: ["/do/d", "/do/b", "/do/a"], stays: ["/do/c"] });
    expect(seen.pointOfNoReturn).toBe("/do/c");
    expect(seen.calls.map(({ reversible }) => reversible)).toEqual(["yes", "yes", "no", "yes"]);
  });

  it("goes into the workflows that a task runs", async () => {
    const world = new TestWorld();
    world.children = {
      child: new TestRun({ document: `do: [ { inner: ${make("'${ .id }'")} } ]`, functions: FUNCTIONS, input: { id: "x" } }),
    };
    const { outlook: seen } = await outlook(
      `do: [ { sub: { run: { workflow: { namespace: test, name: child, version: 1.0.0, input: { id: '\${ .name }' } } } } }, { other: { run: { workflow: { namespace: test, name: nobody, version: 1.0.0 } } } } ]`,
      { world, input: { name: "n" } },
    );
    expect(seen.calls.map(({ path, with: given }) => [path, given])).toEqual([["/do/sub › /do/inner", { id: "n" }]]);
    expect(seen.ends).toMatchObject([{ status: "faulted", error: { title: expect.stringContaining("There is no workflow test/nobody") } }]);
  });

  it("tells of slots and of events that are waited for", async () => {
    const { outlook: seen } = await outlook(`
do:
  - wait: { listen: { to: { one: { with: { type: approved } } } } }
  - make: { call: 'thing.make:1@t', with: { id: '\${ .[0].name }' }, metadata: { tutti: { concurrency: { key: '"db"', limit: 1 } } } }
`);
    expect(seen.waits).toEqual([{ path: "/do/wait", certainty: { kind: "certain" } }]);
    expect(seen.locks).toEqual([{ path: "/do/make", key: "db", limit: 1 }]);
    expect(seen.calls[0]?.reason).toMatch(/depends on the events that \/do\/wait takes/);
  });
});
