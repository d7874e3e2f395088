import type { Runtime } from "@tutti/runtime";
import type { Random } from "@tutti/testkit";
import type { Platform } from "./cluster.ts";
import type { Scheduler } from "./scheduler.ts";
import type { SimProcess } from "./sim-process.ts";

/** A dead process is started again within this time. */
const DOWNTIME_MAX_MS = 10_000;
const ASK_AGAIN_MAX_MS = 2000;

export interface NodeDeps {
  readonly scheduler: Scheduler;
  readonly random: Random;
  readonly name: string;
  readonly makeProcess: (node: SimNode) => SimProcess;
  /** Called when a process has died, before anything else happens. */
  readonly died: () => void;
}

/** A machine on which a process is started whenever there is none. */
export class SimNode implements Platform {
  process: SimProcess | undefined;
  lives = 0;
  crashes = 0;
  /** Until then this node and the store do not reach each other. */
  cutOffUntilMs = 0;
  #isReady = false;
  #downMs: number | undefined;
  readonly #deps: NodeDeps;

  constructor(deps: NodeDeps) {
    this.#deps = deps;
  }

  /** A process is there and has started. */
  get isUp(): boolean {
    return this.#isReady && this.process?.isAlive === true;
  }

  /** Of the present life, where nodes share the store. */
  get nodeId(): string {
    return `node_${this.#deps.name}${this.lives}`;
  }

  start(): void {
    const { scheduler } = this.#deps;
    this.lives += 1;
    const process = this.#deps.makeProcess(this);
    this.process = process;
    this.#isReady = false;
    scheduler.note(`process ${this.#deps.name}${this.lives} starts`);
    process.ask((runtime) => runtime.start(), {
      resolved: () => {
        this.#isReady = true;
      },
      // A process that can't start ends.
      rejected: () => this.kill(),
      died: () => this.#buried(),
    });
    // From here on the end of the process is noticed, also when nobody asks it for anything.
    process.ask(() => new Promise<never>(() => undefined), {
      resolved: () => undefined,
      rejected: () => undefined,
      died: () => this.#restart(),
    });
  }

  /** `downMs`: how long the machine stays without a process; drawn when it is left out. */
  kill(downMs?: number): void {
    if (this.process?.isAlive !== true) return;
    this.#downMs = downMs;
    this.crashes += 1;
    this.process.kill();
  }

  /** An orderly end. */
  stop(): void {
    const { process } = this;
    process?.ask((runtime) => runtime.stop(), {
      resolved: () => process.kill(),
      rejected: () => process.kill(),
      died: () => undefined,
    });
  }

  /** Asks whatever process there is, until one has answered; `mayRetry` says whether a failure is worth another try. */
  insist<T>(
    label: string,
    wish: (runtime: Runtime) => Promise<T>,
    answers: { readonly resolved: (value: T) => void; readonly mayRetry: (error: unknown) => boolean },
  ): void {
    const { scheduler, random } = this.#deps;
    const again = (): void => {
      scheduler.after(random.next() * ASK_AGAIN_MAX_MS, `${label} again`, () => this.insist(label, wish, answers));
    };
    const { process } = this;
    if (process === undefined || !this.isUp) return again();
    process.ask(wish, {
      resolved: answers.resolved,
      rejected: (error) => {
        if (answers.mayRetry(error)) again();
      },
      died: again,
    });
  }

  #buried(): void {
    this.#isReady = false;
  }

  #restart(): void {
    const { scheduler, random, name } = this.#deps;
    this.#isReady = false;
    scheduler.note(`process ${name}${this.lives} is gone`);
    this.#deps.died();
    scheduler.after(this.#downMs ?? random.next() * DOWNTIME_MAX_MS, "start a process", () => this.start());
  }
}
