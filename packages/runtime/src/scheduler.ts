import type { SchedulePlan } from "@tutti/definition";
import { collectEvent, inputOfEvents } from "@tutti/engine";
import { AppError, type CloudEvent, DEFAULT_TENANT, type Json } from "@tutti/model";
import type { RunRow, ScheduleRow, Store, StoredEvent } from "@tutti/store";
import type { Clock, TimerEntry, TimerQueue } from "./clock.ts";
import type { Env } from "./env.ts";
import type { LoadedProgram, ProgramCache } from "./program-cache.ts";
import type { RuntimeMetrics } from "./metrics/runtime-metrics.ts";
import type { RunChanges } from "./run-watching.ts";
import type { StartRunRequest } from "./runtime.ts";
import { beginState, followPlan, nextLookMs, type ScheduledStart, type ScheduleState, takeDue } from "./schedule-state.ts";

/** Events offered together; what they led to is written once for all of them. */
const PAGE = 200;
const RETRY_MS = 1000;
/** Starts that wait for an earlier run; what comes on top of them is skipped, and counted. */
const QUEUE_MAX = 1000;

export interface ScheduleName {
  readonly namespace: string;
  readonly name: string;
}

export interface SchedulerDeps {
  readonly store: Store;
  readonly env: Env;
  readonly clock: Clock;
  readonly timers: TimerQueue;
  readonly programs: ProgramCache;
  readonly metrics: RuntimeMetrics;
  readonly changes: RunChanges;
  /** Whether this process drives the schedule; another node does otherwise. */
  readonly isMine: (schedule: string) => boolean;
  readonly start: (request: StartRunRequest) => Promise<{ readonly runId: string }>;
  /** The id of the run that a start key belongs to. */
  readonly runIdOf: (startKey: string) => string;
  readonly cancel: (runId: string, actor: string, reason: string) => Promise<void>;
}

/** A schedule as the store has it. */
export interface StoredSchedule {
  readonly row: ScheduleRow;
  readonly state: ScheduleState;
}

interface Entry {
  readonly name: ScheduleName;
  /** As stored; undefined until it was enabled once. */
  stored: StoredSchedule | undefined;
  /** What is done with one schedule is done one after the other. */
  turn: Promise<void>;
  isAsked: boolean;
  timer: TimerEntry | undefined;
  nextMs: number | undefined;
  readonly watched: Map<string, () => void>;
  /** Events of open groups and waiting starts, by place. */
  readonly events: Map<number, CloudEvent>;
}

/**
 * Starts runs by the clock and by events. Each start has a key made of the schedule's name and its instant, or the place of its first event:
 * so it starts one run, whatever happens between the start and the writing of how far the schedule has come.
 *
 * What a crash leaves: before a start, nothing has happened; after it, the run is there and is found by its key when the instant is dealt with
 * again. Instants come from the wall clock; timers only wake.
 */
export class Scheduler {
  readonly #deps: SchedulerDeps;
  readonly #entries = new Map<string, Entry>();
  #isOn = false;

  constructor(deps: SchedulerDeps) {
    this.#deps = deps;
  }

  /** Drives every enabled schedule from here on. */
  async start(): Promise<void> {
    this.#isOn = true;
    for (const row of await this.#deps.store.listSchedules(DEFAULT_TENANT)) {
      const entry = this.#entry(row);
      entry.stored ??= storedOf(row);
      this.#poke(entry);
    }
  }

  /** Other nodes may have written schedules, or left some to this one. */
  async refresh(): Promise<void> {
    if (!this.#isOn) return;
    for (const row of await this.#deps.store.listSchedules(DEFAULT_TENANT)) {
      if (!this.#deps.isMine(titleOf(row))) continue;
      const entry = this.#entry(row);
      void this.#inTurn(entry, async () => {
        if (row.revision > (entry.stored?.row.revision ?? 0)) {
          entry.stored = storedOf(row);
          entry.events.clear();
        }
      });
      this.#poke(entry);
    }
  }

  /** Takes no new turn; resolves when the turns under way are over. */
  async stop(): Promise<void> {
    this.#isOn = false;
    for (const entry of this.#entries.values()) {
      if (entry.timer !== undefined) this.#deps.timers.clear(entry.timer);
      for (const end of entry.watched.values()) end();
      entry.watched.clear();
    }
    await Promise.all([...this.#entries.values()].map((entry) => entry.turn));
  }

  /** Another version of a workflow is there. */
  published(name: ScheduleName): void {
    const entry = this.#entries.get(keyOf(name));
    if (entry !== undefined) this.#poke(entry);
  }

  /** There are new events in the inbox. */
  eventsAccepted(): void {
    for (const entry of this.#entries.values()) if (entry.stored?.row.eventPosition !== undefined) this.#poke(entry);
  }

  /** The earliest instant at which a schedule starts a run; undefined when none does so by the clock. */
  nextTickAt(): number | undefined {
    const instants = [...this.#entries.values()].flatMap(({ nextMs }) => (nextMs === undefined ? [] : [nextMs]));
    return instants.length === 0 ? undefined : Math.min(...instants);
  }

  /** Enables a schedule, from now on, or disables it: what waits is dropped, runs under way go on. Resolves when that is stored. */
  async set(name: ScheduleName, plan: SchedulePlan, isEnabled: boolean): Promise<StoredSchedule | undefined> {
    const entry = this.#entry(name);
    await this.#inTurn(entry, async () => {
      await this.#load(entry);
      const { stored } = entry;
      if ((stored?.row.isEnabled ?? false) === isEnabled) return;
      const begun = beginState(plan, this.#wallMs(), await this.#inboxEnd());
      const { started = 0, skipped = 0, failed = 0, last = null, failure = null } = stored?.state ?? {};
      entry.events.clear();
      await this.#write(entry, { ...begun, started, skipped, failed, last, failure }, plan, isEnabled);
    });
    this.#poke(entry);
    return entry.stored;
  }

  async find(name: ScheduleName): Promise<StoredSchedule | undefined> {
    const row = await this.#deps.store.loadSchedule(DEFAULT_TENANT, name.namespace, name.name);
    return row === undefined ? undefined : storedOf(row);
  }

  /** Starts a run of the schedule now, at a person's word: whatever runs, and besides its instants. */
  async fire(name: ScheduleName, request: { readonly input: Json; readonly actor: string }): Promise<{ readonly runId: string }> {
    const entry = this.#entry(name);
    let runId = "";
    await this.#inTurn(entry, async () => {
      await this.#load(entry);
      const labels = { schedule: titleOf(name) };
      ({ runId } = await this.#deps.start({ ...name, version: "latest", input: request.input, actor: request.actor, labels }));
      const plan = (await this.#deps.programs.find(name.namespace, name.name, "latest"))?.context.program.schedule;
      const { stored } = entry;
      if (stored === undefined || plan === undefined || !stored.row.isEnabled) return;
      const active = isTracked(plan) ? [...stored.state.active, runId] : stored.state.active;
      const last = { atMs: this.#wallMs(), runId };
      await this.#write(entry, { ...stored.state, active, last, started: stored.state.started + 1, dueAtMs: null }, plan, true);
    });
    this.#poke(entry);
    return { runId };
  }

  #entry(name: ScheduleName): Entry {
    const key = keyOf(name);
    const known = this.#entries.get(key);
    if (known !== undefined) return known;
    const { namespace } = name;
    const entry: Entry = {
      name: { namespace, name: name.name },
      stored: undefined,
      turn: Promise.resolve(),
      isAsked: false,
      timer: undefined,
      nextMs: undefined,
      watched: new Map(),
      events: new Map(),
    };
    this.#entries.set(key, entry);
    return entry;
  }

  async #load(entry: Entry): Promise<void> {
    // What another node drives may have changed since.
    if (entry.stored === undefined || !this.#deps.isMine(titleOf(entry.name))) entry.stored = await this.find(entry.name);
  }

  /** Looks at the schedule as soon as its turn comes; asked several times before that, it looks once. */
  #poke(entry: Entry): void {
    if (!this.#isOn || entry.isAsked || !this.#deps.isMine(titleOf(entry.name))) return;
    entry.isAsked = true;
    void this.#inTurn(entry, async () => {
      entry.isAsked = false;
      if (this.#isOn) await this.#look(entry);
    }).catch((error: unknown) => {
      entry.isAsked = false;
      if (!this.#isOn) return;
      this.#deps.env.report(`The schedule of ${titleOf(entry.name)} could not be driven; it is tried again.`, error);
      this.#wake(entry, this.#wallMs() + RETRY_MS);
    });
  }

  #inTurn(entry: Entry, work: () => Promise<void>): Promise<void> {
    const done = entry.turn.then(work);
    // The next turn comes whatever became of this one.
    entry.turn = done.then(
      () => undefined,
      () => undefined,
    );
    return done;
  }

  async #look(entry: Entry): Promise<void> {
    const { stored, name } = entry;
    entry.nextMs = undefined;
    if (!this.#deps.isMine(titleOf(name))) return this.#watch(entry, []);
    if (stored === undefined || !stored.row.isEnabled) return this.#watch(entry, []);
    const program = await this.#deps.programs.find(name.namespace, name.name, "latest");
    const plan = program?.context.program.schedule;
    // The latest version has no schedule: it rests until one has.
    if (program === undefined || plan === undefined) return;
    const nowMs = this.#wallMs();
    const turn = new Turn(this.#deps, { entry, program, plan });
    const { row, state } = stored;
    // A schedule that begins to listen hears what comes from here on.
    const isNewListener = plan.trigger.kind === "on" && row.eventPosition === undefined;
    const heard = isNewListener ? { ...state, readUpTo: await this.#inboxEnd() } : state;
    turn.state = await turn.withoutEnded(followPlan(heard, plan, nowMs));
    const due = takeDue(plan, turn.state, nowMs);
    turn.state = due.state;
    if (due.missed !== undefined) this.#reportMissed(name, due);
    for (const start of due.starts) await turn.take(start);
    if (plan.trigger.kind === "on") await turn.readEvents();
    await turn.drain();
    if (JSON.stringify(turn.state) !== row.body) await this.#write(entry, turn.state, plan, true);
    this.#watch(entry, turn.state.active);
    entry.nextMs = nextLookMs(plan, turn.state);
    if (entry.nextMs !== undefined) this.#wake(entry, entry.nextMs);
  }

  #reportMissed({ namespace, name }: ScheduleName, due: ReturnType<typeof takeDue>): void {
    if (due.missed === undefined) return;
    this.#deps.metrics.scheduleMisfires += 1;
    const { fromMs, toMs } = due.missed;
    const count = due.starts.filter(({ atMs }) => atMs <= toMs).length;
    const runs = count === 0 ? "no run makes up for it" : count === 1 ? "one run makes up for it" : `${count} runs make up for it`;
    this.#deps.env.report(
      `Nobody was there for the schedule of ${namespace}/${name} from ${iso(fromMs)} to ${iso(toMs)}: ${runs}.`,
      undefined,
    );
  }

  async #write(entry: Entry, state: ScheduleState, plan: SchedulePlan, isEnabled: boolean): Promise<void> {
    const { env, store } = this.#deps;
    const row: ScheduleRow = {
      tenant: DEFAULT_TENANT,
      ...entry.name,
      isEnabled,
      eventPosition: isEnabled && plan.trigger.kind === "on" ? readPositionOf(state) : undefined,
      revision: (entry.stored?.row.revision ?? 0) + 1,
      body: JSON.stringify(state),
    };
    env.crashPoint("schedule.before", { schedule: titleOf(entry.name) });
    const outcome = await store.putSchedule(row);
    if (outcome === "conflict") {
      entry.stored = await this.find(entry.name);
      throw new AppError("commit-outcome-unknown", `The schedule of ${titleOf(entry.name)} was changed by somebody else meanwhile.`);
    }
    entry.stored = { row, state };
    env.crashPoint("schedule.after", { schedule: titleOf(entry.name) });
  }

  /** Looks again when one of these runs has moved. */
  #watch(entry: Entry, runIds: readonly string[]): void {
    for (const [runId, end] of entry.watched) {
      if (runIds.includes(runId)) continue;
      end();
      entry.watched.delete(runId);
    }
    for (const runId of runIds) {
      if (!entry.watched.has(runId))
        entry.watched.set(
          runId,
          this.#deps.changes.onRow(runId, () => this.#poke(entry)),
        );
    }
  }

  #wake(entry: Entry, atMs: number): void {
    const { clock, timers } = this.#deps;
    if (entry.timer !== undefined) timers.clear(entry.timer);
    if (this.#isOn) entry.timer = timers.schedule(clock.nowMs() + Math.max(0, atMs - this.#wallMs()), () => this.#poke(entry));
  }

  async #inboxEnd(): Promise<number> {
    const [newest] = await this.#deps.store.listEvents(DEFAULT_TENANT, 1);
    return newest?.position ?? 0;
  }

  #wallMs(): number {
    return Math.floor(this.#deps.env.wallClockMs());
  }
}

/** One look at a schedule: takes starts and events into a state that is written at the end. */
class Turn {
  state!: ScheduleState;
  readonly #deps: SchedulerDeps;
  readonly #entry: Entry;
  readonly #program: LoadedProgram;
  readonly #plan: SchedulePlan;

  constructor(deps: SchedulerDeps, given: { readonly entry: Entry; readonly program: LoadedProgram; readonly plan: SchedulePlan }) {
    this.#deps = deps;
    this.#entry = given.entry;
    this.#program = given.program;
    this.#plan = given.plan;
  }

  /** Runs that are at rest are under way no more; with `after` the pause begins when the last of them is. */
  async withoutEnded(state: ScheduleState): Promise<ScheduleState> {
    if (!isTracked(this.#plan)) return state.active.length === 0 ? state : { ...state, active: [] };
    const rows = await Promise.all(state.active.map((runId) => this.#deps.store.loadRun(runId)));
    const active = state.active.filter((_, index) => !isOver(rows[index]));
    const { trigger } = this.#plan;
    if (trigger.kind !== "after" || active.length > 0 || state.dueAtMs !== null) return { ...state, active };
    const endMs = Math.max(...rows.map((row) => row?.endedAtMs ?? row?.updatedAtMs ?? this.#nowMs()), 0);
    // A run that is gone from the store, or none at all: as if it had ended now.
    const fromMs = endMs > 0 ? Math.min(endMs, this.#nowMs()) : this.#nowMs();
    return { ...state, active, dueAtMs: fromMs + trigger.afterMs };
  }

  /** Starts it, or does with it what the policy says while an earlier run is under way. */
  async take(start: ScheduledStart): Promise<void> {
    const { overlap } = this.#plan;
    const { state } = this;
    const isBusy = overlap !== "allow" && (state.active.length > 0 || state.queue.length > 0);
    // It was started before a crash and not written down: whatever the policy says now, it is there.
    if (!isBusy || (await this.#deps.store.loadRun(this.#runIdOf(start))) !== undefined) return this.#begin(start);
    const isFull = overlap === "queue" && state.queue.length >= QUEUE_MAX;
    if (overlap === "skip" || isFull) this.state = { ...state, skipped: state.skipped + 1 };
    else if (overlap === "queue") this.state = { ...state, queue: [...state.queue, start] };
    else {
      this.state = { ...state, queue: [start], skipped: state.skipped + state.queue.length };
      for (const runId of state.active) await this.#deps.cancel(runId, this.#actor, `the schedule starts the next run (${start.key})`);
    }
  }

  /** Starts what waits, as far as nothing is under way. */
  async drain(): Promise<void> {
    for (;;) {
      this.state = await this.withoutEnded(this.state);
      const [start, ...queue] = this.state.queue;
      if (start === undefined || this.state.active.length > 0) return;
      await this.#begin(start);
      this.state = { ...this.state, queue };
    }
  }

  /** Offers the events that have come since; those of groups that are complete start runs. */
  async readEvents(): Promise<void> {
    const { trigger } = this.#plan;
    if (trigger.kind !== "on") return;
    const { store } = this.#deps;
    for (;;) {
      const page = await store.readEvents(DEFAULT_TENANT, { afterPosition: this.state.readUpTo, type: undefined, limit: PAGE });
      for (const stored of page) await this.#offer(stored, trigger);
      if (page.length < PAGE) return;
    }
  }

  async #offer(stored: StoredEvent, trigger: SchedulePlan["trigger"] & { readonly kind: "on" }): Promise<void> {
    const { position } = stored;
    // Bodies are written from checked events only.
    const event = JSON.parse(stored.body) as CloudEvent;
    const { groups } = this.state;
    await this.#remember(groups.flatMap((group) => group.positions));
    const offer = { trigger, groups, event, position, nowMs: stored.acceptedAtMs, eventAt: (at: number) => this.#entry.events.get(at) };
    const collected = collectEvent(offer, this.#program.context);
    this.state = { ...this.state, groups: collected.groups, readUpTo: position };
    const { complete } = collected;
    if (collected.groups !== groups || complete !== undefined) this.#entry.events.set(position, event);
    const [first] = complete?.positions ?? [];
    if (complete !== undefined && first !== undefined)
      await this.take({ key: `event ${first}`, atMs: stored.acceptedAtMs, positions: complete.positions });
    this.#forget();
  }

  /** Reads events that are needed and not in memory. */
  async #remember(positions: readonly number[]): Promise<void> {
    const { events } = this.#entry;
    for (const position of positions) {
      if (events.has(position)) continue;
      const [stored] = await this.#deps.store.readEvents(DEFAULT_TENANT, { afterPosition: position - 1, type: undefined, limit: 1 });
      if (stored?.position === position) events.set(position, JSON.parse(stored.body) as CloudEvent);
    }
  }

  #forget(): void {
    const needed = new Set([...this.state.groups, ...this.state.queue].flatMap(({ positions }) => positions));
    for (const position of this.#entry.events.keys()) if (!needed.has(position)) this.#entry.events.delete(position);
  }

  async #begin(start: ScheduledStart): Promise<void> {
    const { trigger } = this.#plan;
    const { namespace, name } = this.#entry.name;
    await this.#remember(start.positions);
    const events = start.positions.flatMap((position) => this.#entry.events.get(position) ?? []);
    const input = trigger.kind === "on" ? inputOfEvents(events, trigger.read) : {};
    try {
      const { runId } = await this.#deps.start({
        namespace,
        name,
        version: "latest",
        input,
        actor: this.#actor,
        labels: { schedule: titleOf(this.#entry.name), scheduledAt: iso(start.atMs) },
        startKey: this.#keyOf(start),
      });
      const active = isTracked(this.#plan) && !this.state.active.includes(runId) ? [...this.state.active, runId] : this.state.active;
      this.state = { ...this.state, active, started: this.state.started + 1, last: { atMs: start.atMs, runId } };
    } catch (error) {
      if (!isLasting(error)) throw error;
      const message = error instanceof Error ? error.message : String(error);
      this.#deps.env.report(`The schedule of ${titleOf(this.#entry.name)} could not start its run of ${iso(start.atMs)}.`, error);
      const dueAtMs = trigger.kind === "after" ? this.#nowMs() + Math.max(trigger.afterMs, RETRY_MS) : this.state.dueAtMs;
      this.state = { ...this.state, dueAtMs, failed: this.state.failed + 1, failure: { atMs: this.#nowMs(), message } };
    }
  }

  get #actor(): string {
    return `schedule ${titleOf(this.#entry.name)}`;
  }

  #keyOf(start: ScheduledStart): string {
    // The first character can't be typed, so that no key of a person's is ever the same.
    return `\0schedule ${titleOf(this.#entry.name)} ${start.key}`;
  }

  #runIdOf(start: ScheduledStart): string {
    return this.#deps.runIdOf(this.#keyOf(start));
  }

  #nowMs(): number {
    return Math.floor(this.#deps.env.wallClockMs());
  }
}

/** Whether it matters which of its runs are under way. */
function isTracked(plan: SchedulePlan): boolean {
  return plan.overlap !== "allow" || plan.trigger.kind === "after";
}

/** A run that failed is over for its schedule: one bad night must not stop all that follow. A suspended one is a person's word to wait. */
function isOver(row: RunRow | undefined): boolean {
  return row === undefined || ["completed", "cancelled", "faulted", "quarantined"].includes(row.status);
}

/** A start that would fail the same way a second later. */
function isLasting(error: unknown): boolean {
  return error instanceof AppError && ["usage", "refused", "not-found", "conflict"].includes(error.kind);
}

/** Events after this place are still needed. */
function readPositionOf(state: ScheduleState): number {
  const needed = [...state.groups, ...state.queue].flatMap(({ positions }) => positions);
  return Math.min(state.readUpTo, ...needed.map((position) => position - 1));
}

function storedOf(row: ScheduleRow): StoredSchedule {
  // Only `#write` makes these texts, and the store checks that they are undamaged.
  return { row, state: JSON.parse(row.body) as ScheduleState };
}

function keyOf({ namespace, name }: ScheduleName): string {
  return `${namespace}/${name}`;
}

function titleOf(name: ScheduleName): string {
  return keyOf(name);
}

function iso(atMs: number): string {
  return new Date(atMs).toISOString();
}
