import { isJsonObject, type Json } from "@tutti/model";

/** Asked at every crash point; true ends the process there. */
export type CrashPlan = (name: string, detail: Readonly<Record<string, Json>>) => boolean;

/** Deaths after ends that tell no path, so that nothing tells one position from its repetition. */
const PLACELESS_DEATHS_MAX = 6;

/** A death may set a timer anew (to look again later), under a new number: from here on timers are one position. */
const TIMERS_MAX = 12;

/**
 * Dies once at each logical position after its commit: attempts and look-ups repeat after a death under new numbers, positions do not. A
 * position is a record's kind and the activation it belongs to, so each iteration of a loop has its own. Tasks that look an effect up are
 * entered anew by every recovery and go by their path.
 */
export function everyPosition(): { readonly plan: CrashPlan; readonly seen: ReadonlySet<string> } {
  const seen = new Set<string>();
  const paths = new Map<string, Json>();
  let placeless = 0;
  const positionOf = (runId: Json, record: Json): Json => {
    if (!isJsonObject(record)) return null;
    const { type = null, task = null, outcome = null, timer = null, action = null } = record;
    const key = JSON.stringify([runId, task]);
    if (type === "attempt-intended" && record["path"] !== undefined) paths.set(key, record["path"]);
    const path = record["path"] ?? paths.get(key);
    if (type === "attempt-ended" && path === undefined) return [type, `placeless ${Math.min(++placeless, PLACELESS_DEATHS_MAX)}`];
    const isLookingUp = typeof path === "string" && path.includes("/find/");
    return [type, isLookingUp ? path : task, outcome, typeof timer === "number" ? Math.min(timer, TIMERS_MAX) : null, action];
  };
  return {
    seen,
    plan: (name, detail) => {
      if (name !== "commit.after" || !Array.isArray(detail["records"])) return false;
      const runId = detail["runId"] ?? null;
      const key = JSON.stringify([runId, ...(detail["records"] as readonly Json[]).map((record) => positionOf(runId, record))]);
      if (seen.has(key)) return false;
      seen.add(key);
      return true;
    },
  };
}

/** Dies at the n-th time that the point is reached. */
export function nthTime(point: string, nth: number): { readonly plan: CrashPlan; readonly wasReached: () => boolean } {
  let count = 0;
  return { plan: (name) => name === point && ++count === nth, wasReached: () => count >= nth };
}
