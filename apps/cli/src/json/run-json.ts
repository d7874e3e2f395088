import type { DefinitionHead, DoubtView, LogLine, RunRow, RunView, TaskView, WaitView } from "../run-status.ts";

/**
 * What `--json` prints: an interface of its own, kept when internal shapes change. Every member is always there (null when there is nothing),
 * moments are ISO 8601 in UTC, durations milliseconds. Documented in the README of this package.
 */
export function runJson(view: RunView): object {
  return {
    runId: view.runId,
    workflow: view.workflow,
    status: view.status,
    startedAt: moment(view.startedAtMs),
    endedAt: moment(view.endedAtMs),
    at: moment(view.atMs),
    durationMs: (view.endedAtMs ?? view.atMs) - view.startedAtMs,
    seq: view.seq,
    labels: view.labels,
    parent: view.parent ?? null,
    input: view.input,
    context: view.context,
    output: view.output ?? null,
    error: view.error ?? null,
    tasks: view.tasks.map(taskJson),
    waits: view.waits.map(waitJson),
    doubts: view.doubts.map(doubtJson),
  };
}

function taskJson(task: TaskView): object {
  return {
    task: task.task,
    name: task.name,
    path: task.path,
    kind: task.kind,
    status: task.status,
    startedAt: moment(task.startedAtMs),
    endedAt: moment(task.endedAtMs),
    durationMs: task.endedAtMs === undefined ? null : task.endedAtMs - task.startedAtMs,
    attempts: task.attempts,
    token: task.token ?? null,
    effect: task.effect ?? null,
    iteration: task.iteration ?? null,
    extension: task.extension ?? null,
    visit: task.visit,
    output: task.output ?? null,
    error: task.error ?? null,
    childRunId: task.childRunId ?? null,
    children: task.children.map(taskJson),
    childrenOmitted: task.childrenOmitted,
  };
}

function waitJson(wait: WaitView): object {
  return {
    task: wait.task,
    path: wait.path,
    kind: wait.kind,
    reason: wait.reason,
    since: moment(wait.sinceMs),
    until: moment(wait.untilMs),
  };
}

function doubtJson(doubt: DoubtView): object {
  return {
    task: doubt.task,
    path: doubt.path,
    token: doubt.token,
    function: doubt.function,
    since: moment(doubt.sinceMs),
    settled: doubt.settled ?? null,
  };
}

export function rowJson(row: RunRow): object {
  return {
    runId: row.runId,
    workflow: { namespace: row.namespace, name: row.name, version: row.version, digest: row.digest },
    status: row.status,
    startedAt: moment(row.startedAtMs),
    updatedAt: moment(row.updatedAtMs),
    endedAt: moment(row.endedAtMs),
    wakeAt: moment(row.wakeAtMs),
    seq: row.seq,
    inDoubt: row.inDoubt,
    errorType: row.errorType ?? null,
    reason: row.reason ?? null,
    labels: row.labels,
    parentRunId: row.parentRunId ?? null,
  };
}

export function definitionJson(definition: DefinitionHead): object {
  return {
    namespace: definition.namespace,
    name: definition.name,
    version: definition.version,
    digest: definition.digest,
    publishedAt: moment(definition.publishedAtMs),
    baseDirectory: definition.baseDirectory ?? null,
  };
}

export function logLineJson(line: LogLine): object {
  return {
    at: moment(line.atMs),
    runId: line.runId,
    task: line.task,
    path: line.path,
    attempt: line.attempt,
    stream: line.stream,
    text: line.text,
  };
}

function moment(atMs: number | undefined): string | null {
  return atMs === undefined ? null : new Date(atMs).toISOString();
}
