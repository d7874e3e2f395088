import { expect, test } from "vitest";
import { buildDoubt, buildRunView, buildTaskView, buildWait } from "../view-for-tests.ts";
import { nextSteps } from "./next-steps.ts";

const id = "run_0123456789abcdef";
const commands = (...given: Parameters<typeof nextSteps>): readonly string[] => nextSteps(...given).map((step) => step.command);

test("a faulted run offers retry, skip, resume from the failed task, and its log", () => {
  const view = buildRunView({ status: "faulted", tasks: [buildTaskView(1, "a"), buildTaskView(2, "b", { status: "failed" })] });
  expect(commands(view, "tutti", false)).toEqual([
    `tutti run retry ${id}`,
    `tutti run skip ${id} /do/b --reason TEXT`,
    `tutti run resume ${id} --from /do/b`,
    `tutti run logs ${id} --task /do/b`,
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
