import { expect, test } from "vitest";
import { reasonIn, refusalOf } from "./refusal.ts";

const access = { masked: (text: string): string => text.replaceAll("hunter2", "***") };

test.each([
  [400, "validation", false],
  [401, "authentication", false],
  [403, "authorization", false],
  [409, "validation", false],
  [418, "communication", false],
  [429, "communication", true],
  [503, "communication", true],
])("an answer %i is %s, tried again: %s", (status, errorKind, retryable) => {
  expect(refusalOf("no", status)).toMatchObject({ errorKind, retryable, status, outcome: "answered" });
});

test.each([
  ['{"error": "No such zone"}', ": No such zone."],
  ['{"error": "No such zone!"}', ": No such zone!"],
  ['{"errors": []}', ': {"errors": []}.'],
  ["<h1>Bad\n gateway</h1>", ": <h1>Bad gateway</h1>."],
  ["hunter2 is wrong", ": *** is wrong."],
  ["", "."],
])("of %s is told %s", (body, told) => {
  expect(reasonIn(body, "error", access)).toBe(told);
});

test("a secret at the cut is masked before", () => {
  expect(reasonIn(`${"x".repeat(298)}hunter2`, "error", access)).toBe(`: ${"x".repeat(298)}**.`);
});
