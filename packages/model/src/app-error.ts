import { ERROR_CATALOGUE, type ErrorCode, type ErrorSpecies } from "./error-catalogue.ts";
import type { Json } from "./json.ts";

/** A failure of the world or of a request: stable `code`, what happened, to which thing, and the way out. */
export class AppError extends Error {
  readonly code: ErrorCode;
  readonly kind: ErrorSpecies;
  readonly hint: string;
  readonly details: Readonly<Record<string, Json>>;

  constructor(
    code: ErrorCode,
    message: string,
    more: { readonly details?: Readonly<Record<string, Json>>; readonly hint?: string; readonly cause?: unknown } = {},
  ) {
    super(message, { cause: more.cause });
    this.name = "AppError";
    this.code = code;
    this.kind = ERROR_CATALOGUE[code].kind;
    this.hint = more.hint ?? ERROR_CATALOGUE[code].hint;
    this.details = more.details ?? {};
  }
}

/** Throws when an invariant of ours does not hold: a bug, never caught before the edge. */
export function assert(condition: unknown, whatMustHold: string): asserts condition {
  if (!condition) throw new Error(`Invariant broken: ${whatMustHold}`);
}

/** Marks a switch as exhaustive: compiles only when every case is handled. */
export function assertNever(value: never, where: string): never {
  throw new Error(`Unexpected value in ${where}: ${JSON.stringify(value)}`);
}
