import { expect, test } from "vitest";
import { type Cron, parseCron } from "./cron.ts";
import { nextCronInstant } from "./cron-instants.ts";
import { timeZone } from "./time-zone.ts";

function next(text: string, zone: string, after: string, count = 1): readonly string[] {
  const found: string[] = [];
  let atMs: number | undefined = Date.parse(after);
  while (found.length < count) {
    atMs = nextCronInstant(parseCron(text) as Cron, timeZone(zone)!, atMs);
    if (atMs === undefined) return [...found, "never"];
    found.push(new Date(atMs).toISOString().slice(0, 16));
  }
  return found;
}

test.each([
  ["0 0 * * *", "UTC", "2026-01-31T00:00:00Z", "2026-02-01T00:00"],
  ["0 0 29 2 *", "UTC", "2096-02-29T00:00:00Z", "2104-02-29T00:00"],
  ["0 9 * * mon-fri", "Europe/Berlin", "2026-11-20T09:00:00Z", "2026-11-23T08:00"],
  ["30 4 1,15 * fri", "UTC", "2026-11-16T00:00:00Z", "2026-11-20T04:30"],
  ["0 0 31 * *", "UTC", "2026-11-01T00:00:00Z", "2026-12-31T00:00"],
  ["0 12 * * *", "Asia/Kathmandu", "2026-01-01T00:00:00Z", "2026-01-01T06:15"],
])("%s in %s after %s is %s", (text, zone, after, expected) => {
  expect(next(text, zone, after)).toEqual([expected]);
});

test("a time that the clock skips fires when the clock is put on", () => {
  expect(next("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", 2)).toEqual(["2026-03-29T01:00", "2026-03-30T00:30"]);
});

test("a time that comes twice fires the first time", () => {
  expect(next("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", 2)).toEqual(["2026-10-25T00:30", "2026-10-26T01:30"]);
});

test("an expression for every hour follows the hours as they pass", () => {
  expect(next("30 * * * *", "Europe/Berlin", "2026-10-25T00:00:00Z", 3)).toEqual([
    "2026-10-25T00:30",
    "2026-10-25T01:30",
    "2026-10-25T02:30",
  ]);
  expect(next("7 * * * *", "Europe/Berlin", "2026-03-29T00:00:00Z", 2)).toEqual(["2026-03-29T00:07", "2026-03-29T01:07"]);
});

test("an instant is always later than the one asked from", () => {
  expect(next("* * * * *", "UTC", "2026-01-01T00:00:00Z")).toEqual(["2026-01-01T00:01"]);
  expect(next("* * * * *", "UTC", "2026-01-01T00:00:59.999Z")).toEqual(["2026-01-01T00:01"]);
});

test.each(["Europe/Atlantis", "+02:00", "", "Local"])("%s is no time zone", (name) => {
  expect(timeZone(name)).toBeUndefined();
});
