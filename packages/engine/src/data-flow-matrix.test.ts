import { lintDocument } from "@tutti/definition";
import type { Json } from "@tutti/model";
import { describe, expect, it } from "vitest";
import { TestRun } from "./test-run.ts";

/**
 * The specification's table "which arguments are available for each runtime expression", cell by cell: what an expression sees at run time where
 * the argument is available, and that the linter refuses the document where it is not.
 *
 * One workflow for all cells. Its data differ at every place: raw input r, its transformed form w, the task's transformed input i, its raw
 * output o, the transformed one a, the exported context c.
 */
const RAW_INPUT = { r: 1 };
const NOT_AVAILABLE = "refused by the linter";

const POSITIONS = ["workflow input.from", "if", "input.from", "with", "output.as", "export.as", "workflow output.as"] as const;
type PositionName = (typeof POSITIONS)[number];

/** The document with an expression put at one position, in a form that gives its value as the output of the run. */
function documentWith(position: PositionName, expression: string): string {
  const at = (place: PositionName, usual: string): string => (place === position ? `{ seen: (${expression}) }` : usual);
  const seen = 'if type == "object" and has("seen") then . else';
  const document = {
    document: { dsl: "1.0.3", namespace: "test", name: "matrix", version: "1.0.0" },
    use: { secrets: ["s"] },
    input: { from: at("workflow input.from", "{ w: .r }") },
    output: { as: position === "workflow output.as" ? at(position, ".") : position === "export.as" ? "$context" : "." },
    do: [
      {
        t: {
          // A condition gives no value: here it fails with it.
          ...(position === "if" && { if: `{ seen: (${expression}) } | tojson | error` }),
          input: { from: at("input.from", `${seen} { i: .w } end`) },
          call: "echo.say:1@test",
          with: { value: position === "with" ? `\${ { seen: (${expression}) } }` : `\${ ${seen} { o: .i } end }` },
          output: { as: at("output.as", `${seen} { a: .o } end`) },
          export: { as: at("export.as", "{ c: .a }") },
        },
      },
    ],
  };
  return JSON.stringify(document);
}

const echo = { "echo.say:1@test": (input: Readonly<Record<string, unknown>>) => (input["value"] ?? null) as Json };

/** Rows: arguments. Columns: as POSITIONS. Parts of the descriptors stand for the whole. */
const W = { w: 1 };
const I = { i: 1 };
const NO = NOT_AVAILABLE;
const CELLS: readonly (readonly [expression: string, ...values: Json[]])[] = [
  [".", RAW_INPUT, W, W, I, { o: 1 }, { a: 1 }, { a: 1 }],
  ["$context", NO, W, W, W, W, W, { c: 1 }],
  ["$input", NO, NO, NO, I, I, I, NO],
  ["$output", NO, NO, NO, NO, NO, { a: 1 }, NO],
  ["$secrets.s", NO, NO, NO, null, NO, NO, NO],
  ["$task.name", NO, "t", "t", "t", "t", "t", NO],
  ["$task.reference", NO, "/do/0/t", "/do/0/t", "/do/0/t", "/do/0/t", "/do/0/t", NO],
  ["$task.definition.call", NO, ...Array<Json>(5).fill("echo.say:1@test"), NO],
  ["$task.input", NO, W, W, W, W, W, NO],
  ["$task.output", NO, null, null, null, { o: 1 }, { o: 1 }, NO],
  ["$task.startedAt.epoch.milliseconds", NO, ...Array<Json>(5).fill(Date.UTC(2026, 0, 1)), NO],
  ["$workflow.input", ...Array<Json>(7).fill(RAW_INPUT)],
  ["$workflow.id", ...Array<Json>(7).fill("run_0000000000000001")],
  ["$workflow.definition.document.name", ...Array<Json>(7).fill("matrix")],
  ["$workflow.startedAt.iso8601", ...Array<Json>(7).fill("2026-01-01T00:00:00.000Z")],
  ["$runtime.name", ...Array<Json>(7).fill("tutti")],
  // The connector resolves it when the call is sent; it is never a run's data.
  ["$authorization", NO, NO, NO, null, null, null, NO],
];

describe.each(POSITIONS.map((position, column) => ({ position, column })))("in $position", ({ position, column }) => {
  it.each(CELLS.map(([expression, ...values]) => ({ expression, value: values[column] as Json })))(
    "$expression is $value",
    ({ expression, value }) => {
      const document = documentWith(position, expression);
      const findings = lintDocument(document).filter((finding) => finding.severity === "error" && finding.rule === "unavailable-variable");
      if (value === NOT_AVAILABLE) {
        expect(findings.length).toBeGreaterThan(0);
        return;
      }
      expect(findings).toEqual([]);
      const { summary } = new TestRun({ document: `# document:\n${document}`, input: RAW_INPUT, functions: echo });
      const seen = position === "if" ? (JSON.parse(String(summary.error?.title)) as Json) : summary.output;
      expect(seen).toEqual({ seen: value });
    },
  );
});

/** For each kind of task its raw output, when its transformed input is {i: 1}. */
const KINDS: readonly (readonly [kind: string, body: string, rawOutput: Json])[] = [
  ["set", "set: { s: '${ .i }', same: '${ $input == . }' }", { s: 1, same: true }],
  ["do", "do: [ { x: { set: { d: '${ .i }' } } } ]", { d: 1 }],
  ["for", "for: { in: '[$input.i, .i]' }, do: [ { x: { set: { f: '${ (.f // 0) + $item }' } } } ]", { f: 2 }],
  ["fork", "fork: { branches: [ { x: { set: { k: '${ .i }' } } }, { y: { set: { k: '${ $input.i }' } } } ] }", [{ k: 1 }, { k: 1 }]],
  ["fork with compete", "fork: { compete: true, branches: [ { x: { set: { k: '${ .i }' } } } ] }", { k: 1 }],
  ["switch", "switch: [ { a: { when: '.i == 1 and $input == .', then: continue } } ]", { i: 1 }],
  ["try", "try: [ { x: { set: { t: '${ .i }' } } } ], catch: {}", { t: 1 }],
  [
    "catch, whose tasks have the try's input",
    "try: [ { x: { set: { t: 1 } } }, { y: { raise: { error: { type: x, status: 500 } } } } ], catch: { do: [ { z: { set: { was: '${ . }', $: 0 } } } ] }",
    { was: { i: 1 }, $: 0 },
  ],
  ["catch without tasks", "try: [ { y: { raise: { error: { type: x, status: 500 } } } } ], catch: {}", { i: 1 }],
  ["wait", "wait: '${ \"PT\\(.i)S\" }'", { i: 1 }],
  ["call", "call: echo.say:1@test, with: { value: { c: '${ .i }', same: '${ $input == . }' } }", { c: 1, same: true }],
  ["function", "call: say, with: { n: '${ .i }' }", { n: 1 }],
  ["run without await", "run: { workflow: { namespace: n, name: c, version: 1.0.0 }, await: false }", { i: 1 }],
];

describe("the data of each kind of task", () => {
  it.each(KINDS)("%s", (_kind, body, rawOutput) => {
    const run = new TestRun({
      input: { w: 1 },
      functions: echo,
      document: `
use: { functions: { say: { call: echo.say:1@test, with: { value: '\${ . }' } } } }
output: { as: '{ output: ., context: $context }' }
do:
  - t: { input: { from: '{ i: .w }' }, ${body}, output: { as: '[., $input, $task.input, $task.output]' }, export: { as: '{ dot: ., input: $input, same: ($output == .) }' } }`,
    }).finish();
    const output = [rawOutput, I, W, rawOutput];
    expect(run.summary.output).toEqual({ output, context: { dot: output, input: I, same: true } });
  });

  it("emit gives the event", () => {
    const run = new TestRun({
      input: { i: 1 },
      document: "do: [ { t: { emit: { event: { with: { type: e, data: '${ [., $input] }' } } } } } ]",
    });
    expect(run.summary.output).toMatchObject({ type: "e", data: [I, I] });
  });

  it("listen gives an array; its filters see the event's part as `.` and the task's input as $input", () => {
    const run = new TestRun({
      input: { i: 1 },
      document: "do: [ { t: { listen: { to: { one: { with: { type: e, data: '${ .n == $input.i }' } } } } } } ]",
    });
    run.send("e", { n: 2 });
    run.send("e", { n: 1 });
    expect(run.summary.output).toEqual([{ n: 1 }]);
  });

  it("run with await gives the child's output, and `raise` evaluates its error on the input", () => {
    const child = new TestRun({
      input: { i: 1 },
      document: "do: [ { t: { run: { workflow: { namespace: n, name: c, version: 1.0.0, input: '${ [., $input] }' } } } } ]",
    });
    expect(child.commands[0]).toMatchObject({ type: "start-child", input: [I, I] });
    const raise = new TestRun({
      input: { i: 1 },
      document: "do: [ { t: { raise: { error: { type: x, status: 500, title: '${ \"\\(.i) \\($input.i)\" }' } } } } ]",
    });
    expect(raise.summary.error?.title).toBe("1 1");
  });
});
