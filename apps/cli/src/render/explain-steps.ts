import type { ExplainedTask, RunExplanation } from "../run-status.ts";
import type { NextStep } from "./next-steps.ts";

/**
 * What a person can do about an explained task now, as commands to copy.
 *
 * @param tutti the command as this user has to type it, with its data directory.
 * @param isDriven whether some process moves the run on by itself.
 */
export function explainSteps(run: RunExplanation, task: ExplainedTask, tutti: string, isDriven: boolean): readonly NextStep[] {
  const { runId, status } = run;
  const verb = `${tutti} run`;
  const place = `${runId} ${task.path}`;
  if (status === "quarantined") return [{ command: `${verb} resume ${runId}`, why: "try once more, when the cause is removed" }];
  switch (task.status) {
    case "in-doubt":
      return [
        { command: `${verb} settle ${place} --done --output FILE --seen ${run.seq}`, why: "it did happen: go on with its output" },
        { command: `${verb} settle ${place} --not-done --then run --seen ${run.seq}`, why: "it did not happen: run it again" },
      ];
    case "failed":
      return task.endedAtMs === undefined
        ? [
            { command: `${verb} retry ${place}`, why: "run it again, with the same inputs" },
            { command: `${verb} skip ${place} --reason TEXT`, why: "go on without it" },
            ...(task.attempts.length > 0 ? [{ command: `${verb} logs ${runId} --task ${task.path}`, why: "what it printed" }] : []),
          ]
        : [];
    case "held":
      return status === "suspended" || status === "faulted" ? [{ command: `${verb} resume ${runId}`, why: "go on" }] : [];
    case "waiting":
      return waitingSteps(run, task, tutti, isDriven);
    case "not-reached": {
      const because = task.reasons.find((reason) => reason.because?.task !== undefined)?.because;
      return because === undefined || because.path === "/"
        ? []
        : [{ command: `${verb} explain ${runId} ${because.path}`, why: "the task that decided" }];
    }
    default:
      return [];
  }
}

function waitingSteps(run: RunExplanation, task: ExplainedTask, tutti: string, isDriven: boolean): readonly NextStep[] {
  if (run.status === "suspended") return [{ command: `${tutti} run resume ${run.runId}`, why: "go on" }];
  const [holder] = task.slot?.holders ?? [];
  if (holder !== undefined) return [{ command: `${tutti} run explain ${holder.runId}`, why: "the run that holds the slot" }];
  if (task.child !== undefined) return [{ command: `${tutti} run explain ${task.child.runId}`, why: "the run it waits for" }];
  if (task.wait?.kind === "event")
    return [{ command: `${tutti} event send --type TYPE --source SOURCE --payload JSON`, why: "bring the event it waits for" }];
  return isDriven ? [] : [{ command: `${tutti} up`, why: "drives all runs and timers" }];
}
