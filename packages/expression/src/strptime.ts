import { type BrokenDownTime, brokenDown, MONTHS, WEEKDAYS, withDerivedDays } from "./calendar.ts";

type Fields = { -readonly [Field in keyof BrokenDownTime]: number } & {
  isAfternoon: boolean | undefined;
  isTwelveHours: boolean;
  century: number | undefined;
};

interface Directive {
  readonly pattern: RegExp;
  readonly apply: (text: string, fields: Fields) => boolean | void;
}

const number = (digits: number, low: number, high: number, store: (value: number, fields: Fields) => void): Directive => ({
  pattern: new RegExp(`\\s*([+-]?[0-9]{1,${digits}})`, "y"),
  apply: (text, fields) => {
    const value = Number(text);
    if (value < low || value > high) return false;
    store(value, fields);
    return true;
  },
});
const name = (names: readonly string[], store: (position: number, fields: Fields) => void): Directive => ({
  pattern: new RegExp(`(${names.flatMap((word) => [word, word.slice(0, 3)]).join("|")})`, "iy"),
  apply: (text, fields) =>
    store(
      names.findIndex((word) => word.slice(0, 3).toLowerCase() === text.slice(0, 3).toLowerCase()),
      fields,
    ),
});

const DAY = number(2, 1, 31, (value, fields) => (fields.day = value));
const HOURS = number(2, 0, 23, (value, fields) => (fields.hours = value));
const HOURS_12 = number(2, 1, 12, (value, fields) => {
  fields.hours = value % 12;
  fields.isTwelveHours = true;
});
const MONTH_NAME = name(MONTHS, (position, fields) => (fields.month = position));
const WEEKDAY_NAME = name(WEEKDAYS, (position, fields) => (fields.weekday = position));

const DIRECTIVES: ReadonlyMap<string, Directive> = new Map<string, Directive>([
  ["a", WEEKDAY_NAME],
  ["A", WEEKDAY_NAME],
  ["b", MONTH_NAME],
  ["B", MONTH_NAME],
  ["h", MONTH_NAME],
  ["C", number(2, 0, 99, (value, fields) => (fields.century = value))],
  ["d", DAY],
  ["e", DAY],
  ["H", HOURS],
  ["k", HOURS],
  ["I", HOURS_12],
  ["l", HOURS_12],
  ["j", number(3, 1, 366, (value, fields) => (fields.yearday = value - 1))],
  ["m", number(2, 1, 12, (value, fields) => (fields.month = value - 1))],
  ["M", number(2, 0, 59, (value, fields) => (fields.minutes = value))],
  ["p", { pattern: /(AM|PM)/iy, apply: (text, fields) => void (fields.isAfternoon = text.toUpperCase() === "PM") }],
  [
    "s",
    {
      pattern: /\s*(-?[0-9]{1,15})/y,
      apply: (text, fields) => {
        const time = brokenDown(Number(text));
        if (time === undefined) return false;
        Object.assign(fields, time);
        return true;
      },
    },
  ],
  // 60 and 61 are leap seconds.
  ["S", number(2, 0, 61, (value, fields) => (fields.seconds = value))],
  ["u", number(1, 1, 7, (value, fields) => (fields.weekday = value % 7))],
  ["w", number(1, 0, 6, (value, fields) => (fields.weekday = value))],
  ["U", number(2, 0, 53, () => undefined)],
  ["W", number(2, 0, 53, () => undefined)],
  ["V", number(2, 0, 53, () => undefined)],
  ["y", number(2, 0, 99, (value, fields) => (fields.year = value < 69 ? 2000 + value : 1900 + value))],
  ["Y", number(4, -9999, 9999, (value, fields) => (fields.year = value))],
  ["z", { pattern: /\s*(Z|[+-][0-9]{2}:?(?:[0-9]{2})?)/y, apply: () => undefined }],
  ["Z", { pattern: /([A-Za-z]+)/y, apply: () => undefined }],
  ["n", { pattern: /(\s*)/y, apply: () => undefined }],
  ["t", { pattern: /(\s*)/y, apply: () => undefined }],
  ["%", { pattern: /(%)/y, apply: () => undefined }],
]);

const COMPOSITES: ReadonlyMap<string, string> = new Map([
  ["c", "%a %b %e %H:%M:%S %Y"],
  ["D", "%m/%d/%y"],
  ["F", "%Y-%m-%d"],
  ["r", "%I:%M:%S %p"],
  ["R", "%H:%M"],
  ["T", "%H:%M:%S"],
  ["x", "%m/%d/%y"],
  ["X", "%H:%M:%S"],
]);

/** Parses as C's `strptime` in its "C" locale; undefined when the whole text does not fit the format. Offsets are read and ignored, as in jq. */
export function parseTime(text: string, format: string): BrokenDownTime | undefined {
  const fields: Fields = {
    year: 1900,
    month: 0,
    day: 0,
    hours: 0,
    minutes: 0,
    seconds: 0,
    weekday: 0,
    yearday: 0,
    isAfternoon: undefined,
    isTwelveHours: false,
    century: undefined,
  };
  const end = match(text, 0, { format: expand(format), fields });
  if (end !== text.length) return undefined;
  if (fields.isTwelveHours && fields.isAfternoon === true) fields.hours += 12;
  if (fields.century !== undefined) fields.year = fields.century * 100 + (((fields.year % 100) + 100) % 100);
  const { isAfternoon: _, isTwelveHours: __, century: ___, ...time } = fields;
  return time.day === 0 ? time : withDerivedDays(time);
}

function expand(format: string): string {
  return format.replace(/%[EO]?([a-zA-Z])/g, (whole, letter: string) => COMPOSITES.get(letter) ?? `%${whole.at(-1)}`);
}

/** Where in `text` the format ends, -1 when it does not fit. */
function match(text: string, start: number, { format, fields }: { format: string; fields: Fields }): number {
  let offset = start;
  for (let position = 0; position < format.length; position++) {
    const character = format[position] as string;
    if (/\s/.test(character)) {
      while (offset < text.length && /\s/.test(text[offset] as string)) offset++;
    } else if (character !== "%") {
      if (text[offset] !== character) return -1;
      offset++;
    } else {
      const directive = DIRECTIVES.get(format[++position] ?? "");
      if (directive === undefined) return -1;
      directive.pattern.lastIndex = offset;
      const found = directive.pattern.exec(text);
      if (found === null || directive.apply(found[1] as string, fields) === false) return -1;
      offset = directive.pattern.lastIndex;
    }
  }
  return offset;
}
