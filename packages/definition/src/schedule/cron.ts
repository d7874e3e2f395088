/** A field of a cron expression: its bounds, and the names that its values may have. */
interface Field {
  readonly name: string;
  readonly from: number;
  readonly to: number;
  readonly names: readonly string[];
}

const FIELDS: readonly Field[] = [
  { name: "minute", from: 0, to: 59, names: [] },
  { name: "hour", from: 0, to: 23, names: [] },
  { name: "day of the month", from: 1, to: 31, names: [] },
  { name: "month", from: 1, to: 12, names: ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"] },
  // Both 0 and 7 are Sunday.
  { name: "day of the week", from: 0, to: 7, names: ["sun", "mon", "tue", "wed", "thu", "fri", "sat"] },
];
/** Longest expression that lists every value of every field. */
const TEXT_LENGTH_MAX = 1000;
/** Days of each month, February in a leap year: what a day of the month may be at most. */
const MONTH_DAYS_MAX: readonly number[] = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/**
 * A cron expression of five fields, as crontab(5) has them: lists, ranges, steps, names of months and weekdays. `3/5` is 3, 8, 13 … When
 * both days are restricted (neither field begins with `*`), a day that fits either of them fits; else it has to fit both.
 */
export interface Cron {
  /** Ascending. */
  readonly minutes: readonly number[];
  /** Ascending. */
  readonly hours: readonly number[];
  readonly daysOfMonth: ReadonlySet<number>;
  /** 1 to 12. */
  readonly months: ReadonlySet<number>;
  /** 0 to 6, Sunday first. */
  readonly daysOfWeek: ReadonlySet<number>;
  readonly isEitherDay: boolean;
}

export interface CronProblem {
  readonly message: string;
  readonly offset: number;
}

/** What is wrong with a cron expression and where in its text; undefined when it is right. */
export function cronProblem(text: string): CronProblem | undefined {
  const read = parseCron(text);
  return "message" in read ? read : undefined;
}

/** The expression, or what is wrong with it and where in its text. */
export function parseCron(text: string): Cron | CronProblem {
  if (text.length > TEXT_LENGTH_MAX) return { message: "the expression is too long", offset: 0 };
  const parts = [...text.matchAll(/\S+/g)];
  if (parts.length !== FIELDS.length) {
    return {
      message: `an expression has 5 fields (minute, hour, day of the month, month, day of the week), this one ${parts.length}`,
      offset: 0,
    };
  }
  const sets: ReadonlySet<number>[] = [];
  for (const [index, part] of parts.entries()) {
    const field = FIELDS[index] as Field;
    const values = new Set<number>();
    for (const item of part[0].split(",")) {
      const problem = addItem(values, item, field);
      if (problem !== undefined) return { message: `${field.name} \`${part[0]}\`: ${problem}`, offset: part.index };
    }
    sets.push(values);
  }
  const [minutes, hours, daysOfMonth, months, weekdays] = sets as [
    ReadonlySet<number>,
    ReadonlySet<number>,
    ReadonlySet<number>,
    ReadonlySet<number>,
    ReadonlySet<number>,
  ];
  const isRestricted = (index: number): boolean => parts[index]?.[0].startsWith("*") === false;
  const cron: Cron = {
    minutes: ascending(minutes),
    hours: ascending(hours),
    daysOfMonth,
    months,
    daysOfWeek: new Set([...weekdays].map((day) => day % 7)),
    isEitherDay: isRestricted(2) && isRestricted(4),
  };
  const isPossible = cron.isEitherDay || [...months].some((month) => Math.min(...daysOfMonth) <= (MONTH_DAYS_MAX[month - 1] as number));
  if (!isPossible) return { message: "no month of it has such a day, so it would never fire", offset: parts[2]?.index ?? 0 };
  return cron;
}

/** Whether ticks follow the hours as they pass: then a repeated hour counts twice, and a skipped one not at all. */
export function isEveryHour(cron: Cron): boolean {
  return cron.hours.length === 24;
}

/** Whether a day, in days since 1970, fits. */
export function fitsDay(cron: Cron, day: number): boolean {
  const date = new Date(day * 86_400_000);
  if (!cron.months.has(date.getUTCMonth() + 1)) return false;
  const fitsMonth = cron.daysOfMonth.has(date.getUTCDate());
  const fitsWeek = cron.daysOfWeek.has(date.getUTCDay());
  return cron.isEitherDay ? fitsMonth || fitsWeek : fitsMonth && fitsWeek;
}

/** One of a list: `*`, a value, or a range, with a step if any. Gives what is wrong with it. */
function addItem(values: Set<number>, item: string, field: Field): string | undefined {
  const [range = "", step, ...more] = item.split("/");
  if (more.length > 0 || range === "") return "this is no value, range or step";
  if (step !== undefined && (!/^\d{1,3}$/.test(step) || Number(step) === 0)) return `the step \`${step}\` is no number above 0`;
  const [first = "", last, ...rest] = range.split("-");
  if (rest.length > 0) return "this is no range";
  const from = range === "*" ? field.from : valueOf(first, field);
  const to = range === "*" || (last === undefined && step !== undefined) ? field.to : last === undefined ? from : valueOf(last, field);
  if (from === undefined || to === undefined) {
    const names = field.names.length > 0 ? ` or ${field.names[0]}–${field.names.at(-1)}` : "";
    return `values are ${field.from}–${field.to}${names}`;
  }
  if (from > to) return "the range goes backwards";
  for (let value = from; value <= to; value += Number(step ?? 1)) values.add(value);
  return undefined;
}

function valueOf(text: string, field: Field): number | undefined {
  const named = field.names.indexOf(text.toLowerCase());
  if (named >= 0) return named + field.from;
  if (!/^\d{1,2}$/.test(text)) return undefined;
  const value = Number(text);
  return value >= field.from && value <= field.to ? value : undefined;
}

function ascending(values: ReadonlySet<number>): readonly number[] {
  return [...values].toSorted((a, b) => a - b);
}
