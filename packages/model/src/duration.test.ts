import { expect, test } from "vitest";
import { durationMs, parseDuration } from "./duration.ts";

test.each([
  ["PT30S", 30_000],
  ["PT0.5S", 500],
  ["P1DT2H3M4.5S", 93_784_500],
  ["P1W", 604_800_000],
  ["PT1.001S", 1001],
  ["P6.379M", 16_534_368_000],
  ["PT0.0009S", 0],
  ["P1M", 2_592_000_000],
  ["P1Y", 31_536_000_000],
  ["P", undefined],
  ["PT", undefined],
  ["30S", undefined],
  ["-PT1S", undefined],
  ["P101Y", undefined],
  [`PT${"9".repeat(400)}S`, undefined],
])("%s is %s ms", (text, ms) => {
  expect(parseDuration(text)).toBe(ms);
});

test.each([
  [{ seconds: 30 }, 30_000],
  [{ days: 1, hours: 2, minutes: 3, seconds: 4, milliseconds: 5 }, 93_784_005],
  ["PT1M", 60_000],
  [{}, undefined],
  [{ seconds: 1.5 }, undefined],
  [{ seconds: -1 }, undefined],
  [{ weeks: 1 }, undefined],
  [{ seconds: null }, undefined],
  [30, undefined],
  [null, undefined],
])("%j is %s ms", (value, ms) => {
  expect(durationMs(value)).toBe(ms);
});
