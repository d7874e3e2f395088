import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { programFile } from "../scripts/programs.mjs";

/** What a start may take at most, with a store of a million runs on a busy machine. */
const READY_MS_MAX = 120_000;
/** `getconf CLK_TCK` on every Linux we run on. */
const TICKS_PER_SECOND = 100;

/** A `tutti up` of its own process on a data directory. */
export class TuttiUp {
  readonly child: ChildProcess;
  readonly readyMs: number;

  private constructor(child: ChildProcess, readyMs: number) {
    this.child = child;
    this.readyMs = readyMs;
  }

  /** Starts it as users do on the pinned Node, and waits for the line that says that it drives. */
  static async start(directory: string, environment: Readonly<Record<string, string>> = {}): Promise<TuttiUp> {
    const startedAt = performance.now();
    const flags = ["--disallow-code-generation-from-strings", "--disable-proto=delete", "--disable-warning=ExperimentalWarning"];
    const child = spawn(process.execPath, [...flags, programFile("apps/cli/src/main.ts"), "up", "--data", directory], {
      stdio: ["ignore", "ignore", "pipe"],
      env: { ...process.env, ...environment },
    });
    let said = "";
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const timer = setTimeout(() => reject(new Error(`tutti up was not ready in time: ${said}`)), READY_MS_MAX);
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      said += text;
      if (said.includes("drives all runs")) resolve();
    });
    child.on("exit", (code) => reject(new Error(`tutti up ended with ${String(code)}: ${said}`)));
    try {
      await promise;
    } finally {
      clearTimeout(timer);
    }
    return new TuttiUp(child, performance.now() - startedAt);
  }

  /** Proportional set size in bytes: shared pages count by their share. Source: /proc/PID/smaps_rollup. */
  pssBytes(): number {
    const text = readFileSync(`/proc/${this.child.pid ?? 0}/smaps_rollup`, "utf8");
    return Number(/^Pss:\s+(\d+) kB/m.exec(text)?.[1] ?? Number.NaN) * 1024;
  }

  /** CPU used so far by all threads. Source: /proc/PID/stat, fields 14 and 15, in ticks of 10 ms. */
  cpuSeconds(): number {
    const text = readFileSync(`/proc/${this.child.pid ?? 0}/stat`, "utf8");
    // The name in parentheses may hold spaces.
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
    return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
  }

  async stop(): Promise<void> {
    if (this.child.exitCode !== null) return;
    const ended = once(this.child, "exit");
    this.child.kill("SIGTERM");
    await ended;
  }
}
