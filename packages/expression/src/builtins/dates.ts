import type { Json } from "@tutti/model";
import { add, BINARY } from "../arithmetic.ts";
import { brokenDown, type BrokenDownTime, fromBrokenDown, secondsOf } from "../calendar.ts";
import type { Run } from "../run.ts";
import { formatTime } from "../strftime.ts";
import { parseTime } from "../strptime.ts";
import { isArray } from "../values.ts";
import { type BuiltinTable, ofInput, ofValue, ofValues } from "./define.ts";

const ISO_8601 = "%Y-%m-%dT%H:%M:%SZ";

/** Builtins about time. The only zone is UTC, so `localtime` is `gmtime`: a run gives the same result on every machine. */
export const DATES: BuiltinTable = {
  "gmtime/0": ofInput((run, input) => toArray(run, input, "gmtime"), 10),
  "localtime/0": ofInput((run, input) => toArray(run, input, "localtime"), 10),
  "mktime/0": ofInput((run, input) => makeTime(run, input, "mktime"), 0),
  "strftime/1": ofValue((run, input, format) => format8601(run, input, { format, name: "strftime/1" })),
  "strflocaltime/1": ofValue((run, input, format) => format8601(run, input, { format, name: "strflocaltime/1" })),
  "strptime/1": ofValue(parse),
  "todate/0": ofInput((run, input) => format8601(run, input, { format: ISO_8601, name: "strftime/1" }), 0),
  "todateiso8601/0": ofInput((run, input) => format8601(run, input, { format: ISO_8601, name: "strftime/1" }), 0),
  "dateiso8601/0": ofInput((run, input) => format8601(run, input, { format: ISO_8601, name: "strftime/1" }), 0),
  "date/0": ofInput((run, input) => format8601(run, input, { format: ISO_8601, name: "strftime/1" }), 0),
  "fromdate/0": ofInput(fromIso, 0),
  "fromdateiso8601/0": ofInput(fromIso, 0),
  "dateadd/2": ofValues((run, input, [, amount]) => add(run, input, amount as Json)),
  "datesub/2": ofValues((run, input, [, amount]) => BINARY["-"](run, input, amount as Json)),
};

function toArray(run: Run, input: Json, name: string): Json {
  if (typeof input !== "number") throw run.raise(`${name}() requires numeric inputs`);
  const time = brokenDown(input);
  if (time === undefined) throw run.raise("error converting number of seconds since epoch to datetime");
  return fromBrokenDown(time);
}

function makeTime(run: Run, input: Json, name: string): Json {
  if (!isArray(input)) throw run.raise(`${name} requires array inputs`);
  const time = timeOf(input);
  if (time === undefined) throw run.raise(`${name} requires parsed datetime inputs`);
  const seconds = secondsOf(time);
  if (seconds === undefined) throw run.raise("invalid gmtime representation");
  return seconds;
}

function timeOf(parts: readonly Json[]): BrokenDownTime | undefined {
  if (parts.length < 6 || !parts.every((part) => typeof part === "number")) return undefined;
  const [year, month, day, hours, minutes, seconds, weekday = 0, yearday = 0] = parts as readonly number[];
  return { year, month, day, hours, minutes, seconds, weekday, yearday } as BrokenDownTime;
}

function format8601(run: Run, input: Json, { format, name }: { format: Json; name: string }): Json {
  const value = typeof input === "number" ? toArray(run, input, "gmtime") : input;
  const time = isArray(value) ? timeOf(value) : undefined;
  if (time === undefined) throw run.raise(`${name} requires parsed datetime inputs`);
  if (typeof format !== "string") throw run.raise(`${name} requires a string format`);
  run.string(format.length);
  // A conversion is two characters long and costs about a microsecond; composite ones are five times that.
  run.spend(20 * format.length);
  return formatTime(time, format);
}

function parse(run: Run, input: Json, format: Json): Json {
  if (typeof input !== "string") throw run.raise(`strptime/1 requires string inputs and arguments`);
  if (typeof format !== "string") throw run.raise(`strptime/1 requires string inputs and arguments`);
  run.string(input.length + format.length);
  const time = parseTime(input, format);
  if (time === undefined) throw run.raise(`date "${input}" does not match format "${format}"`);
  return fromBrokenDown(time);
}

function fromIso(run: Run, input: Json): Json {
  return makeTime(run, parse(run, input, ISO_8601), "mktime");
}
