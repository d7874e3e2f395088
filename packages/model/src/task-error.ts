import type { Json, JsonObject } from "./json.ts";

/** The error kinds of the workflow specification, with their default status. */
export const ERROR_STATUS = {
  configuration: 400,
  validation: 400,
  expression: 400,
  authentication: 401,
  authorization: 403,
  timeout: 408,
  communication: 500,
  runtime: 500,
} as const;
export type ErrorKind = keyof typeof ERROR_STATUS;

/** Where the specification's own error types live; what Tutti emits. */
export const ERROR_TYPE_BASE = "https://open-workflow-specification.org/spec/1.0.0/errors/";
/** Error types of Tutti's own live under a prefix of their own, never under the specification's. */
export const TUTTI_ERROR_TYPE_BASE = "https://tutti.dev/errors/";

/** The problem details (RFC 9457) that a workflow sees, catches and filters; plain JSON, also in `$error`. */
export interface TaskError extends JsonObject {
  readonly type: string;
  readonly status: number;
  readonly title: string;
}

/** Builds an error of the specification's `kind`; `instance` is filled in by the engine with the task's pointer. */
export function taskError(kind: ErrorKind, title: string, more: Readonly<Record<string, Json>> = {}): TaskError {
  return { type: ERROR_TYPE_BASE + kind, status: ERROR_STATUS[kind], title, ...more };
}

const ALIAS =
  /^https:\/\/(?:serverlessworkflow\.io|open-workflow-specification\.org)\/(?:spec\/1\.0\.0\/errors|dsl\/errors\/types)\/([a-z]+)$/;

/** The kind behind any accepted spelling of a specification error type (two hosts, two paths), or undefined for other types. */
export function errorKindOf(type: string): ErrorKind | undefined {
  const kind = ALIAS.exec(type)?.[1];
  return kind !== undefined && Object.hasOwn(ERROR_STATUS, kind) ? (kind as ErrorKind) : undefined;
}

/** Whether two error types mean the same: equal text, or two spellings of one kind. */
export function sameErrorType(left: string, right: string): boolean {
  if (left === right) return true;
  const kind = errorKindOf(left);
  return kind !== undefined && kind === errorKindOf(right);
}
