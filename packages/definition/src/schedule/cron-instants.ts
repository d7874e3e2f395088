import { type Cron, fitsDay, isEveryHour } from "./cron.ts";
import type { TimeZone } from "./time-zone.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
/** Local times are at most 14 hours ahead of UTC and 12 behind; an hour more sees what changes at the very edge. */
const AHEAD_MAX_MS = 15 * HOUR_MS;
const BEHIND_MAX_MS = 13 * HOUR_MS;
/** The calendar repeats its weekdays every 28 years, every 40 over 2100: what has not come by then never does. */
const DAYS_MAX = 41 * 366;

/**
 * The first instant after `afterMs` at which the expression fires, in milliseconds since 1970; undefined when there is none.
 *
 * Where clocks change, expressions that name hours fire once for each local time: a time that is skipped fires at the instant at which the
 * clock is put on, one that comes twice fires the first time. Expressions for every hour follow the hours as they pass: minutes that come twice
 * fire twice, minutes that are skipped do not fire. (Decision 0021.)
 */
export function nextCronInstant(cron: Cron, zone: TimeZone, afterMs: number): number | undefined {
  const today = Math.floor((afterMs + zone.offsetMsAt(afterMs)) / DAY_MS);
  // Yesterday's last hour may still come, when the clock was put back over midnight.
  for (let day = today - 1; day <= today + DAYS_MAX; day++) {
    const first = firstOfDay(cron, zone, day, afterMs);
    if (first === undefined) continue;
    // For the same reason a time of the next day may come before it.
    const next = firstOfDay(cron, zone, day + 1, afterMs);
    return next !== undefined && next < first ? next : first;
  }
  return undefined;
}

function firstOfDay(cron: Cron, zone: TimeZone, day: number, afterMs: number): number | undefined {
  if (!fitsDay(cron, day)) return undefined;
  const startMs = day * DAY_MS;
  const before = zone.offsetMsAt(startMs - AHEAD_MAX_MS);
  const after = zone.offsetMsAt(startMs + DAY_MS + BEHIND_MAX_MS);
  if (before === after) return firstOfPlainDay(cron, startMs - before, afterMs);
  const changeMs = changeBetween(zone, startMs - AHEAD_MAX_MS, startMs + DAY_MS + BEHIND_MAX_MS);
  let first: number | undefined;
  for (const minute of minutesOfDay(cron)) {
    for (const atMs of instantsOf(startMs + minute * MINUTE_MS, { before, after, changeMs }, isEveryHour(cron)))
      if (atMs > afterMs && (first === undefined || atMs < first)) first = atMs;
  }
  return first;
}

/** No clock changes about this day, which begins at `startMs`. */
function firstOfPlainDay(cron: Cron, startMs: number, afterMs: number): number | undefined {
  for (const hour of cron.hours) {
    const hourMs = startMs + hour * HOUR_MS;
    if (hourMs + HOUR_MS <= afterMs) continue;
    for (const minute of cron.minutes) if (hourMs + minute * MINUTE_MS > afterMs) return hourMs + minute * MINUTE_MS;
  }
  return undefined;
}

interface Change {
  /** Offsets before and after it. */
  readonly before: number;
  readonly after: number;
  readonly changeMs: number;
}

/** The instants of a local time near a change of the clock. */
function instantsOf(localMs: number, { before, after, changeMs }: Change, isEveryTime: boolean): readonly number[] {
  const instants: number[] = [];
  if (localMs - before < changeMs) instants.push(localMs - before);
  if (localMs - after >= changeMs) instants.push(localMs - after);
  if (isEveryTime) return instants;
  // Skipped: at the change. Twice: the first time.
  return instants.length === 0 ? [changeMs] : instants.slice(0, 1);
}

/** The first instant of another offset than at `fromMs`; there is one change between the two. */
function changeBetween(zone: TimeZone, fromMs: number, toMs: number): number {
  const before = zone.offsetMsAt(fromMs);
  let low = fromMs;
  let high = toMs;
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (zone.offsetMsAt(middle) === before) low = middle;
    else high = middle;
  }
  return high;
}

function* minutesOfDay(cron: Cron): Generator<number> {
  for (const hour of cron.hours) for (const minute of cron.minutes) yield hour * 60 + minute;
}
