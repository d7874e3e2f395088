import type { Json } from "@tutti/model";
import type { BinaryOperator } from "./ast.ts";
import { compare, equal } from "./order.ts";
import type { Raised, Run } from "./run.ts";
import { copyObject, describe, isArray, isObject, member, type ReadonlyObject } from "./values.ts";

export type BinaryFunction = (run: Run, left: Json, right: Json) => Json;

export const BINARY: Readonly<Record<BinaryOperator, BinaryFunction>> = {
  "+": add,
  "-": subtract,
  "*": multiply,
  "/": divide,
  "%": remainder,
  "==": equal,
  "!=": (run, left, right) => !equal(run, left, right),
  "<": (run, left, right) => compare(run, left, right) < 0,
  "<=": (run, left, right) => compare(run, left, right) <= 0,
  ">": (run, left, right) => compare(run, left, right) > 0,
  ">=": (run, left, right) => compare(run, left, right) >= 0,
};

export function add(run: Run, left: Json, right: Json): Json {
  if (typeof left === "number" && typeof right === "number") return run.number(left + right);
  if (left === null) return right;
  if (right === null) return left;
  if (typeof left === "string" && typeof right === "string") {
    run.string(left.length + right.length);
    return left + right;
  }
  if (isArray(left) && isArray(right)) {
    run.array(left.length + right.length);
    return left.concat(right);
  }
  if (isObject(left) && isObject(right)) {
    const sum = copyObject(run, left);
    run.object(Object.keys(right).length);
    return Object.assign(sum, right);
  }
  throw mismatch(run, left, right, "added");
}

function subtract(run: Run, left: Json, right: Json): Json {
  if (typeof left === "number" && typeof right === "number") return run.number(left - right);
  if (!isArray(left) || !isArray(right)) throw mismatch(run, left, right, "subtracted");
  return left.filter((item) => {
    run.spend(1);
    return !right.some((unwanted) => {
      run.spend(1);
      return equal(run, item, unwanted);
    });
  });
}

function multiply(run: Run, left: Json, right: Json): Json {
  if (typeof left === "number" && typeof right === "number") return run.number(left * right);
  if (typeof left === "string" && typeof right === "number") return repeat(run, left, right);
  if (typeof left === "number" && typeof right === "string") return repeat(run, right, left);
  if (isObject(left) && isObject(right)) return merge(run, left, right, 1);
  throw mismatch(run, left, right, "multiplied");
}

/** A negative count gives null, a fraction is rounded down. */
function repeat(run: Run, text: string, count: number): Json {
  if (Number.isNaN(count) || count < 0) return null;
  const times = text === "" ? 0 : Math.floor(count);
  run.string(text.length * times);
  return text.repeat(times);
}

function merge(run: Run, left: ReadonlyObject, right: ReadonlyObject, depth: number): Json {
  if (depth > run.limits.nesting) throw run.limit(`a value is nested more than ${run.limits.nesting} deep`);
  const merged = copyObject(run, left);
  for (const key of Object.keys(right)) {
    run.spend(1);
    const ours = member(merged, key);
    const theirs = member(right, key);
    merged[key] = isObject(ours) && isObject(theirs) ? merge(run, ours, theirs, depth + 1) : theirs;
  }
  run.object(Object.keys(merged).length);
  return merged;
}

function divide(run: Run, left: Json, right: Json): Json {
  if (typeof left === "number" && typeof right === "number") {
    if (right === 0) throw mismatch(run, left, right, "divided because the divisor is zero");
    return run.number(left / right);
  }
  if (typeof left === "string" && typeof right === "string") return splitString(run, left, right);
  throw mismatch(run, left, right, "divided");
}

export function splitString(run: Run, text: string, separator: string): Json {
  run.string(text.length);
  if (text === "") return [];
  const parts = separator === "" ? Array.from(text) : text.split(separator, Math.min(run.limits.arrayLength, run.fuelLeft) + 1);
  run.array(parts.length);
  run.spend(parts.length);
  return parts;
}

function remainder(run: Run, left: Json, right: Json): Json {
  if (typeof left !== "number" || typeof right !== "number") throw mismatch(run, left, right, "divided (remainder)");
  if (Number.isNaN(left) || Number.isNaN(right)) return Number.NaN;
  const divisor = Math.abs(Math.trunc(right));
  if (divisor === 0) throw mismatch(run, left, right, "divided (remainder) because the divisor is zero");
  if (Math.abs(left) > Number.MAX_SAFE_INTEGER || divisor > Number.MAX_SAFE_INTEGER)
    return Number(toInteger(left) % magnitude(toInteger(right)));
  // `+ 0` turns the -0 of a negative dividend into 0.
  return (Math.trunc(left) % divisor) + 0;
}

const INTEGER_MAX = 2n ** 63n - 1n;
const INTEGER_MIN = -(2n ** 63n);

/** C's conversion to a 64-bit integer, saturating as jq's. */
function toInteger(value: number): bigint {
  if (value >= 2 ** 63) return INTEGER_MAX;
  return value <= -(2 ** 63) ? INTEGER_MIN : BigInt(Math.trunc(value));
}

function magnitude(value: bigint): bigint {
  return value === INTEGER_MIN ? INTEGER_MAX : value < 0n ? -value : value;
}

export function negate(run: Run, value: Json): Json {
  if (typeof value === "number") return -value;
  throw run.raise(`${describe(run, value)} cannot be negated`);
}

function mismatch(run: Run, left: Json, right: Json, verb: string): Raised {
  return run.raise(`${describe(run, left)} and ${describe(run, right)} cannot be ${verb}`);
}
