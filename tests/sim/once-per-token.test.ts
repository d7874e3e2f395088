import { expect, test } from "vitest";
import { isTwice } from "./once-per-token.ts";

test.each([
  { what: "the first effect", attempt: 1, earlier: [], denied: [], twice: false },
  { what: "a second one", attempt: 2, earlier: [1], denied: [], twice: true },
  { what: "the same attempt again, denied or not", attempt: 1, earlier: [1], denied: [1], twice: true },
  { what: "a second one after the first was denied", attempt: 2, earlier: [1], denied: [1], twice: false },
  { what: "a first one that comes after the second, and was denied", attempt: 1, earlier: [2], denied: [1], twice: false },
  { what: "a later one, where one between had no effect and was denied", attempt: 3, earlier: [1], denied: [2], twice: false },
  { what: "a third one, where only the first was denied", attempt: 3, earlier: [1, 2], denied: [1], twice: true },
  { what: "a second one, which alone is denied", attempt: 2, earlier: [1], denied: [2], twice: true },
])("$what: twice $twice", ({ attempt, earlier, denied, twice }) => {
  expect(isTwice(attempt, earlier, denied)).toBe(twice);
});
