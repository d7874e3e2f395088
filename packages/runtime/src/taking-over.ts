import { AppError } from "@tutti/model";
import { type ClaimedShard, shardOf, type Store } from "@tutti/store";
import type { Env } from "./env.ts";
import type { ShardLease } from "./ownership.ts";
import type { RuntimeParts } from "./runtime-parts.ts";
import type { Scheduler } from "./scheduler.ts";

const PAGE = 500;
/** Runs loaded at the same time. */
const LOAD_AT_ONCE = 16;
/** What may have been written for this node is read at the latest after so many beats, whatever the store says about its ends. */
const BEATS_PER_LOOK = 10;
/** Between two tries to list the runs of claimed shards. */
const LIST_AGAIN_MS = 500;

export interface TakingOverDeps {
  readonly parts: () => RuntimeParts;
  readonly scheduler: () => Scheduler | undefined;
  readonly store: Store;
  readonly env: Env;
}

/** What a node does when shards come and go, and when others have written something for it. */
export class TakingOver {
  readonly #deps: TakingOverDeps;
  #isLookDue = false;
  #isLooking = false;
  #isAsked = false;
  #beats = 0;

  constructor(deps: TakingOverDeps) {
    this.#deps = deps;
  }

  /** The same as at the start of a sole owner, for some shards: whom the last owner may have died of, and which messages wait. */
  async prepare(claimed: readonly ClaimedShard[], isStill: (shard: number) => boolean): Promise<void> {
    const { parts, store } = this.#deps;
    const { mailbox, poison, clock } = parts();
    const shards = new Set(claimed.map(({ shard }) => shard));
    const unclean = new Set(claimed.flatMap(({ shard, isClean }) => (isClean ? [] : [shard])));
    await mailbox.readFor(shards, (runId) => isStill(shardOf(runId)));
    if (unclean.size === 0) return;
    const runnable = await listRunnable(store, unclean);
    const due = await store.listDue(clock.nowMs(), PAGE, unclean);
    await poison.start([...runnable, ...due.map(({ runId }) => runId)], (runId) => unclean.has(shardOf(runId)) && isStill(shardOf(runId)));
  }

  opened(leases: readonly ShardLease[]): void {
    this.#takeUp(leases).catch((error: unknown) => {
      if (leases.every(({ mode }) => mode === "closed")) return;
      this.#deps.env.report("The runs of claimed shards could not be listed; it is tried again.", error);
      this.#deps.env.setTimer(LIST_AGAIN_MS, () => this.opened(leases.filter(({ mode }) => mode !== "closed")));
    });
  }

  lost(leases: readonly ShardLease[]): void {
    const { registry, dispatcher, commits, mailbox, poison } = this.#deps.parts();
    const shards = new Set(leases.map(({ shard }) => shard));
    const isGone = (runId: string): boolean => shards.has(shardOf(runId));
    for (const run of registry.ofLeases(leases)) {
      dispatcher.renounce(run);
      const details = { runId: run.runId };
      commits.drop(
        run,
        new AppError("commit-outcome-unknown", `The lease under which run ${run.runId} was driven here is over.`, { details }),
      );
    }
    dispatcher.renounceOrphans(isGone);
    mailbox.forget(isGone);
    poison.forget(isGone);
  }

  news(what: "hint" | "grown" | "beat"): void {
    const { changes, ownership } = this.#deps.parts();
    changes.announceElsewhere((runId) => ownership.leaseOf(runId) !== undefined);
    if (what === "beat") this.#beats += 1;
    if (what !== "beat" || this.#beats >= BEATS_PER_LOOK) this.#isLookDue = true;
    if (this.#isLookDue) this.#look();
  }

  /** One look at a time; what comes meanwhile leads to another. One that fails is due again with the next beat. */
  #look(): void {
    this.#isAsked = true;
    if (this.#isLooking) return;
    this.#isLooking = true;
    void this.#lookOnce().finally(() => {
      this.#isLooking = false;
    });
  }

  async #lookOnce(): Promise<void> {
    const { mailbox, events } = this.#deps.parts();
    while (this.#isAsked) {
      this.#isAsked = false;
      this.#isLookDue = false;
      this.#beats = 0;
      try {
        events.accepted();
        await mailbox.refresh();
        await this.#deps.scheduler()?.refresh();
      } catch (error) {
        this.#isLookDue = true;
        this.#deps.env.report("What other nodes have written could not be read; it is tried again.", error);
        return;
      }
    }
  }

  async #takeUp(leases: readonly ShardLease[]): Promise<void> {
    const { parts, store, scheduler } = this.#deps;
    const { mailbox, events, wakeUps, takeUp, driver } = parts();
    const shards = new Set(leases.map(({ shard }) => shard));
    const runnable = await listRunnable(store, shards);
    events.accepted();
    await scheduler()?.refresh();
    const isOurs = (runId: string): boolean => shards.has(shardOf(runId));
    const left = [...new Set([...runnable, ...mailbox.receivers().filter(isOurs)])].values();
    const worker = async (): Promise<void> => {
      for (const runId of left) {
        if (driver.mode !== "open") return;
        await takeUp(runId);
      }
    };
    await Promise.all(Array.from({ length: LOAD_AT_ONCE }, worker));
    await wakeUps.lookAgain();
  }
}

async function listRunnable(store: Store, shards: ReadonlySet<number>): Promise<readonly string[]> {
  const runIds: string[] = [];
  for (;;) {
    const page = await store.listRunnable(runIds.at(-1), PAGE, shards);
    runIds.push(...page);
    if (page.length < PAGE) return runIds;
  }
}
