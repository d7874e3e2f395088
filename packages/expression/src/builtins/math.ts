import type { Json } from "@tutti/model";
import { constant } from "../code.ts";
import type { Run } from "../run.ts";
import { describe } from "../values.ts";
import { isNormal } from "./control.ts";
import { type Builtin, type BuiltinTable, ofInput, ofValues } from "./define.ts";
import { gamma, logGamma } from "./gamma.ts";

/** C's math library as far as jq offers it. Arguments and results are doubles. */
const ONE_ARGUMENT: Readonly<Record<string, (x: number) => number>> = {
  floor: Math.floor,
  ceil: Math.ceil,
  trunc: Math.trunc,
  // C rounds halves away from zero, JavaScript towards positive infinity.
  round: (x) => Math.sign(x) * Math.round(Math.abs(x)),
  nearbyint: roundHalfEven,
  rint: roundHalfEven,
  sqrt: Math.sqrt,
  cbrt: Math.cbrt,
  fabs: Math.abs,
  exp: Math.exp,
  exp2: (x) => 2 ** x,
  exp10: (x) => 10 ** x,
  expm1: Math.expm1,
  log: Math.log,
  log2: Math.log2,
  log10: Math.log10,
  log1p: Math.log1p,
  sin: Math.sin,
  cos: Math.cos,
  tan: Math.tan,
  asin: Math.asin,
  acos: Math.acos,
  atan: Math.atan,
  sinh: Math.sinh,
  cosh: Math.cosh,
  tanh: Math.tanh,
  asinh: Math.asinh,
  acosh: Math.acosh,
  atanh: Math.atanh,
  significand: (x) => (x === 0 || !Number.isFinite(x) ? x : x / 2 ** exponentOf(x)),
  logb: (x) => (x === 0 ? Number.NEGATIVE_INFINITY : Number.isFinite(x) ? exponentOf(x) : Math.abs(x)),
  gamma: logGamma,
  lgamma: logGamma,
  tgamma: gamma,
};

const SEVERAL_ARGUMENTS: Readonly<Record<string, (...values: number[]) => number>> = {
  "pow/2": (x, y) => (x as number) ** (y as number),
  "atan2/2": (x, y) => Math.atan2(x as number, y as number),
  "fmod/2": (x, y) => (x as number) % (y as number),
  "fmin/2": (x, y) => (Number.isNaN(x) ? (y as number) : Number.isNaN(y) ? (x as number) : Math.min(x as number, y as number)),
  "fmax/2": (x, y) => (Number.isNaN(x) ? (y as number) : Number.isNaN(y) ? (x as number) : Math.max(x as number, y as number)),
  "fdim/2": (x, y) => Math.max((x as number) - (y as number), 0),
  "hypot/2": (x, y) => Math.hypot(x as number, y as number),
  "copysign/2": (x, y) => (isNegative(x as number) === isNegative(y as number) ? (x as number) : -(x as number)),
  "drem/2": (x, y) => remainderToNearest(x as number, y as number),
  "ldexp/2": (x, exponent) => scale(x as number, exponent as number),
  "scalb/2": (x, exponent) => scale(x as number, exponent as number),
  "scalbln/2": (x, exponent) => scale(x as number, exponent as number),
  "nextafter/2": (x, y) => nextAfter(x as number, y as number),
  "nexttoward/2": (x, y) => nextAfter(x as number, y as number),
  "fma/3": (x, y, z) => (x as number) * (y as number) + (z as number),
};

export const MATH: BuiltinTable = {
  ...Object.fromEntries(Object.entries(ONE_ARGUMENT).map(([name, apply]) => [`${name}/0`, numeric(apply)])),
  ...Object.fromEntries(Object.entries(SEVERAL_ARGUMENTS).map(([signature, apply]) => [signature, numericWithArguments(apply)])),
  "abs/0": ofInput((run, input) => {
    if (typeof input === "string") return input;
    if (typeof input !== "number") throw run.raise(`${describe(run, input)} has no absolute value`);
    return Math.abs(input);
  }),
  "frexp/0": ofInput((run, input) => frexp(numberFor(run, input)), 3),
  "modf/0": ofInput((run, input) => modf(numberFor(run, input)), 3),
  "lgamma_r/0": ofInput((run, input) => [run.number(logGamma(numberFor(run, input))), Math.sign(gamma(numberFor(run, input))) || 1], 3),
  "isinfinite/0": numberTest((x) => Math.abs(x) === Number.POSITIVE_INFINITY),
  "isnan/0": numberTest(Number.isNaN),
  "isnormal/0": numberTest(isNormal),
  "have_literal_numbers/0": () => constant(true),
  "have_decnum/0": () => constant(false),
};

/** What is no number is no such number; under the older rules it was an error. */
function numberTest(holds: (x: number) => boolean): Builtin {
  return ofInput((run, input) => (typeof input === "number" || run.hasOlderRules ? holds(numberFor(run, input)) : false), 0);
}

function numeric(apply: (x: number) => number): Builtin {
  return ofInput((run, input) => run.number(apply(numberFor(run, input))), 0);
}

function numericWithArguments(apply: (...values: number[]) => number): Builtin {
  return ofValues((run, _input, values) => run.number(apply(...values.map((value) => numberFor(run, value)))));
}

function numberFor(run: Run, value: Json): number {
  if (typeof value === "number") return value;
  throw run.raise(`${describe(run, value)} number required`);
}

function roundHalfEven(x: number): number {
  if (!Number.isFinite(x)) return x;
  const floor = Math.floor(x);
  const rest = x - floor;
  if (rest !== 0.5) return Math.round(x);
  return floor % 2 === 0 ? floor : floor + 1;
}

function isNegative(x: number): boolean {
  return x < 0 || Object.is(x, -0);
}

/** The power of two of a finite number: |x| = m · 2^e with 1 ≤ m < 2. */
function exponentOf(x: number): number {
  const magnitude = Math.abs(x);
  let exponent = Math.floor(Math.log2(magnitude));
  // log2 rounds; the neighbours tell.
  while (scale(1, exponent) > magnitude) exponent--;
  while (scale(1, exponent + 1) <= magnitude) exponent++;
  return exponent;
}

/** x · 2^exponent in steps that neither overflow nor lose subnormals on the way. */
function scale(x: number, exponent: number): number {
  let left = Math.max(-2200, Math.min(2200, Math.trunc(exponent)));
  if (Number.isNaN(left)) return Number.NaN;
  let result = x;
  while (left > 1000) {
    result *= 2 ** 1000;
    left -= 1000;
  }
  while (left < -1000) {
    result *= 2 ** -1000;
    left += 1000;
  }
  return result * 2 ** left;
}

function frexp(x: number): Json {
  if (x === 0 || !Number.isFinite(x)) return [x, 0];
  const exponent = exponentOf(x) + 1;
  return [scale(x, -exponent), exponent];
}

function modf(x: number): Json {
  if (!Number.isFinite(x)) return [Number.isNaN(x) ? x : 0, x];
  const whole = Math.trunc(x);
  return [x - whole, whole];
}

function remainderToNearest(x: number, y: number): number {
  if (y === 0 || !Number.isFinite(x) || Number.isNaN(y)) return Number.NaN;
  return Number.isFinite(y) ? x - y * roundHalfEven(x / y) : x;
}

function nextAfter(x: number, y: number): number {
  if (Number.isNaN(x) || Number.isNaN(y)) return Number.NaN;
  if (x === y) return y;
  if (x === 0) return y > 0 ? Number.MIN_VALUE : -Number.MIN_VALUE;
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, x);
  view.setBigInt64(0, view.getBigInt64(0) + (x < y === x > 0 ? 1n : -1n));
  return view.getFloat64(0);
}
