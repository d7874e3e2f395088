import type { Connector } from "@tutti/connector-kit";
import type { Json } from "@tutti/model";
import { createRuntime, type CrashPointName, type Env, type Runtime, type RuntimeDeps } from "@tutti/runtime";
import type { Store } from "@tutti/store";
import type { Random } from "@tutti/testkit";
import type { Owner, Scheduler } from "./scheduler.ts";
import type { SimClock } from "./sim-clock.ts";

export interface SimProcessDeps {
  readonly scheduler: Scheduler;
  readonly clock: SimClock;
  readonly random: Random;
  readonly secrets: Readonly<Record<string, Json>>;
  readonly limits: NonNullable<RuntimeDeps["limits"]>;
  /** How fast the process's monotonic clock goes; 1 unless it is broken. */
  readonly clockRate: number;
  /** Takes the wall clock for a monotonic one. */
  readonly isMonotonicWall: boolean;
  readonly makeStore: (owner: Owner) => Store;
  readonly makeConnector: (owner: Owner) => Connector;
  /** True ends the process here. */
  readonly diesAt: (name: CrashPointName) => boolean;
  readonly reported: (message: string, cause: unknown) => void;
}

/** Node's timers take a millisecond at least. Without any such bound the rest of a rounding, some 1e-12 ms, would come due without time passing, for ever. */
const TIMER_RESOLUTION_MS = 0.001;

/**
 * One life of one process: a runtime and everything it holds in memory. After its death nothing of it happens any more: its events never come,
 * its promises never settle, and what its last piece of synchronous code still does reaches nobody.
 */
export class SimProcess implements Owner {
  isAlive = true;
  readonly runtime: Runtime;
  readonly #deps: SimProcessDeps;
  readonly #bornAtMs: number;
  readonly #mourners = new Set<() => void>();
  #pausedUntilMs = 0;

  constructor(deps: SimProcessDeps) {
    this.#deps = deps;
    this.#bornAtMs = deps.scheduler.nowMs;
    this.runtime = createRuntime({
      store: deps.makeStore(this),
      connectors: [deps.makeConnector(this)],
      env: this.#env(),
      drive: "all",
      version: "sim",
      limits: deps.limits,
    });
  }

  get pausedUntilMs(): number {
    return this.#pausedUntilMs;
  }

  /** Nothing of the process happens before that; a pause that lasts longer already is not cut short. */
  pauseUntil(ms: number): void {
    this.#pausedUntilMs = Math.max(this.#pausedUntilMs, ms);
  }

  /** kill -9. */
  kill(): void {
    if (!this.isAlive) return;
    this.isAlive = false;
    for (const mourn of this.#mourners) mourn();
    this.#mourners.clear();
  }

  /**
   * Asks the runtime for something. Exactly one of the answers is called, and `died` when the process is gone before it had answered.
   */
  ask<T>(
    wish: (runtime: Runtime) => Promise<T>,
    answers: { readonly resolved: (value: T) => void; readonly rejected: (error: unknown) => void; readonly died: () => void },
  ): void {
    if (!this.isAlive) return answers.died();
    this.#mourners.add(answers.died);
    const over = (answer: () => void): void => {
      if (this.#mourners.delete(answers.died)) answer();
    };
    wish(this.runtime).then(
      (value) => over(() => answers.resolved(value)),
      (error: unknown) => over(() => answers.rejected(error)),
    );
  }

  #env(): Env {
    const { scheduler, clock, random, secrets, diesAt, reported, clockRate, isMonotonicWall } = this.#deps;
    return {
      wallClockMs: () => clock.wallClockMs(),
      monotonicMs: () => (isMonotonicWall ? clock.wallClockMs() : (scheduler.nowMs - this.#bornAtMs) * clockRate),
      setTimer: (delayMs, callback) => scheduler.after(delayMs > 0 ? Math.max(delayMs, TIMER_RESOLUTION_MS) : 0, "timer", callback, this),
      defer: (callback) => void scheduler.soon("deferred", callback, this),
      randomId: () => Array.from({ length: 16 }, () => random.integer(0, 35).toString(36)).join(""),
      secret: (name) => new Promise((resolve) => scheduler.after(random.next(), "secret", () => resolve(secrets[name]), this)),
      logs: { append: () => undefined, read: readNothing, remove: async () => undefined },
      crashPoint: (name) => {
        if (this.isAlive && diesAt(name)) this.kill();
      },
      report: (message, cause) => {
        if (this.isAlive) reported(message, cause);
      },
    };
  }
}

/** Logs are no part of what is simulated. */
async function* readNothing(): AsyncGenerator<never> {}
