import type { Runtime } from "@tutti/runtime";
import type { MemoryDisk } from "@tutti/store";
import type { Random } from "@tutti/testkit";
import type { Scheduler } from "./scheduler.ts";
import type { SimProcess } from "./sim-process.ts";

/** A dead process is started again within this time. */
const DOWNTIME_MAX_MS = 10_000;
const ASK_AGAIN_MAX_MS = 2000;

export interface NodeDeps {
  readonly scheduler: Scheduler;
  readonly random: Random;
  readonly disk: MemoryDisk;
  readonly makeProcess: () => SimProcess;
  /** Called when a process has died, before anything else happens. */
  readonly died: () => void;
}

/** A machine on which a process is started whenever there is none. */
export class SimNode {
  process: SimProcess | undefined;
  lives = 0;
  crashes = 0;
  #isReady = false;
  readonly #deps: NodeDeps;

  constructor(deps: NodeDeps) {
    this.#deps = deps;
  }

  /** A process is there and has started. */
  get isUp(): boolean {
    return this.#isReady && this.process?.isAlive === true;
  }

  start(): void {
    const { scheduler } = this.#deps;
    this.lives += 1;
    const process = this.#deps.makeProcess();
    this.process = process;
    this.#isReady = false;
    scheduler.note(`process ${this.lives} starts`);
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

  kill(): void {
    if (this.process?.isAlive !== true) return;
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
    const { scheduler, random, disk } = this.#deps;
    this.#isReady = false;
    scheduler.note(`process ${this.lives} is gone`);
    disk.crash();
    this.#deps.died();
    scheduler.after(random.next() * DOWNTIME_MAX_MS, "start a process", () => this.start());
  }
}
