import type { JsonObject } from "@tutti/model";
import { expect, test } from "vitest";
import { compileSchedule, nextInstant } from "./schedule-plan.ts";

function planOf(schedule: JsonObject, profile: JsonObject = {}): ReturnType<typeof compileSchedule> {
  return compileSchedule({ document: { metadata: { tutti: { schedule: profile } } }, schedule, do: [] });
}

test("without a word about it, one run makes up for what was missed, and runs may overlap", () => {
  expect(planOf({ every: "PT1H" })).toMatchObject({
    trigger: { kind: "every", everyMs: 3_600_000 },
    misfire: { policy: "once", withinMs: Number.POSITIVE_INFINITY },
    overlap: "allow",
  });
  expect(compileSchedule({ do: [] })).toBeUndefined();
});

test("misfire is a policy, or one with a bound", () => {
  expect(planOf({ every: "PT1H" }, { misfire: "all" })?.misfire).toEqual({ policy: "all", withinMs: 86_400_000 });
  expect(planOf({ every: "PT1H" }, { misfire: { policy: "once", within: { hours: 2 } } })?.misfire).toEqual({
    policy: "once",
    withinMs: 7_200_000,
  });
});

test("an interval counts from its anchor, also when that lies in the future", () => {
  const trigger = { kind: "every", everyMs: 10 } as const;
  expect([0, 5, 9, 10, 11].map((afterMs) => nextInstant(trigger, afterMs, 0))).toEqual([10, 10, 10, 20, 20]);
  expect(nextInstant(trigger, 3, 1_005)).toBe(5);
});

test("a schedule in a time zone fires by its clock", () => {
  const plan = planOf({ cron: "0 9 * * *" }, { timezone: "America/New_York", overlap: "queue" });
  expect(plan?.overlap).toBe("queue");
  expect(new Date(nextInstant(plan!.trigger, Date.parse("2026-07-01T00:00:00Z"), 0) ?? 0).toISOString()).toBe("2026-07-01T13:00:00.000Z");
});

test("two versions with the same schedule are one schedule; another time zone is another", () => {
  expect(planOf({ cron: "0 9 * * *" })?.identity).toBe(planOf({ cron: "0 9 * * *" }, { overlap: "skip" })?.identity);
  expect(planOf({ cron: "0 9 * * *" })?.identity).not.toBe(planOf({ cron: "0 9 * * *" }, { timezone: "Europe/Berlin" })?.identity);
});
