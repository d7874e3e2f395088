import { expect, test } from "vitest";
import { ERROR_STATUS, ERROR_TYPE_BASE, errorKindOf, sameErrorType, taskError } from "./task-error.ts";

const SPELLINGS = [
  "https://serverlessworkflow.io/spec/1.0.0/errors/",
  "https://serverlessworkflow.io/dsl/errors/types/",
  "https://open-workflow-specification.org/spec/1.0.0/errors/",
  "https://open-workflow-specification.org/dsl/errors/types/",
];

test("every kind is known under two hosts and two paths, and all spellings mean the same", () => {
  for (const kind of Object.keys(ERROR_STATUS)) {
    expect(SPELLINGS.map((base) => errorKindOf(base + kind))).toEqual(SPELLINGS.map(() => kind));
    expect(SPELLINGS.every((base) => sameErrorType(base + kind, ERROR_TYPE_BASE + kind))).toBe(true);
  }
});

test.each([
  "https://serverlessworkflow.io/spec/1.0.0/errors/unheard",
  "https://serverlessworkflow.io/spec/1.0.0/errors/toString",
  "https://example.org/spec/1.0.0/errors/timeout",
  "http://serverlessworkflow.io/spec/1.0.0/errors/timeout",
  "https://serverlessworkflow.io/spec/1.0.0/errors/timeout/",
  "timeout",
])("%s is no kind of the specification", (type) => {
  expect(errorKindOf(type)).toBeUndefined();
  expect(sameErrorType(type, `${ERROR_TYPE_BASE}timeout`)).toBe(false);
  expect(sameErrorType(type, type)).toBe(true);
});

test("an error has its kind's type and status; more members go along and may say another status", () => {
  expect(taskError("timeout", "Too late")).toEqual({ type: `${ERROR_TYPE_BASE}timeout`, status: 408, title: "Too late" });
  expect(taskError("communication", "Not found", { status: 404, detail: "x" })).toEqual({
    type: `${ERROR_TYPE_BASE}communication`,
    status: 404,
    title: "Not found",
    detail: "x",
  });
});
