import { expect, test } from "vitest";
import { AppError, ERROR_CATALOGUE, type ErrorCode } from "@tutti/model";
import { EXIT_BY_SPECIES, exitCodeOf, exitCodeOfRun } from "./exit-code.ts";
import { RUN_STATUSES } from "./run-status.ts";

test("the table is the documented one", () => {
  expect(EXIT_BY_SPECIES).toEqual({
    usage: 2,
    "not-found": 2,
    conflict: 3,
    refused: 3,
    unreachable: 4,
    exhausted: 4,
    damaged: 4,
    "timed-out": 5,
    internal: 70,
  });
});

test("every error of the catalogue has an exit code that no success has", () => {
  for (const code of Object.keys(ERROR_CATALOGUE) as ErrorCode[]) expect(exitCodeOf(new AppError(code, "x"))).toBeGreaterThan(1);
  expect(exitCodeOf(new TypeError("a bug"))).toBe(70);
});

test("waiting for a run mirrors it: only a completed one is a success", () => {
  expect(RUN_STATUSES.filter((status) => exitCodeOfRun(status) === 0)).toEqual(["completed"]);
});
