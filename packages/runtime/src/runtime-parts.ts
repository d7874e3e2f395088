import { summarize } from "@tutti/engine";
import { AppError, type Json } from "@tutti/model";
import { shardOf } from "@tutti/store";
import type { AttemptHandle } from "./attempt-handle.ts";
import { Clock, TimerQueue } from "./clock.ts";
import { Dispatcher } from "./dispatcher.ts";
import { EventsIn } from "./events-in.ts";
import { FunctionTable } from "./function-table.ts";
import { GroupCommit } from "./group-commit.ts";
import type { LoadedRun, PendingCommit } from "./loaded-run.ts";
import { Mailbox } from "./mailbox.ts";
import { RuntimeMetrics } from "./metrics/runtime-metrics.ts";
import { NodeMail } from "./node-mail.ts";
import { isElsewhere, type Ownership, SoleOwnership } from "./ownership.ts";
import { PoisonWatch } from "./poison-watch.ts";
import { ProviderBook } from "./provider-book.ts";
import { ProgramCache } from "./program-cache.ts";
import type { Redactor } from "./redactor.ts";
import { NO_REFERENCES } from "./reference-reader.ts";
import { RunDriver } from "./run-driver.ts";
import { LOGS_KEPT_MS, Retention, RUNS_KEPT_MS } from "./retention.ts";
import { RunHistoryReader } from "./run-history.ts";
import { RunRegistry } from "./run-registry.ts";
import { RunStarter } from "./run-starter.ts";
import { RunChanges } from "./run-watching.ts";
import type { RuntimeDeps } from "./runtime-service.ts";
import type { Scheduler } from "./scheduler.ts";
import { SecretBook } from "./secrets.ts";
import { isPermanent, pauseAfter } from "./store-trouble.ts";
import { SharedOwnership } from "./shared-ownership.ts";
import { WakeUps } from "./wake-ups.ts";
import type { StoredRun } from "./runtime.ts";
import { TakingOver } from "./taking-over.ts";

/** A run whose facts the engine can't take this often in a row is set aside instead of being loaded for ever. */
const BREAKS_MAX = 3;

/** The parts of a started runtime, wired. */
export interface RuntimeParts {
  readonly metrics: RuntimeMetrics;
  readonly clock: Clock;
  readonly timers: TimerQueue;
  readonly functions: FunctionTable;
  readonly programs: ProgramCache;
  readonly history: RunHistoryReader;
  readonly changes: RunChanges;
  readonly driver: RunDriver;
  readonly secrets: SecretBook;
  readonly providers: ProviderBook;
  readonly commits: GroupCommit;
  readonly dispatcher: Dispatcher;
  readonly registry: RunRegistry;
  readonly ownership: Ownership;
  /** What is there only where nodes share the store. */
  readonly shared: { readonly ownership: SharedOwnership; readonly mail: NodeMail; readonly takingOver: TakingOver } | undefined;
  readonly starter: RunStarter;
  readonly mailbox: Mailbox;
  readonly events: EventsIn;
  readonly wakeUps: WakeUps;
  readonly poison: PoisonWatch;
  readonly retention: Retention;
  /** Runs that this process was asked to drive; unused when it drives all. */
  readonly driven: Set<string>;
  readonly isBusy: (runId: string) => boolean;
  /** Takes up a run that exists, or may exist: loads it, hands over its messages. Failures are reported. */
  readonly takeUp: (runId: string) => Promise<void>;
}

export function assemble(deps: RuntimeDeps, redactor: Redactor, scheduler: () => Scheduler | undefined): RuntimeParts {
  return new Assembly(deps, redactor, scheduler);
}

/** Wires the parts and answers for what falls between them: lost runs, broken runs, log lines that wait for a commit. */
class Assembly implements RuntimeParts {
  readonly metrics: RuntimeMetrics;
  readonly clock: Clock;
  readonly timers: TimerQueue;
  readonly functions: FunctionTable;
  readonly programs: ProgramCache;
  readonly history: RunHistoryReader;
  readonly changes = new RunChanges();
  readonly driver: RunDriver;
  readonly secrets: SecretBook;
  readonly providers: ProviderBook;
  readonly commits: GroupCommit;
  readonly dispatcher: Dispatcher;
  readonly registry: RunRegistry;
  readonly ownership: Ownership;
  readonly shared: RuntimeParts["shared"];
  readonly starter: RunStarter;
  readonly mailbox: Mailbox;
  readonly events: EventsIn;
  readonly wakeUps: WakeUps;
  readonly poison: PoisonWatch;
  readonly retention: Retention;
  readonly driven = new Set<string>();
  readonly #deps: RuntimeDeps;
  /** How often in a row a run's facts could not be taken. */
  readonly #breaks = new Map<string, number>();
  /** Runs that are just being set aside for that. */
  readonly #settingAside = new Map<string, Promise<void>>();

  constructor(deps: RuntimeDeps, redactor: Redactor, scheduler: () => Scheduler | undefined) {
    this.#deps = deps;
    const { store, env } = deps;
    this.shared = this.#share(scheduler);
    const ownership: Ownership = this.shared?.ownership ?? new SoleOwnership();
    this.ownership = ownership;
    const nodes = this.shared?.mail;
    this.clock = new Clock(env);
    const metrics = deps.metrics ?? new RuntimeMetrics();
    this.metrics = metrics;
    this.timers = new TimerQueue(env, this.clock, metrics.timersLateSeconds);
    this.functions = new FunctionTable(deps.connectors);
    this.programs = new ProgramCache({
      store,
      functions: this.functions,
      version: deps.version,
      references: deps.references ?? NO_REFERENCES,
    });
    this.history = new RunHistoryReader(store, this.programs);
    const { clock, timers } = this;
    const drivesAll = deps.drive === "all";
    const isDriven = (runId: string): boolean => drivesAll || this.driven.has(runId);
    const adoptRun = (runId: string): void => {
      if (!drivesAll) this.driven.add(runId);
    };
    this.driver = new RunDriver({
      env,
      clock,
      timers,
      metrics,
      ports: {
        readBacklog: (run, command, isResumed) => this.events.readBacklog(run, command, isResumed),
        eventsAccepted: () => this.events.accepted(),
        deliver: (messages) => this.mailbox.deliver(messages),
        deliverWaiting: (run) => this.mailbox.deliverWaiting(run),
        messageTaken: (position) => this.mailbox.taken(position),
        changed: (run, isRowChanged) => this.#changed(run, isRowChanged),
        rested: (run) => this.registry.rested(run),
        loadedAtRest: (run) => this.registry.keepIdle(run),
        lost: (run, pendings, error) => void this.#recover(run, pendings, error),
        broken: (run, error) => this.#broken(run, error),
        guard: (run, step, kind) => this.poison.guard(run, step, kind),
      },
    });
    this.commits = new GroupCommit({ store, env, listener: this.driver, metrics, snapshotAfterRecords: deps.limits?.snapshotAfterRecords });
    const secrets = new SecretBook(env, redactor);
    this.secrets = secrets;
    this.providers = new ProviderBook(store, secrets);
    this.dispatcher = new Dispatcher({
      env,
      functions: this.functions,
      secrets,
      providers: this.providers,
      redactor,
      traceparent: deps.traceparent,
      maySend: (lease) => ownership.maySend(lease),
      appendLog: (handle, stream, text) => this.#appendLog(handle, stream, text),
      ended: (handle) => this.driver.ended(handle),
    });
    this.driver.connect(this.commits, this.dispatcher);
    this.wakeUps = new WakeUps({
      store,
      env,
      clock,
      timers,
      ownership,
      wake: (runId) => this.registry.use(runId),
      isAwake: (runId) => this.registry.peek(runId) !== undefined,
    });
    this.poison = new PoisonWatch({
      store,
      env,
      quarantineUnread: (runId, reason) => this.#quarantineUnread(runId, reason),
      isDue: (run) => (summarize(run.state).wakeAtMs ?? Number.POSITIVE_INFINITY) <= clock.nowMs(),
      shards: () => ownership.shards(),
    });
    const { driver, programs, poison, wakeUps } = this;
    this.registry = new RunRegistry({
      store,
      clock,
      timers,
      programs,
      driver,
      poison,
      ownership,
      wakeUps,
      quiet: () => this.changes.announceRest(),
    });
    const { registry } = this;
    const exists = async (runId: string): Promise<boolean> =>
      registry.peek(runId) !== undefined || (await store.loadRun(runId)) !== undefined;
    this.starter = new RunStarter({
      env,
      nowMs: () => clock.nowMs(),
      programs,
      driver,
      registry,
      ownership,
      exists,
      refuseElsewhere: async (order, error) => {
        const lease = ownership.leaseOf(order.runId);
        if (store.leases === undefined || lease?.epoch === undefined) return;
        const body = { type: "child-ended", task: order.task, runId: order.runId, outcome: { kind: "refused", error } };
        const under = { shard: lease.shard, epoch: lease.epoch };
        // An error of a task is plain data.
        const send = [{ to: order.fromRunId, body: body as unknown as Json }];
        if ((await store.leases.exchange({ send, drop: [order.position], under })) !== undefined) this.mailbox.taken(order.position);
      },
      adoptRun,
    });
    this.mailbox = new Mailbox({ store, env, driver, ownership, nodes, registry, starter: this.starter, isDriven, adoptRun });
    this.retention = new Retention({
      store,
      env,
      clock,
      timers,
      programs,
      runsKeptMs: deps.retention?.runsMs ?? RUNS_KEPT_MS,
      logsKeptMs: deps.retention?.logsMs ?? LOGS_KEPT_MS,
      isMine: () => ownership.leaseOf("retention") !== undefined,
      isLoaded: (runId) => registry.peek(runId) !== undefined,
    });
    this.events = new EventsIn({ metrics, store, env, clock, timers, driver, registry, ownership, isDriven, drivesAll });
  }

  #share(scheduler: () => Scheduler | undefined): RuntimeParts["shared"] {
    const { store, env } = this.#deps;
    const { leases } = store;
    if (leases === undefined) return undefined;
    const takingOver = new TakingOver({ parts: () => this, scheduler, store, env });
    const ownership = new SharedOwnership({
      leases,
      env,
      prepare: (claimed, isStill) => takingOver.prepare(claimed, isStill),
      opened: (opened) => takingOver.opened(opened),
      lost: (lost) => takingOver.lost(lost),
      news: (what) => takingOver.news(what),
      busyShards: () => new Set([...this.registry.busyShards(), ...this.dispatcher.list().map(({ lease }) => lease.shard)]),
      leavesSuspects: (shard) => this.poison.watches((runId) => shardOf(runId) === shard),
    });
    return { ownership, mail: new NodeMail(leases, env), takingOver };
  }

  readonly isBusy = (runId: string): boolean => {
    const run = this.registry.peek(runId);
    return (run !== undefined && !run.isQuiet) || this.mailbox.concerns(runId);
  };

  readonly takeUp = (runId: string): Promise<void> => this.#takeUp(runId, 0);

  /** Nobody else would load the run, so a store that fails is asked again; nobody waits for that. */
  async #takeUp(runId: string, attempt: number): Promise<void> {
    const { env } = this.#deps;
    try {
      if (this.mailbox.concerns(runId)) await this.mailbox.deliverTo(runId);
      else await this.registry.use(runId);
    } catch (error) {
      if (this.driver.mode !== "open" || isElsewhere(error)) return;
      const isOver = isPermanent(error);
      if (isOver || attempt === 0)
        env.report(`The run ${runId} can't be loaded${isOver ? "" : " now; it is tried again"}. Everything else goes on.`, error);
      if (!isOver) env.setTimer(pauseAfter(attempt), () => void this.#takeUp(runId, attempt + 1));
    }
  }

  #changed(run: LoadedRun, isRowChanged: boolean): void {
    if (this.#breaks.size > 0) this.#breaks.delete(run.runId);
    if (run.heldLogs.length > 0) this.#releaseLogs(run);
    this.changes.announce(run.runId, isRowChanged, () => storedRunOf(run));
  }

  /** A `read` attempt may have begun before the records that caused it are stored: its lines wait for them. */
  #appendLog(handle: AttemptHandle, stream: "stdout" | "stderr" | "info", text: string): void {
    const line = {
      atMs: this.clock.nowMs(),
      runId: handle.runId,
      task: handle.task,
      path: handle.taskPath,
      attempt: handle.number,
      stream,
      text,
    };
    const { run } = handle;
    if (run !== undefined && run.seq < handle.visibleFromSeq) run.heldLogs.push({ fromSeq: handle.visibleFromSeq, line });
    else this.#deps.env.logs.append(line);
  }

  #releaseLogs(run: LoadedRun): void {
    const held = run.heldLogs;
    run.heldLogs = held.filter((one) => one.fromSeq > run.seq);
    for (const one of held) if (one.fromSeq <= run.seq) this.#deps.env.logs.append(one.line);
  }

  /** Loads a lost run again and answers who waited for it from what is stored. */
  async #recover(run: LoadedRun, pendings: readonly PendingCommit[], error: unknown): Promise<void> {
    const { runId } = run;
    this.registry.remove(run);
    const isFenced = error instanceof AppError && error.details["verdict"] === "fenced";
    if (isFenced) this.ownership.fenced(run.lease);
    const acknowledgements = pendings.flatMap((pending) => pending.acknowledgements ?? []);
    const isRefused = error instanceof AppError && error.code === "store-full";
    if (!isRefused) this.mailbox.doubt(run);
    for (let attempt = 0; ; attempt += 1) {
      try {
        if (!(run.isRowStored || (await this.#deps.store.loadRun(runId)) !== undefined)) {
          // Its start was not stored, so there is nothing to go on with.
          for (const one of acknowledgements) one.reject(error);
          return;
        }
        for (let one = acknowledgements[0]; one !== undefined; one = acknowledgements[0]) {
          const isStored = !isRefused && (await this.history.hasRecord(runId, one.seq, one.record));
          // Only now: while the store does not say, it is asked again.
          acknowledgements.shift();
          if (isStored) one.resolve();
          else one.reject(error);
        }
        if (!isRefused) {
          // The commit may have been carried out: what it wrote for others is looked for.
          await this.mailbox.refresh();
          this.events.accepted();
        }
        await this.#afterBreaks(runId);
        if (this.driver.mode !== "closed" && this.ownership.leaseOf(runId) !== undefined) await this.registry.use(runId);
        this.changes.announce(runId, true);
        return;
      } catch (failure) {
        if (this.driver.mode !== "open" || isPermanent(failure)) {
          if (!isElsewhere(failure)) this.#deps.env.report(`The run ${runId} can't be loaded again.`, failure);
          for (const one of acknowledgements) one.reject(error);
          // Who waits for it learns the reason from the store.
          this.changes.announce(runId, true);
          return;
        }
        await new Promise<void>((resolve) => void this.#deps.env.setTimer(pauseAfter(attempt), resolve));
      }
    }
  }

  #broken(run: LoadedRun, error: unknown): void {
    const { runId } = run;
    const breaks = (this.#breaks.get(runId) ?? 0) + 1;
    this.#breaks.set(runId, breaks);
    this.#deps.env.report(`The run ${runId} could not take a fact (${breaks} in a row); it is loaded again.`, error);
    if (breaks > BREAKS_MAX && !this.#settingAside.has(runId)) {
      const reason = error instanceof Error ? error.message : String(error);
      const setAside = this.#quarantineUnread(runId, `Its facts could not be taken: ${reason}`)
        .catch((failure: unknown) => this.#deps.env.report(`The run ${runId} could not be quarantined.`, failure))
        .finally(() => this.#settingAside.delete(runId));
      this.#settingAside.set(runId, setAside);
    }
    this.commits.drop(run, error);
  }

  /**
   * A run that breaks whenever it is loaded is loaded more and more rarely, and not before it was set aside. By a timer in any case: loading takes
   * no turn of the event loop, so it would never come to the commit that sets the run aside, nor to anything else.
   */
  async #afterBreaks(runId: string): Promise<void> {
    const breaks = this.#breaks.get(runId);
    if (breaks === undefined) return;
    await this.#settingAside.get(runId);
    await new Promise<void>((resolve) => void this.#deps.env.setTimer(pauseAfter(breaks - 1), resolve));
  }

  async #quarantineUnread(runId: string, reason: string): Promise<void> {
    const lease = this.ownership.leaseOf(runId);
    const row = await this.#deps.store.loadRun(runId);
    if (row === undefined || lease === undefined) return;
    const { seq, startPosition: _, runId: __, ...rest } = row;
    const none: readonly never[] = [];
    await this.#deps.store.commit({
      runs: [
        {
          runId,
          epoch: lease.epoch,
          expectedSeq: seq,
          records: none,
          row: { ...rest, status: "quarantined", isOutstanding: false, wakeAtMs: undefined, reason, updatedAtMs: this.clock.nowMs() },
          snapshot: undefined,
          events: none,
          subscribe: none,
          unsubscribe: none,
          acquire: none,
          release: none,
          send: none,
          take: none,
        },
      ],
    });
    this.#deps.env.report(`The run ${runId} is quarantined: ${reason}`, undefined);
  }
}

/** The run as its last commit left it in the store. */
function storedRunOf(run: LoadedRun): StoredRun {
  return { ...(run.storedRow ?? run.row), runId: run.runId, seq: run.seq };
}
