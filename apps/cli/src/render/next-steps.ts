import { allTasks, type RunView } from "../run-status.ts";

export interface NextStep {
  readonly command: string;
  readonly why: string;
}

/** More suggestions than this are no help. */
const STEPS_MAX = 5;

/**
 * What a person can do about a run now, as commands to copy. The words of recovery are the same everywhere.
 *
 * @param tutti the command as this user has to type it, with its data directory.
 * @param isDriven whether some process moves the run on by itself.
 */
export function nextSteps(view: RunView, tutti: string, isDriven: boolean): readonly NextStep[] {
  const run = `${tutti} run`;
  const steps: NextStep[] = [];
  const settled = new Set(view.doubts.filter((doubt) => doubt.settled !== undefined).map((doubt) => doubt.task));
  for (const task of allTasks(view.tasks)) {
    if (task.status !== "in-doubt" || settled.has(task.task)) continue;
    steps.push(
      {
        command: `${run} settle ${view.runId} ${task.path} --done --output FILE --seen ${view.seq}`,
        why: "it did happen: go on with its output",
      },
      {
        command: `${run} settle ${view.runId} ${task.path} --not-done --then run --seen ${view.seq}`,
        why: "it did not happen: run it again",
      },
    );
  }
  switch (view.status) {
    case "faulted": {
      const all = [...allTasks(view.tasks)].filter((task) => task.status === "failed");
      // The one that stands there: what failed inside of a scope that was backed out is over.
      const failed = all.findLast((task) => task.endedAtMs === undefined);
      const isUndo = view.error?.type.endsWith("/compensation-failed") === true;
      steps.push({
        command: `${run} retry ${view.runId}`,
        why: isUndo
          ? "undo it again, and go on with the back-out"
          : view.error?.type.endsWith("/backed-out") === true
            ? "begin it anew, with the same input"
            : "run what failed again, with the same inputs",
      });
      if (failed !== undefined) {
        const why = isUndo ? "take it for undone, and go on with the back-out" : "go on without it";
        steps.push({ command: `${run} skip ${view.runId} ${failed.path} --reason TEXT`, why });
        if (!isUndo)
          steps.push({
            command: `${run} resume ${view.runId} --from ${failed.path}`,
            why: "go on from there; --set and --output change its data",
          });
      }
      const printed = [failed, ...all.toReversed()].find((task) => task !== undefined && task.attempts > 0 && task.children.length === 0);
      if (printed !== undefined) steps.push({ command: `${run} logs ${view.runId} --task ${printed.path}`, why: "what it printed" });
      break;
    }
    case "suspended":
      steps.push(
        { command: `${run} resume ${view.runId}`, why: "go on" },
        { command: `${run} cancel ${view.runId}`, why: "end it in order" },
      );
      break;
    case "quarantined":
      steps.push(
        { command: `${run} events ${view.runId}`, why: "what it did last" },
        { command: `${run} resume ${view.runId}`, why: "try once more, when the cause is removed" },
      );
      break;
    case "running":
    case "waiting": {
      for (const task of allTasks(view.tasks)) {
        if (task.status === "waiting" && task.childRunId !== undefined)
          steps.push({ command: `${run} show ${task.childRunId}`, why: "the run it waits for" });
      }
      const waitsForEvent = view.waits.some((wait) => wait.kind === "event");
      if (waitsForEvent)
        steps.push({ command: `${tutti} event send --type TYPE --source SOURCE --payload JSON`, why: "bring the event it waits for" });
      // Where only a person can go on, driving helps nobody.
      if (!isDriven && !waitsForPersonOnly(view))
        steps.push(
          { command: `${tutti} up`, why: "drives all runs and timers" },
          { command: `${run} resume ${view.runId}`, why: "drives this run only" },
        );
      break;
    }
    case "completed":
    case "cancelled":
      steps.push({ command: `${run} replay ${view.runId}`, why: "a new run with the same input" });
      break;
  }
  return steps.slice(0, STEPS_MAX);
}

/** Whether everything that the run waits for is a person's word. */
export function waitsForPersonOnly(view: RunView): boolean {
  return view.waits.length > 0 && view.waits.every((wait) => wait.kind === "settle" || wait.kind === "operator");
}
