import { describe, expect, test } from "vitest";
import { compileWorkflow } from "./compile.ts";
import type { Finding } from "./finding.ts";
import { lintDocument } from "./lint.ts";
import { parseDocument } from "./parse-document.ts";

// Every rule with its place is in `tests/conformance/linter-corpus.ts`; here is what the rules leave alone, and the shape of the answer.
const HEAD = "document: { dsl: 1.0.3, namespace: test, name: lint, version: 1.0.0 }\n";

function findingsOf(text: string): string[] {
  return lintDocument(HEAD + text).map(({ severity, rule, line, column }) => `${severity} ${rule} ${line}:${column}`);
}

test("a finding says what, where, and what to do", () => {
  const expected: Finding = {
    severity: "error",
    rule: "unknown-then-target",
    message: "`then` names no task of this list: `secnd`.",
    pointer: "/do/0/first/then",
    line: 3,
    column: 35,
    hint: "Did you mean `second`?",
  };
  expect(lintDocument(`${HEAD}do:\n  - first: { set: { x: 1 }, then: secnd }\n  - second: { set: { x: 2 } }\n`)).toEqual([
    { ...expected, column: 35 },
  ]);
});

test("findings come in the order of the text", () => {
  expect(findingsOf("schedule: {}\ndo:\n- a: { set: { x: '${ $nope }' }, then: b }\nuse: { secrets: [a, a] }\n")).toEqual([
    "error empty-schedule 2:1",
    "error unknown-variable 4:22",
    "error unknown-then-target 4:40",
    "error duplicate-secret 5:21",
  ]);
});

describe("accepted without a finding", () => {
  test.each([
    [
      "locals of loops, catches and iterators where they are in scope",
      `do:
- a:
    for: { each: vm, at: i, in: .vms }
    while: $i < 3 and $vm != null
    do:
    - b:
        try: [{ c: { set: { x: '\${ $vm }' } } }]
        catch:
          as: problem
          when: $problem.status == 500
          retry: { when: '\${ $problem.status == 503 }', delay: PT1S }
          do: [{ d: { set: { x: '\${ [$vm, $i, $problem] }' } } }]
- e:
    listen: { to: { any: [{ with: { type: t, data: '\${ .x > 1 }' }, correlate: { id: { from: .id, expect: '\${ $context.id }' } } }], until: '\${ length > 3 }' } }
    foreach: { item: event, do: [{ f: { set: { x: '\${ $event }' } } }], output: { as: $event }, export: { as: '\${ $output }' } }
`,
    ],
    [
      "a saga whose effects can be undone, are only read, or are approved before, at whatever depth",
      `use: { functions: { undo: { call: x.undo:1@bank }, look: { call: http, with: { method: get, endpoint: 'https://example.com' } } } }
do:
- s:
    metadata: { tutti: { saga: { on: [faulted, cancelled], order: parallel, onFailure: continue } } }
    do:
    - named: { call: http, with: { method: put, endpoint: 'https://example.com' }, metadata: { tutti: { compensate: undo } } }
    - listed:
        call: http
        with: { method: put, endpoint: 'https://example.com' }
        metadata: { tutti: { compensate: [{ back: { call: http, with: { method: delete, endpoint: 'https://example.com/{id}' } } }] } }
    - reads: { call: look }
    - searches: { call: http, with: { method: post, endpoint: 'https://example.com' }, metadata: { tutti: { effect: { class: read } } } }
    - ask: { do: [{ approve: { call: approval:1@default } }] }
    - after: { do: [{ put: { call: http, with: { method: put, endpoint: 'https://example.com' } } }] }
- outside: { call: http, with: { method: put, endpoint: 'https://example.com' } }
`,
    ],
    [
      "bare and wrapped expressions where only expressions stand",
      "input: { from: .a }\noutput: { as: '${ .b }' }\ndo:\n- a: { if: .x, input: { from: '${ .y }' }, set: .z, output: { as: .w }, export: { as: '$output' } }\n",
    ],
    [
      "secrets in what is sent",
      `use: { secrets: [token], authentications: { mine: { bearer: { token: '\${ $secrets.token }' } } } }
do:
- a:
    call: http
    with: { method: get, endpoint: { uri: 'https://example.com/{id}', authentication: { use: mine } }, headers: { x: '\${ $secrets.token }' } }
- b:
    run: { shell: { command: 'echo "\${HOME}"', environment: { TOKEN: '\${ $secrets.token }' } } }
    metadata: { tutti: { effect: { class: read } } }
`,
    ],
    [
      "the operational keys that are run",
      `use: { functions: { find: { set: { found: null } } } }
do:
- a:
    call: vm.create:1@libvirt
    with: { name: x }
    metadata:
      other: anything
      tutti:
        idempotencyKey: .name
        concurrency: { key: .name, limit: 2, onConflict: reject }
        effect: { class: findable, find: [{ look: { call: vm.find:1@libvirt, with: { name: '\${ .name }' } } }], unique: true, settle: PT30S }
- b:
    call: vm.delete:1.0.0@libvirt
    metadata: { tutti: { effect: { class: findable, find: find } } }
`,
    ],
    [
      "languages with a version",
      "do:\n- a: { run: { script: { language: 'python 3.13', code: x } }, metadata: { tutti: { effect: { class: read } } } }\n- b: { run: { script: { language: ES2024, code: x } }, metadata: { tutti: { effect: { class: read } } } }\n",
    ],
    [
      "a loop that waits, and one that goes forward",
      "do:\n- a: { wait: PT1S }\n- b: { switch: [{ again: { when: .x, then: a } }, { on: { then: c } }] }\n- c: { set: { y: 1 } }\n",
    ],
    ["names, steps and lists in cron", "schedule: { cron: '*/5,1-2 8-18/2 1,15 JAN-mar sun' }\ndo:\n- a: { set: { y: 1 } }\n"],
  ])("%s", (_, text) => {
    expect(findingsOf(text)).toEqual([]);
    const { json } = parseDocument(HEAD + text);
    expect(() => compileWorkflow(json ?? {})).not.toThrow();
  });
});

test("arguments of a function are checked, except what expressions will give", () => {
  const schema = {
    type: "object",
    properties: { size: { enum: ["s", "m"] }, disks: { oneOf: [{ const: 1 }, { const: 2 }] } },
    required: ["size"],
    additionalProperties: false,
  };
  const functions = new Map([["vm.create:1@bank", { inputSchema: schema }]]);
  const rules = (given: string): string[] =>
    lintDocument(`${HEAD}do:\n- a: { call: 'vm.create:1@bank', with: ${given} }\n`, { functions }).map(({ message }) => message);
  expect(rules("{ size: '${ .size }', disks: '${ .disks }' }")).toEqual([]);
  expect(rules("{ size: s, disks: 2 }")).toEqual([]);
  expect(rules("{ size: l }")).toEqual(['`with/size` must be one of "s", "m".']);
  expect(rules("{ size: s, dsks: 2 }")).toEqual(["`with/dsks` is not allowed here."]);
  expect(rules("{ disks: 1 }")).toEqual(["`with` needs `size`."]);
});

test("a text that is no document, and a wrong shape, are reported alone", () => {
  expect(lintDocument("do: [").map(({ rule }) => rule)).toEqual(["yaml-syntax"]);
  expect(findingsOf("doo: 1\ndo:\n- a: { set: 1, then: nowhere }\n")).toEqual(["error schema-type 4:13"]);
});

test("very many findings are cut off, and an error among those left out still counts", () => {
  const tasks = Array.from({ length: 1500 }, (_, index) => `- t${index}: { set: { x: .a } }`).join("\n");
  const findings = lintDocument(`${HEAD}do:\n${tasks}\n- last: { set: { x: 1 }, then: nowhere }\n`);
  expect(findings).toHaveLength(501);
  expect(findings.at(-1)).toMatchObject({ severity: "error", rule: "too-many-findings" });
});

test("what relies on being undone is accepted and compiled", () => {
  const parsed = parseDocument(
    `${HEAD}do:\n- s:\n    metadata: { tutti: { saga: { on: [cancelled] } } }\n    do:\n    - a: { set: { x: 1 }, metadata: { tutti: { compensate: [{ b: { set: { x: 0 } } }] } } }\n`,
  );
  expect(lintDocument(parsed).filter(({ severity }) => severity === "error")).toEqual([]);
  const program = compileWorkflow(parsed.json ?? {});
  expect(program).toMatchObject({ unsupported: [], hasSagas: true, saga: undefined });
  expect(program.nodes[0]).toMatchObject({ saga: { onFaulted: false, onCancelled: true, order: "reverse", onFailure: "stop" } });
  const undo = program.nodes[program.nodes[1]?.compensation?.list[0] ?? -1];
  expect(undo).toMatchObject({ path: "/do/s/do/a/compensate/b", pointer: "/do/0/s/do/0/a/metadata/tutti/compensate/0/b" });
});
