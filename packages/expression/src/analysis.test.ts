import { describe, expect, test } from "vitest";
import { analyse } from "./index.ts";

describe("analyse", () => {
  test("free variables are found with their places, bound ones are not", () => {
    expect(analyse("$a + (1 as $b | $b) |\n reduce .[] as $c ($d; $c)").freeVariables).toEqual([
      { name: "a", line: 1, column: 1 },
      { name: "d", line: 2, column: 20 },
    ]);
  });

  test.each([
    [".", [[]]],
    [".a.b", [["a", "b"]]],
    ["{x: .a, y: .b[0].c}", [["a"], ["b", "*", "c"]]],
    ["[.items[] | .name]", [["items", "*", "name"]]],
    [".items | map(.name)", [["items", "*", "name"]]],
    [
      ".a | select(.b == 1) | .c",
      [
        ["a", "b"],
        ["a", "c"],
      ],
    ],
    [
      ". as {$a, b: [$c]} | $a.x + $c",
      [
        ["a", "x"],
        ["b", "*"],
      ],
    ],
    ["1 + 2", []],
    ["$x.a", []],
    [".[$k]", [["*"]]],
    [".a = 1", [["a"], []]],
    ["def f: .z; .a | f", [["a"]]],
    ['"\\(.a)-\\(.b)"', [["a"], ["b"]]],
    ["if .a then .b else .c end", [["a"], ["b"], ["c"]]],
  ])("%s reads %j", (source, fields) => {
    expect(analyse(source).fieldsRead).toEqual(fields);
  });

  test("reads of variables have their path", () => {
    expect(analyse("$context.a.b").reads).toEqual([{ variable: "context", path: ["a", "b"], line: 1, column: 11 }]);
  });

  test("the use of the time is found", () => {
    expect(analyse("now | todate").usesNow).toBe(true);
    expect(analyse("def now: 1; now").usesNow).toBe(false);
  });
});
