import { DURATION_MS_MAX, durationMs, type Json } from "@tutti/model";
import type { Random } from "@tutti/testkit";
import { json } from "../generate/json.ts";
import { mutateText, textOf } from "../generate/text.ts";
import { broken, type Target, type Verdict } from "../target.ts";

interface Input {
  readonly [key: string]: Json;
  readonly value: Json;
}

/** Letters and lengths of the parts, in milliseconds; a month before the `T`, a minute behind it. */
const DATE_UNITS: readonly (readonly [string, number])[] = [
  ["Y", 31_536_000_000],
  ["M", 2_592_000_000],
  ["W", 604_800_000],
  ["D", 86_400_000],
];
const TIME_UNITS: readonly (readonly [string, number])[] = [
  ["H", 3_600_000],
  ["M", 60_000],
  ["S", 1_000],
];
const FIELDS: Readonly<Record<string, number>> = { days: 86_400_000, hours: 3_600_000, minutes: 60_000, seconds: 1_000, milliseconds: 1 };
const ALPHABET = Array.from("PTYMWDHS0123456789.,+-").concat(["P", "PT", "PT1S", "٣", " "]);

export const duration: Target<Input> = {
  name: "duration",
  law: "ISO 8601 text and objects have the length that exact arithmetic gives, rounded down, or none",
  control: "weeks have five days",
  make: (random) => ({ value: value(random) }),
  open: async (isSabotaged) => ({ check: ({ value }) => check(value, isSabotaged ? shortWeeks : durationMs) }),
};

function value(random: Random): Json {
  const kind = random.integer(0, 9);
  if (kind <= 4) return iso(random);
  if (kind === 5) return mutateText(iso(random), random, ALPHABET);
  if (kind === 6) return textOf(random, ALPHABET, 12);
  if (kind === 7) return json(random, { isNasty: true, depth: 2 });
  const names = [...Object.keys(FIELDS), ...(random.chance(0.1) ? ["weeks", "__proto__", "Days"] : [])];
  return Object.fromEntries(
    Array.from({ length: random.integer(0, 4) }, () => [
      random.pick(names),
      random.chance(0.8) ? random.integer(0, 5000) : random.pick([-1, 1.5, "1", null, 1e15, -0]),
    ]),
  );
}

function iso(random: Random): string {
  const part = ([letter]: readonly [string, number]): string => (random.chance(0.5) ? `${amount(random)}${letter}` : "");
  const date = DATE_UNITS.map(part).join("");
  const time = TIME_UNITS.map(part).join("");
  return `P${date}${time === "" ? "" : `T${time}`}`;
}

function amount(random: Random): string {
  const whole = random.chance(0.8) ? random.integer(0, 60) : random.integer(0, 100_000);
  return random.chance(0.7) ? String(whole) : `${whole}.${textOf(random, Array.from("0123456789"), random.chance(0.9) ? 4 : 30) || "0"}`;
}

function shortWeeks(given: Json): number | undefined {
  return durationMs(typeof given === "string" ? given.replaceAll(/(\d+)W/g, (_, weeks: string) => `${Number(weeks) * 5}D`) : given);
}

function check(given: Json, read: (value: Json) => number | undefined): Verdict {
  const ours = read(given);
  const expected = typeof given === "string" ? exactText(given) : exactObject(given);
  if (ours === expected) return undefined;
  return broken("another length", `${JSON.stringify(given)} is ${String(expected)} ms, read as ${String(ours)}`);
}

/** By hand and in whole numbers: no float comes near it. */
function exactText(text: string): number | undefined {
  if (text.length > 200 || !text.startsWith("P")) return undefined;
  const [date = "", time, ...more] = text.slice(1).split("T");
  if (more.length > 0 || (time === undefined && date === "") || time === "") return undefined;
  const parts = [...(parse(date, DATE_UNITS) ?? [undefined]), ...(parse(time ?? "", TIME_UNITS) ?? [undefined])];
  let total = 0n;
  const SCALE = 10n ** 200n;
  for (const part of parts) {
    if (part === undefined) return undefined;
    total += (BigInt(part.whole) * SCALE + BigInt(part.fraction.padEnd(200, "0"))) * BigInt(part.unit);
  }
  const ms = total / SCALE;
  return ms <= BigInt(DURATION_MS_MAX) ? Number(ms) : undefined;
}

function parse(
  text: string,
  units: readonly (readonly [string, number])[],
): { whole: string; fraction: string; unit: number }[] | undefined {
  const found: { whole: string; fraction: string; unit: number }[] = [];
  let rest = text;
  for (const [letter, unit] of units) {
    const end = rest.indexOf(letter);
    const number = end < 0 ? "" : rest.slice(0, end);
    if (!/^[0-9]+(\.[0-9]+)?$/.test(number)) continue;
    const [whole = "0", fraction = ""] = number.split(".");
    found.push({ whole, fraction, unit });
    rest = rest.slice(end + 1);
  }
  return rest === "" ? found : undefined;
}

function exactObject(given: Json): number | undefined {
  if (typeof given !== "object" || given === null || Array.isArray(given)) return undefined;
  const entries = Object.entries(given);
  if (entries.length === 0) return undefined;
  let total = 0n;
  for (const [name, amount] of entries) {
    const unit = Object.hasOwn(FIELDS, name) ? FIELDS[name] : undefined;
    if (unit === undefined || typeof amount !== "number" || !Number.isInteger(amount)) return undefined;
    total += BigInt(amount) * BigInt(unit);
  }
  return total >= 0n && total <= BigInt(DURATION_MS_MAX) ? Number(total) : undefined;
}
