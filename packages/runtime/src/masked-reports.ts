import type { Env } from "./env.ts";
import type { Redactor } from "./redactor.ts";

/** The same world, but what is reported passes the redactor: an error quotes what was sent, and so do its causes. */
export function withMaskedReports(env: Env, redactor: Redactor): Env {
  return {
    wallClockMs: () => env.wallClockMs(),
    monotonicMs: () => env.monotonicMs(),
    setTimer: (delayMs, callback) => env.setTimer(delayMs, callback),
    defer: (callback) => env.defer(callback),
    randomId: () => env.randomId(),
    secret: (name) => env.secret(name),
    ...(env.allSecrets === undefined ? {} : { allSecrets: env.allSecrets.bind(env) }),
    logs: env.logs,
    crashPoint: (name, detail) => env.crashPoint(name, detail),
    report: (message, cause) => env.report(redactor.maskText(message), redactor.isEmpty ? cause : maskedCause(cause, redactor)),
  };
}

/** An error is shown by its message or its stack; everything else of it stays behind when one of them had to be masked. */
function maskedCause(cause: unknown, redactor: Redactor): unknown {
  if (!(cause instanceof Error)) return typeof cause === "string" ? redactor.maskText(cause) : cause;
  const inner = maskedCause(cause.cause, redactor);
  const message = redactor.maskText(cause.message);
  const stack = redactor.maskText(cause.stack ?? "");
  if (inner === cause.cause && message === cause.message && stack === (cause.stack ?? "")) return cause;
  const masked = new Error(message, { cause: inner });
  masked.name = cause.name;
  masked.stack = stack;
  return masked;
}
