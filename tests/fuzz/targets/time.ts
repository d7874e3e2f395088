import { isDateTime } from "@tutti/definition";
import { compile, ExpressionError } from "@tutti/expression";
import type { Json } from "@tutti/model";
import { CloudEventSchema } from "@tutti/model/schemas";
import type { Random } from "@tutti/testkit";
import { mutateText, textOf } from "../generate/text.ts";
import { broken, type Target, type Verdict } from "../target.ts";

interface Input {
  readonly [key: string]: Json;
  readonly text: string;
  readonly seconds: number;
  readonly format: string;
}

const ALPHABET = Array.from("0123456789-:TtZz+. ").concat(["٣", "−"]);
const DIRECTIVES = [
  "%Y",
  "%m",
  "%d",
  "%H",
  "%M",
  "%S",
  "%j",
  "%Z",
  "%z",
  "%a",
  "%A",
  "%b",
  "%B",
  "%e",
  "%T",
  "%D",
  "%F",
  "%s",
  "%u",
  "%w",
  "%U",
  "%G",
  "%V",
  "%p",
  "%I",
  "%y",
  "%%",
  "%",
  "%Q",
  " ",
  "-",
  "T",
  "é",
];
/** Of years that the calendar writes with four digits. */
const SECONDS_MAX = 253_402_300_799;

export const time: Target<Input> = {
  name: "time",
  law: "times are taken or refused as RFC 3339 has it; seconds become the date that the host's calendar has, and back; formats raise documented errors only",
  control: "the 29th of February is in every year",
  make: (random) => ({
    text: random.chance(0.6)
      ? moment(random)
      : random.chance(0.5)
        ? mutateText(moment(random), random, ALPHABET)
        : textOf(random, ALPHABET, 25),
    seconds: random.chance(0.8)
      ? random.integer(-60_000_000_000, SECONDS_MAX)
      : random.pick([0, -1, 0.5, 1e300, -1e300, 8.64e12, 8.64e12 + 1, 1e-9, 951_782_400]),
    format: Array.from({ length: random.integer(0, 6) }, () => random.pick(DIRECTIVES)).join(""),
  }),
  open: async (isSabotaged) => ({
    check: (input) => check(input, isSabotaged ? (text) => isDateTime(text.replace("-02-29", "-02-28")) : isDateTime),
  }),
};

function moment(random: Random): string {
  const pad = (value: number, length = 2): string => String(value).padStart(length, "0");
  const date = `${pad(random.integer(0, 9999), 4)}-${pad(random.integer(0, 13))}-${pad(random.chance(0.3) ? random.integer(28, 32) : random.integer(0, 31))}`;
  const leapDay = `${pad(random.integer(0, 100) * 25, 4)}-02-29`;
  const clock = `${pad(random.chance(0.2) ? 23 : random.integer(0, 24))}:${pad(random.chance(0.2) ? 59 : random.integer(0, 60))}:${pad(random.chance(0.2) ? 60 : random.integer(0, 61))}`;
  const fraction = random.chance(0.3) ? `.${random.integer(0, 99_999)}` : "";
  const zone = random.pick(["Z", "z", "+00:00", "-05:30", "+0100", "+01", "+23:59", "-24:00", "", "+14:60"]);
  return `${random.chance(0.1) ? leapDay : date}${random.pick(["T", "T", "t", " "])}${clock}${fraction}${zone}`;
}

function check({ text, seconds, format }: Input, isTime: (text: string) => boolean): Verdict {
  const expected = isTimeSlowly(text);
  if (isTime(text) !== expected) return broken("takes it for another thing", `${JSON.stringify(text)} is ${expected ? "a" : "no"} time`);
  // Its words are its own; it only must not throw.
  CloudEventSchema.safeParse({ id: "1", source: "s", type: "t", time: text });
  return checkCalendar(seconds) ?? checkFormats(text, seconds, format);
}

function isTimeSlowly(text: string): boolean {
  const match =
    /^([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt\s]([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.[0-9]+)?(?:[Zz]|([+-])([0-9]{2})(?::?([0-9]{2}))?)$/.exec(
      text,
    );
  if (match === null) return false;
  const [year, month, day, hour, minute, second] = match.slice(1, 7).map(Number) as [number, number, number, number, number, number];
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  if (date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day || month < 1) return false;
  const [sign, offsetHours = "0", offsetMinutes = "0"] = match.slice(7);
  if (Number(offsetHours) > 23 || Number(offsetMinutes) > 59) return false;
  if (hour < 24 && minute < 60 && second < 60) return true;
  if (second !== 60) return false;
  // A leap second: the last of a day in UTC.
  const offset = (sign === "-" ? -1 : 1) * (Number(offsetHours) * 60 + Number(offsetMinutes));
  return hour < 24 && minute < 60 && (((hour * 60 + minute - offset) % 1440) + 1440) % 1440 === 1439;
}

function run(source: string, input: Json): { readonly value: Json | undefined } | { readonly error: string } {
  try {
    return { value: compile(source, { variables: [] }).first(input, []) };
  } catch (error) {
    if (error instanceof ExpressionError) return { error: error.message };
    throw error;
  }
}

function checkCalendar(seconds: number): Verdict {
  const date = new Date(Math.floor(seconds) * 1000);
  if (Number.isNaN(date.getTime())) return undefined;
  const back = run("gmtime | mktime", seconds);
  if (!("value" in back) || back.value !== Math.floor(seconds))
    return broken("another instant", `${seconds} → gmtime | mktime: ${JSON.stringify(back)}`);
  if (date.getUTCFullYear() < 1000 || date.getUTCFullYear() > 9999) return undefined;
  const text = run("todate", seconds);
  const expected = date.toISOString().replace(".000Z", "Z");
  return "value" in text && text.value === expected
    ? undefined
    : broken("another date", `${seconds} is ${expected}: ${JSON.stringify(text)}`);
}

/** Any format over any time: an answer or a documented error. */
function checkFormats(text: string, seconds: number, format: string): Verdict {
  const literal = JSON.stringify(format);
  run(`strptime(${literal})`, text);
  run("fromdate", text);
  const written = run(`strftime(${literal})`, seconds);
  if (!("value" in written) || !/^(?:%Y-%m-%d|%F)T%H:%M:%S$/.test(format) || Math.abs(seconds) > SECONDS_MAX) return undefined;
  const read = run(`strptime(${literal}) | mktime`, written.value ?? null);
  return "value" in read && read.value === Math.floor(seconds)
    ? undefined
    : broken("not read back", `${format}: ${JSON.stringify(written)} ${JSON.stringify(read)}`);
}
