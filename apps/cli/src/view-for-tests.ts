import type { DoubtView, RunView, TaskView, WaitView } from "./run-status.ts";

/** Noon of a day in UTC; tests set TZ by building clock times with `formatClock`. */
export const START_MS = Date.UTC(2026, 10, 21, 12, 0, 0);

/** A run that began at noon; everything else as given. */
export function buildRunView(given: Partial<RunView> = {}): RunView {
  return {
    runId: "run_0123456789abcdef",
    workflow: { namespace: "default", name: "deploy", version: "1.0.0", digest: "d".repeat(64) },
    status: "running",
    startedAtMs: START_MS,
    endedAtMs: undefined,
    atMs: START_MS + 64_000,
    seq: 7,
    input: { size: "m" },
    context: null,
    output: undefined,
    error: undefined,
    labels: {},
    parent: undefined,
    tasks: [],
    waits: [],
    doubts: [],
    ...given,
  };
}

/** A completed task of 1.2 s; `task` is its number. */
export function buildTaskView(task: number, name: string, given: Partial<TaskView> = {}): TaskView {
  return {
    task,
    name,
    path: `/do/${name}`,
    kind: "call",
    status: "completed",
    startedAtMs: START_MS,
    endedAtMs: START_MS + 1_200,
    attempts: 1,
    token: undefined,
    effect: undefined,
    iteration: undefined,
    extension: undefined,
    visit: 1,
    output: undefined,
    error: undefined,
    childRunId: undefined,
    children: [],
    childrenOmitted: 0,
    ...given,
  };
}

export function buildWait(task: number, path: string, given: Partial<WaitView> = {}): WaitView {
  return { task, path, reason: "a person: settle", kind: "settle", sinceMs: START_MS, untilMs: undefined, ...given };
}

export function buildDoubt(task: number, path: string, given: Partial<DoubtView> = {}): DoubtView {
  return { task, path, token: `tok_${"0".repeat(32)}`, function: "account.pay:1@bank", sinceMs: START_MS, settled: undefined, ...given };
}

/** A deployment in the middle: one task done, one group moving, one waiting. */
export function buildDeployment(): RunView {
  return buildRunView({
    tasks: [
      buildTaskView(1, "openTicket"),
      buildTaskView(2, "provision", {
        kind: "do",
        status: "running",
        endedAtMs: undefined,
        attempts: 0,
        children: [
          buildTaskView(3, "createVm", { endedAtMs: START_MS + 12_000, attempts: 3 }),
          buildTaskView(4, "configure", { status: "running", startedAtMs: START_MS + 60_000, endedAtMs: undefined, attempts: 2 }),
        ],
      }),
      buildTaskView(5, "announce", { kind: "wait", status: "waiting", startedAtMs: START_MS + 40_000, endedAtMs: undefined, attempts: 0 }),
      buildTaskView(6, "notifyEverybody", { status: "skipped", attempts: 0 }),
    ],
    waits: [buildWait(5, "/do/announce", { kind: "timer", reason: "timer", sinceMs: START_MS + 40_000, untilMs: START_MS + 184_000 })],
  });
}
