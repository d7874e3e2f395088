import fc from "fast-check";
import { expect, test } from "vitest";
import { type Cron, parseCron } from "./cron.ts";
import { nextCronInstant } from "./cron-instants.ts";
import { timeZone } from "./time-zone.ts";

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;

/** Zones and days on which their clocks change, or which February has once in four years. */
const DAYS: readonly (readonly [zone: string, day: string, what: string])[] = [
  ["Europe/Berlin", "2026-03-29", "02:00 → 03:00"],
  ["Europe/Berlin", "2026-10-25", "03:00 → 02:00"],
  ["America/New_York", "2027-03-14", "02:00 → 03:00"],
  ["America/New_York", "2027-11-07", "02:00 → 01:00"],
  ["Australia/Lord_Howe", "2026-10-04", "02:00 → 02:30"],
  ["Australia/Lord_Howe", "2026-04-05", "02:00 → 01:30"],
  ["America/Havana", "2026-03-08", "00:00 → 01:00"],
  ["America/Havana", "2026-11-01", "01:00 → 00:00"],
  ["America/St_Johns", "2010-11-07", "00:01 → 23:01 of the day before"],
  ["Pacific/Apia", "2011-12-30", "the day that was left out"],
  ["Asia/Kathmandu", "2028-02-29", "+05:45, a leap day"],
  ["UTC", "2028-02-29", "a leap day"],
];
const HOURS_LOOKED_AT = 60;

/** Any expression of the grammar, with hours often those in which clocks change. */
const expressions = fc
  .tuple(
    fc.oneof(fc.constant("*"), fc.constant("*/15"), fc.constant("0"), listOf(0, 59), fc.constant("7-40/11"), fc.constant("5/20")),
    fc.oneof(fc.constant("*"), fc.constant("*/2"), fc.constant("0-3"), listOf(0, 4), listOf(0, 23), fc.constant("23,0")),
    fc.oneof(fc.constant("*"), listOf(1, 31), fc.constant("29"), fc.constant("*/2")),
    fc.oneof(fc.constant("*"), fc.constant("feb"), listOf(1, 12)),
    fc.oneof(fc.constant("*"), listOf(0, 7), fc.constant("sun"), fc.constant("mon-fri")),
  )
  .map((fields) => fields.join(" "))
  .filter((text) => !("message" in parseCron(text)));

function listOf(from: number, to: number): fc.Arbitrary<string> {
  return fc.uniqueArray(fc.integer({ min: from, max: to }), { minLength: 1, maxLength: 4 }).map((values) => values.join(","));
}

test.each(DAYS)("%s around %s (%s): the instants are those that a minute by minute look at the wall clock finds", (zoneName, day) => {
  const zone = timeZone(zoneName);
  expect(zone).toBeDefined();
  const fromMs = Date.parse(`${day}T00:00:00Z`) - DAY_MS;
  const wall = wallClock(zoneName, fromMs, HOURS_LOOKED_AT * 60);
  fc.assert(
    fc.property(expressions, (text) => {
      const cron = parseCron(text) as Cron;
      const expected = slowInstants(text, wall);
      const found: number[] = [];
      const untilMs = fromMs + HOURS_LOOKED_AT * 60 * MINUTE_MS;
      for (let next = nextCronInstant(cron, zone!, fromMs); next !== undefined && next < untilMs; next = nextCronInstant(cron, zone!, next))
        found.push(next);
      expect([text, ...found.map(iso)]).toEqual([text, ...expected.map(iso)]);
    }),
    { numRuns: 30, seed: 21 },
  );
});

test("control: instants computed without the change of the clock are told from the right ones", () => {
  const fromMs = Date.parse("2026-10-24T00:00:00Z");
  const zone = timeZone("Europe/Berlin")!;
  const frozen = { name: zone.name, offsetMsAt: () => zone.offsetMsAt(fromMs) };
  const expected = slowInstants("30 4 * * *", wallClock("Europe/Berlin", fromMs, HOURS_LOOKED_AT * 60));
  const cron = parseCron("30 4 * * *") as Cron;
  const day25 = Date.parse("2026-10-25T00:00:00Z");
  expect(expected).toContain(nextCronInstant(cron, zone, day25));
  expect(expected).not.toContain(nextCronInstant(cron, frozen, day25));
});

interface Minute {
  readonly atMs: number;
  /** Local time: year, month, day, hour, minute, weekday. */
  readonly label: string;
  readonly localMs: number;
}

/** What the clock on the wall shows, minute by minute, with the day before as a memory of what it has shown already. */
function wallClock(zone: string, fromMs: number, minutes: number): { readonly shown: readonly Minute[]; readonly from: number } {
  const format = new Intl.DateTimeFormat("en-CA", {
    timeZone: zone,
    dateStyle: "short",
    timeStyle: "short",
    hourCycle: "h23",
  });
  const before = 2 * 24 * 60;
  const shown = Array.from({ length: before + minutes }, (_, index) => {
    const atMs = fromMs + (index - before) * MINUTE_MS;
    const label = format.format(atMs);
    const [, year, month, dayOfMonth, hour, minute] = /^(\d+)-(\d+)-(\d+), (\d+):(\d+)$/.exec(label) ?? [];
    return { atMs, label, localMs: Date.UTC(Number(year), Number(month) - 1, Number(dayOfMonth), Number(hour), Number(minute)) };
  });
  return { shown, from: before };
}

/** The documented rule, the slow way. */
function slowInstants(text: string, { shown, from }: ReturnType<typeof wallClock>): readonly number[] {
  const [minutes, hours, days, months, weekdays] = text.split(" ").map(spread) as [number[], number[], number[], number[], number[]];
  const [, , dayText = "", , weekText = ""] = text.split(" ");
  const fits = (localMs: number): boolean => {
    const date = new Date(localMs);
    const fitsMonth = days.includes(date.getUTCDate());
    const fitsWeek = weekdays.includes(date.getUTCDay()) || (date.getUTCDay() === 0 && weekdays.includes(7));
    const fitsDay = dayText.startsWith("*") || weekText.startsWith("*") ? fitsMonth && fitsWeek : fitsMonth || fitsWeek;
    return (
      minutes.includes(date.getUTCMinutes()) && hours.includes(date.getUTCHours()) && months.includes(date.getUTCMonth() + 1) && fitsDay
    );
  };
  const isEveryHour = new Set(hours).size === 24;
  const seen = new Set<number>();
  const instants: number[] = [];
  for (const [index, { atMs, localMs }] of shown.entries()) {
    let fires = fits(localMs) && (isEveryHour || !seen.has(localMs));
    const last = shown[index - 1]?.localMs ?? localMs - MINUTE_MS;
    if (!isEveryHour)
      for (let skipped = last + MINUTE_MS; skipped < localMs; skipped += MINUTE_MS) if (fits(skipped) && !seen.has(skipped)) fires = true;
    seen.add(localMs);
    if (fires && index > from) instants.push(atMs);
  }
  return instants;
}

/** The values of a field, read another way than the parser does. */
function spread(field: string, index: number): number[] {
  const from = [0, 0, 1, 1, 0][index] as number;
  const to = [59, 23, 31, 12, 7][index] as number;
  const names: Readonly<Record<string, number>> = { feb: 2, sun: 0, mon: 1, fri: 5 };
  const all = Array.from({ length: to - from + 1 }, (_, offset) => from + offset);
  return field.split(",").flatMap((item) => {
    const [range = "", step = "1"] = item.split("/");
    const [first = "", last = item.includes("/") ? `${to}` : first] = range === "*" ? [`${from}`, `${to}`] : range.split("-");
    const low = names[first] ?? Number(first);
    const high = names[last] ?? Number(last);
    return all.filter((value) => value >= low && value <= high && (value - low) % Number(step) === 0);
  });
}

function iso(atMs: number): string {
  return new Date(atMs).toISOString();
}
