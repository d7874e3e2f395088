import { assert } from "@tutti/model";
import { continueLoop } from "./kinds.ts";
import { iterationDone } from "./iterations.ts";
import { continueListen } from "./listen.ts";
import type { Machine } from "./machine.ts";
import { RUN_FRAME, type Task } from "./state.ts";
import { descendants } from "./tasks.ts";

/** Going on with tasks that stood still. */

/** A composite that failed or waited as a whole goes on where its inner tasks stand. */
export function continueTask(machine: Machine, task: Task): void {
  const { frame } = task;
  assert(frame !== undefined, `task ${task.id} has inner tasks`);
  if (frame.kind === "listen" && machine.node(task).kind === "listen") continueListen(machine, task);
  else {
    machine.setPhase(task, "active");
    if (frame.kind === "loop") continueLoop(machine, task);
    if (frame.kind === "listen" && frame.pending !== undefined) iterationDone(machine, task, frame.pending);
  }
}

/** Sends what was held back inside `scope`, or in the whole run. */
export function sendHeldInside(machine: Machine, scope: Task | undefined): void {
  const inner = scope === undefined || scope.id === RUN_FRAME ? machine.state.tasks.values() : descendants(machine, scope);
  for (const task of inner) {
    if (task.phase !== "held") continue;
    machine.later(
      task.call === undefined && machine.node(task).kind !== "call"
        ? { kind: "begin", task: task.id }
        : { kind: "dispatch", task: task.id },
    );
  }
}
