import { AppError } from "@tutti/model";
import type { Store } from "@tutti/store";
import type { Env } from "./env.ts";
import type { LoadedRun } from "./loaded-run.ts";

/** Crashes in a row that are blamed on a run before it is set aside. */
export const CRASHES_MAX = 3;

const MARK_SEPARATOR = "@";

export interface PoisonDeps {
  readonly store: Store;
  readonly env: Env;
  /** Sets the run aside without touching its history: even loading it ended the process. */
  readonly quarantineUnread: (runId: string, reason: string) => Promise<void>;
}

/**
 * Finds the run that takes the process down. After an unclean stop every run that was under way takes its first steps alone, with its id
 * written before them; a crash is then blamed on it. A run blamed three times in a row is quarantined, everyone else goes on.
 */
export class PoisonWatch {
  readonly #deps: PoisonDeps;
  /** Runs that have not yet stored anything since the unclean stop. */
  readonly #unproven = new Set<string>();
  /** Crashes in a row by mark. */
  #crashes: ReadonlyMap<string, number> = new Map();
  #turn: Promise<void> = Promise.resolve();
  #isOn = false;

  constructor(deps: PoisonDeps) {
    this.#deps = deps;
  }

  /** `runIds`: what was under way when the process died. */
  async start(runIds: readonly string[]): Promise<void> {
    const suspects = await this.#deps.store.readSuspects();
    this.#crashes = new Map(suspects.map((one) => [one.runId, one.crashes]));
    for (const runId of runIds) this.#unproven.add(runId);
    for (const { runId } of suspects) this.#unproven.add(runId.slice(0, runId.lastIndexOf(MARK_SEPARATOR)));
    this.#isOn = this.#unproven.size > 0;
  }

  /** Loads a run; alone and marked when it is unproven. `load` sets the run aside when it is given a reason to. */
  async firstLoad(runId: string, load: (quarantineReason: string | undefined) => Promise<LoadedRun>): Promise<LoadedRun> {
    if (!this.#isOn || !this.#unproven.has(runId)) return load(undefined);
    return this.#alone(runId, undefined, async (mark) => {
      const crashes = this.#crashes.get(mark) ?? 0;
      const reason = `It took the process down ${crashes} times in a row.`;
      if (crashes > CRASHES_MAX) {
        this.#unproven.delete(runId);
        await this.#deps.quarantineUnread(runId, reason);
        throw new AppError("operation-not-possible", `The run ${runId} is quarantined. ${reason}`, { details: { runId } });
      }
      const run = await load(crashes === CRASHES_MAX ? reason : undefined).catch((error: unknown) => {
        this.#unproven.delete(runId);
        throw error;
      });
      await run.stored();
      // Nothing may be under way that could still take the process down; else its first fact is watched too.
      if (run.isQuiet || crashes >= CRASHES_MAX) this.#unproven.delete(runId);
      else run.isUnproven = true;
      return run;
    });
  }

  /** Carries out the first step after a load; alone and marked. */
  guard(run: LoadedRun, step: () => void): void {
    if (!this.#isOn || !this.#unproven.has(run.runId)) {
      run.isUnproven = false;
      step();
      return;
    }
    run.holds += 1;
    void this.#alone(run.runId, run.seq, async () => {
      run.holds -= 1;
      step();
      await run.stored();
      run.isUnproven = false;
      this.#unproven.delete(run.runId);
    }).catch((error: unknown) => this.#deps.env.report(`The first step of run ${run.runId} after the restart failed.`, error));
  }

  /** One after the other, each with its id and position in the store. */
  async #alone<T>(runId: string, seq: number | undefined, step: (mark: string) => Promise<T>): Promise<T> {
    const before = this.#turn;
    let done: () => void = () => undefined;
    this.#turn = new Promise((resolve) => {
      done = resolve;
    });
    await before;
    try {
      // With the number of its records in the mark, a run that stores something before the next crash counts as another suspect: it got on.
      const mark = `${runId}${MARK_SEPARATOR}${seq ?? (await this.#deps.store.loadRun(runId))?.seq ?? 0}`;
      await this.#deps.store.markSuspect(mark);
      return await step(mark);
    } finally {
      await this.#finish();
      done();
    }
  }

  async #finish(): Promise<void> {
    try {
      if (this.#unproven.size === 0) {
        this.#isOn = false;
        await this.#deps.store.clearSuspects();
      } else await this.#deps.store.markSuspect(undefined);
    } catch (error) {
      this.#deps.env.report("The suspect could not be unmarked.", error);
    }
  }
}
