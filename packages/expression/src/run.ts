import type { Json } from "@tutti/model";
import type { Limits } from "./limits.ts";
import type { Regex } from "./regex.ts";

/**
 * A jq error on its way to a `catch`. Not an `Error`: `tonumber?` over a list raises one per item, and a stack trace costs more
 * than the rest of the evaluation. It never leaves the package.
 */
export class Raised {
  readonly value: Json;
  readonly offset: number;

  constructor(value: Json, offset: number) {
    this.value = value;
    this.offset = offset;
  }
}

/** A bound was reached. No `try` of a program sees it. */
export class LimitReached {
  readonly message: string;
  readonly offset: number;

  constructor(message: string, offset: number) {
    this.message = message;
    this.offset = offset;
  }
}

interface RunOptions {
  readonly nowMs?: number | undefined;
  readonly hasOlderRules?: boolean | undefined;
}

/** Tail-free count of what one evaluation used, and the data that its variables read. */
export class Run {
  readonly limits: Limits;
  readonly slots: readonly (Json | undefined)[];
  readonly nowMs: number | undefined;
  /** See `EvaluationOptions`. */
  readonly hasOlderRules: boolean;
  /** Offset in the source of the operation in progress, for error positions. */
  at = 0;
  /** Regular expressions that this evaluation has compiled and paid for. */
  regexes: Map<string, Regex> | undefined;
  /** Calls in progress. */
  depth = 0;
  /** A number without counterpart in JSON has come up, and may be part of the result. */
  hasNonFinite = false;
  #fuel: number;

  constructor(limits: Limits, slots: readonly (Json | undefined)[], options: RunOptions | undefined) {
    this.limits = limits;
    this.slots = slots;
    this.nowMs = options?.nowMs;
    this.hasOlderRules = options?.hasOlderRules === true;
    this.#fuel = limits.fuel;
  }

  get fuelLeft(): number {
    return this.#fuel;
  }

  /** Pays for `units` of work. @throws LimitReached when the evaluation has had its share. */
  spend(units: number): void {
    if ((this.#fuel -= units) < 0)
      throw new LimitReached(
        `the expression needs more than ${this.limits.fuel} steps: let it work on less data, or leave this to a script`,
        this.at,
      );
  }

  /** Pays for one nested call; the caller decreases `depth` when it returns. */
  enter(): void {
    this.spend(2);
    if (++this.depth > this.limits.depth) {
      throw new LimitReached(`calls are nested more than ${this.limits.depth} deep`, this.at);
    }
  }

  /** Notes a number that has been computed. */
  number(value: number): number {
    // The difference of nan and of the infinities to themselves is nan.
    if (value - value !== 0) this.hasNonFinite = true;
    return value;
  }

  /** Checks and pays for a new string of `length` units. */
  string(length: number): void {
    if (length > this.limits.stringLength) {
      throw new LimitReached(`a string is longer than ${this.limits.stringLength} characters`, this.at);
    }
    this.spend(1 + (length >>> 4));
  }

  /** Checks and pays for a new array of `length` cells. */
  array(length: number): void {
    if (length > this.limits.arrayLength) {
      throw new LimitReached(`an array has more than ${this.limits.arrayLength} elements`, this.at);
    }
    this.spend(1 + (length >>> 2));
  }

  /** Checks and pays for a new object of `keys` keys. */
  object(keys: number): void {
    if (keys > this.limits.objectKeys) {
      throw new LimitReached(`an object has more than ${this.limits.objectKeys} keys`, this.at);
    }
    this.spend(2 + 2 * keys);
  }

  /** Raises a jq error that `try` can catch. */
  raise(value: Json): Raised {
    // Throwing and catching costs the host about two microseconds.
    this.spend(30);
    return new Raised(value, this.at);
  }

  limit(message: string): LimitReached {
    return new LimitReached(message, this.at);
  }
}
