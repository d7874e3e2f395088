import { expect, test } from "vitest";
import { emptyObjectFor, isJsonObject, type Json, jsonEqual, ownProperty } from "./json.ts";

test.each<[Json, Json]>([
  [null, null],
  [1, 1],
  [
    [1, { a: [] }],
    [1, { a: [] }],
  ],
  [
    { a: 1, b: { c: null } },
    { b: { c: null }, a: 1 },
  ],
])("%j equals %j", (left, right) => {
  expect(jsonEqual(left, right)).toBe(true);
  expect(jsonEqual(right, left)).toBe(true);
});

test.each<[Json | undefined, Json | undefined]>([
  [null, {}],
  [null, undefined],
  [0, false],
  ["1", 1],
  [[], {}],
  [[1], [1, 2]],
  [
    [1, 2],
    [2, 1],
  ],
  [{ a: 1 }, { a: 1, b: 1 }],
  [{ a: 1 }, { b: 1 }],
  // An inherited name is no member.
  [{ toString: 1 }, { a: 1 }],
])("%j does not equal %j", (left, right) => {
  expect(jsonEqual(left, right)).toBe(false);
  expect(jsonEqual(right, left)).toBe(false);
});

test("only own members of data are read", () => {
  expect(ownProperty({ a: 1 }, "a")).toBe(1);
  expect(ownProperty({ a: 1 }, "constructor")).toBeUndefined();
  expect(ownProperty(JSON.parse('{"__proto__": 1}'), "__proto__")).toBe(1);
});

test("an object is neither null nor an array", () => {
  expect([{}, [], null, 1, undefined].map((value) => isJsonObject(value))).toEqual([true, false, false, false, false]);
});

test("an object made for a member __proto__ has it like any other", () => {
  const names = ["a", "__proto__"];
  const object = emptyObjectFor(names);
  for (const name of names) object[name] = { b: 2 };
  expect(Object.keys(object)).toEqual(names);
  expect(ownProperty(object, "b")).toBeUndefined();
});
