import { durationMs, isJsonObject, type Json, type JsonObject, ownProperty } from "@tutti/model";
import { compileDuration, compileExpression, type Locals } from "./compile-template.ts";
import type { Concurrency, Duration, Retention, RetryPolicy, Saga } from "./program.ts";

/** A retry policy: written out, or the name of one in `use.retries`. */
export function compileRetry(value: Json | undefined, named: JsonObject, locals: Locals): RetryPolicy | undefined {
  const policy = typeof value === "string" ? named[value] : value;
  if (!isJsonObject(policy)) return undefined;
  const backoff = member(policy, "backoff");
  const limit = member(policy, "limit");
  const attempt = member(limit, "attempt");
  const jitter = policy["jitter"];
  const duration = (given: Json | undefined): Duration | undefined => (given === undefined ? undefined : compileDuration(given, locals));
  return {
    when: typeof policy["when"] === "string" ? compileExpression(policy["when"], locals) : undefined,
    exceptWhen: typeof policy["exceptWhen"] === "string" ? compileExpression(policy["exceptWhen"], locals) : undefined,
    delay: duration(policy["delay"]),
    backoff: backoff["exponential"] !== undefined ? "exponential" : backoff["linear"] !== undefined ? "linear" : "constant",
    attemptsMax: typeof attempt["count"] === "number" ? attempt["count"] : undefined,
    attemptTimeout: duration(attempt["duration"]),
    durationMax: duration(limit["duration"]),
    jitter: isJsonObject(jitter)
      ? { from: compileDuration(jitter["from"] ?? 0, locals), to: compileDuration(jitter["to"] ?? 0, locals) }
      : undefined,
  };
}

/** `metadata.tutti.concurrency` of a task or of the document. */
export function compileConcurrency(operations: JsonObject, locals: Locals): Concurrency | undefined {
  const { concurrency } = operations;
  if (!isJsonObject(concurrency)) return undefined;
  const conflict = concurrency["onConflict"];
  return {
    key: compileExpression(text(concurrency["key"]), locals),
    limit: typeof concurrency["limit"] === "number" ? concurrency["limit"] : 1,
    onConflict: conflict === "reject" || conflict === "replace" ? conflict : "queue",
  };
}

/** `metadata.tutti.saga` of a `do` task or of the document. What is left out is what is least surprising: every end, in reverse, stop at a failure. */
export function compileSaga(value: Json | undefined): Saga | undefined {
  if (!isJsonObject(value)) return undefined;
  const { on, order, onFailure } = value;
  const outcomes = Array.isArray(on) ? on : ["faulted", "cancelled"];
  return {
    onFaulted: outcomes.includes("faulted"),
    onCancelled: outcomes.includes("cancelled"),
    order: order === "parallel" ? "parallel" : "reverse",
    onFailure: onFailure === "continue" ? "continue" : "stop",
  };
}

/** The object at `key`, or an empty one. */
function member(object: JsonObject, key: string): JsonObject {
  const value = ownProperty(object, key);
  return isJsonObject(value) ? value : {};
}

function text(value: Json | undefined): string {
  return typeof value === "string" ? value : "";
}

/** How long finished runs and their logs are kept. */
export function compileRetention(value: Json | undefined): Retention | undefined {
  if (!isJsonObject(value)) return undefined;
  const { runs, logs } = value;
  return { runsMs: keptMs(runs), logsMs: keptMs(logs) };
}

function keptMs(value: Json | undefined): number | undefined {
  return value === "forever" ? Number.POSITIVE_INFINITY : durationMs(value);
}
