import { expect, test } from "vitest";
import { taskError } from "@tutti/model";
import { buildDoubt, buildRunView, buildTaskView, buildWait, START_MS } from "../view-for-tests.ts";
import { formatClock, formatTime } from "./duration.ts";
import { nextSteps } from "./next-steps.ts";
import { renderRunDetail } from "./run-detail.ts";
import { createStyle } from "./style.ts";

const options = { style: createStyle(false), columns: 100, nowMs: START_MS + 64_000, linesMax: undefined };

test("a run that waits for a person says for what, since when, and the commands to copy", () => {
  const view = buildRunView({
    status: "waiting",
    labels: { ticket: "42" },
    tasks: [buildTaskView(1, "reserve"), buildTaskView(2, "pay", { status: "in-doubt", endedAtMs: undefined })],
    waits: [buildWait(2, "/do/pay", { sinceMs: START_MS + 1_200 })],
    doubts: [buildDoubt(2, "/do/pay")],
  });
  expect(renderRunDetail(view, options, nextSteps(view, "tutti", true))).toBe(
    [
      "run_0123456789abcdef  default/deploy:1.0.0  waiting  1 m 04 s",
      `started ${formatTime(START_MS)}`,
      "labels ticket=42",
      "",
      "✓ reserve     1.2 s",
      "? pay      1 m 04 s  in doubt: settle it",
      "",
      "Waiting",
      `  /do/pay  a person: settle  (since ${formatClock(START_MS + 1_200)})`,
      "",
      "In doubt",
      "  /do/pay  account.pay:1@bank  nobody knows for 1 m 04 s, tok_00000000000000000000000000000000",
      "",
      "You can",
      "  tutti run settle run_0123456789abcdef /do/pay --done --output FILE --seen 7",
      "      it did happen: go on with its output",
      "  tutti run settle run_0123456789abcdef /do/pay --not-done --then run --seen 7",
      "      it did not happen: run it again",
      "",
    ].join("\n"),
  );
});

test("a faulted run shows its error with the place, a completed one its output", () => {
  const faulted = buildRunView({
    status: "faulted",
    endedAtMs: START_MS + 5_000,
    error: taskError("timeout", "Too slow", { instance: "/do/0/a" }),
  });
  expect(renderRunDetail(faulted, options, [])).toContain("Error\n  timeout 408: Too slow\n  at /do/0/a\n");
  const completed = buildRunView({ status: "completed", endedAtMs: START_MS + 5_000, output: { url: "http://127.0.0.1" } });
  expect(renderRunDetail(completed, options, [])).toContain('Output\n  {\n    "url": "http://127.0.0.1"\n  }\n');
});
