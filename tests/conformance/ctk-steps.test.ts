import { describe, expect, test } from "vitest";
import { checkOutcome, type Execution } from "./ctk-steps.ts";

const completed: Execution = { status: "completed", output: { pet: { id: 1 }, colors: ["red"] }, error: undefined, order: ["a", "b"] };
const faulted: Execution = { status: "faulted", output: undefined, error: { type: "t", status: 400, title: "T" }, order: ["a"] };

describe("the steps of the conformance kit", () => {
  test.each([
    ["the workflow should complete", undefined, completed],
    ["the workflow should complete with output:", { colors: ["red"], pet: { id: 1 } }, completed],
    ["the workflow should fault", undefined, faulted],
    ["the workflow should fault with error:", { status: 400 }, faulted],
    ["the workflow output should have properties 'pet', 'pet.id'", undefined, completed],
    ["the workflow output should have a 'pet.id' property with value:", 1, completed],
    ["the workflow output should have a 'colors' property containing 1 items", undefined, completed],
    ["a should run first", undefined, completed],
    ["b should run after a", undefined, completed],
    ["b should run last", undefined, completed],
  ] as const)("%s: holds where it holds", (step, expected, execution) => {
    expect(checkOutcome(step, expected, execution)).toBeUndefined();
  });

  test.each([
    ["the workflow should complete", undefined, faulted],
    ["the workflow should complete with output:", { colors: ["red"] }, completed],
    ["the workflow should fault", undefined, completed],
    ["the workflow should fault with error:", { status: 404 }, faulted],
    ["the workflow output should have properties 'pet', 'pet.name'", undefined, completed],
    ["the workflow output should have a 'pet.id' property with value:", "1", completed],
    ["the workflow output should have a 'colors' property containing 2 items", undefined, completed],
    ["b should run first", undefined, completed],
    ["a should run after b", undefined, completed],
    ["c should run after a", undefined, completed],
    ["a should run last", undefined, completed],
    ["the workflow should surprise", undefined, completed],
  ] as const)("%s: is found out where it does not hold", (step, expected, execution) => {
    expect(checkOutcome(step, expected, execution)).toBeTypeOf("string");
  });
});
