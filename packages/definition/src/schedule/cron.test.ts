import { expect, test } from "vitest";
import { cronProblem, parseCron } from "./cron.ts";

test.each(["* * * * *", "0 0 * * *", "*/5 0-23/2 1,15 1-12 7", "59 23 31 DEC sat", "0 9 * * mon-fri"])("%s is right", (text) => {
  expect(cronProblem(text)).toBeUndefined();
});

test.each([
  ["not cron", 0, "5 fields"],
  ["* * * *", 0, "this one 4"],
  ["0 0 0 * * *", 0, "this one 6"],
  ["60 * * * *", 0, "values are 0–59"],
  ["* 24 * * *", 2, "values are 0–23"],
  ["* * 0 * *", 4, "values are 1–31"],
  ["* * * 13 *", 6, "values are 1–12 or jan–dec"],
  ["* * * * mun", 8, "values are 0–7 or sun–sat"],
  ["*/0 * * * *", 0, "the step"],
  ["5-1 * * * *", 0, "the range goes backwards"],
  ["1,,2 * * * *", 0, "this is no value"],
  ["1--2 * * * *", 0, "this is no range"],
  ["@daily", 0, "5 fields"],
  ["0 0 30 feb *", 4, "never fire"],
  ["0 0 31 4,6 *", 4, "never fire"],
])("%s is wrong at %i: %s", (text, offset, words) => {
  const problem = cronProblem(text);
  expect(problem?.offset).toBe(offset);
  expect(problem?.message).toContain(words);
});

test("steps, names and both Sundays are understood", () => {
  expect(parseCron("50/5 */12 */10 Jan-mar 0,7")).toEqual({
    minutes: [50, 55],
    hours: [0, 12],
    daysOfMonth: new Set([1, 11, 21, 31]),
    months: new Set([1, 2, 3]),
    daysOfWeek: new Set([0]),
    isEitherDay: false,
  });
  expect(parseCron("0 0 1 * mon")).toMatchObject({ isEitherDay: true });
});
