import { nextInstant, type SchedulePlan, type ScheduleTrigger } from "@tutti/definition";
import type { EventGroup } from "@tutti/engine";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
/** An instant that is this late was missed: nobody was there for it. Less is a busy machine, and every instant counts. */
export const MISFIRE_GRACE_MS = MINUTE_MS;
/** Runs that make up for one downtime, at most; the newest instants count. */
export const CATCH_UP_MAX = 100;
/** A wall clock that is further back than what has been dealt with was set back; less is a clock that is being steered. */
const SET_BACK_MS = MINUTE_MS;
/** Looking back for the latest instants goes over these spans, until enough are found. */
const LOOK_BACK_MS = [HOUR_MS, DAY_MS, 31 * DAY_MS, 366 * DAY_MS, 42 * 366 * DAY_MS] as const;

/** One start that a schedule calls for. */
export interface ScheduledStart {
  /** Names it among all of the schedule: with the schedule's name it is the start key, so one run comes of it whatever happens. */
  readonly key: string;
  /** Its instant, or when its first event came. */
  readonly atMs: number;
  /** Places of its events in the inbox. */
  readonly positions: readonly number[];
}

/** What the runtime keeps of a schedule in its row: how far it has come. Plain data. */
export interface ScheduleState {
  /** The plan's, when this was written: another one begins anew. */
  readonly identity: string;
  /** Instants up to here have been dealt with. */
  readonly cursorMs: number;
  /** When `every` began to count. */
  readonly anchorMs: number;
  /** When `after` starts the next run; null while one is under way. */
  readonly dueAtMs: number | null;
  /** Events up to here have been offered. */
  readonly readUpTo: number;
  readonly groups: readonly EventGroup[];
  /** Runs of the schedule that were not at rest when last looked at; kept only where it matters. */
  readonly active: readonly string[];
  /** Starts that wait until those are at rest. */
  readonly queue: readonly ScheduledStart[];
  readonly started: number;
  readonly skipped: number;
  readonly failed: number;
  readonly last: { readonly atMs: number; readonly runId: string } | null;
  /** Why the latest start that failed did. */
  readonly failure: { readonly atMs: number; readonly message: string } | null;
}

/** The state of a schedule that is enabled now. */
export function beginState(plan: SchedulePlan, nowMs: number, inboxEnd: number): ScheduleState {
  return {
    identity: plan.identity,
    cursorMs: nowMs,
    anchorMs: nowMs,
    dueAtMs: plan.trigger.kind === "after" ? nowMs : null,
    readUpTo: inboxEnd,
    groups: [],
    active: [],
    queue: [],
    started: 0,
    skipped: 0,
    failed: 0,
    last: null,
    failure: null,
  };
}

/**
 * The state as it holds for this plan and this time: another plan than the one it was written under begins now, and a wall clock that was set
 * back is followed. Instants that come again by that start nothing, since their runs are there.
 */
export function followPlan(state: ScheduleState, plan: SchedulePlan, nowMs: number): ScheduleState {
  if (state.identity !== plan.identity) {
    const { identity, dueAtMs } = beginState(plan, nowMs, state.readUpTo);
    return { ...state, identity, cursorMs: nowMs, anchorMs: nowMs, groups: [], dueAtMs: state.active.length > 0 ? null : dueAtMs };
  }
  const { trigger } = plan;
  const latestMs = trigger.kind === "after" ? nowMs + trigger.afterMs : Number.POSITIVE_INFINITY;
  const isSetBack = state.cursorMs > nowMs + SET_BACK_MS;
  if (!isSetBack && (state.dueAtMs ?? 0) <= latestMs) return state;
  return {
    ...state,
    cursorMs: isSetBack ? nowMs : state.cursorMs,
    dueAtMs: state.dueAtMs === null ? null : Math.min(state.dueAtMs, latestMs),
  };
}

/** When the schedule has to be looked at next; undefined when not by the clock. */
export function nextLookMs(plan: SchedulePlan, state: ScheduleState): number | undefined {
  return plan.trigger.kind === "after" ? (state.dueAtMs ?? undefined) : nextInstant(plan.trigger, state.cursorMs, state.anchorMs);
}

export interface DueStarts {
  readonly starts: readonly ScheduledStart[];
  /** What was missed, when something was: all instants from the one to the other. */
  readonly missed: { readonly fromMs: number; readonly toMs: number } | undefined;
  readonly state: ScheduleState;
}

/** The starts that have fallen due by the clock, oldest first, as the misfire policy has it; the state has dealt with them. */
export function takeDue(plan: SchedulePlan, state: ScheduleState, nowMs: number): DueStarts {
  const { trigger, misfire } = plan;
  if (trigger.kind === "on") return { starts: [], missed: undefined, state };
  if (trigger.kind === "after") {
    if (state.dueAtMs === null || state.dueAtMs > nowMs) return { starts: [], missed: undefined, state };
    return { starts: [startAt(state.dueAtMs)], missed: undefined, state: { ...state, dueAtMs: null } };
  }
  const firstMs = nextInstant(trigger, state.cursorMs, state.anchorMs);
  if (firstMs === undefined || firstMs > nowMs) return { starts: [], missed: undefined, state };
  const graceMs = nowMs - MISFIRE_GRACE_MS;
  const looked: ScheduleState = { ...state, cursorMs: Math.max(state.cursorMs, nowMs) };
  const onTime = latestInstants(trigger, state.anchorMs, { fromMs: Math.max(state.cursorMs, graceMs), toMs: nowMs }, CATCH_UP_MAX);
  if (firstMs > graceMs) return { starts: onTime.map(startAt), missed: undefined, state: looked };
  const fromMs = Math.max(state.cursorMs, nowMs - misfire.withinMs);
  const limit = { skip: 0, once: 1, all: CATCH_UP_MAX }[misfire.policy];
  const madeUp = limit === 0 || fromMs >= graceMs ? [] : latestInstants(trigger, state.anchorMs, { fromMs, toMs: graceMs }, limit);
  return { starts: [...madeUp, ...onTime].map(startAt), missed: { fromMs: firstMs, toMs: graceMs }, state: looked };
}

/** The latest `limit` instants after `fromMs` up to `toMs`, ascending. Looks back no further than it must. */
function latestInstants(
  trigger: ScheduleTrigger,
  anchorMs: number,
  { fromMs, toMs }: { readonly fromMs: number; readonly toMs: number },
  limit: number,
): readonly number[] {
  let found: number[] = [];
  for (const spanMs of LOOK_BACK_MS) {
    const startMs = Math.max(fromMs, toMs - spanMs);
    found = [];
    for (let at = nextInstant(trigger, startMs, anchorMs); at !== undefined && at <= toMs; at = nextInstant(trigger, at, anchorMs))
      found.push(at);
    if (found.length >= limit || startMs === fromMs) break;
  }
  return found.slice(-limit);
}

function startAt(atMs: number): ScheduledStart {
  return { key: new Date(atMs).toISOString(), atMs, positions: [] };
}
