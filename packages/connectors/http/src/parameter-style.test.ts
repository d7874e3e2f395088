import { describe, expect, test } from "vitest";
import type { Json } from "@tutti/model";
import { headerText, pathText, queryPairs } from "./parameter-style.ts";

// The table of OpenAPI 3.1, "Style Examples", with its values.
const ARRAY = ["blue", "black", "brown"];
const OBJECT = { R: 100, G: 200, B: 150 };

describe("path parameters", () => {
  test.each<[string, boolean, Json, string]>([
    ["simple", false, "blue", "blue"],
    ["simple", false, ARRAY, "blue,black,brown"],
    ["simple", false, OBJECT, "R,100,G,200,B,150"],
    ["simple", true, OBJECT, "R=100,G=200,B=150"],
    ["label", false, "blue", ".blue"],
    ["label", true, ARRAY, ".blue.black.brown"],
    ["label", true, OBJECT, ".R=100.G=200.B=150"],
    ["matrix", false, "blue", ";color=blue"],
    ["matrix", false, ARRAY, ";color=blue,black,brown"],
    ["matrix", true, ARRAY, ";color=blue;color=black;color=brown"],
    ["matrix", true, OBJECT, ";R=100;G=200;B=150"],
    ["simple", false, "a/b c?", "a%2Fb%20c%3F"],
    ["simple", false, "..", "%2E%2E"],
    ["simple", false, 7, "7"],
  ])("%s, explode %s: %j", (style, explode, value, text) => {
    expect(pathText("color", value, { style, explode })).toBe(text);
  });
});

describe("query parameters", () => {
  test.each<[string, boolean, Json, [string, string][]]>([
    ["form", true, "blue", [["color", "blue"]]],
    [
      "form",
      true,
      ARRAY,
      [
        ["color", "blue"],
        ["color", "black"],
        ["color", "brown"],
      ],
    ],
    ["form", false, ARRAY, [["color", "blue,black,brown"]]],
    [
      "form",
      true,
      OBJECT,
      [
        ["R", "100"],
        ["G", "200"],
        ["B", "150"],
      ],
    ],
    ["form", false, OBJECT, [["color", "R,100,G,200,B,150"]]],
    ["spaceDelimited", false, ARRAY, [["color", "blue black brown"]]],
    ["pipeDelimited", false, ARRAY, [["color", "blue|black|brown"]]],
    ["deepObject", true, { R: 100 }, [["color[R]", "100"]]],
    ["form", true, null, []],
  ])("%s, explode %s: %j", (style, explode, value, pairs) => {
    expect(queryPairs("color", value, { style, explode })).toEqual(pairs);
  });
});

test("header parameters are simple", () => {
  expect([headerText("blue", false), headerText(ARRAY, false), headerText(OBJECT, false), headerText(OBJECT, true)]).toEqual([
    "blue",
    "blue,black,brown",
    "R,100,G,200,B,150",
    "R=100,G=200,B=150",
  ]);
});
