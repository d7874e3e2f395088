import { type BrokenDownTime, isoWeek, MONTHS, secondsOf, WEEKDAYS } from "./calendar.ts";

type Conversion = (time: BrokenDownTime) => string;

const padded = (value: number, width: number, fill = "0"): string => {
  const digits = String(Math.abs(Math.trunc(value))).padStart(width, fill);
  return value < 0 ? `-${digits}` : digits;
};
const twelveHours = (hours: number): number => ((hours + 11) % 12) + 1;
const monthName = (time: BrokenDownTime): string => MONTHS[time.month] ?? "?";
const weekdayName = (time: BrokenDownTime): string => WEEKDAYS[time.weekday] ?? "?";
/** The week of the year when weeks start on `firstDay` and days before the first one are week 0. */
const weekFrom = (time: BrokenDownTime, firstDay: number): number =>
  Math.floor((time.yearday + 7 - ((time.weekday - firstDay + 7) % 7)) / 7);

/** C's conversions in its "C" locale, in UTC. */
const CONVERSIONS: ReadonlyMap<string, Conversion> = new Map<string, Conversion>([
  ["a", (time) => weekdayName(time).slice(0, 3)],
  ["A", weekdayName],
  ["b", (time) => monthName(time).slice(0, 3)],
  ["h", (time) => monthName(time).slice(0, 3)],
  ["B", monthName],
  ["c", (time) => formatTime(time, "%a %b %e %H:%M:%S %Y")],
  ["C", (time) => padded(Math.floor(time.year / 100), 2)],
  ["d", (time) => padded(time.day, 2)],
  ["D", (time) => formatTime(time, "%m/%d/%y")],
  ["e", (time) => padded(time.day, 2, " ")],
  ["F", (time) => formatTime(time, "%Y-%m-%d")],
  ["g", (time) => padded(isoWeek(time).year % 100, 2)],
  ["G", (time) => String(isoWeek(time).year)],
  ["H", (time) => padded(time.hours, 2)],
  ["I", (time) => padded(twelveHours(time.hours), 2)],
  ["j", (time) => padded(time.yearday + 1, 3)],
  ["k", (time) => padded(time.hours, 2, " ")],
  ["l", (time) => padded(twelveHours(time.hours), 2, " ")],
  ["m", (time) => padded(time.month + 1, 2)],
  ["M", (time) => padded(time.minutes, 2)],
  ["n", () => "\n"],
  ["p", (time) => (time.hours < 12 ? "AM" : "PM")],
  ["P", (time) => (time.hours < 12 ? "am" : "pm")],
  ["r", (time) => formatTime(time, "%I:%M:%S %p")],
  ["R", (time) => formatTime(time, "%H:%M")],
  ["s", (time) => String(secondsOf(time) ?? 0)],
  ["S", (time) => padded(time.seconds, 2)],
  ["t", () => "\t"],
  ["T", (time) => formatTime(time, "%H:%M:%S")],
  ["u", (time) => String(time.weekday === 0 ? 7 : time.weekday)],
  ["U", (time) => padded(weekFrom(time, 0), 2)],
  ["V", (time) => padded(isoWeek(time).week, 2)],
  ["w", (time) => String(time.weekday)],
  ["W", (time) => padded(weekFrom(time, 1), 2)],
  ["x", (time) => formatTime(time, "%m/%d/%y")],
  ["X", (time) => formatTime(time, "%H:%M:%S")],
  ["y", (time) => padded(((time.year % 100) + 100) % 100, 2)],
  ["Y", (time) => String(time.year)],
  ["z", () => "+0000"],
  ["Z", () => "UTC"],
  ["%", () => "%"],
]);

/** Formats as C's `strftime`; a conversion that C does not know stays as it is. */
export function formatTime(time: BrokenDownTime, format: string): string {
  return format.replace(/%[EO]?([a-zA-Z%])/g, (whole, letter: string) => CONVERSIONS.get(letter)?.(time) ?? whole);
}
