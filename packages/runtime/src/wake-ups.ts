import type { Store } from "@tutti/store";
import type { Clock, TimerEntry, TimerQueue } from "./clock.ts";
import type { Env } from "./env.ts";
import { isElsewhere, type Ownership } from "./ownership.ts";

/** Parked runs woken at once; the next ones follow as soon as these are loaded. */
const DUE_BATCH = 500;
/** Between two looks: time for what else there is to do. */
const AGAIN_MS = 20;
/**
 * Woken runs stay on the list until what they do next is committed, which takes as long as the disk wants. The next ones are looked for behind
 * them, up to here: two full commits. So a slow disk does not make the runs late that come after the first 500.
 */
const DUE_LISTED_MAX = 4000;
const RETRY_MS = 1000;

export interface WakeUpDeps {
  readonly store: Store;
  readonly env: Env;
  readonly clock: Clock;
  readonly timers: TimerQueue;
  readonly ownership: Ownership;
  /** Loads the run; its own timers do the rest. */
  readonly wake: (runId: string) => Promise<unknown>;
  /** The run is in memory. */
  readonly isAwake: (runId: string) => boolean;
}

/** Finds parked runs when their time has come: one timer for all of them, the store keeps the list. */
export class WakeUps {
  readonly #deps: WakeUpDeps;
  #entry: TimerEntry | undefined;
  #isLooking = false;
  #isAsked = false;
  #isOn = false;
  /** Due runs that the last look has woken or found awake. */
  #awake = 0;

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
    const { store, clock, env, ownership, isAwake } = this.#deps;
    let nextMs: number | undefined;
    try {
      const limit = Math.min(this.#awake + DUE_BATCH, DUE_LISTED_MAX);
      const due = await store.listDue(clock.nowMs(), limit, ownership.shards());
      const asleep = due.filter(({ runId }) => !isAwake(runId));
      const woken = asleep.slice(0, DUE_BATCH);
      await Promise.all(woken.map(({ runId }) => this.#wake(runId)));
      this.#awake = due.length - asleep.length + woken.length;
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
