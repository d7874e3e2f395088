import { expect, test } from "vitest";
import { isDateTime } from "./text.ts";

test.each([
  ["2026-01-31T12:00:00Z", true],
  ["2016-12-31T23:59:60Z", true],
  ["2017-01-01T00:59:60.5+01:00", true],
  ["2016-12-31T22:59:60Z", false],
  ["2026-12-29T24:59:02+01", false],
  ["2026-12-29T23:60:00+00:01", false],
])("%s is a time: %s", (text, isTime) => {
  expect(isDateTime(text)).toBe(isTime);
});
