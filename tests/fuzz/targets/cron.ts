import { type Cron, nextCronInstant, parseCron, timeZone } from "@tutti/definition";
import type { Json } from "@tutti/model";
import type { Random } from "@tutti/testkit";
import { mutateText } from "../generate/text.ts";
import { broken, type Target, type Verdict } from "../target.ts";

interface Input {
  readonly [key: string]: Json;
  readonly text: string;
  readonly afterMs: number;
  readonly zone: string;
}

const MINUTE_MS = 60_000;
/** How far minute by minute looks at the calendar go. */
const LOOK_MINUTES = 400;
const ZONES = ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Apia", "America/St_Johns"];
const FIELDS = [
  { from: 0, to: 59, names: [] },
  { from: 0, to: 23, names: [] },
  { from: 1, to: 31, names: [] },
  { from: 1, to: 12, names: ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"] },
  { from: 0, to: 7, names: ["sun", "mon", "tue", "wed", "thu", "fri", "sat"] },
] as const;
const WORDS = ["*", "/", "-", ",", " ", "*/", "0", "60", "24", "32", "13", "8", "feb", "SUN", "?", "L", "W", "@daily", "٣"];
const FROM_MS = Date.UTC(2020, 0, 1);
const TO_MS = Date.UTC(2040, 0, 1);

export const cron: Target<Input> = {
  name: "cron",
  law: "an expression is read as crontab(5) has it or refused with a place in it; the next instant is the first minute that fits",
  control: "a step of 1 counts as 2",
  make: (random) => ({
    text: random.chance(0.7) ? expression(random) : mutateText(expression(random), random, WORDS),
    afterMs: random.integer(FROM_MS, TO_MS),
    // What a zone's clock shows costs a hundred times what UTC's does.
    zone: random.chance(0.02) ? random.pick(ZONES) : "UTC",
  }),
  open: async (isSabotaged) => ({ check: (input) => check(input, isSabotaged ? everySecond : parseCron) }),
};

function expression(random: Random): string {
  return FIELDS.map((field) => {
    if (random.chance(0.4)) return "*";
    return Array.from({ length: random.chance(0.8) ? 1 : random.integer(2, 4) }, () => item(random, field)).join(",");
  }).join(random.pick([" ", " ", " ", "  ", "\t"]));
}

function item(random: Random, { from, to, names }: (typeof FIELDS)[number]): string {
  const value = (low: number, high: number): [number, string] => {
    const number = random.integer(low, high);
    const name = names[number - from];
    return [number, name !== undefined && random.chance(0.3) ? (random.chance(0.5) ? name : name.toUpperCase()) : String(number)];
  };
  const step = random.chance(0.3) ? `/${random.integer(1, to)}` : "";
  if (random.chance(0.3)) return `*${step}`;
  const [low, first] = value(from, to);
  return random.chance(0.6) ? `${first}${step}` : `${first}-${value(low, to)[1]}${step}`;
}

function everySecond(text: string): ReturnType<typeof parseCron> {
  return parseCron(text.replaceAll(/\/1(?!\d)/g, "/2"));
}

function check({ text, afterMs, zone: name }: Input, parse: typeof parseCron): Verdict {
  const read = parse(text);
  const expected = readSlowly(text);
  if ("message" in read) {
    if (read.offset < 0 || read.offset > text.length || read.message === "")
      return broken("a problem without a place", JSON.stringify(read));
    return expected !== undefined && canFire(text, expected) ? broken("refuses what is right", read.message) : undefined;
  }
  if (expected === undefined) return broken("accepts what is wrong", text);
  const difference = differenceOf(read, expected);
  return difference === undefined ? checkNext(read, { text, expected, afterMs, name }) : broken("reads it wrong", difference);
}

/** Five sets of values, read another way than the parser does; undefined when it is no expression. */
type Fields = readonly [Set<number>, Set<number>, Set<number>, Set<number>, Set<number>];

function readSlowly(text: string): Fields | undefined {
  const parts = text.trim().split(/\s+/);
  if (parts.length !== FIELDS.length || text.length > 1000) return undefined;
  const sets = parts.map((part, index) => {
    const { from, to, names } = FIELDS[index] as (typeof FIELDS)[number];
    const number = (word: string): number => {
      const named = (names as readonly string[]).indexOf(word.toLowerCase());
      if (named >= 0) return named + from;
      return /^[0-9]{1,2}$/.test(word) ? Number(word) : Number.NaN;
    };
    const values = new Set<number>();
    for (const one of part.split(",")) {
      const match = /^(?:(\*)|([^-/]+)(?:-([^-/]+))?)(?:\/([0-9]{1,3}))?$/.exec(one);
      if (match === null) return undefined;
      const [, star, first = "", last, step] = match;
      const low = star === undefined ? number(first) : from;
      const high = star !== undefined ? to : last !== undefined ? number(last) : step === undefined ? low : to;
      if (!(low >= from && high <= to && low <= high) || step === "0" || Number(step) === 0) return undefined;
      for (let value = from; value <= to; value++)
        if (value >= low && value <= high && (value - low) % Number(step ?? 1) === 0) values.add(value);
    }
    return values;
  });
  // Undefined ones are sorted out in the line before the cast.
  return sets.includes(undefined) ? undefined : (sets as unknown as Fields);
}

function differenceOf(read: Cron, [minutes, hours, days, months, weekdays]: Fields): string | undefined {
  const sunday = new Set([...weekdays].map((day) => day % 7));
  const pairs: readonly (readonly [string, Iterable<number>, Iterable<number>])[] = [
    ["minutes", read.minutes, minutes],
    ["hours", read.hours, hours],
    ["days", read.daysOfMonth, days],
    ["months", read.months, months],
    ["weekdays", read.daysOfWeek, sunday],
  ];
  const list = (values: Iterable<number>): string => [...values].toSorted((a, b) => a - b).join();
  const wrong = pairs.find(([, ours, expected]) => list(ours) !== list(expected));
  return wrong === undefined ? undefined : `${wrong[0]}: ${list(wrong[1])} instead of ${list(wrong[2])}`;
}

/** Whether some day of some month fits; what never fires is refused. */
function canFire(text: string, [, , days, months]: Fields): boolean {
  const longest = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
  return isEither(text) || [...months].some((month) => Math.min(...days) <= (longest[month - 1] ?? 0));
}

/** Both days are restricted: one of them is enough. */
function isEither(text: string): boolean {
  const [, , dayText = "", , weekText = ""] = text.trim().split(/\s+/);
  return !dayText.startsWith("*") && !weekText.startsWith("*");
}

interface Asked {
  readonly text: string;
  readonly expected: Fields;
  readonly afterMs: number;
  readonly name: string;
}

function checkNext(read: Cron, { text, expected, afterMs, name }: Asked): Verdict {
  const zone = timeZone(name);
  if (zone === undefined) return broken("a zone is missing", name);
  const next = nextCronInstant(read, zone, afterMs);
  if (next === undefined) return isRare(expected) ? undefined : broken("never fires", text);
  if (next <= afterMs) return broken("not after the time asked from", new Date(next).toISOString());
  // Where clocks change, the property test beside the function looks minute by minute.
  if (name !== "UTC") return undefined;
  if (!fits(text, expected, next) || next % MINUTE_MS !== 0) return broken("fires when it should not", new Date(next).toISOString());
  const first = Math.floor(afterMs / MINUTE_MS) * MINUTE_MS + MINUTE_MS;
  for (let minute = 0; minute < LOOK_MINUTES; minute++) {
    const atMs = first + minute * MINUTE_MS;
    if (atMs >= next) return undefined;
    if (fits(text, expected, atMs))
      return broken("misses an instant", `${new Date(atMs).toISOString()} comes before ${new Date(next).toISOString()}`);
  }
  return undefined;
}

/** The 29th of February on a weekday may not come for decades; a 30th of it never. */
function isRare([, , days, months]: Fields): boolean {
  return Math.min(...days) >= 29 && [...months].every((month) => [2, 4, 6, 9, 11].includes(month));
}

function fits(text: string, [minutes, hours, days, months, weekdays]: Fields, atMs: number): boolean {
  const date = new Date(atMs);
  if (!minutes.has(date.getUTCMinutes()) || !hours.has(date.getUTCHours()) || !months.has(date.getUTCMonth() + 1)) return false;
  const day = days.has(date.getUTCDate());
  const week = weekdays.has(date.getUTCDay()) || (date.getUTCDay() === 0 && weekdays.has(7));
  return isEither(text) ? day || week : day && week;
}
