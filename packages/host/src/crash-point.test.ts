import { expect, test } from "vitest";
import { crashPointFrom } from "./crash-point.ts";

function deaths(environment: Record<string, string>, reached: (point: ReturnType<typeof crashPointFrom>) => void): number {
  let count = 0;
  reached(crashPointFrom(environment, () => count++));
  return count;
}

test("without being asked it never dies", () => {
  expect(deaths({}, (point) => point("commit.after", { seq: 1_000_000 }))).toBe(0);
});

test("it dies once a commit covers the record asked for, not before, and not for other points", () => {
  const environment = { TUTTI_CRASH_AT_SEQ: "3" };
  expect(deaths(environment, (point) => point("commit.after", { runId: "a", seq: 2 }))).toBe(0);
  expect(deaths(environment, (point) => point("commit.before", { seq: 3 }))).toBe(0);
  expect(deaths(environment, (point) => point("commit.after", { runId: "a", seq: 5 }))).toBe(1);
});

test("it dies at the named point when it is reached for the given time", () => {
  const environment = { TUTTI_CRASH_POINT: "attempt.before:2" };
  expect(deaths(environment, (point) => point("attempt.before", {}))).toBe(0);
  expect(
    deaths(environment, (point) => {
      point("attempt.before", {});
      point("attempt.before", {});
    }),
  ).toBe(1);
});
