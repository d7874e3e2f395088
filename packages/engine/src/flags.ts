import type { RunState } from "./state.ts";

/**
 * Changes of what the engine makes of the same facts, each with its number: a run keeps the ones it was started with, so that its records
 * replay for ever. Numbers are only appended.
 *
 * 1 (2026-11): time limits stand still while a run is at rest or suspended. Before, a limit of an hour had run out when a person resumed the run
 * a day after, and the run failed once more at once (decision 0016).
 * 2 (2026-11): a suspended run halts: tasks that compute are held as those that act are, and it does not complete before it is resumed. Before, it
 * went on with everything but calls (decision 0043).
 * 3 (2026-11): expressions are as in jq where they were not: an error in `a` of `a // b` is the error of the whole, `repeat` stays with its input,
 * `reverse` refuses texts, `isnan` takes anything, `index` of an object whose member is no list is an error, parts of
 * an index are dropped, `del` goes from the first path to the last (decision 0045).
 * 4 (2026-11): that an effect is absent counts from the end of its attempt on, request timeout and `settle` later. Before, it counted from the
 * intent, and an attempt that was sent long after its intent could be looked up too early and made again (decision 0046).
 * 5 (2026-11): what a person has settled is no doubt any more, whatever comes of the task. Before, a task settled as done whose `output.as` failed,
 * or one settled as not done that was to fail, left its doubt behind once more when a `catch` took the error; and the messages of a call with
 * `foreach` that was settled as done were not gone through (decision 0052).
 */
export const LIMITS_STAND_STILL = 1;
export const SUSPENDED_RUNS_HALT = 2;
export const EXPRESSIONS_AS_JQ = 3;
export const ABSENCE_COUNTS_FROM_THE_END = 4;
export const SETTLED_IS_NO_DOUBT = 5;

/** What a run gets that is started now. */
export const CURRENT_FLAGS: readonly number[] = [
  LIMITS_STAND_STILL,
  SUSPENDED_RUNS_HALT,
  EXPRESSIONS_AS_JQ,
  ABSENCE_COUNTS_FROM_THE_END,
  SETTLED_IS_NO_DOUBT,
];

/** Whether the run is suspended and goes no step further, not even by computation. */
export function isHalted(state: RunState): boolean {
  return state.isPaused && hasFlag(state, SUSPENDED_RUNS_HALT);
}

export function hasFlag(state: RunState, flag: number): boolean {
  return state.flags.includes(flag);
}
