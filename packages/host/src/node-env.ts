import { performance } from "node:perf_hooks";
import type { Env, TimerHandle } from "@tutti/runtime";
import { crashPointFrom } from "./crash-point.ts";
import type { DataDirectory } from "./data-directory.ts";
import { FileLogStore } from "./file-log-store.ts";
import { createRandomIds } from "./random-ids.ts";
import { readAllSecrets, readSecret } from "./secrets.ts";

/** The longest delay Node's timers take; longer waits are made of several. */
const TIMER_MS_MAX = 2 ** 31 - 1;

/** The real world behind the runtime: system clocks, timers, randomness, secrets and logs of `directory`. */
export function createNodeEnv(options: {
  readonly directory: DataDirectory;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly report: (message: string, cause: unknown) => void;
}): Env & { readonly logs: FileLogStore } {
  return {
    wallClockMs: () => Date.now(),
    monotonicMs: () => performance.now(),
    setTimer,
    defer: (callback) => void setImmediate(callback),
    randomId: createRandomIds(),
    secret: (name) => readSecret(name, { directory: options.directory.secrets, environment: options.environment }),
    allSecrets: () => readAllSecrets({ directory: options.directory.secrets, environment: options.environment }),
    logs: new FileLogStore(options.directory.logs, options.report),
    crashPoint: crashPointFrom(options.environment),
    report: options.report,
  };
}

function setTimer(delayMs: number, callback: () => void): TimerHandle {
  const startedAt = performance.now();
  const next = (): void => {
    const leftMs = delayMs - (performance.now() - startedAt);
    if (leftMs <= 0) callback();
    else handle = setTimeout(next, Math.min(Math.ceil(leftMs), TIMER_MS_MAX));
  };
  let handle = setTimeout(next, Math.min(Math.max(0, Math.ceil(delayMs)), TIMER_MS_MAX));
  return { clear: () => clearTimeout(handle) };
}
