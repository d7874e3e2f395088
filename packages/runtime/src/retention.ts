import type { FinishedPlace, Store } from "@tutti/store";
import { DEFAULT_TENANT } from "@tutti/model";
import { type Clock, JUMP_DISTRUSTED_MS, type TimerEntry, type TimerQueue } from "./clock.ts";
import type { Env } from "./env.ts";
import type { ProgramCache } from "./program-cache.ts";
import type { PruneReport, PruneRequest } from "./runtime.ts";

const DAY_MS = 86_400_000;
/** How long finished runs stay when neither their document nor the host says: a quarter of a year, for the questions that come late. */
export const RUNS_KEPT_MS = 90 * DAY_MS;
/** Their logs are many times larger than their records and asked for while the case is fresh. */
export const LOGS_KEPT_MS = 30 * DAY_MS;
/** How long a run, or its logs, stay that are never deleted. */
export const FOREVER_MS = Number.POSITIVE_INFINITY;

/** Retention counts in days: an hour more or less is nobody's business. */
const PRUNE_EVERY_MS = 3_600_000;
/** A start has better things to do first. */
const FIRST_PRUNE_MS = 60_000;
/** Runs condemned in one commit, and looked at in one page. */
const RUNS_AT_ONCE = 50;
const LOGS_AT_ONCE = 500;
/** Between two slices: the commits that waited have their turn, and a deletion takes at most about half of the disk. */
const SLICE_PAUSE_MS = 2;
/** Free space that stays in the file for the runs to come: to give all of it back every hour would only move it to and fro. */
const SPACE_KEPT_BYTES = 16 * 1024 * 1024;

export interface RetentionDeps {
  readonly store: Store;
  readonly env: Env;
  readonly clock: Clock;
  readonly timers: TimerQueue;
  readonly programs: ProgramCache;
  /** How long finished runs and their logs stay when their document says nothing. */
  readonly runsKeptMs: number;
  readonly logsKeptMs: number;
  /** Whether it is this process that deletes by itself: one of several is enough. */
  readonly isMine: () => boolean;
  /** Whether the run is in memory: somebody looks at it right now. */
  readonly isLoaded: (runId: string) => boolean;
}

interface Rule {
  readonly runsMs: number;
  readonly logsMs: number;
}

/**
 * Deletes runs that ended long enough ago, with everything below them, their logs and what they occupy in the store.
 *
 * A crash at any point leaves runs that are there whole, or condemned ones that nobody sees: the next time goes on with those. Logs go before the
 * last trace of their run, so none is left behind.
 */
export class Retention {
  readonly #deps: RetentionDeps;
  #entry: TimerEntry | undefined;
  #isOn = false;
  #isStopped = false;
  /** One deletion at a time. */
  #turn: Promise<unknown> = Promise.resolve();
  /** Per digest: logs of runs that ended up to here are gone. Forgotten with the process; deleting them twice does no harm. */
  readonly #logsDeleted = new Map<string, FinishedPlace>();
  readonly #rules = new Map<string, Rule>();

  constructor(deps: RetentionDeps) {
    this.#deps = deps;
  }

  /**
   * From now on by itself. A machine that starts with a wrong time looks like one that was off for long: a gap since the newest run does not count
   * as age at first.
   */
  async start(): Promise<void> {
    const { store, clock } = this.#deps;
    const [newest] = (await store.listRuns({ tenant: DEFAULT_TENANT, limit: 1 })).runs;
    const gapMs = newest === undefined ? 0 : clock.nowMs() - newest.startedAtMs;
    if (gapMs > JUMP_DISTRUSTED_MS) clock.distrust(gapMs);
    this.#isOn = true;
    this.#schedule(FIRST_PRUNE_MS);
  }

  /** Resolves when the slice under way has ended. */
  async stop(): Promise<void> {
    this.#isOn = false;
    this.#isStopped = true;
    if (this.#entry !== undefined) this.#deps.timers.clear(this.#entry);
    await this.#turn;
  }

  /** Deletes now, by the time as it is and with all of the space given back; with `olderThanMs` that counts instead of every rule. */
  async prune(request: PruneRequest): Promise<PruneReport> {
    return this.#inTurn(() => this.#prune(request, 0, this.#deps.clock.nowMs()));
  }

  #schedule(delayMs: number): void {
    const { timers, clock, env } = this.#deps;
    this.#entry = timers.schedule(clock.nowMs() + delayMs, () => {
      this.#inTurn(() => this.#byItself())
        .catch((error: unknown) => env.report("Old runs could not be deleted; it is tried again.", error))
        .finally(() => {
          if (this.#isOn) this.#schedule(PRUNE_EVERY_MS);
        });
    });
  }

  async #byItself(): Promise<void> {
    if (!this.#deps.isMine()) return;
    await this.#prune({ dryRun: false }, SPACE_KEPT_BYTES, this.#deps.clock.ageMs());
    await this.#pruneLogs();
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.#turn.then(work);
    this.#turn = mine.catch(() => undefined);
    return mine;
  }

  async #prune({ olderThanMs, dryRun }: PruneRequest, keepBytes: number, nowMs: number): Promise<PruneReport> {
    const { store } = this.#deps;
    const { bytes: bytesBefore } = await store.giveBackSpace(Number.MAX_SAFE_INTEGER);
    const counts = new Map<string, { readonly namespace: string; readonly name: string; runs: number }>();
    let below = dryRun ? 0 : await this.#sweep();
    for (const { digest, firstEndedAtMs } of await store.listFinishedDigests()) {
      const keptMs = olderThanMs ?? (await this.#ruleOf(digest)).runsMs;
      const endedBeforeMs = nowMs - keptMs;
      if (firstEndedAtMs >= endedBeforeMs) continue;
      let after: FinishedPlace | undefined;
      do {
        if (this.#isStopped) break;
        const page = await store.listFinished({
          digest,
          endedBeforeMs,
          onlyWholeTrees: true,
          limit: RUNS_AT_ONCE,
          ...(after === undefined ? {} : { after }),
        });
        const runs = page.runs.filter((run) => !this.#deps.isLoaded(run.runId));
        for (const { namespace, name } of runs) {
          const key = `${namespace}/${name}`;
          const known = counts.get(key);
          if (known === undefined) counts.set(key, { namespace, name, runs: 1 });
          else known.runs += 1;
        }
        if (!dryRun && runs.length > 0) {
          await store.condemnRuns(runs.map((run) => run.runId));
          below += (await this.#sweep()) - runs.length;
        }
        after = page.next;
      } while (after !== undefined);
    }
    const isAnyGone = !dryRun && (counts.size > 0 || below > 0);
    const bytesAfter = isAnyGone || (!dryRun && keepBytes === 0) ? await this.#giveBack(keepBytes) : bytesBefore;
    const workflows = [...counts.values()].toSorted((a, b) => b.runs - a.runs);
    return {
      dryRun,
      runs: workflows.reduce((sum, one) => sum + one.runs, 0),
      runsBelow: Math.max(0, below),
      workflows,
      bytesBefore,
      bytesAfter,
    };
  }

  /** Deletes what is left of condemned runs. @returns how many there were. */
  async #sweep(): Promise<number> {
    const { store, env } = this.#deps;
    let count = 0;
    for (;;) {
      const runIds = await store.listCondemned(RUNS_AT_ONCE);
      if (runIds.length === 0) return count;
      count += runIds.length;
      for (const runId of runIds) await env.logs.remove(runId);
      while (!(await store.sweepRuns(runIds))) {
        await this.#pause();
        if (this.#isStopped) return count;
      }
      await this.#pause();
    }
  }

  async #giveBack(keepBytes: number): Promise<number> {
    for (;;) {
      const { isDone, bytes } = await this.#deps.store.giveBackSpace(keepBytes);
      if (isDone || this.#isStopped) return bytes;
      await this.#pause();
    }
  }

  /** Logs that stay for less time than their runs. */
  async #pruneLogs(): Promise<void> {
    const { store, clock, env } = this.#deps;
    for (const { digest, firstEndedAtMs } of await store.listFinishedDigests()) {
      const { runsMs, logsMs } = await this.#ruleOf(digest);
      const endedBeforeMs = clock.ageMs() - logsMs;
      if (logsMs >= runsMs || firstEndedAtMs >= endedBeforeMs) continue;
      for (;;) {
        if (this.#isStopped) return;
        const after = this.#logsDeleted.get(digest);
        const page = await store.listFinished({
          digest,
          endedBeforeMs,
          onlyWholeTrees: false,
          limit: LOGS_AT_ONCE,
          ...(after === undefined ? {} : { after }),
        });
        for (const run of page.runs) await env.logs.remove(run.runId);
        const last = page.runs.at(-1);
        if (last !== undefined) this.#logsDeleted.set(digest, { endedAtMs: last.endedAtMs, runId: last.runId });
        if (page.next === undefined) break;
        await this.#pause();
      }
    }
  }

  /** What the document says, else the host. Of a document that cannot be read nothing is deleted. */
  async #ruleOf(digest: string): Promise<Rule> {
    const known = this.#rules.get(digest);
    if (known !== undefined) return known;
    const { programs, env, runsKeptMs, logsKeptMs } = this.#deps;
    let rule: Rule;
    try {
      const said = (await programs.ofDigest(digest, "that has ended")).context.program.retention;
      rule = { runsMs: said?.runsMs ?? runsKeptMs, logsMs: said?.logsMs ?? Math.min(logsKeptMs, said?.runsMs ?? runsKeptMs) };
    } catch (error) {
      env.report(`How long runs of the document ${digest} stay cannot be read; they stay.`, error);
      rule = { runsMs: FOREVER_MS, logsMs: FOREVER_MS };
    }
    this.#rules.set(digest, rule);
    return rule;
  }

  #pause(): Promise<void> {
    const { timers, clock } = this.#deps;
    return new Promise((resolve) => void timers.schedule(clock.nowMs() + SLICE_PAUSE_MS, resolve));
  }
}
