import { AppError } from "@tutti/model";
import type { Store } from "@tutti/store";
import type { Env } from "./env.ts";
import type { LoadedRun } from "./loaded-run.ts";

/** Crashes in a row that are blamed on a run before it is set aside. */
export const CRASHES_MAX = 3;

const MARK_SEPARATOR = "@";
/**
 * What a marked step does. Each is counted by itself: a run that dies when a call is sent survives its load every time, and perhaps the sending
 * of the calls of other branches.
 */
type Step = "load" | "fact" | `send ${number}`;

export interface PoisonDeps {
  readonly store: Store;
  readonly env: Env;
  /** Sets the run aside without touching its history: even loading it ended the process. */
  readonly quarantineUnread: (runId: string, reason: string) => Promise<void>;
  /** Whether a timer of the run has come due and will fire at once. */
  readonly isDue: (run: LoadedRun) => boolean;
  /** Where nodes share the store: the shards of this one, and whether the run belongs to them. */
  readonly shards: () => ReadonlySet<number> | undefined;
}

/** The records of a run as texts, and what they were read with. */
export interface FirstLoad {
  readonly runId: string;
  /** Number of records that tell of progress, not of recovering from a crash. */
  readonly progress: number;
  /** Rebuilds the run and lets it go on; sets it aside when there is a reason to. Does not wait for anything. */
  readonly build: (quarantineReason: string | undefined) => LoadedRun;
}

/**
 * Finds the run that takes the process down. After an unclean stop each run that was under way takes its first steps with its id written
 * before them; a crash within is blamed on it. A run blamed three times in a row for the same step is quarantined, everyone else goes on.
 *
 * The mark is held over synchronous work only, so that a kill from outside, which comes at any time, practically never falls into it.
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

  /** Runs that were under way when a process died and have not been tried since: the next owner must watch them, too. */
  get leavesSuspects(): boolean {
    return this.#isOn;
  }

  /**
   * `runIds`: what was under way when a process died, or has come due since. `isOurs`: which runs, of these and of those suspected earlier, this
   * process is to look after; all without it.
   */
  async start(runIds: readonly string[], isOurs: (runId: string) => boolean = () => true): Promise<void> {
    const suspects = await this.#deps.store.readSuspects();
    this.#crashes = new Map(suspects.map((one) => [one.runId, one.crashes]));
    for (const runId of runIds) if (isOurs(runId)) this.#unproven.add(runId);
    for (const { runId: mark } of suspects) {
      const runId = runOfMark(mark);
      if (isOurs(runId)) this.#unproven.add(runId);
    }
    this.#isOn = this.#unproven.size > 0;
  }

  /** Runs that another process looks after from now on. */
  forget(isGone: (runId: string) => boolean): void {
    for (const runId of this.#unproven) if (isGone(runId)) this.#unproven.delete(runId);
    this.#isOn &&= this.#unproven.size > 0;
  }

  /** Whether a run that fits is still to be watched. */
  watches(isMeant: (runId: string) => boolean): boolean {
    for (const runId of this.#unproven) if (isMeant(runId)) return true;
    return false;
  }

  /** Resolves when every marked step asked for so far has been carried out. */
  async settled(): Promise<void> {
    await this.#turn;
  }

  /** Whether the run has to be loaded under watch. */
  isUnproven(runId: string): boolean {
    return this.#isOn && this.#unproven.has(runId);
  }

  /** Loads a run; marked when it is unproven. */
  async firstLoad({ runId, progress, build }: FirstLoad): Promise<LoadedRun> {
    if (!this.isUnproven(runId)) return build(undefined);
    const prefix = `${runId}${MARK_SEPARATOR}${progress} `;
    const crashes = Math.max(0, ...[...this.#crashes].filter(([mark]) => mark.startsWith(prefix)).map(([, count]) => count));
    const reason = `It took the process down ${crashes} times in a row.`;
    if (crashes > CRASHES_MAX) {
      this.#proven(runId);
      await this.#deps.quarantineUnread(runId, reason);
      throw new AppError("operation-not-possible", `The run ${runId} is quarantined. ${reason}`, { details: { runId } });
    }
    try {
      const run = await this.#marked(markOf(runId, progress, "load"), () => build(crashes === CRASHES_MAX ? reason : undefined));
      run.progress = progress;
      // While something is under way that could still take the process down, sending it and its first fact are watched too.
      if ((run.isQuiet && !this.#deps.isDue(run)) || crashes >= CRASHES_MAX) this.#proven(runId);
      else run.isUnproven = true;
      return run;
    } catch (error) {
      this.#proven(runId);
      throw error;
    }
  }

  /** Carries out one of the first steps after a load; marked. Once a fact was taken and stored the run is proven; sending proves nothing. */
  guard(run: LoadedRun, step: () => void, kind: Exclude<Step, "load"> = "fact"): void {
    if (!this.isUnproven(run.runId)) {
      run.isUnproven = false;
      step();
      return;
    }
    run.holds += 1;
    void this.#marked(markOf(run.runId, run.progress, kind), () => {
      run.holds -= 1;
      step();
    })
      .then(() => run.stored())
      .then(() => {
        if (kind !== "fact" && !run.isDropped && !run.isQuiet) return;
        run.isUnproven = false;
        this.#proven(run.runId);
      })
      .catch((error: unknown) => this.#deps.env.report(`The first step of run ${run.runId} after the restart failed.`, error));
  }

  #proven(runId: string): void {
    this.#unproven.delete(runId);
    if (!this.#isOn || this.#unproven.size > 0) return;
    this.#isOn = false;
    this.#deps.store
      .clearSuspects(this.#deps.shards())
      .catch((error: unknown) => this.#deps.env.report("The suspects could not be cleared.", error));
  }

  /** One after the other; the mark is written before the step and withdrawn in the same turn of the event loop. */
  async #marked<T>(mark: string, step: () => T): Promise<T> {
    const before = this.#turn;
    let done: () => void = () => undefined;
    this.#turn = new Promise((resolve) => {
      done = resolve;
    });
    await before;
    try {
      await this.#deps.store.markSuspect(mark);
      let unmarked: Promise<void>;
      try {
        return step();
      } finally {
        unmarked = this.#deps.store.markSuspect(undefined);
        unmarked.catch((error: unknown) => this.#deps.env.report("The suspect could not be unmarked.", error));
      }
    } finally {
      done();
    }
  }
}

function runOfMark(mark: string): string {
  return mark.slice(0, mark.lastIndexOf(MARK_SEPARATOR));
}

function markOf(runId: string, progress: number, step: Step): string {
  return `${runId}${MARK_SEPARATOR}${progress} ${step}`;
}
