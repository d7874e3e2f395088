import { spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { join } from "node:path";
import { cpuOfEndedChild } from "./children-cpu.ts";

/** How a command came to its end. */
export interface Ended {
  readonly code: number;
  /** The signal that ended it, ours or another's. */
  readonly signal: NodeJS.Signals | undefined;
  /** `exit code 1`, `took longer than 5 minutes`, `interrupted` …, for people. */
  readonly why: string;
  /** Processor time it took, with the processes that it started and waited for. */
  readonly cpuMs: number;
}

export interface CommandOptions {
  readonly root: string;
  readonly logFile: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly minutesMax: number;
  readonly signal: AbortSignal;
}

/** Enough for a test to unmount its disks and remove its files. */
const GRACE_MS = 5_000;

/**
 * Runs a command of `scripts/run.mjs` in a process group of its own, its output in a log file. It is ended when its time is up or the signal
 * aborts; what it left running in its group is ended afterwards, so that one command never disturbs the next.
 */
export function runCommand(command: readonly string[], options: CommandOptions): Promise<Ended> {
  return new Promise((resolve) => {
    const log = openSync(options.logFile, "w");
    const child = spawn(process.execPath, [join(options.root, "scripts/run.mjs"), ...command], {
      cwd: options.root,
      stdio: ["ignore", log, log],
      detached: true,
      env: { ...process.env, NO_COLOR: "1", FORCE_COLOR: undefined, ...options.environment },
    });
    closeSync(log);
    let why = "";
    const end = (reason: string): void => {
      why = reason;
      signalGroup(child.pid, "SIGTERM");
      setTimeout(() => signalGroup(child.pid, "SIGKILL"), GRACE_MS).unref();
    };
    const timer = setTimeout(() => end(`took longer than ${options.minutesMax} minutes`), options.minutesMax * 60_000);
    const onAbort = (): void => end("interrupted");
    options.signal.addEventListener("abort", onAbort, { once: true });
    child.on("error", (error) => resolve({ code: 1, signal: undefined, why: error.message, cpuMs: 0 }));
    child.on("exit", (code, signal) => {
      const cpuMs = cpuOfEndedChild();
      clearTimeout(timer);
      options.signal.removeEventListener("abort", onAbort);
      signalGroup(child.pid, "SIGKILL");
      resolve({
        code: code ?? 1,
        signal: signal ?? undefined,
        why: why || (signal === null ? `exit code ${code}` : `ended by ${signal}`),
        cpuMs,
      });
    });
    if (options.signal.aborted) onAbort();
  });
}

function signalGroup(pid: number | undefined, signal: NodeJS.Signals): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}
