import { AppError, assert, isJsonObject, type Json, type JsonObject } from "@tutti/model";
import type { Locals } from "./compile-template.ts";
import type { Flow } from "./program.ts";

/** Where a list of tasks stands. */
export interface Place {
  readonly path: string;
  readonly pointer: string;
  readonly locals: Locals;
  readonly depth: number;
  /**
   * `no` in the tasks that look an effect up, which are no part of the flow; `itself` in those of an extension, so that none extends itself
   * or another.
   */
  readonly extended: "yes" | "no" | "itself";
}

/** Thrown when what a small text unfolds to is beyond a limit. */
export function tooLarge(what: string, { pointer }: Place): AppError {
  return new AppError("definition-invalid", `With functions and extensions put in at their places, ${what}, at ${pointer}.`);
}

/** A flow directive; a name becomes the position of the task in the same list. */
export function flow(value: Json | undefined, siblings: readonly string[]): Flow {
  if (value === undefined || value === "continue") return "continue";
  if (value === "exit" || value === "end") return value;
  const position = siblings.indexOf(text(value));
  assert(position >= 0, `the linter has found the target of then: ${text(value)}`);
  return position;
}

/** The object at `key`, or an empty one. */
export function member(object: JsonObject, key: string): JsonObject {
  const value = Object.hasOwn(object, key) ? object[key] : undefined;
  return isJsonObject(value) ? value : {};
}

/** The text, or `fallback` where there is none. */
export function text(value: Json | undefined, fallback = ""): string {
  return typeof value === "string" ? value : fallback;
}
