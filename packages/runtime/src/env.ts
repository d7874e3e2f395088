import type { Json } from "@tutti/model";
import type { LogLine } from "./runtime.ts";

/**
 * The only door out of the runtime, besides the store and the connectors. The real one is in `packages/host`, a virtual one in tests: no
 * file here reads a clock, draws a random number or sets a timer by itself.
 */
export interface Env {
  /** Wall clock, milliseconds since 1970 UTC. Read once at start; from then on time is the start plus the monotonic clock. */
  wallClockMs(): number;
  monotonicMs(): number;
  /** Calls back once after `delayMs` or later, unless cleared. */
  setTimer(delayMs: number, callback: () => void): TimerHandle;
  /** Calls back after what is running now, before timers: how a batch collects what moved. */
  defer(callback: () => void): void;
  /** 16 characters of 0-9a-z, unguessable. */
  randomId(): string;
  /** The value of a secret, or undefined. */
  secret(name: string): Promise<Json | undefined>;
  /** The values of all secrets there are, to be masked from the start; what fails to be read is left out. */
  allSecrets?(): Promise<readonly Json[]>;
  /** Lines are masked before they come here. Never awaited by a run. */
  readonly logs: LogStore;
  /** Ends the process at a named point when a test asked for it; does nothing in production. `commit.after` has the run and its seq. */
  crashPoint(name: CrashPointName, detail: Readonly<Record<string, Json>>): void;
  /** Something failed that no run can be blamed for; masked, then written to the process's own log. */
  report(message: string, cause: unknown): void;
}

/** The named places at which tests kill the process, each one once at least. */
export const CRASH_POINTS = [
  "commit.before",
  "commit.after",
  "attempt.before",
  "attempt.after",
  "look-up.before",
  "acknowledge.before",
  "acknowledge.after",
  "schedule.before",
  "schedule.after",
] as const;
export type CrashPointName = (typeof CRASH_POINTS)[number];

export interface TimerHandle {
  clear(): void;
}

export interface LogStore {
  append(line: LogLine): void;
  /** Lines written so far, then, with `follow`, new ones until the signal. */
  read(runId: string, options: { readonly follow: boolean; readonly signal: AbortSignal }): AsyncIterable<LogLine>;
  /** Deletes all lines of the run; nothing happens when there are none. */
  remove(runId: string): Promise<void>;
}
