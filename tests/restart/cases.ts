import type { CloudEvent, Json } from "@tutti/model";
import type { OperateRequest } from "@tutti/runtime";
import type { RunStatus } from "@tutti/store";

/** A workflow that is run undisturbed, and again with the process dying at every position of its journal: both must end the same. */
export interface RestartCase {
  readonly name: string;
  /** The tasks of the document, in YAML; the head is added. */
  readonly tasks: string;
  readonly input?: Json;
  /** The document's `use`, in YAML. */
  readonly use?: string;
  /** Texts outside of the document by URL: each can be read once. */
  readonly outside?: Readonly<Record<string, string>>;
  /** Further documents by name. */
  readonly others?: Readonly<Record<string, string>>;
  /** What happens from outside, one after the other, each once the run has the status. */
  readonly steps?: readonly RestartStep[];
  /** What the run must end as; the output is compared with the undisturbed run's and, when given, with this. */
  readonly ends: RunStatus;
  readonly output?: Json;
}

export interface RestartStep {
  readonly when: RunStatus;
  readonly send?: Pick<CloudEvent, "id" | "type"> & { readonly data: Json };
  readonly operate?: OperateRequest["action"];
}

const put = (name: string, amount: string) => `{ ${name}: { call: "account.put:1@bank", with: { account: ${name}, amount: ${amount} } } }`;
const open = (name: string) => `{ ${name}: { call: "account.open:1@bank", with: { account: ${name}, amount: 1 } } }`;

/** Takes back what was put: the bank has no word for that, so an undo puts the opposite into an account of its own. */
const undone = (name: string, amount: string) =>
  `{ ${name}: { call: "account.open:1@bank", with: { account: ${name}, amount: ${amount} }, metadata: { tutti: { compensate: [ { back: { call: "account.open:1@bank", with: { account: ${name}-undone, amount: "\${ .output.amount // ${amount} }" } } } ] } } } }`;

/** Every task type, and every property that a crash could hurt. */
export const RESTART_CASES: readonly RestartCase[] = [
  {
    name: "call: each effect class in sequence",
    tasks: `[ ${put("a", "1")}, ${open("b")}, { c: { call: "account.read:1@bank", with: { account: a } } } ]`,
    ends: "completed",
  },
  {
    name: "call: arguments, input, output and export",
    input: { n: 2 },
    tasks: `[ { a: { input: { from: "{ k: .n }" }, call: "step.run:1@bank", with: { value: "\${ .k * 2 }" }, output: { as: .value }, export: { as: "{ kept: . }" } } }, { b: { set: { out: "\${ $context.kept + . }" } } } ]`,
    ends: "completed",
    output: { out: 8 },
  },
  {
    name: "do: nested, with a jump back and an exit",
    input: { n: 0 },
    tasks: `[ { outer: { do: [ { step: { call: "step.run:1@bank", with: { value: "\${ .n + 1 }" }, output: { as: "{ n: .value }" } } }, { more: { switch: [ { again: { when: .n < 3, then: step } }, { enough: { then: exit } } ] } }, { never: { set: { wrong: true } } } ] } } ]`,
    ends: "completed",
    output: { n: 3 },
  },
  {
    name: "set and if",
    input: { a: 1 },
    tasks: `[ { skip: { if: .a > 1, set: { b: 2 } } }, ${put("x", '"${ .a }"')}, { last: { set: { done: true } } } ]`,
    ends: "completed",
    output: { done: true },
  },
  {
    name: "for: each and while over calls",
    input: { sum: 0 },
    tasks: `[ { loop: { for: { each: x, in: "[1, 2, 3, 4]" }, while: .sum < 6, do: [ { add: { call: "step.run:1@bank", with: { value: "\${ .sum + $x }" }, output: { as: "{ sum: .value }" } } }, ${put("book", '"${ .sum }"').replace("} } }", '} , output: { as: "$input" } } }')} ] } } ]`,
    ends: "completed",
    output: { sum: 6 },
  },
  {
    name: "fork: join with exports",
    tasks: `[ { both: { fork: { branches: [ { left: { call: "account.open:1@bank", with: { account: l, amount: 1 }, output: { as: .account }, export: { as: "{ left: . }" } } }, { right: { do: [ ${put("r1", "1")}, ${put("r2", "2")} ], output: { as: .account }, export: { as: "{ right: . }" } } }, { third: { set: { t: 1 } } } ] } } }, { after: { set: { got: "\${ . }", context: "\${ $context | {left, right} }" } } } ]`,
    ends: "completed",
    output: { got: ["l", "r2", { t: 1 }], context: { left: "l", right: "r2" } },
  },
  {
    name: "fork: compete, with a loser that waits",
    tasks: `[ { race: { fork: { compete: true, branches: [ { slow: { wait: { seconds: 30 } } }, { quick: { call: "step.run:1@bank", with: { value: won } } } ] } } } ]`,
    ends: "completed",
    output: { value: "won" },
  },
  {
    name: "try: caught error, with tasks of the catch",
    tasks: `[ { guarded: { try: [ ${open("made")}, { boom: { raise: { error: { type: "https://x.test/e", status: 400, title: boom } } } } ], catch: { as: err, do: [ ${put("repair", "1")}, { note: { set: { caught: "\${ $err.title }" } } } ] } } } ]`,
    ends: "completed",
    output: { caught: "boom" },
  },
  {
    name: "try: retry with backoff and jitter adopts what was made",
    tasks: `[ { guarded: { try: [ ${open("made")}, { pay: { call: "account.transfer:1@bank", with: { account: payee, amount: 1 } } }, { boom: { raise: { error: { type: "https://x.test/e", status: 503, title: again } } } } ], catch: { retry: { delay: { milliseconds: 5 }, backoff: { exponential: {} }, jitter: { from: { milliseconds: 1 }, to: { milliseconds: 3 } }, limit: { attempt: { count: 2 } } }, do: [ { note: { set: { gaveUp: true } } } ] } } } ]`,
    steps: [{ when: "waiting", operate: { kind: "settle", task: "pay", verdict: { kind: "done", output: null } } }],
    ends: "completed",
    output: { gaveUp: true },
  },
  {
    name: "raise: uncaught faults; resumed it faults again; skipped it goes on",
    tasks: `[ ${put("a", "1")}, { boom: { raise: { error: { type: "https://x.test/e", status: 418, title: teapot } } } }, { last: { set: { last: true } } } ]`,
    steps: [{ when: "faulted", operate: { kind: "skip", task: "boom", output: { by: "hand" } } }],
    ends: "completed",
    output: { last: true },
  },
  {
    name: "wait",
    tasks: `[ ${put("a", "1")}, { pause: { wait: { milliseconds: 40 } } }, ${open("b")}, { last: { set: { waited: true } } } ]`,
    ends: "completed",
    output: { waited: true },
  },
  {
    name: "emit: accepted once, and its output",
    tasks: `[ { say: { emit: { event: { with: { type: restart.said, data: { n: 1 } } } } } }, { last: { set: { type: "\${ .type }" } } } ]`,
    ends: "completed",
    output: { type: "restart.said" },
  },
  {
    name: "listen: one",
    tasks: `[ { hear: { listen: { to: { one: { with: { type: restart.one, data: "\${ .ok }" } } } } } } ]`,
    steps: [
      { when: "waiting", send: { id: "no", type: "restart.one", data: { ok: false } } },
      { when: "waiting", send: { id: "yes", type: "restart.one", data: { ok: true } } },
    ],
    ends: "completed",
    output: [{ ok: true }],
  },
  {
    name: "listen: all, correlated, with events from before the task",
    input: { id: 7 },
    tasks: `[ { pause: { wait: { milliseconds: 30 } } }, { hear: { input: { from: "$workflow.input" }, listen: { to: { all: [ { with: { type: restart.a }, correlate: { id: { from: .data.id, expect: "\${ .id }" } } }, { with: { type: restart.b }, correlate: { id: { from: .data.id, expect: "\${ .id }" } } } ] } }, output: { as: "[.[] | .n] | sort" } } } ]`,
    steps: [
      { when: "waiting", send: { id: "a1", type: "restart.a", data: { id: 7, n: 1 } } },
      { when: "waiting", send: { id: "b0", type: "restart.b", data: { id: 8, n: 9 } } },
      { when: "waiting", send: { id: "b1", type: "restart.b", data: { id: 7, n: 2 } } },
    ],
    ends: "completed",
    output: [1, 2],
  },
  {
    name: "listen: any until an event, with foreach over calls",
    tasks: `[ { hear: { listen: { to: { any: [ { with: { type: restart.n } } ], until: { one: { with: { type: restart.stop } } } } }, foreach: { item: e, at: i, do: [ { work: { call: "step.run:1@bank", with: { value: "\${ $e * 10 + $i }" } } } ], output: { as: .value } } } } ]`,
    steps: [
      { when: "waiting", send: { id: "n1", type: "restart.n", data: 1 } },
      { when: "waiting", send: { id: "n2", type: "restart.n", data: 2 } },
      { when: "waiting", send: { id: "stop", type: "restart.stop", data: null } },
    ],
    ends: "completed",
    output: [10, 21],
  },
  {
    name: "switch on live data",
    tasks: `[ { look: { call: "account.read:1@bank", with: { account: nobody } } }, { choose: { switch: [ { rich: { when: .balance > 0, then: rich } }, { poor: { then: poor } } ] } }, { rich: { set: { is: rich }, then: end } }, { poor: { set: { is: poor } } } ]`,
    ends: "completed",
    output: { is: "poor" },
  },
  {
    name: "run.shell and run.script",
    tasks: `[ { shell: { run: { shell: { command: 'printf "%s" "$GREETING"', environment: { GREETING: hello } } }, metadata: { tutti: { effect: { class: idempotent } } } } }, { script: { run: { script: { language: python, code: "import sys; sys.stdout.write('py')" } }, metadata: { tutti: { effect: { class: idempotent } } } } } ]`,
    ends: "completed",
    output: "py",
  },
  {
    name: "run.workflow: awaited child",
    others: { child: `[ ${open("in-child")}, { out: { set: { child: "\${ $workflow.input.x }" } } } ]` },
    tasks: `[ { sub: { run: { workflow: { namespace: restart, name: child, version: 1.0.0, input: { x: 5 } } } } }, ${put("after", "1")}, { last: { set: { done: true } } } ]`,
    ends: "completed",
    output: { done: true },
  },
  {
    name: "run.workflow: child that faults is resumed with its parent",
    others: { child: `[ { boom: { raise: { error: { type: "https://x.test/e", status: 500, title: child broke } } } } ]` },
    tasks: `[ { sub: { run: { workflow: { namespace: restart, name: child, version: 1.0.0 } } } }, { last: { set: { done: true } } } ]`,
    steps: [{ when: "faulted", operate: { kind: "skip", task: "sub" } }],
    ends: "completed",
    output: { done: true },
  },
  {
    name: "timeouts: of a task, caught",
    tasks: `[ { guarded: { try: [ { slow: { timeout: { after: { milliseconds: 30 } }, wait: { seconds: 30 } } } ], catch: { errors: { with: { status: 408 } }, do: [ { note: { set: { at: "\${ $error.instance }" } } } ] } } } ]`,
    ends: "completed",
    output: { at: "/do/0/guarded/try/0/slow" },
  },
  {
    name: "functions of the document, and findable by tasks",
    tasks: `[ { act: { call: "account.transfer:1@bank", with: { account: found, amount: 3 }, metadata: { tutti: { effect: { class: findable, unique: true, find: [ { look: { call: "account.read:1@bank", with: { account: found }, output: { as: "if .balance > 0 then { adopted: true } else null end" } } } ] } } }, output: { as: "{ is: true }" } } } ]`,
    ends: "completed",
    output: { is: true },
  },
  {
    name: "unsafe: in doubt, settled as done",
    tasks: `[ { pay: { call: "account.transfer:1@bank", with: { account: shop, amount: 5 }, output: { as: "{ paid: true }" } } } ]`,
    steps: [{ when: "waiting", operate: { kind: "settle", task: "pay", verdict: { kind: "done", output: null } } }],
    ends: "completed",
    output: { paid: true },
  },
  {
    name: "pause and resume",
    tasks: `[ { hear: { listen: { to: { one: { with: { type: restart.go } } } } } }, ${put("a", "1")}, { last: { set: { done: true } } } ]`,
    steps: [
      { when: "waiting", operate: { kind: "pause" } },
      { when: "suspended", operate: { kind: "resume" } },
      { when: "waiting", send: { id: "go", type: "restart.go", data: null } },
    ],
    ends: "completed",
    output: { done: true },
  },
  {
    name: "resume from an earlier task",
    tasks: `[ ${put("a", "1")}, { choose: { if: '($context.again | not)', set: { x: 1 }, export: { as: "{ again: true }" } } }, { boom: { if: '.x == 1', raise: { error: { type: "https://x.test/e", status: 500, title: boom } } } }, { last: { set: { done: true } } } ]`,
    steps: [{ when: "faulted", operate: { kind: "skip", task: "boom" } }],
    ends: "completed",
    output: { done: true },
  },
  {
    name: "resume from the middle of a loop, with another input",
    tasks: `[ { loop: { for: { each: x, in: "[1, 2, 3]" }, do: [ { book: { call: "step.run:1@bank", with: { value: '\${ [(if type == "array" then .[1] else . end), $x] }' }, output: { as: .value } } }, { check: { if: '.[1] == 2 and .[0] != "mended"', raise: { error: { type: "https://x.test/e", status: 500, title: boom } } } } ] } } ]`,
    steps: [{ when: "faulted", operate: { kind: "resume", from: "book", setInput: "mended" } }],
    ends: "completed",
    output: [2, 3],
  },
  {
    name: "cancel while it waits",
    tasks: `[ ${put("a", "1")}, { pause: { wait: { seconds: 60 } } } ]`,
    steps: [{ when: "waiting", operate: { kind: "cancel" } }],
    ends: "cancelled",
  },
  {
    name: "saga: undone in reverse, then the catch around it",
    tasks: `[ { guard: { try: [ { work: { metadata: { tutti: { saga: {} } }, do: [ ${undone("a", "1")}, { both: { fork: { branches: [ ${undone("b", "2")}, ${undone("c", "3")} ] } } }, { boom: { raise: { error: { type: "https://x.test/e", status: 500 } } } } ] } } ], catch: { do: [ { last: { set: { caught: true } } } ] } } } ]`,
    ends: "completed",
    output: { caught: true },
  },
  {
    name: "saga: cancelled while it waits",
    tasks: `[ { work: { metadata: { tutti: { saga: {} } }, do: [ ${undone("a", "1")}, ${undone("b", "2")}, { pause: { wait: { seconds: 60 } } } ] } } ]`,
    steps: [{ when: "waiting", operate: { kind: "cancel" } }],
    ends: "cancelled",
  },
  {
    name: "back-out to a task, and on from there",
    tasks: `[ ${undone("a", "1")}, ${undone("b", "2")}, { hear: { listen: { to: { one: { with: { type: restart.go } } } } } }, { last: { set: { done: true } } } ]`,
    steps: [
      { when: "waiting", operate: { kind: "backout", to: "/do/b" } },
      { when: "suspended", operate: { kind: "resume" } },
      { when: "waiting", send: { id: "go", type: "restart.go", data: 1 } },
    ],
    ends: "completed",
    output: { done: true },
  },
  {
    name: "kill while it listens",
    tasks: `[ { hear: { listen: { to: { one: { with: { type: restart.never } } } } } } ]`,
    steps: [{ when: "waiting", operate: { kind: "kill" } }],
    ends: "cancelled",
  },
  {
    name: "concurrency: a slot is held and let go",
    tasks: `[ { locked: { metadata: { tutti: { concurrency: { key: '"restart"', limit: 1, onConflict: queue } } }, do: [ ${put("a", "1")}, ${open("b")} ] } }, { last: { set: { done: true } } } ]`,
    ends: "completed",
    output: { done: true },
  },
  {
    name: "outputs of earlier tasks, by name",
    tasks: `[ { first: { call: "step.run:1@bank", with: { value: 1 }, output: { as: .value } } }, { loop: { for: { in: "[10, 20]" }, do: [ { each: { call: "step.run:1@bank", with: { value: "\${ $item + $runtime.metadata.outputs.first }" }, output: { as: .value } } } ] } }, { last: { set: "\${ [$runtime.metadata.outputs | .first, .each, .loop, .last] }" } } ]`,
    ends: "completed",
    output: [1, 21, 21, null],
  },
  {
    name: "a function of a catalog that is gone once the document is published",
    use: `{ catalogs: { ours: { endpoint: "https://catalog.test" } } }`,
    outside: {
      "https://catalog.test/functions/book/1.0.0/function.yaml": `do: [ { first: { call: "account.open:1@bank", with: { account: '\${ .account }', amount: 1 } } }, { again: { call: ../../twice.yaml, with: { account: b } } }, { out: { set: { booked: true } } } ]`,
      "https://catalog.test/functions/twice.yaml": `call: "account.put:1@bank"\nwith: { account: '\${ .account }', amount: 2 }\n`,
    },
    tasks: `[ { act: { call: "book:1.0.0@ours", with: { account: a } } } ]`,
    ends: "completed",
    output: { booked: true },
  },
  {
    name: "extensions: around calls, composites and each other, with a time limit in between",
    use: `{ extensions: [ { log: { extend: all, when: '$task.name != "quiet"', before: [ { note: { call: "account.open:1@bank", with: { account: '\${ "before " + $task.path }', amount: 1 } } } ], after: [ { note: { call: "account.open:1@bank", with: { account: '\${ "after " + $task.path }', amount: 1 } } } ] } }, { pause: { extend: call, before: [ { w: { wait: { milliseconds: 5 } } } ] } } ] }`,
    tasks: `[ { block: { do: [ { step: { timeout: { after: PT1M }, call: "step.run:1@bank", with: { value: 3 }, output: { as: .value } } }, { quiet: { set: { n: "\${ . }" } } } ] } } ]`,
    ends: "completed",
    output: { n: 3 },
  },
  {
    name: "extensions: one that answers in place of the task, and an unsafe task in doubt between the lists",
    use: `{ extensions: [ { outer: { extend: call, before: [ ${put("before", "1")} ], after: [ ${put("after", "1")} ] } }, { mock: { extend: call, when: '$task.name == "mocked"', before: [ { answer: { set: { mocked: true }, then: exit } } ] } } ] }`,
    tasks: `[ { mocked: { call: "account.transfer:1@bank", with: { account: never, amount: 1 } } }, { pay: { call: "account.transfer:1@bank", with: { account: shop, amount: 5 }, output: { as: "$input + { paid: true }" } } } ]`,
    steps: [{ when: "waiting", operate: { kind: "settle", task: "pay", verdict: { kind: "done", output: null } } }],
    ends: "completed",
    output: { mocked: true, paid: true },
  },
  {
    name: "extensions: a list that fails faults the task's scope and is skipped",
    use: `{ extensions: [ { check: { extend: call, after: [ { boom: { raise: { error: { type: "https://x.test/e", status: 500, title: boom } } } } ] } } ] }`,
    tasks: `[ ${open("made")}, { last: { set: { done: true } } } ]`,
    steps: [{ when: "faulted", operate: { kind: "skip", task: "boom" } }],
    ends: "completed",
    output: { done: true },
  },
  {
    name: "a large value travels beside the records",
    tasks: `[ { big: { call: "step.run:1@bank", with: { value: "\${ [range(20000)] | map(tostring) }" }, output: { as: .value } } }, { last: { set: { count: "\${ length }" } } } ]`,
    ends: "completed",
    output: { count: 20_000 },
  },
];
