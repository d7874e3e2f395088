import { taskError } from "@tutti/model";
import { expect, test } from "vitest";
import { buildDoubt, buildRunView, buildTaskView, buildWait } from "../view-for-tests.ts";
import { nextSteps } from "./next-steps.ts";

const id = "run_0123456789abcdef";
const commands = (...given: Parameters<typeof nextSteps>): readonly string[] => nextSteps(...given).map((step) => step.command);

const LIVE = { status: "failed", endedAtMs: undefined } as const;

test("a faulted run offers retry, skip, resume from the failed task, and its log", () => {
  const view = buildRunView({ status: "faulted", tasks: [buildTaskView(1, "a"), buildTaskView(2, "b", LIVE)] });
  expect(commands(view, "tutti", false)).toEqual([
    `tutti run retry ${id}`,
    `tutti run skip ${id} /do/b --reason TEXT`,
    `tutti run resume ${id} --from /do/b`,
    `tutti run logs ${id} --task /do/b`,
  ]);
});

test("of a scope that was backed out the scope is offered, not what failed inside of it; of an undo that failed, to go on with the back-out", () => {
  const check = buildTaskView(2, "check", { status: "failed", path: "/do/s/do/check" });
  const scope = buildTaskView(1, "s", { ...LIVE, attempts: 0, children: [check] });
  expect(commands(buildRunView({ status: "faulted", tasks: [scope] }), "tutti", false)).toEqual([
    `tutti run retry ${id}`,
    `tutti run skip ${id} /do/s --reason TEXT`,
    `tutti run resume ${id} --from /do/s`,
    `tutti run logs ${id} --task /do/s/do/check`,
  ]);
  const undo = buildTaskView(3, "drop", { ...LIVE, path: "/do/s/do/a/compensate/drop" });
  const error = { ...taskError("runtime", "the undo failed"), type: "https://tutti.dev/errors/compensation-failed" };
  const tasks = [buildTaskView(1, "s", { status: "running", endedAtMs: undefined, children: [undo, check] })];
  expect(nextSteps(buildRunView({ status: "faulted", error, tasks }), "tutti", false)).toEqual([
    { command: `tutti run retry ${id}`, why: "undo it again, and go on with the back-out" },
    { command: `tutti run skip ${id} /do/s/do/a/compensate/drop --reason TEXT`, why: "take it for undone, and go on with the back-out" },
    { command: `tutti run logs ${id} --task /do/s/do/a/compensate/drop`, why: "what it printed" },
  ]);
});

test("a run that a person had undone is begun anew", () => {
  const error = { ...taskError("runtime", "backed out by ana"), type: "https://tutti.dev/errors/backed-out" };
  expect(nextSteps(buildRunView({ status: "faulted", error }), "tutti", false)).toEqual([
    { command: `tutti run retry ${id}`, why: "begin it anew, with the same input" },
  ]);
});

test("a task in doubt offers both answers until one was given", () => {
  const inDoubt = buildRunView({
    status: "waiting",
    tasks: [buildTaskView(1, "pay", { status: "in-doubt" })],
    doubts: [buildDoubt(1, "/do/pay")],
  });
  expect(commands(inDoubt, "tutti --data d", true)).toEqual([
    `tutti --data d run settle ${id} /do/pay --done --output FILE --seen ${inDoubt.seq}`,
    `tutti --data d run settle ${id} /do/pay --not-done --then run --seen ${inDoubt.seq}`,
  ]);
});

test("a parked run that nobody drives says who would", () => {
  const view = buildRunView({ status: "waiting", waits: [buildWait(1, "/do/w", { kind: "timer" })] });
  expect(commands(view, "tutti", false)).toEqual(["tutti up", `tutti run resume ${id}`]);
  expect(commands(view, "tutti", true)).toEqual([]);
});
