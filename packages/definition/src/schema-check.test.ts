import { describe, expect, test } from "vitest";
import type { Json } from "@tutti/model";
import { compileSchemaCheck } from "./schema-check.ts";

const DRAFT_7 = "http://json-schema.org/draft-07/schema#";

test.each<[Json, Json, string | undefined]>([
  [true, 1, undefined],
  [false, 1, "the value is not allowed here"],
  [{ type: "integer" }, 1.5, "the value must be a whole number, but is a number"],
  [{ type: ["string", "null"] }, 1, "the value must be a string or null, but is a whole number"],
  [{ properties: { id: { type: "integer", minimum: 1 } }, required: ["id"] }, { id: 0 }, "/id must be at least 1, but is 0"],
  [{ required: ["id"] }, {}, "the value needs `id`"],
  [{ required: ["toString"] }, {}, "the value needs `toString`"],
  [{ items: { type: "string" } }, ["a", 1], "/1 must be a string, but is a whole number"],
  [{ prefixItems: [{ const: 1 }], items: false }, [1, 2], "/1 is not allowed here"],
  [{ $schema: DRAFT_7, items: [{ const: 1 }], additionalItems: false }, [1, 2], "/1 is not allowed here"],
  [{ additionalProperties: false, properties: { a: {} } }, { a: 1, "b/c": 2 }, "/b~1c is not allowed here"],
  [{ patternProperties: { "^x-": { type: "string" } } }, { "x-a": 1 }, "/x-a must be a string, but is a whole number"],
  [{ propertyNames: { maxLength: 1 } }, { ab: 1 }, "/ab has a name that is not allowed here"],
  [{ pattern: "^a+$" }, "b", "the value must match the pattern ^a+$"],
  [{ maxLength: 1 }, "😀", undefined],
  [
    { uniqueItems: true },
    [
      { a: 1, b: 2 },
      { b: 2, a: 1 },
    ],
    "the value must not hold the same item twice",
  ],
  [{ multipleOf: 0.1 }, 0.3, undefined],
  [{ contains: { const: 1 }, minContains: 2 }, [1, 2], "the value must contain at least 2 fitting items, but has 1"],
  [{ dependentRequired: { a: ["b"] } }, { a: 1 }, "the value needs `b` beside `a`"],
  [{ $schema: DRAFT_7, dependencies: { a: ["b"] } }, { a: 1 }, "the value needs `b` beside `a`"],
  [{ oneOf: [{ type: "number" }, { minimum: 1 }] }, 2, "the value fits 2 alternatives of `oneOf`, but may fit only one"],
  [{ anyOf: [{ type: "string" }, { type: "null" }] }, 2, "the value fits none of the alternatives of `anyOf`"],
  [{ not: { type: "string" } }, "a", "the value is what `not` forbids"],
  [{ if: { type: "string" }, then: { minLength: 1 }, else: { const: 1 } }, "", "the value must have at least 1 characters, but has 0"],
  [
    { $defs: { id: { $anchor: "id", type: "string" } }, properties: { a: { $ref: "#/$defs/id" }, b: { $ref: "#id" } } },
    { a: "x", b: 1 },
    "/b must be a string, but is a whole number",
  ],
  [{ $schema: DRAFT_7, $ref: "#/definitions/a", type: "string", definitions: { a: { const: 1 } } }, 1, undefined],
  [{ allOf: [{ properties: { a: {} } }], unevaluatedProperties: false }, { a: 1, b: 2 }, "/b is not allowed here"],
  [{ anyOf: [{ prefixItems: [{ const: 1 }] }], unevaluatedItems: false }, [1, 2], "/1 is not allowed here"],
  [
    { properties: { children: { items: { $ref: "#" } }, name: { type: "string" } } },
    { children: [{ children: [{ name: 1 }] }] },
    "/children/0/children/0/name must be a string, but is a whole number",
  ],
])("%j and %j: %s", (schema, value, expected) => {
  expect(compileSchemaCheck(schema)(value)).toBe(expected);
});

describe("a schema is refused", () => {
  test.each<[Json, string]>([
    [3, "A schema is an object or a boolean."],
    [{ type: "text" }, "There is no type"],
    [{ $ref: "https://example.com/schema.json" }, "nothing is fetched"],
    [{ $ref: "#/$defs/none" }, "names nothing in this schema"],
    [{ $dynamicRef: "#x" }, "`$dynamicRef` is not supported"],
    [{ $schema: "https://example.com/mine" }, "is not supported"],
    [{ pattern: "(?=a)" }, "is not supported"],
    [{ required: "id" }, "must be a list of names"],
    [{ pattern: "a".repeat(1001) }, "the limit is 1000"],
  ])("%j: %s", (schema, message) => {
    expect(() => compileSchemaCheck(schema)).toThrow(message);
  });

  test("when it is nested without measure", () => {
    let schema: Json = {};
    for (let depth = 0; depth < 500; depth++) schema = { not: schema };
    expect(() => compileSchemaCheck(schema)).toThrow("nested");
  });
});

describe("hostile schemas and values cost bounded time", () => {
  test.each<[string, Json, Json]>([
    ["endless reference", { $ref: "#" }, 1],
    ["branching endless reference", { anyOf: [{ $ref: "#" }, { $ref: "#" }] }, 1],
    ["exponential alternatives", doubling(30), 1],
  ])("%s", (_, schema, value) => {
    expect(compileSchemaCheck(schema)(value)).toContain("takes too long");
  });

  test("a pattern that makes native expressions hang", () => {
    expect(compileSchemaCheck({ pattern: "^(a+)+$" })(`${"a".repeat(10_000)}b`)).toContain("must match");
  });
});

/** 2^levels alternatives, none of which fits. */
function doubling(levels: number): Json {
  const definitions: Record<string, Json> = { s0: false };
  for (let level = 1; level <= levels; level++) {
    definitions[`s${level}`] = { oneOf: [{ $ref: `#/$defs/s${level - 1}` }, { $ref: `#/$defs/s${level - 1}` }] };
  }
  return { $ref: `#/$defs/s${levels}`, $defs: definitions };
}
