import type { RunState } from "./state.ts";

/**
 * Changes of what the engine makes of the same facts, each with its number: a run keeps the ones it was started with, so that its records
 * replay for ever. Numbers are only appended.
 *
 * 1 (2026-11): time limits stand still while a run is at rest or suspended. Before, a limit of an hour had run out when a person resumed the run
 * a day after, and the run failed once more at once (decision 0016).
 */
export const LIMITS_STAND_STILL = 1;

/** What a run gets that is started now. */
export const CURRENT_FLAGS: readonly number[] = [LIMITS_STAND_STILL];

export function hasFlag(state: RunState, flag: number): boolean {
  return state.flags.includes(flag);
}
