import type { NextStep } from "../render/next-steps.ts";
import type { ExplainedTask, RunExplanation } from "../run-status.ts";

type Reason = ExplainedTask["reasons"][number];

/** What `run explain --json` prints: every member is always there (null when there is nothing), moments are ISO 8601 in UTC. */
export function explanationJson(
  run: RunExplanation,
  tasks: readonly { readonly task: ExplainedTask; readonly next: readonly NextStep[] }[],
): object {
  return {
    runId: run.runId,
    status: run.status,
    reason: run.reason ?? null,
    seq: run.seq,
    tasks: tasks.map(({ task, next }) => taskJson(task, next)),
  };
}

function taskJson(task: ExplainedTask, next: readonly NextStep[]): object {
  const { wait, slot, child } = task;
  return {
    path: task.path,
    kind: task.kind,
    task: task.task ?? null,
    status: task.status,
    activations: task.activations,
    startedAt: moment(task.startedAtMs),
    endedAt: moment(task.endedAtMs),
    reasons: task.reasons.map(reasonJson),
    attempts: task.attempts.map((attempt) => ({
      attempt: attempt.attempt,
      kind: attempt.kind,
      startedAt: moment(attempt.startedAtMs),
      endedAt: moment(attempt.endedAtMs),
      outcome: attempt.outcome,
      error: attempt.error ?? null,
    })),
    error: task.error ?? null,
    wait: wait === undefined ? null : { kind: wait.kind, reason: wait.reason, since: moment(wait.sinceMs), until: moment(wait.untilMs) },
    slot: slot === undefined ? null : { ...slot, place: slot.place ?? null },
    child: child === undefined ? null : { runId: child.runId, status: child.status ?? null, reason: child.reason ?? null },
    events: task.events.map(({ acceptedAtMs, ...event }) => ({ ...event, acceptedAt: moment(acceptedAtMs) })),
    next,
  };
}

function reasonJson({ kind, text, because, condition, atMs }: Reason): object {
  return {
    kind,
    text,
    because: because === undefined ? null : { path: because.path, task: because.task ?? null },
    condition: condition ?? null,
    at: moment(atMs),
  };
}

function moment(atMs: number | undefined): string | null {
  return atMs === undefined ? null : new Date(atMs).toISOString();
}
