import { expect, test } from "vitest";
import { taskError } from "@tutti/model";
import { buildRunView, buildTaskView, buildWait, START_MS } from "../view-for-tests.ts";
import { ChangeLines } from "./change-lines.ts";
import { formatClock } from "./duration.ts";

const at = (seconds: number): string => formatClock(START_MS + seconds * 1000);

test("a pipe gets a line per change and nothing twice", () => {
  const changes = new ChangeLines();
  const running = buildRunView({ atMs: START_MS, tasks: [buildTaskView(1, "create", { status: "running", endedAtMs: undefined })] });
  expect(changes.next(running)).toEqual([`${at(0)}  run_0123456789abcdef started: default/deploy:1.0.0`, `${at(0)}  /do/create started`]);
  expect(changes.next(running)).toEqual([]);

  const retrying = buildRunView({
    atMs: START_MS + 2_000,
    status: "waiting",
    tasks: [buildTaskView(1, "create", { status: "waiting", endedAtMs: undefined, attempts: 1 })],
    waits: [
      buildWait(1, "/do/create", {
        kind: "retry",
        reason: "waits until 2026-11-21T12:00:05.000Z for retry 1",
        sinceMs: START_MS + 2_000,
        untilMs: START_MS + 5_000,
      }),
    ],
  });
  expect(changes.next(retrying)).toEqual([
    `${at(2)}  /do/create waiting`,
    `${at(2)}  /do/create waits until ${at(5)} for retry 1`,
    `${at(2)}  run_0123456789abcdef waiting after 2.0 s`,
  ]);

  const failed = buildRunView({
    atMs: START_MS + 6_000,
    status: "faulted",
    error: taskError("communication", "No answer"),
    tasks: [
      buildTaskView(1, "create", {
        status: "failed",
        endedAtMs: START_MS + 6_000,
        attempts: 2,
        error: taskError("communication", "No answer"),
      }),
    ],
  });
  expect(changes.next(failed)).toEqual([
    `${at(6)}  /do/create failed after 6.0 s: communication 500: No answer`,
    `${at(6)}  run_0123456789abcdef faulted after 6.0 s: communication 500: No answer`,
  ]);
});

test("a task of a loop or of an extension is named once, by its path", () => {
  const tasks = [
    buildTaskView(1, "act", {
      children: [
        buildTaskView(2, "log", {
          path: "/do/act/before/logging/log",
          extension: { name: "logging", stage: "before" },
          iteration: 1,
          visit: 2,
        }),
      ],
    }),
  ];
  const lines = new ChangeLines().next(buildRunView({ atMs: START_MS + 2_000, tasks }));
  expect(lines).toContain(`${at(1.2)}  /do/act/before/logging/log [1] (visit 2) completed after 1.2 s`);
});
