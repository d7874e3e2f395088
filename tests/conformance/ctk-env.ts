import { randomUUID } from "node:crypto";
import type { Env } from "@tutti/runtime";

const ID_LENGTH = 16;

/** The real clock and real timers, nothing kept: logs and secrets play no part in the kit. */
export function createTestEnv(): Env {
  return {
    wallClockMs: () => Date.now(),
    monotonicMs: () => performance.now(),
    setTimer: (delayMs, callback) => {
      const timer = setTimeout(callback, delayMs);
      return { clear: () => clearTimeout(timer) };
    },
    defer: (callback) => void setImmediate(callback),
    randomId: () => randomUUID().replaceAll("-", "").slice(0, ID_LENGTH),
    secret: () => Promise.resolve(undefined),
    logs: { append: () => undefined, read: async function* () {}, remove: async () => undefined },
    crashPoint: () => undefined,
    report: (message, cause) => void process.stderr.write(`${message} ${cause instanceof Error ? cause.message : ""}\n`),
  };
}
