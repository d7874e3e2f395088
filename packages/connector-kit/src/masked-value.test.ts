import { expect, test } from "vitest";
import { MASK, mustBeWhole } from "./masked-value.ts";

test("what was masked is not put back; what is whole may be", () => {
  expect(() => mustBeWhole({ records: ["10.0.0.1", "* *"], comments: [] }, "The record set")).not.toThrow();
  expect(() => mustBeWhole(null, "The record set")).not.toThrow();
  expect(() => mustBeWhole({ records: [`key=${MASK}`] }, "The record set")).toThrow("The record set held a secret");
});
