import { expect, test } from "vitest";
import { buildDeployment, buildRunView, buildTaskView, START_MS } from "../view-for-tests.ts";
import { formatClock } from "./duration.ts";
import { describeError, renderRunHead, renderTree } from "./run-tree.ts";
import { createStyle } from "./style.ts";

const plain = createStyle(false);
const until = formatClock(START_MS + 184_000);

function tree(columns: number, linesMax?: number): string {
  return renderTree(buildDeployment(), { style: plain, columns, nowMs: START_MS + 64_000, linesMax }).join("\n");
}

test("the tree has one line a task, with aligned names and durations and what there is to say", () => {
  expect(tree(80)).toBe(
    [
      "✓ openTicket          1.2 s",
      "● provision        1 m 04 s",
      "  ✓ createVm           12 s  3 attempts",
      "  ● configure           4 s  attempt 2",
      `○ announce             24 s  timer until ${until}`,
      "- notifyEverybody",
    ].join("\n"),
  );
});

test("a narrow terminal cuts names and notes, never a duration", () => {
  expect(tree(30)).toBe(
    [
      "✓ openTicket         1.2 s",
      "● provision       1 m 04 s",
      "  ✓ createVm          12 s",
      "  ● configure          4 s",
      "○ announce            24 s",
      "- notifyEverybo…",
    ].join("\n"),
  );
  expect(
    tree(30)
      .split("\n")
      .every((line) => line.length <= 30),
  ).toBe(true);
});

test("too many lines fold finished branches first and leave out the oldest lines then", () => {
  const loop = buildTaskView(1, "all", {
    kind: "for",
    children: Array.from({ length: 40 }, (_, index) => buildTaskView(2 + index, "one", { iteration: index })),
  });
  const view = buildRunView({ tasks: [loop, ...Array.from({ length: 6 }, (_, index) => buildTaskView(50 + index, `step${index}`))] });
  const options = { style: plain, columns: 60, nowMs: START_MS };
  expect(renderTree(view, { ...options, linesMax: 7 }).join("\n")).toBe(
    [
      "✓ all    1.2 s  40 tasks",
      "✓ step0  1.2 s",
      "✓ step1  1.2 s",
      "✓ step2  1.2 s",
      "✓ step3  1.2 s",
      "✓ step4  1.2 s",
      "✓ step5  1.2 s",
    ].join("\n"),
  );
  expect(renderTree(view, { ...options, linesMax: 3 }).join("\n")).toBe(["… 5 lines above", "✓ step4  1.2 s", "✓ step5  1.2 s"].join("\n"));
});

test("iterations, visits, omitted children and child runs are named", () => {
  const view = buildRunView({
    tasks: [
      buildTaskView(1, "each", {
        children: [buildTaskView(2, "body", { iteration: 3, visit: 2, childRunId: "run_child00000000000" })],
        childrenOmitted: 9_990,
      }),
    ],
  });
  expect(renderTree(view, { style: plain, columns: 80, nowMs: START_MS, linesMax: undefined }).join("\n")).toBe(
    ["✓ each                    1.2 s", "  ✓ body [3] (visit 2)    1.2 s  run_child00000000000", "  … 9,990 more, finished"].join("\n"),
  );
});

test("what extensions put around a task is told from its own tasks", () => {
  const view = buildRunView({
    tasks: [
      buildTaskView(1, "act", {
        children: [
          buildTaskView(2, "sendLog", { extension: { name: "logging", stage: "before" } }),
          buildTaskView(3, "sendLog", { extension: { name: "logging", stage: "after" } }),
        ],
      }),
    ],
  });
  expect(renderTree(view, { style: plain, columns: 80, nowMs: START_MS, linesMax: undefined }).join("\n")).toBe(
    ["✓ act                          1.2 s", "  ✓ before (logging): sendLog  1.2 s", "  ✓ after (logging): sendLog   1.2 s"].join("\n"),
  );
});

test("the head names the run, what it runs, its state and how long it has been going", () => {
  const options = { style: plain, columns: 80, nowMs: START_MS + 64_000 };
  expect(renderRunHead(buildRunView(), options)).toBe("run_0123456789abcdef  default/deploy:1.0.0  running  1 m 04 s");
});

test("an error is one line, and control characters in it cannot reach the terminal", () => {
  const error = {
    type: "https://open-workflow-specification.org/spec/1.0.0/errors/communication",
    status: 503,
    title: "Not\u001b[2J now",
    detail: "first\nsecond",
  };
  expect(describeError(error)).toBe("communication 503: Not\\u001b[2J now: first second");
});

test("colour marks the sign by state and leaves the text alone", () => {
  const [line] = renderTree(buildRunView({ tasks: [buildTaskView(1, "a", { status: "failed" })] }), {
    style: createStyle(true),
    columns: 80,
    nowMs: START_MS,
    linesMax: undefined,
  });
  expect(line).toBe("\u001b[31m✗\u001b[39m a  \u001b[2m1.2 s\u001b[22m");
});
