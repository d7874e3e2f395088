import { expect, test } from "vitest";
import { cronProblem } from "./cron.ts";

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
])("%s is wrong at %i: %s", (text, offset, words) => {
  const problem = cronProblem(text);
  expect(problem?.offset).toBe(offset);
  expect(problem?.message).toContain(words);
});
