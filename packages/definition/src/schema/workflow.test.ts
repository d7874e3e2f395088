import { describe, expect, test } from "vitest";
import { parseDocument } from "../parse-document.ts";
import { shapeProblems } from "./messages.ts";
import { Workflow, workflowJsonSchema } from "./workflow.ts";

const HEAD = "document: { dsl: 1.0.3, namespace: test, name: schema, version: 1.0.0 }\n";

function problems(text: string): string[] {
  const { json = {} } = parseDocument(text);
  const result = Workflow.safeParse(json);
  return shapeProblems(json, result.error?.issues ?? []).map(({ message, hint }) => (hint === undefined ? message : `${message} ${hint}`));
}

// That ours and the official schema agree is shown by `npm run conformance`; here is what an author reads.
describe("a wrong shape is told in the author's words", () => {
  test.each([
    ["do:\n- a: { call: http, with: { method: get } }", ["`call: http` needs `endpoint`."]],
    [
      "do:\n- a: { cal: http, with: {} }",
      [
        "The task `a` needs one of `call`, `for`, `do`, `fork`, `emit`, `listen`, `raise`, `run`, `set`, `switch`, `try`, `wait`. Did you mean `call` instead of `cal`?",
      ],
    ],
    [
      "do:\n- a: { call: http, with: { method: get, endpoint: 'https://a', outptu: raw } }",
      ["`call: http` has no `outptu`. Did you mean `output`?"],
    ],
    [
      "do:\n- a: { call: grpc, with: { proto: { endpoint: x }, service: { name: a, host: b, port: 70000 }, method: c } }",
      ["`port` must be a port number from 0 to 65535."],
    ],
    ["do:\n- a: { run: {} }", ["`run` needs one of `container`, `script`, `shell`, `workflow`."]],
    [
      "do:\n- a: { run: { shell: { command: a }, script: { language: js, code: b } } }",
      ["`run` takes only one of `container`, `script`, `shell`, `workflow`; here are 2."],
    ],
    ["do:\n- a: { wait: 30 }", ["`wait` must be a duration: `{ seconds: 30 }`, ISO 8601 `PT30S`, or an expression `${ … }`."]],
    ["do:\n- a: { set: { x: 1 }, metadata: [] }", ["`metadata` must be an object, but is a list."]],
    ["do:\n- a: { set: { x: 1 } }\n  b: { set: { x: 1 } }", ["Each task is a mapping with exactly one name; this one has 2."]],
    ["do:\n- a: { listen: { to: { one: {} } } }", ["`one` needs `with`."]],
    [
      "do:\n- a: { call: http, with: { method: get, endpoint: { uri: 'https://a', authentication: { basic: { username: a } } } } }",
      ["`basic` needs `password`."],
    ],
    ["do:\n- a: { switch: [] }", ["`switch` must have at least one case."]],
    ["do:\n- a: { switch: { length: { toString: 0 } } }", ["`switch` must be a list, but is an object."]],
    [
      "use: { authentications: { a: { basic: { use: { length: { toString: 0 } } } } } }\ndo: []",
      ["`use` must be a string, but is an object."],
    ],
    ["do: {}", ["`do` must be a list, but is an object."]],
    ["schedule: { read: raw }\ndo: []", ["`read` goes with `on` only."]],
    ["use: { functions: { __proto__: { set: { x: 1 } } } }\ndo: []", ["`__proto__` cannot be a name here."]],
  ])("%s", (text, expected) => {
    expect(problems(HEAD + text)).toEqual(expected);
  });
});

test("numbers where text belongs get the advice that YAML needs", () => {
  expect(problems("document: { dsl: 1.0, namespace: a, name: b, version: 1.0.0 }\ndo: []")).toEqual([
    "`dsl` must be a string, but is a number. Put it in quotes.",
  ]);
});

test("a list of tasks nested very deeply costs no more than its size", () => {
  let task: object = { set: { x: 1 } };
  for (let depth = 0; depth < 120; depth++) task = depth % 2 === 0 ? { do: [{ a: task }] } : { for: { in: ".x" }, do: [{ a: task }] };
  expect(Workflow.safeParse({ document: { dsl: "1.0.3", namespace: "a", name: "b", version: "1.0.0" }, do: [{ a: task }] }).success).toBe(
    true,
  );
});

test("the exported schema is a 2020-12 schema of the document", () => {
  expect(workflowJsonSchema()).toMatchObject({
    $schema: "https://json-schema.org/draft/2020-12/schema",
    type: "object",
    required: ["document", "do"],
  });
});
