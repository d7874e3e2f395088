import type { Runtime } from "@tutti/runtime";
import type { Random } from "@tutti/testkit";
import type { SimNode } from "./node.ts";
import type { Scheduler } from "./scheduler.ts";
import type { SimProcess } from "./sim-process.ts";

/** What people and other systems see of the platform: somebody who answers, or nobody. */
export interface Platform {
  /** A process is there and has started. */
  readonly isUp: boolean;
  readonly process: SimProcess | undefined;
  /** Asks whatever process there is, until one has answered; `mayRetry` says whether a failure is worth another try. */
  insist<T>(
    label: string,
    wish: (runtime: Runtime) => Promise<T>,
    answers: { readonly resolved: (value: T) => void; readonly mayRetry: (error: unknown) => boolean },
  ): void;
}

const ASK_AGAIN_MAX_MS = 2000;

/** Nodes behind something that spreads requests over those that are up. */
export class Cluster implements Platform {
  readonly #nodes: readonly SimNode[];
  readonly #scheduler: Scheduler;
  readonly #random: Random;

  constructor(nodes: readonly SimNode[], scheduler: Scheduler, random: Random) {
    this.#nodes = nodes;
    this.#scheduler = scheduler;
    this.#random = random;
  }

  get isUp(): boolean {
    return this.#nodes.some((node) => node.isUp);
  }

  /** Another one each time. */
  get process(): SimProcess | undefined {
    const up = this.#nodes.filter((node) => node.isUp);
    return up.length === 0 ? undefined : this.#random.pick(up).process;
  }

  insist<T>(
    label: string,
    wish: (runtime: Runtime) => Promise<T>,
    answers: { readonly resolved: (value: T) => void; readonly mayRetry: (error: unknown) => boolean },
  ): void {
    const again = (): void => {
      const delayMs = this.#random.next() * ASK_AGAIN_MAX_MS;
      this.#scheduler.after(delayMs, `${label} again`, () => this.insist(label, wish, answers));
    };
    const { process } = this;
    if (process === undefined) return again();
    process.ask(wish, {
      resolved: answers.resolved,
      rejected: (error) => {
        if (answers.mayRetry(error)) again();
      },
      died: again,
    });
  }
}
