import type { Json, JsonObject } from "@tutti/model";
import { joinPointer } from "../json-pointer.ts";

/**
 * Work of one validation, in visited pairs of schema and value. Schemas come from users, and combined references and alternatives can take
 * time that is exponential in their size.
 */
const STEPS_MAX = 500_000;
/** Schemas entered within each other; only a reference that leads back to itself without going into the value gets this far. */
const DEPTH_MAX = 1000;
/** Errors worth telling; an author fixes them one by one. */
const ERRORS_MAX = 3;

/** Where in the value we are: a chain instead of a text, since most values are valid and need no text. */
export interface Place {
  readonly parent: Place | undefined;
  readonly key: string | number;
}

/**
 * Stands for a value that is not known yet, such as what an expression will give: every schema holds for it. Told by identity, so that no
 * data is taken for it.
 */
export const UNKNOWN_VALUE: Json = Object.freeze({});

/** Which parts of an object or array some keyword has looked at: what `unevaluatedProperties` and `unevaluatedItems` ask. */
export class Evaluated {
  readonly keys = new Set<string>();
  readonly items = new Set<number>();

  add(other: Evaluated): void {
    for (const key of other.keys) this.keys.add(key);
    for (const item of other.items) this.items.add(item);
  }
}

/** A compiled schema: whether `value` is valid; what is wrong goes to `run`, what was looked at to `evaluated` (when somebody asks). */
export type Check = (value: Json, place: Place | undefined, run: Run, evaluated: Evaluated | undefined) => boolean;

/** One validation of one value. */
export class Run {
  readonly #errors: { readonly place: Place | undefined; readonly message: string }[] = [];
  /** How often an unknown value was met. */
  unknowns = 0;
  #steps = 0;
  #depth = 0;
  #isExhausted = false;

  /** Why there is no verdict, undefined when there is one. A validation that was given up counts as failed, whatever its result. */
  get exhausted(): string | undefined {
    return this.#isExhausted
      ? "the schema takes too long to check: it refers to itself without end, or has too many alternatives"
      : undefined;
  }

  /** Reports an error and returns false, so that a check can end with it. */
  fail(place: Place | undefined, message: string): false {
    if (this.#errors.length < ERRORS_MAX) this.#errors.push({ place, message });
    return false;
  }

  /** Runs a check that may fail without failing the whole: its errors are dropped. */
  attempt(check: Check, value: Json, place: Place | undefined, evaluated: Evaluated | undefined): boolean {
    const known = this.#errors.length;
    const isValid = check(value, place, this, evaluated);
    this.#errors.length = known;
    return isValid;
  }

  /** The errors with their places as JSON pointers. */
  problems(): { readonly place: string; readonly message: string }[] {
    return this.#errors.map(({ place, message }) => ({ place: pointerOf(place), message }));
  }

  /** Counts the entering of a schema; false when the limits are reached. */
  enter(): boolean {
    if (++this.#steps > STEPS_MAX || ++this.#depth > DEPTH_MAX) this.#isExhausted = true;
    return !this.#isExhausted;
  }

  leave(): void {
    this.#depth--;
  }
}

function pointerOf(place: Place | undefined): string {
  const keys: (string | number)[] = [];
  for (let at = place; at !== undefined; at = at.parent) keys.push(at.key);
  return joinPointer("", ...keys.toReversed());
}

/** The type of a value in the words of JSON Schema; whole numbers are "integer". */
export function typeOf(value: Json): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "array";
  if (typeof value === "number") return Number.isInteger(value) ? "integer" : "number";
  return typeof value;
}

export function isObject(value: Json): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function isArray(value: Json): value is readonly Json[] {
  return Array.isArray(value);
}
