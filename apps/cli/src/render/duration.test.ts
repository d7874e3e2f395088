import { expect, test } from "vitest";
import { formatDuration, formatElapsed, parseDuration } from "./duration.ts";

test.each([
  [0, "0 ms"],
  [340.4, "340 ms"],
  [999.4, "999 ms"],
  [1_000, "1.0 s"],
  [1_249, "1.2 s"],
  [9_999, "9.9 s"],
  [12_700, "12 s"],
  [59_999, "59 s"],
  [184_000, "3 m 04 s"],
  [3_599_999, "59 m 59 s"],
  [7_500_000, "2 h 05 m"],
  [90 * 3_600_000, "3 d 18 h"],
  [-5, "0 ms"],
])("%d ms is %s", (ms, text) => {
  expect(formatDuration(ms)).toBe(text);
});

test("what is still going on is told in whole seconds", () => {
  expect([formatElapsed(0), formatElapsed(1_999), formatElapsed(64_000)]).toEqual(["0 s", "1 s", "1 m 04 s"]);
});

test.each([
  ["500ms", 500],
  ["90", 90_000],
  ["1.5s", 1_500],
  ["5m", 300_000],
  ["2h", 7_200_000],
  ["7d", 604_800_000],
  ["", undefined],
  ["soon", undefined],
  ["-5s", undefined],
])("%s is read as %s ms", (text, ms) => {
  expect(parseDuration(text)).toBe(ms);
});
