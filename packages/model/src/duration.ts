import { isJsonObject, type Json } from "./json.ts";

const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
/**
 * Calendar units have no fixed length; without a start date a duration can only use agreed ones. Ours: a month has 30 days, a year 365.
 * Who means a date uses days.
 */
const MONTH_MS = 30 * DAY_MS;
const YEAR_MS = 365 * DAY_MS;
/** Longer ones are typing errors, and sums with the clock must stay exact integers. */
export const DURATION_MS_MAX = 100 * YEAR_MS;

/** The pattern of the language's schema: ISO 8601, where every part may have a fraction. */
export const ISO_DURATION =
  /^P(?!$)(\d+(?:\.\d+)?Y)?(\d+(?:\.\d+)?M)?(\d+(?:\.\d+)?W)?(\d+(?:\.\d+)?D)?(T(?=\d)(\d+(?:\.\d+)?H)?(\d+(?:\.\d+)?M)?(\d+(?:\.\d+)?S)?)?$/;
/** Group of ISO_DURATION → length of its unit; group 5 is the time part as a whole. */
const GROUP_UNITS: readonly (readonly [group: number, unitMs: number])[] = [
  [1, YEAR_MS],
  [2, MONTH_MS],
  [3, 7 * DAY_MS],
  [4, DAY_MS],
  [6, HOUR_MS],
  [7, MINUTE_MS],
  [8, SECOND_MS],
];
/** A duration of normal size has a few dozen characters. */
const TEXT_LENGTH_MAX = 200;

const FIELD_UNITS = { days: DAY_MS, hours: HOUR_MS, minutes: MINUTE_MS, seconds: SECOND_MS, milliseconds: 1 } as const;

/**
 * Milliseconds of a duration in either form, rounded down to whole ones: ISO 8601 text (`PT30S`, `P1DT12H`; a year is 365 days, a month 30)
 * or an object `{ days, hours, minutes, seconds, milliseconds }` of whole numbers.
 *
 * Undefined when the value is none, negative, or more than 100 years.
 */
export function durationMs(value: Json | undefined): number | undefined {
  if (typeof value === "string") return parseDuration(value);
  if (!isJsonObject(value) || Object.keys(value).length === 0) return undefined;
  if (Object.keys(value).some((key) => !Object.hasOwn(FIELD_UNITS, key))) return undefined;
  let ms = 0;
  for (const [field, unitMs] of Object.entries(FIELD_UNITS)) {
    const amount = Object.hasOwn(value, field) ? value[field] : 0;
    if (typeof amount !== "number" || !Number.isInteger(amount)) return undefined;
    ms += amount * unitMs;
  }
  return bounded(ms);
}

/** Milliseconds of an ISO 8601 duration, as `durationMs` has it. */
export function parseDuration(text: string): number | undefined {
  const match = text.length <= TEXT_LENGTH_MAX ? ISO_DURATION.exec(text) : null;
  if (match === null) return undefined;
  let ms = 0;
  let hasFraction = false;
  for (const [group, unitMs] of GROUP_UNITS) {
    const part = match[group] ?? "0";
    hasFraction ||= part.includes(".");
    ms += Number.parseFloat(part) * unitMs;
  }
  // Too long by far, as a sum of floats too.
  return hasFraction && ms < 2 * DURATION_MS_MAX ? bounded(exactSum(match)) : bounded(Math.floor(ms));
}

/** In whole numbers: 1.001 seconds are 1000.9999999999999 ms in floats, which would be 1000. */
function exactSum(match: RegExpExecArray): number {
  const scale = 10n ** BigInt(TEXT_LENGTH_MAX);
  let sum = 0n;
  for (const [group, unitMs] of GROUP_UNITS) {
    const [whole = "0", fraction = ""] = (match[group] ?? "0").replace(/[A-Z]$/, "").split(".");
    sum += (BigInt(whole) * scale + BigInt(fraction.padEnd(TEXT_LENGTH_MAX, "0"))) * BigInt(unitMs);
  }
  return Number(sum / scale);
}

function bounded(ms: number): number | undefined {
  return ms >= 0 && ms <= DURATION_MS_MAX ? ms : undefined;
}
