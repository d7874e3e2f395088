import { eventKeyValue, type Subscribe, wantsEvent } from "@tutti/engine";
import { type CloudEvent, DEFAULT_TENANT, EVENT_RETENTION_MS } from "@tutti/model";
import type { Store, StoredEvent, Subscriber } from "@tutti/store";
import type { Clock, TimerEntry, TimerQueue } from "./clock.ts";
import type { Env } from "./env.ts";
import type { LoadedRun } from "./loaded-run.ts";
import { isElsewhere, type Ownership, type ShardLease } from "./ownership.ts";
import type { RunDriver } from "./run-driver.ts";
import type { RuntimeMetrics } from "./metrics/runtime-metrics.ts";
import type { RunRegistry } from "./run-registry.ts";
import { isPermanent } from "./store-trouble.ts";

/** Events handed out together; the cursor moves once for all of them. */
const PAGE = 200;
/** Subscribers read at once, and runs that are offered an event without a pause: loading a run that waits takes some 100 µs of the main thread. */
const SUBSCRIBERS_PAGE = 100;
/** Offers that are held in memory, and stored together, at most: as many runs as stay in memory when they have done with it. */
const OFFERS_MAX = 1000;
const RETRY_MS = 1000;
const CLEAN_UP_EVERY_MS = 60 * 60 * 1000;

interface Offer {
  readonly subscriber: Subscriber;
  readonly event: StoredEvent;
}

export interface EventsInDeps {
  readonly metrics: RuntimeMetrics;
  readonly store: Store;
  readonly env: Env;
  readonly clock: Clock;
  readonly timers: TimerQueue;
  readonly driver: RunDriver;
  readonly registry: RunRegistry;
  readonly ownership: Ownership;
  readonly isDriven: (runId: string) => boolean;
  /** Whether this process drives every run, so that an event it has handed out is done. */
  readonly drivesAll: boolean;
}

/**
 * Brings accepted events to the runs that listen. The cursor in the store moves only when every subscriber has committed what an event led
 * to; after a crash the events behind it are handed out again, and a run that has consumed one does not want it any more.
 */
export class EventsIn {
  readonly #deps: EventsInDeps;
  #stored = 0;
  #isRunning = false;
  #isAsked = false;
  #isOn = false;
  readonly #listeners = new Set<() => void>();
  #cleanUp: TimerEntry | undefined;

  constructor(deps: EventsInDeps) {
    this.#deps = deps;
  }

  async start(): Promise<void> {
    const { ownership, store } = this.#deps;
    // Where nodes share the store each shard has its own, which comes with the claim.
    if (!ownership.isShared) {
      this.#stored = await store.readDispatchCursor();
      for (const lease of ownership.leases()) lease.eventsUpTo = this.#stored;
    }
    this.#isOn = true;
    this.accepted();
    if (this.#deps.drivesAll) this.#scheduleCleanUp(0);
  }

  stop(): void {
    this.#isOn = false;
    if (this.#cleanUp !== undefined) this.#deps.timers.clear(this.#cleanUp);
  }

  /** Calls back whenever there are new events in the inbox. */
  onAccepted(listener: () => void): void {
    this.#listeners.add(listener);
  }

  /** There are new events in the inbox. */
  accepted(): void {
    for (const listener of this.#listeners) listener();
    this.#isAsked = true;
    if (!this.#isRunning && this.#isOn) void this.#handOut();
  }

  /**
   * Looks through events that were accepted before the subscription, for its correlated filters. A process that drives only some runs has not
   * handed out to this one what came before it was `resumed`, so then all filters count.
   */
  readBacklog(run: LoadedRun, subscribe: Subscribe, isResumed: boolean): void {
    const filters = subscribe.filters.filter((filter) => filter.correlated || (isResumed && !this.#deps.drivesAll));
    if (filters.length === 0) return;
    const command = { ...subscribe, filters };
    run.holds += 1;
    let isWhole = false;
    const before = run.backlog ?? Promise.resolve();
    const reading = before
      .then(async () => {
        if (await this.#readBacklog(run, command)) isWhole = true;
      })
      .catch((error: unknown) => {
        if (this.#isOn) this.#deps.env.report(`Earlier events for run ${run.runId} could not be read; the run is loaded again.`, error);
        this.#deps.driver.commits.drop(run, error);
      })
      .finally(() => {
        run.holds -= 1;
        if (run.backlog === reading) {
          run.backlog = undefined;
          // Cut short by a stop it stays unread, for whoever loads the run next.
          if (isWhole) run.hasUnreadBacklog = false;
        }
        if (!run.isDropped && run.isQuiet) this.#deps.registry.rested(run);
      });
    run.backlog = reading;
  }

  /** False when it was cut short. */
  async #readBacklog(run: LoadedRun, command: Subscribe): Promise<boolean> {
    const { store } = this.#deps;
    const { filters } = command;
    run.startPosition ??= (await store.loadRun(run.runId))?.startPosition ?? 0;
    const hasCorrelated = filters.some((filter) => filter.correlated);
    const type = filters.length === 1 ? filters[0]?.eventType : undefined;
    let position = hasCorrelated ? run.startPosition : Math.max(this.#stored, run.startPosition);
    for (;;) {
      if (!this.#mayGive(run)) return false;
      const page = await store.readEvents(run.tenant, { afterPosition: position, type, limit: PAGE });
      for (const event of page) {
        position = event.position;
        await this.#offer(run, command, event);
      }
      if (page.length < PAGE) return this.#mayGive(run);
    }
  }

  #mayGive(run: LoadedRun): boolean {
    return !run.isDropped && this.#isOn && this.#deps.driver.modeOf(run) === "open";
  }

  async #offer(run: LoadedRun, command: Subscribe, stored: StoredEvent): Promise<void> {
    const fitting = command.filters.filter((filter) => filter.eventType === undefined || filter.eventType === stored.type);
    if (fitting.length === 0) return;
    for (const filter of fitting) {
      if (run.isDropped) return;
      const one = { runId: run.runId, task: command.task, filter: filter.index };
      // A listener without correlation sees only what came after it; the store knows which events those are.
      const isCandidate = filter.correlated || stored.position > ((await this.#deps.store.listensAfter(one)) ?? stored.position);
      if (isCandidate && this.#give(run, { task: command.task, filter: filter.index, stored })) return;
    }
  }

  /** Feeds the event if the listener wants it. */
  #give(run: LoadedRun, offer: { readonly task: number; readonly filter: number; readonly stored: StoredEvent }): boolean {
    const { driver } = this.#deps;
    if (run.isDropped || driver.modeOf(run) !== "open") return false;
    // Bodies are written from checked events only.
    const event = JSON.parse(offer.stored.body) as CloudEvent;
    const { position } = offer.stored;
    if (!wantsEvent(run.state, offer.task, offer.filter, position, event, run.context)) return false;
    return driver.feed(run, { type: "event-received", at: driver.timeFor(run), task: offer.task, position, event });
  }

  async #handOut(): Promise<void> {
    this.#isRunning = true;
    const { store, env } = this.#deps;
    try {
      while (this.#isAsked && this.#isOn) {
        this.#isAsked = false;
        for (;;) {
          // A shard that was just claimed may be behind the others: they see its events again, and pass over what they know.
          const leases = this.#deps.ownership.leases().filter(isOpen);
          if (leases.length === 0) break;
          const afterPosition = Math.min(...leases.map(({ eventsUpTo }) => eventsUpTo));
          const page = await store.readEvents(DEFAULT_TENANT, { afterPosition, type: undefined, limit: PAGE });
          if (page.length === 0 || !this.#isOn) break;
          await this.#handOutPage(page, leases);
          // Stopped half way: what is behind the cursor is handed out again by the next process, so it must not move.
          if (!this.#isOn) break;
          await this.#handedOut(page.at(-1)?.position ?? afterPosition, leases.filter(isOpen));
        }
      }
    } catch (error) {
      if (this.#isOn) {
        env.report("Handing out events failed; it is tried again.", error);
        this.#deps.timers.schedule(this.#deps.clock.nowMs() + RETRY_MS, () => this.accepted());
      }
    } finally {
      this.#isRunning = false;
    }
  }

  /** Resolves when everything the page led to is stored. */
  async #handOutPage(page: readonly StoredEvent[], leases: readonly ShardLease[]): Promise<void> {
    const taken = new Set<number>();
    let offers: Offer[] = [];
    for (const event of page) {
      for await (const subscribers of this.#candidates(event)) {
        offers.push(...subscribers.filter(({ runId }) => this.#isFor(runId, event, leases)).map((subscriber) => ({ subscriber, event })));
        if (offers.length < OFFERS_MAX) continue;
        await this.#giveAll(offers, taken);
        offers = [];
      }
    }
    await this.#giveAll(offers, taken);
    this.#deps.metrics.eventsUnmatched += page.length - taken.size;
  }

  /** Who may want the event, page by page; cut short by a stop. */
  async *#candidates(stored: StoredEvent): AsyncGenerator<readonly Subscriber[]> {
    const { tenant, type, position } = stored;
    let event: CloudEvent | undefined;
    // Bodies are written from checked events only; most are not looked into here, since nobody of their type waits with a key.
    const keyValue = (name: string): string | undefined => eventKeyValue((event ??= JSON.parse(stored.body) as CloudEvent), name);
    let cursor: string | undefined;
    while (this.#isOn) {
      const page = await this.#deps.store.findSubscribers({ tenant, type, position, keyValue, limit: SUBSCRIBERS_PAGE, cursor });
      yield page.subscribers;
      cursor = page.next;
      if (cursor === undefined) return;
      await this.#pause();
    }
  }

  #isFor(runId: string, event: StoredEvent, leases: readonly ShardLease[]): boolean {
    const lease = this.#deps.ownership.leaseOf(runId);
    if (lease === undefined || lease.eventsUpTo >= event.position || !leases.includes(lease)) return false;
    return this.#deps.isDriven(runId);
  }

  /** Resolves when everything the offers led to is stored. A run that was lost on the way is offered its events again. */
  async #giveAll(offers: readonly Offer[], taken: Set<number>): Promise<void> {
    let open = offers;
    while (open.length > 0 && this.#isOn) {
      const given: { readonly offer: Offer; readonly run: LoadedRun }[] = [];
      const failed: Offer[] = [];
      for (const [index, offer] of open.entries()) {
        if (index > 0 && index % SUBSCRIBERS_PAGE === 0) await this.#pause();
        // The cursor stays where it is, so what is left is handed out by the next process.
        if (!this.#isOn) return;
        const run = await this.#deliver(offer);
        if (run === "failed") failed.push(offer);
        else if (run !== undefined) {
          given.push({ offer, run });
          taken.add(offer.event.position);
        }
      }
      await Promise.all([...new Set(given.map(({ run }) => run))].map((run) => run.stored()));
      open = [...failed, ...given.filter(({ run }) => run.isLost && isOpen(run.lease)).map(({ offer }) => offer)];
      if (failed.length > 0) await new Promise<void>((resolve) => void this.#deps.env.setTimer(RETRY_MS, resolve));
    }
  }

  /** Lets everything else have its turn: answers from memory and from the store's main thread never do. */
  async #pause(): Promise<void> {
    await new Promise<void>((resolve) => this.#deps.env.defer(resolve));
  }

  /** The run that the event was given to; undefined when it did not want it, and `failed` when the store would not say. */
  async #deliver({ subscriber, event }: Offer): Promise<LoadedRun | "failed" | undefined> {
    try {
      let run = await this.#deps.registry.use(subscriber.runId);
      while (run.isDropped || run.backlog !== undefined) {
        await run.backlog;
        run = await this.#deps.registry.use(subscriber.runId);
      }
      const isGiven = this.#give(run, { task: subscriber.task, filter: subscriber.filter, stored: event });
      if (!run.isDropped && run.isQuiet) this.#deps.registry.rested(run);
      return isGiven ? run : undefined;
    } catch (error) {
      if (isElsewhere(error)) return undefined;
      if (this.#isOn) this.#deps.env.report(`An event could not be brought to run ${subscriber.runId}.`, error);
      // Passed over now it would be lost: the cursor waits.
      return isPermanent(error) ? undefined : "failed";
    }
  }

  /** Without `drivesAll` other runs may still wait for these events, so they are never crossed off. */
  async #handedOut(position: number, leases: readonly ShardLease[]): Promise<void> {
    const { drivesAll, store } = this.#deps;
    const moved = leases.filter(({ eventsUpTo }) => eventsUpTo < position);
    for (const lease of moved) lease.eventsUpTo = position;
    if (!drivesAll) return;
    if (store.leases !== undefined) {
      const under = moved.flatMap(({ shard, epoch }) => (epoch === undefined ? [] : [{ shard, epoch }]));
      return store.leases.writeCursors(position, under);
    }
    await store.writeDispatchCursor(position);
    this.#stored = position;
  }

  #scheduleCleanUp(delayMs: number): void {
    const { clock, timers, store, env } = this.#deps;
    this.#cleanUp = timers.schedule(clock.nowMs() + delayMs, () => {
      store
        .deleteEventsBefore(clock.ageMs() - EVENT_RETENTION_MS)
        .catch((error: unknown) => env.report("Old events could not be deleted.", error));
      if (this.#isOn) this.#scheduleCleanUp(CLEAN_UP_EVERY_MS);
    });
  }
}

/** What is given to a run of such a shard is taken; a shard that goes to another node takes its events there. */
function isOpen({ mode }: ShardLease): boolean {
  return mode === "open";
}
