import { isPartlyKnown, type Json, partlyUnknown, unknownIn, unknownOf, unknownValue } from "@tutti/model";
import { describe, expect, test } from "vitest";
import { ExpressionError } from "./errors.ts";
import { evaluatePartly } from "./partial.ts";
import { compile } from "./program.ts";

const made = unknownValue("the output of make");
const context: Json = {
  name: "web",
  made,
  hosts: [
    { env: "lab", ip: "10.0.0.1" },
    { env: "prod", ip: "10.0.0.2" },
  ],
};
const known = { name: "web", size: 2, list: [3, 1, 2] };

function partly(source: string, dot: Json = { ...known, made }): Json {
  return evaluatePartly(compile(source, { variables: ["context"] }), dot, [context]);
}

describe("what does not look at an unknown is calculated", () => {
  test.each([
    [".name", "web"],
    [".size + 1", 3],
    ['"\\(.name)-\\(.size)"', "web-2"],
    ["[.name, .size]", ["web", 2]],
    [".list | sort", [1, 2, 3]],
    ["$context.name", "web"],
    ['$context.hosts | map(select(.env == "lab").ip)', ["10.0.0.1"]],
    ["[$context.hosts[] | select(.env == $context.hosts[0].env) | .ip]", ["10.0.0.1"]],
    ['if .size > 1 then "many" else .made end', "many"],
    ['.size == 2 and .name == "web"', true],
    ["false and .made", false],
    ["true or .made", true],
    [".name // .made", "web"],
    [".missing // .name", "web"],
    ['(.name | tonumber) // "no number"', "no number"],
    ['.name as $n | $n + "!"', "web!"],
    ["$context.hosts | length", 2],
  ])("%s", (source, expected) => {
    expect(partly(source)).toEqual(expected);
    expect(unknownIn(partly(source))).toBeUndefined();
  });
});

describe("what looks at an unknown is unknown", () => {
  test.each([
    ".made",
    ".made + 1",
    '"\\(.made)"',
    ".made == .made",
    ".made and true",
    ".made // 1",
    "if .made then 1 else 1 end",
    "keys",
    "length",
    "[.[]]",
    ".made | length",
    ".made | type",
    "to_entries",
    "tojson",
    "del(.made)",
    "[.made] | sort",
    '$context | has("made")',
    "now",
    "reduce .list[] as $x (.made; . + $x)",
    "(.name, .made)",
    "try .made catch 1",
    ".[.made]",
  ])("%s", (source) => {
    expect(unknownIn(partly(source))).toBeDefined();
  });
});

test("an object has its known parts, and its unknown ones say what they are", () => {
  const value = partly("{name: .name, id: .made.id, first: .made[0]}") as Record<string, Json>;
  expect(value["name"]).toBe("web");
  expect(unknownOf(value["id"])).toBe("the output of make.id");
  expect(unknownOf(value["first"])).toBe("the output of make[0]");
});

test("an object known in part gives its known members, and is certain to be there", () => {
  const part = partlyUnknown({ id: 7, on: false }, "the output of make");
  expect(isPartlyKnown(part)).toBe(true);
  expect(partly(".id", part)).toBe(7);
  expect(unknownOf(partly(".ip", part))).toBe("the output of make.ip");
  expect(partly("if . then 1 else 2 end", part)).toBe(1);
  expect(unknownIn(partly("length", part))).toBeDefined();
});

test("data that looks like an unknown is data", () => {
  expect(partly(".x | keys", { x: { $unknown: "no" } })).toEqual(["$unknown"]);
});

test("what fails in every run fails here; what may not be reached does not", () => {
  expect(() => partly("{a: (.name | tonumber), b: .made}")).toThrow(ExpressionError);
  expect(unknownIn(partly('.made and error("no")'))).toBeDefined();
  expect(unknownIn(partly('if .made then error("no") else 1 end'))).toBeDefined();
});

test("a variable that the expression binds itself hides the caller's", () => {
  expect(partly("{a: 5} as $context | $context.a")).toBe(5);
  expect(unknownIn(partly(".made as $context | $context.name"))).toBeDefined();
});

test("a long context is looked through once", () => {
  let value: Json = { made: 1 };
  for (let depth = 0; depth < 200; depth++) value = { before: value, depth };
  const deep = value;
  expect(partly(".depth", { deep, made, depth: 1 })).toBe(1);
});
