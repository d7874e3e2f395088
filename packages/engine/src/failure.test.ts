import { describe, expect, it } from "vitest";
import { answer, TestRun, unknown } from "./test-run.ts";

const failing = (times: number, status = 503) => {
  let calls = 0;
  return () => (++calls <= times ? answer(status) : `after ${calls}`);
};
const retrying = (retry: string, more = "") => `
do:
  - guarded:
      try: [ { act: { call: x.do:1@t } } ]
      catch: { errors: { with: { status: 503 } }, retry: ${retry}${more} }`;

describe("catch", () => {
  it.each([
    ["https://serverlessworkflow.io/spec/1.0.0/errors/communication"],
    ["https://serverlessworkflow.io/dsl/errors/types/communication"],
    ["https://open-workflow-specification.org/dsl/errors/types/communication"],
    ["https://open-workflow-specification.org/spec/1.0.0/errors/communication"],
  ])("takes the accepted spelling %s of an error type", (type) => {
    const run = new TestRun({
      functions: { "x.do:1@t": () => answer(404) },
      document: `
do:
  - guarded:
      try: [ { act: { call: x.do:1@t } } ]
      catch: { errors: { with: { type: '${type}', status: 404 } }, as: err, do: [ { note: { set: { at: '\${ $err.instance }' } } } ] }`,
    });
    expect(run.summary.output).toEqual({ at: "/do/0/guarded/try/0/act" });
  });

  it("lets what it does not match go on to the outer catch", () => {
    const run = new TestRun({
      document: `
do:
  - outer:
      try:
        - inner:
            try: [ { boom: { raise: { error: { type: 'https://x.test/e', status: 418, title: teapot } } } } ]
            catch: { errors: { with: { status: 500 } }, do: [ { no: { set: { inner: true } } } ] }
      catch: { when: $error.status == 418, exceptWhen: $error.title == "kettle", do: [ { yes: { set: { outer: '\${ $error.title }' } } } ] }`,
    });
    expect(run.summary.output).toEqual({ outer: "teapot" });
  });

  it("without tasks of its own goes on with the input, or where `then` says", () => {
    const document = (more: string) => `
do:
  - guarded: { try: [ { boom: { raise: { error: { type: x, status: 500 } } } } ], catch: { errors: { with: { status: 500 } }${more} } }
  - next: { set: { at: next, was: '\${ . }' }, then: end }
  - other: { set: { at: other } }`;
    expect(new TestRun({ document: document(""), input: { a: 1 } }).summary.output).toEqual({ at: "next", was: { a: 1 } });
    expect(new TestRun({ document: document(", then: other"), input: { a: 1 } }).summary.output).toEqual({ at: "other" });
  });

  it("an error inside the catch's own tasks is not caught by it", () => {
    const run = new TestRun({
      document:
        "do: [ { g: { try: [ { a: { raise: { error: { type: x, status: 500, title: one } } } } ], catch: { do: [ { b: { raise: { error: { type: x, status: 500, title: two } } } } ] } } } ]",
    });
    expect(run.summary).toMatchObject({ status: "faulted", error: { title: "two", instance: "/do/0/g/catch/do/0/b" } });
  });

  it("a condition that cannot be evaluated is the error from then on", () => {
    const run = new TestRun({
      document:
        "do: [ { g: { try: [ { a: { raise: { error: { type: x, status: 500 } } } } ], catch: { when: '$error | keys | .[0] | keys' } } } ]",
    });
    expect(run.summary.error?.type).toContain("/expression");
  });
});

describe("retry", () => {
  it.each([
    ["constant", "{ delay: PT2S }", [2, 2, 2]],
    ["linear", "{ delay: PT2S, backoff: { linear: {} } }", [2, 4, 6]],
    ["exponential", "{ delay: PT2S, backoff: { exponential: {} } }", [2, 4, 8]],
  ])("waits by the %s backoff", (_name, policy, seconds) => {
    const times: number[] = [];
    const fail = failing(3);
    const run: TestRun = new TestRun({ document: retrying(policy), functions: { "x.do:1@t": () => fail() } });
    for (let before = run.nowMs; run.tick(); before = run.nowMs) times.push((run.nowMs - before) / 1000);
    expect(times).toEqual(seconds);
    expect(run.summary.output).toBe("after 4");
    expect(new Set(run.sent.map((attempt) => attempt.token)).size).toBe(1);
    expect(run.sent.map((attempt) => attempt.attempt)).toEqual([1, 2, 3, 4]);
  });

  it("adds a jitter from its range that replays", () => {
    const run = new TestRun({
      document: retrying("{ delay: PT1S, jitter: { from: PT1S, to: PT3S } }"),
      functions: { "x.do:1@t": failing(1) },
    });
    const before = run.nowMs;
    run.tick();
    expect(run.nowMs - before).toBeGreaterThanOrEqual(2000);
    expect(run.nowMs - before).toBeLessThanOrEqual(4000);
  });

  it("gives up after its limit: the error is not swallowed", () => {
    const run = new TestRun({ document: retrying("{ limit: { attempt: { count: 2 } } }"), functions: { "x.do:1@t": failing(9) } }).finish();
    expect(run.sent.length).toBe(3);
    expect(run.summary).toMatchObject({ status: "faulted", error: { status: 503 } });
  });

  it("runs the catch's tasks once its retries are used up", () => {
    const run = new TestRun({
      document: retrying("{ limit: { attempt: { count: 1 } } }", ", do: [ { note: { set: { gaveUp: true } } } ]"),
      functions: { "x.do:1@t": failing(9) },
    }).finish();
    expect(run.summary.output).toEqual({ gaveUp: true });
  });

  it("gives up when the time of all retries is up, and does not retry what `when` excludes", () => {
    const limited = new TestRun({
      document: retrying("{ delay: PT10S, limit: { duration: PT25S } }"),
      functions: { "x.do:1@t": failing(9) },
    }).finish();
    expect(limited.sent.length).toBe(3);
    const excluded = new TestRun({
      document: retrying("{ exceptWhen: '$error.status == 503' }"),
      functions: { "x.do:1@t": failing(9) },
    }).finish();
    expect(excluded.sent.length).toBe(1);
  });

  it("limits the time of one pass", () => {
    const run = new TestRun({
      functions: { "x.do:1@t": (_i, a) => (a.number === 1 ? "«hang»" : "quick") },
      document: `
do:
  - guarded:
      try: [ { act: { call: x.do:1@t } } ]
      catch: { errors: { with: { status: 408 } }, retry: { limit: { attempt: { duration: PT5S, count: 3 } } } }`,
    }).finish();
    expect(run.summary.output).toBe("quick");
  });

  it("a repeated block adopts what its first pass made: an unsafe success is not done twice, a findable one is looked up", () => {
    const counts = { pay: 0, make: 0, check: 0, put: 0 };
    const made = new Set<string>();
    const run = new TestRun({
      effects: { "x.pay:1@t": "unsafe", "x.make:1@t": "findable", "x.put:1@t": "idempotent" },
      finds: { "x.make:1@t": (token) => (made.has(token) ? "made" : undefined) },
      functions: {
        "x.pay:1@t": () => (counts.pay++, "paid"),
        "x.make:1@t": (_i, a) => (counts.make++, made.add(a.token), "made"),
        "x.put:1@t": () => (counts.put++, "put"),
        "x.check:1@t": () => (++counts.check < 3 ? answer(503) : "fine"),
      },
      document: `
do:
  - guarded:
      try: [ { pay: { call: x.pay:1@t } }, { make: { call: x.make:1@t } }, { put: { call: x.put:1@t } }, { check: { call: x.check:1@t } } ]
      catch: { retry: { delay: PT1S, limit: { attempt: { count: 5 } } } }`,
    }).finish();
    expect(run.summary.output).toBe("fine");
    expect(counts).toEqual({ pay: 1, make: 1, put: 3, check: 3 });
  });
});

describe("raise", () => {
  it("faults with the error as given, and names the place", () => {
    const run = new TestRun({
      input: { who: "Ana" },
      document: "do: [ { r: { raise: { error: { type: 'https://x.test/e', status: 400, title: '${ \"no, \\(.who)\" }' } } } } ]",
    });
    expect(run.summary.error).toEqual({ type: "https://x.test/e", status: 400, title: "no, Ana", instance: "/do/0/r" });
  });
});

describe("two attempts of one effect", () => {
  const block = (effect: string) => `
do:
  - guarded:
      try:
        - both: { fork: { branches: [ { slow: { call: x.slow:1@t${effect} } }, { boom: { call: x.boom:1@t } } ] } }
      catch: { retry: { limit: { attempt: { count: 3 } } } }`;
  const make = (effect: "idempotent" | "unsafe") => {
    let booms = 0;
    const run = new TestRun({
      document: block(""),
      effects: { "x.slow:1@t": effect },
      functions: { "x.slow:1@t": () => "«hang»", "x.boom:1@t": () => (++booms === 1 ? answer(503) : "fine") },
      ignoresAborts: true,
    });
    return run;
  };
  const slow = "/do/guarded/try/both/fork/branches/slow";

  it("never run at the same time: the repeated block takes over the attempt that is still ending", () => {
    const run = make("unsafe");
    expect(run.sent.map((attempt) => attempt.path)).toEqual([slow, expect.stringContaining("boom"), expect.stringContaining("boom")]);
    expect(run.view.waits).toMatchObject([{ reason: "waits for an earlier attempt of the same effect to end" }]);
    run.end(slow, { kind: "completed", output: "made once" });
    expect(run.summary).toMatchObject({ status: "completed", output: ["made once", "fine"], inDoubt: 0 });
  });

  it("an unknown end holds the repetition of an unsafe effect in doubt, and repeats an idempotent one", () => {
    const unsafe = make("unsafe");
    unsafe.end(slow, unknown("cancelled"));
    expect(unsafe.summary).toMatchObject({ status: "waiting", inDoubt: 1 });
    unsafe.operate({ kind: "settle", task: unsafe.view.waits[0]?.task ?? 0, verdict: { kind: "done", output: "it was" } });
    expect(unsafe.summary.output).toEqual(["it was", "fine"]);

    const idempotent = make("idempotent");
    idempotent.end(slow, unknown("cancelled"));
    expect(idempotent.sent.filter((attempt) => attempt.path === slow).map((attempt) => attempt.attempt)).toEqual([1, 2]);
  });
});
