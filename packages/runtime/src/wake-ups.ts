import type { Store } from "@tutti/store";
import type { Clock, TimerEntry, TimerQueue } from "./clock.ts";
import type { Env } from "./env.ts";
import { isElsewhere, type Ownership } from "./ownership.ts";

/** Parked runs woken at once; the next ones follow as soon as these are loaded. */
const DUE_BATCH = 500;
/** Between two looks at the same due runs: they leave the list when what they do next is committed. */
const AGAIN_MS = 20;
const RETRY_MS = 1000;

export interface WakeUpDeps {
  readonly store: Store;
  readonly env: Env;
  readonly clock: Clock;
  readonly timers: TimerQueue;
  readonly ownership: Ownership;
  /** Loads the run; its own timers do the rest. */
  readonly wake: (runId: string) => Promise<unknown>;
}

/** Finds parked runs when their time has come: one timer for all of them, the store keeps the list. */
export class WakeUps {
  readonly #deps: WakeUpDeps;
  #entry: TimerEntry | undefined;
  #isLooking = false;
  #isAsked = false;
  #isOn = false;

  constructor(deps: WakeUpDeps) {
    this.#deps = deps;
  }

  async start(): Promise<void> {
    this.#isOn = true;
    await this.#look();
  }

  /** There may be more due runs than before. */
  async lookAgain(): Promise<void> {
    if (this.#isLooking) this.#isAsked = true;
    else await this.#look();
  }

  stop(): void {
    this.#isOn = false;
    if (this.#entry !== undefined) this.#deps.timers.clear(this.#entry);
    this.#entry = undefined;
  }

  /** A run was parked until `atMs`. */
  expect(atMs: number): void {
    if (!this.#isOn) return;
    if (this.#entry !== undefined && !this.#entry.isCleared && this.#entry.dueAtMs <= atMs) return;
    if (this.#entry !== undefined) this.#deps.timers.clear(this.#entry);
    this.#entry = this.#deps.timers.schedule(atMs, () => void this.#look());
  }

  async #look(): Promise<void> {
    if (this.#isLooking || !this.#isOn) return;
    this.#isLooking = true;
    this.#isAsked = false;
    const { store, clock, env, ownership } = this.#deps;
    let nextMs: number | undefined;
    try {
      const due = await store.listDue(clock.nowMs(), DUE_BATCH, ownership.shards());
      await Promise.all(due.map(({ runId }) => this.#wake(runId)));
      const next = await store.nextWakeAt(ownership.shards());
      nextMs = next === undefined ? undefined : Math.max(next, clock.nowMs() + AGAIN_MS);
    } catch (error) {
      if (this.#isOn) env.report("Looking for due runs failed; it is tried again.", error);
      nextMs = clock.nowMs() + RETRY_MS;
    } finally {
      this.#isLooking = false;
    }
    if (this.#isAsked) return this.#look();
    if (nextMs !== undefined) this.expect(nextMs);
  }

  async #wake(runId: string): Promise<void> {
    try {
      await this.#deps.wake(runId);
    } catch (error) {
      if (this.#isOn && !isElsewhere(error)) this.#deps.env.report(`The run ${runId} is due and can't be loaded.`, error);
    }
  }
}
