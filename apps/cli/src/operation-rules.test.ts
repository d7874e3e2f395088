import { expect, test } from "vitest";
import { whyNotPossible } from "./operation-rules.ts";
import type { OperateAction, RunView } from "./run-status.ts";
import { buildDoubt, buildRunView, buildTaskView } from "./view-for-tests.ts";

const running = buildRunView({ tasks: [buildTaskView(1, "a"), buildTaskView(2, "b", { status: "running", endedAtMs: undefined })] });
const faulted = buildRunView({ status: "faulted", tasks: [buildTaskView(1, "a", { status: "failed" })] });
const final = buildRunView({ status: "completed", tasks: [buildTaskView(1, "a")] });
const inDoubt = buildRunView({
  status: "waiting",
  tasks: [buildTaskView(1, "a", { status: "in-doubt", endedAtMs: undefined })],
  doubts: [buildDoubt(1, "/do/a")],
});

test.each<[string, RunView, OperateAction]>([
  ["pause a running run", running, { kind: "pause" }],
  ["cancel a faulted run", faulted, { kind: "cancel" }],
  ["resume a faulted run", faulted, { kind: "resume" }],
  ["retry what failed", faulted, { kind: "retry" }],
  ["retry by name", faulted, { kind: "retry", task: "a" }],
  ["skip by path", faulted, { kind: "skip", task: "/do/a" }],
  ["settle a doubt", inDoubt, { kind: "settle", task: "a", verdict: { kind: "done", output: null } }],
])("it is possible to %s", (_, view, action) => {
  expect(whyNotPossible(view, action)).toBeUndefined();
});

test.each<[RunView, OperateAction, string]>([
  [faulted, { kind: "pause" }, "a run that is faulted cannot be paused."],
  [final, { kind: "kill" }, "it is completed already."],
  [final, { kind: "resume" }, "it is completed; `replay` starts a new run with the same input."],
  [running, { kind: "retry" }, "no task has failed."],
  [running, { kind: "retry", task: "a" }, "the task `a` has not failed."],
  [running, { kind: "skip", task: "a" }, "the task `a` has ended."],
  [running, { kind: "skip", task: "nobody" }, "it has no task `nobody` yet."],
  [running, { kind: "settle", task: "b", verdict: { kind: "not-done", then: "run" } }, "the task `b` is not in doubt."],
])("what is not possible says why", (view, action, why) => {
  expect(whyNotPossible(view, action)).toBe(why);
});
