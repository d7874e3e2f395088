import { expect, test } from "vitest";
import { addDetached, detachedOf, removeDetached } from "./detached.ts";
import { deserializeState, serializeState } from "./replay.ts";
import type { Detached } from "./state.ts";
import { TestRun } from "./test-run.ts";

function attempt(task: number): Detached {
  return {
    task,
    path: "/do/a",
    token: "tok_0",
    effectKey: "tok_0",
    function: "x.a:1@t",
    effect: "findable",
    attempt: task,
    sinceMs: 0,
    status: "in-doubt",
    reason: "timeout",
    key: "/a",
    group: 0,
    retryFrames: [],
    sentByMs: 0,
    successor: 0,
    settledOutput: undefined,
    undo: undefined,
  };
}

test("which attempt of an effect counts is the same after a snapshot, whatever became of the others", () => {
  const { state } = new TestRun({ document: "do: [ { w: { wait: PT1H } } ]" });
  addDetached(state, attempt(5));
  addDetached(state, attempt(7));
  expect(detachedOf(deserializeState(serializeState(state)), "tok_0")?.task).toBe(detachedOf(state, "tok_0")?.task);
  removeDetached(state, 7);
  expect(detachedOf(deserializeState(serializeState(state)), "tok_0")).toBe(detachedOf(state, "tok_0"));
});
