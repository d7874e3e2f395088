const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** A duration for people: two units at most, the smaller one with two digits so that columns stay calm: `340 ms`, `1.2 s`, `3 m 04 s`. */
export function formatDuration(ms: number): string {
  const whole = Math.max(0, Math.round(ms));
  if (whole < SECOND_MS) return `${whole} ms`;
  // 59,950 ms would round up to "60.0 s".
  if (whole < 10 * SECOND_MS) return `${(Math.floor(whole / 100) / 10).toFixed(1)} s`;
  if (whole < MINUTE_MS) return `${Math.floor(whole / SECOND_MS)} s`;
  if (whole < HOUR_MS) return `${Math.floor(whole / MINUTE_MS)} m ${twoDigits((whole % MINUTE_MS) / SECOND_MS)} s`;
  if (whole < DAY_MS) return `${Math.floor(whole / HOUR_MS)} h ${twoDigits((whole % HOUR_MS) / MINUTE_MS)} m`;
  return `${Math.floor(whole / DAY_MS)} d ${twoDigits((whole % DAY_MS) / HOUR_MS)} h`;
}

/** How long something has been going on: whole seconds, since tenths that flicker help nobody. */
export function formatElapsed(ms: number): string {
  return ms < 10 * SECOND_MS ? `${Math.max(0, Math.floor(ms / SECOND_MS))} s` : formatDuration(ms);
}

/** `2026-11-21 23:04:09` in the time zone of the process. */
export function formatTime(atMs: number): string {
  const at = new Date(atMs);
  return `${at.getFullYear()}-${twoDigits(at.getMonth() + 1)}-${twoDigits(at.getDate())} ${formatClock(atMs)}`;
}

/** `23:04:09`, for moments of today. */
export function formatClock(atMs: number): string {
  const at = new Date(atMs);
  return `${twoDigits(at.getHours())}:${twoDigits(at.getMinutes())}:${twoDigits(at.getSeconds())}`;
}

/** The clock alone when `atMs` is on the day of `nowMs`, else with the date. */
export function formatNear(atMs: number, nowMs: number): string {
  return new Date(atMs).toDateString() === new Date(nowMs).toDateString() ? formatClock(atMs) : formatTime(atMs);
}

/** Moments inside of a sentence (ISO 8601, UTC) in the reader's time zone, like all others on the screen. */
export function localizeMoments(text: string, nowMs: number): string {
  return text.replaceAll(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z/g, (moment) => formatNear(Date.parse(moment), nowMs));
}

/** `90`, `90s`, `5m`, `2h`, `3d` or `500ms` in milliseconds; undefined for anything else. */
export function parseDuration(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)?$/.exec(text.trim());
  if (match === null) return undefined;
  const unit = { ms: 1, s: SECOND_MS, m: MINUTE_MS, h: HOUR_MS, d: DAY_MS }[match[2] ?? "s"] ?? SECOND_MS;
  return Math.round(Number(match[1]) * unit);
}

function twoDigits(value: number): string {
  return String(Math.floor(value)).padStart(2, "0");
}
