import type { Json } from "@tutti/model";

/** C's `struct tm`, with a full year and seconds that may have a fraction. Months, weekdays and days of the year count from 0. */
export interface BrokenDownTime {
  readonly year: number;
  readonly month: number;
  readonly day: number;
  readonly hours: number;
  readonly minutes: number;
  readonly seconds: number;
  readonly weekday: number;
  readonly yearday: number;
}

const DAY_MS = 86_400_000;

/** Takes seconds since 1970 apart; undefined beyond the years that the host's calendar knows (±271,821). */
export function brokenDown(seconds: number): BrokenDownTime | undefined {
  const whole = Math.floor(seconds);
  const date = new Date(whole * 1000);
  if (Number.isNaN(date.getTime())) return undefined;
  return {
    year: date.getUTCFullYear(),
    month: date.getUTCMonth(),
    day: date.getUTCDate(),
    hours: date.getUTCHours(),
    minutes: date.getUTCMinutes(),
    seconds: date.getUTCSeconds() + (seconds - whole),
    weekday: date.getUTCDay(),
    yearday: dayOfYear(date),
  };
}

function dayOfYear(date: Date): number {
  return Math.floor((startOfDay(date) - yearStart(date.getUTCFullYear())) / DAY_MS);
}

function startOfDay(date: Date): number {
  return Math.floor(date.getTime() / DAY_MS) * DAY_MS;
}

function yearStart(year: number): number {
  // Date.UTC would take the years 0 to 99 for 1900 to 1999.
  return new Date(0).setUTCFullYear(year, 0, 1);
}

/** Whole seconds since 1970; parts beyond their range carry over, as in C's `timegm`. */
export function secondsOf(time: BrokenDownTime): number | undefined {
  const date = new Date(0);
  date.setUTCFullYear(Math.trunc(time.year), Math.trunc(time.month), Math.trunc(time.day));
  date.setUTCHours(Math.trunc(time.hours), Math.trunc(time.minutes), Math.trunc(time.seconds), 0);
  const ms = date.getTime();
  return Number.isNaN(ms) ? undefined : ms / 1000;
}

/** `time` with the day of the week and of the year that its date has. */
export function withDerivedDays(time: BrokenDownTime): BrokenDownTime {
  const seconds = secondsOf({ ...time, hours: 0, minutes: 0, seconds: 0 });
  const derived = seconds === undefined ? undefined : brokenDown(seconds);
  return derived === undefined ? time : { ...time, weekday: derived.weekday, yearday: derived.yearday };
}

export function fromBrokenDown(time: BrokenDownTime): Json {
  return [time.year, time.month, time.day, time.hours, time.minutes, time.seconds, time.weekday, time.yearday];
}

/** Year and week of ISO 8601: weeks start on Monday, and week 1 has the year's first Thursday. */
export function isoWeek(time: BrokenDownTime): { year: number; week: number } {
  const monday = (time.weekday + 6) % 7;
  const thursday = time.yearday - monday + 3;
  if (thursday < 0) return { year: time.year - 1, week: Math.floor((thursday + daysIn(time.year - 1)) / 7) + 1 };
  if (thursday >= daysIn(time.year)) return { year: time.year + 1, week: 1 };
  return { year: time.year, week: Math.floor(thursday / 7) + 1 };
}

function daysIn(year: number): number {
  return (yearStart(year + 1) - yearStart(year)) / DAY_MS;
}

export const MONTHS = [
  "January",
  "February",
  "March",
  "April",
  "May",
  "June",
  "July",
  "August",
  "September",
  "October",
  "November",
  "December",
];
export const WEEKDAYS = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
