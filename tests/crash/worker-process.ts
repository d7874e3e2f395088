import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { programFile } from "../../scripts/programs.mjs";
import { sizeOfAcks } from "./acks.ts";
import type { Place } from "./findings.ts";

export type WorkerMode = "load" | "load-ack-early" | "finish";

export interface WorkerOptions {
  /** More options of Node, such as `--import`. */
  readonly nodeOptions?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  /** Where its standard error goes; ours unless given. */
  readonly stderr?: number;
}

/** A worker that acknowledges nothing for this long is stuck at its start. */
const FIRST_ACK_MS = 5 * 60_000;
const WORKER = "tests/crash/worker.ts";

/** The loaded process of the kill loop, alive. */
export class WorkerProcess {
  readonly child: ChildProcess;
  /** The exit code, or null after a signal. */
  readonly ended: Promise<number | null>;
  readonly #acks: string;
  readonly #acksBefore: number;

  constructor(place: Place, mode: WorkerMode, options: WorkerOptions = {}) {
    this.#acks = join(place.home, "acks");
    this.#acksBefore = sizeOfAcks(this.#acks);
    const program = programFile(WORKER, { ...process.env, ...options.environment });
    const args = [...process.execArgv, ...(options.nodeOptions ?? []), program, place.directory, mode, place.home];
    this.child = spawn(process.execPath, args, {
      stdio: ["ignore", "inherit", options.stderr ?? "inherit"],
      env: { ...process.env, ...options.environment },
    });
    this.ended = new Promise((resolve) => this.child.on("exit", (code) => resolve(code)));
  }

  get isAlive(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  /** Resolves when it has promised something, or is gone. @throws when it does neither. */
  async firstAck(): Promise<void> {
    const deadline = performance.now() + FIRST_ACK_MS;
    while (this.isAlive && sizeOfAcks(this.#acks) === this.#acksBefore) {
      if (performance.now() > deadline) {
        await this.kill();
        throw new Error("the worker acknowledged nothing");
      }
      await pause(5);
    }
  }

  /** kill -9. */
  async kill(): Promise<void> {
    this.child.kill("SIGKILL");
    await this.ended;
  }
}

/** Brings all runs to their end and settles what is in doubt. @returns the exit code; 0 when nothing is left open. */
export function finishAll(place: Place): Promise<number> {
  return new WorkerProcess(place, "finish").ended.then((code) => code ?? -1);
}
