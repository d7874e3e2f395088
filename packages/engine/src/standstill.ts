import { hasFlag, LIMITS_STAND_STILL } from "./flags.ts";
import type { Machine } from "./machine.ts";
import type { RunState, Timer, TimerPurpose } from "./state.ts";
import { moveTimer } from "./timers.ts";

/**
 * Time that a person takes does not count against the limits of a run: while it is faulted, quarantined or suspended they stand still. What
 * waits for a moment (a `wait`, a pause before a retry) does not: that moment comes whatever a person does.
 */

const LIMITS: ReadonlySet<TimerPurpose> = new Set(["run-timeout", "task-timeout", "pass-timeout"]);

/** The run has come to a stand: call after its phase, or its pause, has changed. The first of several reasons counts. */
export function standStill(state: RunState): void {
  if (hasFlag(state, LIMITS_STAND_STILL)) state.standsSinceMs ??= state.lastAtMs;
}

/** The run goes on: its limits have as much left as when it came to a stand. */
export function goOn(machine: Machine): void {
  const { state } = machine;
  const { standsSinceMs } = state;
  state.standsSinceMs = undefined;
  if (standsSinceMs === undefined || standsSinceMs === machine.now) return;
  for (const timer of state.timers.values()) {
    if (!standsStill(state, timer)) continue;
    const moved = moveTimer(state, timer, timer.dueAtMs + machine.now - Math.max(standsSinceMs, timer.setAtMs ?? 0));
    machine.command({ type: "set-timer", timer: moved.id, dueAtMs: moved.dueAtMs });
  }
}

/** Whether the timer must not fire now, however late it is. An attempt that is under way is still held to its own limit. */
export function isHeldBack(state: RunState, timer: Timer): boolean {
  return state.standsSinceMs !== undefined && standsStill(state, timer);
}

function standsStill(state: RunState, timer: Timer): boolean {
  if (!LIMITS.has(timer.purpose)) return false;
  const phase = state.tasks.get(timer.task)?.phase;
  return phase !== "running" && phase !== "looking-up";
}
