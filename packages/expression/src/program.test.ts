import type { Json } from "@tutti/model";
import { describe, expect, test } from "vitest";
import { compile, ExpressionError, ExpressionSyntaxError } from "./index.ts";

const all = (source: string, input: Json = null): Json[] => compile(source, { variables: [] }).all(input, []);
const thrown = (act: () => unknown): unknown => {
  try {
    act();
  } catch (error) {
    return error;
  }
  return undefined;
};

describe("compile", () => {
  test("the same source and variables give the same program", () => {
    expect(compile(".a", { variables: ["x"] })).toBe(compile(".a", { variables: ["x"] }));
    expect(compile(".a", { variables: ["x"] })).not.toBe(compile(".a", { variables: ["y"] }));
  });

  test("a program says which of its variables it reads and whether it is the identity", () => {
    const program = compile("$x + (1 as $z | $z) + $x", { variables: ["x", "y"] });
    expect(program.freeVariables).toEqual(["x"]);
    expect(program.isIdentity).toBe(false);
    expect(compile(" . ", { variables: [] }).isIdentity).toBe(true);
  });

  test.each([
    { source: ".a +", line: 1, column: 5, message: /unexpected end of expression/ },
    { source: ".a |\n  nope", line: 2, column: 3, message: /nope\/0 is not defined/ },
    { source: "1 + $nope", line: 1, column: 5, message: /\$nope is not defined/ },
    { source: '"abc', line: 1, column: 1, message: /not closed/ },
    { source: '"a\\qb"', line: 1, column: 3, message: /invalid escape/ },
    { source: "{(1): 2}", line: 1, column: 2, message: /Cannot use number \(1\) as object key/ },
    { source: "1 == 1 == 1", line: 1, column: 8, message: /does not chain/ },
    { source: "@nope", line: 1, column: 1, message: /nope is not a valid format/ },
    { source: "break $out", line: 1, column: 1, message: /label-out is not defined/ },
    { source: "input", line: 1, column: 1, message: /input\/0 is not available/ },
    { source: "split", line: 1, column: 1, message: /there is split\/1, split\/2/ },
    { source: ". as [] | 1", line: 1, column: 7, message: /expected a variable/ },
    { source: "a::b", line: 1, column: 1, message: /have no modules/ },
  ])("$source is refused with its position", ({ source, line, column, message }) => {
    const error = thrown(() => compile(source, { variables: [] }));
    expect(error).toBeInstanceOf(ExpressionSyntaxError);
    expect(error).toMatchObject({ line, column });
    expect((error as Error).message).toMatch(message);
  });
});

describe("evaluation", () => {
  test("variables are read by slot, and one without a value reads as null", () => {
    const program = compile("[$a, $b.c, $d]", { variables: ["a", "b", "d"] });
    expect(program.first(null, [1, { c: 2 }, undefined])).toEqual([1, 2, null]);
  });

  test("first gives undefined when there is no output and stops after one", () => {
    expect(compile("empty", { variables: [] }).first(null, [])).toBeUndefined();
    expect(compile("1, error", { variables: [] }).first(null, [])).toBe(1);
  });

  test("an error has the message, the value and the place of the operation that raised it", () => {
    const error = thrown(() => all("1 |\n .a"));
    expect(error).toBeInstanceOf(ExpressionError);
    expect(error).toMatchObject({ kind: "error", value: 'Cannot index number with string "a"', line: 2, column: 2 });
  });

  test("an error value that is not a string is kept, and described in the message", () => {
    const error = thrown(() => all('error({code: 7, text: "x"})'));
    expect(error).toMatchObject({ kind: "error", value: { code: 7, text: "x" }, message: '{"code":7,"text":"x"} (not a string)' });
  });

  test("time is data: now needs it", () => {
    expect(compile("now", { variables: [] }).first(null, [], { nowMs: 1_500 })).toBe(1.5);
    expect(thrown(() => all("now"))).toMatchObject({ kind: "error" });
  });

  test("no try of a program sees a limit", () => {
    const limits = { fuel: 1_000 };
    const error = thrown(() => compile("try [range(1e6)] catch 1", { variables: [] }).first(null, [], { limits }));
    expect(error).toMatchObject({ kind: "limit" });
    expect(thrown(() => compile("[range(1e6)]? // 1", { variables: [] }).first(null, [], { limits }))).toMatchObject({ kind: "limit" });
  });

  test("every step is paid for, also when nothing is kept of it", () => {
    const counting = compile("reduce range(20000) as $i (0; . + 1)", { variables: [] });
    expect(counting.first(null, [])).toBe(20_000);
    expect(thrown(() => counting.first(null, [], { limits: { fuel: 20_000 } }))).toMatchObject({ kind: "limit" });
  });

  test("limits may be changed one by one", () => {
    const program = compile("[range(1000)] | length", { variables: [] });
    expect(program.first(null, [], { limits: { arrayLength: 1_000 } })).toBe(1_000);
    expect(thrown(() => program.first(null, [], { limits: { arrayLength: 999 } }))).toMatchObject({ kind: "limit" });
    expect(thrown(() => compile("range(10)", { variables: [] }).all(null, [], { limits: { outputs: 9 } }))).toMatchObject({
      kind: "limit",
    });
  });

  test("fuel does not depend on what ran before", () => {
    const fuelNeeded = (): number => {
      for (let fuel = 2_000; ; fuel += 100) {
        if (
          thrown(() => compile('[.[] | test("^[a-z]+x$")]', { variables: [] }).first(["abx", "c"], [], { limits: { fuel } })) === undefined
        )
          return fuel;
      }
    };
    expect(fuelNeeded()).toBe(fuelNeeded());
  });
});

describe("values", () => {
  test("inputs are never changed", () => {
    const input = { a: [1, { b: 2 }], c: "x" };
    const copy = structuredClone(input);
    for (const source of [".a[1].b = 3", "del(.a[0])", ".a |= map(1)", ".a += [4]", "to_entries", "walk(1)", ". * {a: 1}", ".a[1:] = []"])
      all(source, input);
    expect(input).toEqual(copy);
  });

  test("constants of a program cannot be changed by who receives them", () => {
    expect(Object.isFrozen(compile('{a: ["red"]}', { variables: [] }).first(null, []))).toBe(true);
  });

  test("what is handed to an update and kept is not changed by later updates", () => {
    const leaf = { b: 1, c: 1 };
    expect(all("(.a.b, .a, .a.c.b) |= {b: ., c: .}", { a: { b: 1 } })).toEqual([{ a: { b: { b: leaf }, c: { b: { b: leaf, c: leaf } } } }]);
  });

  test("names of the host's objects are ordinary keys", () => {
    expect(all('[.constructor, .toString, .["__proto__"], has("toString")]', {})).toEqual([[null, null, null, false]]);
    const [built] = all('{"__proto__": {a: 1}, constructor: 2} | .["__proto__"].b = 3') as [object];
    expect(Object.getPrototypeOf(built)).toBeNull();
    expect(Object.entries(built)).toMatchObject([
      ["__proto__", { a: 1, b: 3 }],
      ["constructor", 2],
    ]);
    expect(all('"{\\"__proto__\\":1}" | fromjson | keys')).toEqual([["__proto__"]]);
    expect("polluted" in {}).toBe(false);
  });
});
