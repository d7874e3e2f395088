import type { TuttiService } from "@tutti/host";

/** The types that commands need of the service's answers, by the names people use. */
export type RunView = Awaited<ReturnType<TuttiService["show"]>>;
export type TaskView = RunView["tasks"][number];
export type WaitView = RunView["waits"][number];
export type DoubtView = RunView["doubts"][number];
export type TaskStatus = TaskView["status"];
export type RunStatus = RunView["status"];
export type RunRow = Awaited<ReturnType<TuttiService["loadRow"]>>;
export type RunQuery = Parameters<TuttiService["list"]>[0];
export type BackOutPlan = Awaited<ReturnType<TuttiService["planBackOut"]>>;
export type ChangePreview = Awaited<ReturnType<TuttiService["previewRun"]>>;
export type RunExplanation = Awaited<ReturnType<TuttiService["explain"]>>;
export type ExplainedTask = RunExplanation["tasks"][number];
export type LogLine = TuttiService extends { logs(...given: never[]): AsyncIterable<infer Line> } ? Line : never;
export type OperateAction = Parameters<TuttiService["operate"]>[0]["action"];
export type DefinitionHead = Awaited<ReturnType<TuttiService["listDefinitions"]>>[number];

export const RUN_STATUSES: readonly RunStatus[] = ["running", "waiting", "suspended", "faulted", "completed", "cancelled", "quarantined"];

/** Nothing moves it any more but a person; `completed` and `cancelled` for ever. */
export function isAtRest(status: RunStatus): boolean {
  return status !== "running" && status !== "waiting";
}

export function isFinal(status: RunStatus): boolean {
  return status === "completed" || status === "cancelled";
}

/** All tasks of a view, parents before children. */
export function* allTasks(tasks: readonly TaskView[]): Iterable<TaskView> {
  for (const task of tasks) {
    yield task;
    yield* allTasks(task.children);
  }
}
