import {
  advance,
  type Advanced,
  type Command,
  type EmitEvent,
  type EndRun,
  type Fact,
  lostAttempts,
  outstandingCommands,
  type StartAttempt,
  type StartChild,
  type Subscribe,
  summarize,
} from "@tutti/engine";
import { AppError, assertNever, type Json, taskError } from "@tutti/model";
import type { IncomingEvent, RunMessage, RunVerdict, SlotHolder } from "@tutti/store";
import type { AttemptHandle } from "./attempt-handle.ts";
import type { Clock, TimerQueue } from "./clock.ts";
import { crashDetail } from "./crash-detail.ts";
import type { Dispatcher } from "./dispatcher.ts";
import type { Env } from "./env.ts";
import type { CommitListener, GroupCommit } from "./group-commit.ts";
import type { LoadedRun, PendingCommit } from "./loaded-run.ts";
import type { RuntimeMetrics } from "./metrics/runtime-metrics.ts";
import type { DriverMode } from "./ownership.ts";

/** Ending what a dead process left running must not hold a run up for ever; after this its outcome is unknown all the same. */
const QUIESCE_TIMEOUT_MS = 30_000;

/** What the driver leaves to others. None of them waits; each reports its own failures. */
export interface DriverPorts {
  /** Looks for events that were accepted before the subscription. */
  readBacklog(run: LoadedRun, command: Subscribe, isResumed: boolean): void;
  eventsAccepted(): void;
  deliver(messages: readonly RunMessage[]): void;
  /** Hands over messages that wait for a run which was just loaded. */
  deliverWaiting(run: LoadedRun): void;
  messageTaken(position: number): void;
  /** The run's stored history has changed, and perhaps its row. */
  changed(run: LoadedRun, isRowChanged: boolean): void;
  /** Nothing of the run is under way in this process. */
  rested(run: LoadedRun): void;
  /** The same of a run that somebody has just loaded, and is about to use. */
  loadedAtRest(run: LoadedRun): void;
  /** The run left memory with these wishes unanswered; it must be loaded again. */
  lost(run: LoadedRun, pendings: readonly PendingCommit[], error: unknown): void;
  /** The engine could not take a fact. */
  broken(run: LoadedRun, error: unknown): void;
  /** Carries out a first step under the eyes of the poison watch. */
  guard(run: LoadedRun, step: () => void, kind?: "fact" | `send ${number}`): void;
}

export interface DriverDeps {
  readonly env: Env;
  readonly clock: Clock;
  readonly timers: TimerQueue;
  readonly ports: DriverPorts;
  readonly metrics: RuntimeMetrics;
}

/** Feeds facts to the engine and carries out what it asks for: transactional commands with the records, the others after their commit. */
export class RunDriver implements CommitListener {
  readonly #deps: DriverDeps;
  #commits: GroupCommit | undefined;
  #dispatcher: Dispatcher | undefined;
  mode: DriverMode = "open";

  constructor(deps: DriverDeps) {
    this.#deps = deps;
  }

  /** The three know each other; wired once, before the first run. */
  connect(commits: GroupCommit, dispatcher: Dispatcher): void {
    this.#commits = commits;
    this.#dispatcher = dispatcher;
  }

  /** What may be begun for the run: the process's own mode, or less where its shard is about to go to another node. */
  modeOf(run: LoadedRun): DriverMode {
    return this.mode === "open" ? run.lease.mode : this.mode;
  }

  /** Event time for the run's next record. */
  timeFor(run: LoadedRun): number {
    return Math.max(run.state.lastAtMs, this.#deps.clock.nowMs());
  }

  /**
   * Gives a fact to the run.
   *
   * @returns whether it led to records; a fact that no longer applies does not.
   * @throws AppError when an operator's action is refused; nothing has changed then.
   */
  feed(run: LoadedRun, fact: Fact): boolean {
    if (run.isDropped) return false;
    const asleep = fact.type === "operator" && isQuarantined(run) ? this.#underWay(run) : undefined;
    const replaced = fact.type === "slot-decided" && fact.verdict === "replaced" ? holderOf(run, fact.task) : undefined;
    let advanced: Advanced;
    try {
      advanced = advance(run.state, fact, run.context);
    } catch (error) {
      if (fact.type === "operator" && error instanceof AppError && error.kind !== "damaged" && error.kind !== "internal") throw error;
      this.#deps.ports.broken(run, error);
      return false;
    }
    // The grant that is lost was perhaps never recorded, and asked for again after a load: the task may hold, or wait for, another slot by now.
    if (replaced !== undefined && advanced.records.length > 0) this.#take(run, run.pending, { type: "release-slot", ...replaced });
    this.absorb(run, advanced);
    // A timer that came due while the run was at rest was dropped; whoever wakes the run wants it back.
    if (fact.type === "operator") this.#restoreTimers(run);
    if (asleep !== undefined && !isQuarantined(run)) this.#awake(run, asleep);
    return advanced.records.length > 0;
  }

  /** Takes over what the engine decided: into the pending commit, into memory, or under way at once where that is harmless. */
  absorb(run: LoadedRun, advanced: Advanced): void {
    const { records, commands } = advanced;
    const { pending } = run;
    for (const record of records) pending.records.push(record);
    for (const command of commands) this.#take(run, pending, command);
    if (records.length > 0 || commands.length > 0) this.commits.add(run);
  }

  /** Puts the run's end into its pending commit as a message for the parent. */
  tellParent(run: LoadedRun, outcome: EndRun["outcome"]): void {
    if (run.parent === undefined) return;
    const body = { type: "child-ended", task: run.parent.task, runId: run.runId, outcome };
    (run.pending.send ??= []).push({ toRunId: run.parent.runId, body });
  }

  /** Sets a run aside until an operator resumes it. */
  quarantine(run: LoadedRun, reason: string): void {
    this.feed(run, { type: "operator", at: this.timeFor(run), actor: "system", reason, action: { kind: "quarantine" } });
  }

  /** Goes on with a run that was just loaded. A quarantined one is left as it is: nothing of it is carried out until an operator says so. */
  resume(run: LoadedRun): void {
    if (isQuarantined(run)) {
      this.dispatcher.forgetOrphans(run.runId);
      if (run.isQuiet) this.#deps.ports.loadedAtRest(run);
      return;
    }
    const commands = outstandingCommands(run.state, run.context);
    const adopted: AttemptHandle[] = [];
    const abandoned: ReturnType<typeof lostAttempts>[number][] = [];
    for (const lost of lostAttempts(run.state, run.context)) {
      const handle = this.dispatcher.adopt(run, lost);
      const unsent = handle === undefined && this.modeOf(run) !== "closed" ? this.dispatcher.takeUnsent(run.runId, lost) : undefined;
      if (handle !== undefined) adopted.push(handle);
      else if (unsent !== undefined) this.#carryOut(run, unsent);
      else abandoned.push(lost);
    }
    this.dispatcher.forgetOrphans(run.runId);
    for (const command of commands) this.#resumeCommand(run, command);
    for (const handle of adopted) if (handle.phase === "settled") this.#feedEnding(run, handle);
    for (const lost of abandoned) this.#endAbandoned(run, lost);
    if (!run.isDropped) this.#deps.ports.deliverWaiting(run);
    if (!run.isDropped && run.isQuiet) this.#deps.ports.loadedAtRest(run);
  }

  /** An attempt or look-up has ended. While its run is being loaded again, the ending waits for it in the handle. */
  ended(handle: AttemptHandle): void {
    const { run } = handle;
    if (run === undefined || run.isDropped || isCutShort(handle)) return;
    if (run.isUnproven) this.#deps.ports.guard(run, () => this.#feedEnding(run, handle));
    else this.#feedEnding(run, handle);
  }

  committed(run: LoadedRun, stored: PendingCommit, verdict: RunVerdict): void {
    const { env, ports } = this.#deps;
    env.crashPoint("commit.after", crashDetail.commit(run.runId, run.seq, stored));
    for (const handle of stored.ended) {
      this.#forget(run, handle);
      this.dispatcher.stored(handle);
    }
    for (const position of stored.take ?? []) {
      run.handed.delete(position);
      ports.messageTaken(position);
    }
    // One verdict per request, in their order.
    for (const [index, slot] of verdict.slots.entries()) this.#slotDecided(run, stored.acquire?.[index]?.key, slot);
    for (const command of stored.after) if (!run.isDropped) this.#carryOut(run, command);
    for (const acknowledgement of stored.acknowledgements ?? []) acknowledgement.resolve();
    for (const watcher of stored.watchers ?? []) watcher();
    if (stored.events !== undefined) ports.eventsAccepted();
    if (verdict.messages.length > 0) ports.deliver(verdict.messages);
    ports.changed(run, stored.row !== undefined);
    if (!run.isDropped && run.isQuiet) ports.rested(run);
  }

  lost(run: LoadedRun, pendings: readonly PendingCommit[], error: unknown): void {
    run.isLost = true;
    // Where another node may have taken over, nobody here knows what became of an intent.
    const isOver = run.lease.mode === "closed";
    const starts = pendings.flatMap((pending) => pending.after).filter((command) => command.type === "start-attempt");
    if (!isOver) this.dispatcher.keepUnsent(run.runId, starts);
    for (const pending of pendings) for (const watcher of pending.watchers ?? []) watcher();
    this.#deps.ports.lost(run, pendings, error);
  }

  /** Frees what a run holds in this process; its attempts that may change something go on by themselves. */
  release(run: LoadedRun): void {
    run.isDropped = true;
    for (const timer of run.timers.values()) this.#deps.timers.clear(timer);
    run.timers.clear();
    this.dispatcher.orphan(run);
    const waiters = run.goneWaiters;
    run.goneWaiters = [];
    for (const resolve of waiters) resolve();
  }

  get commits(): GroupCommit {
    if (this.#commits === undefined) throw new Error("Invariant broken: the driver is connected before the first run");
    return this.#commits;
  }

  get dispatcher(): Dispatcher {
    if (this.#dispatcher === undefined) throw new Error("Invariant broken: the driver is connected before the first run");
    return this.#dispatcher;
  }

  /** What the state of a quarantined run believes to be under way, and is not. */
  #underWay(run: LoadedRun): UnderWay {
    return { lost: lostAttempts(run.state, run.context), commands: outstandingCommands(run.state, run.context) };
  }

  /** The run has left its quarantine: what still stands of that is begun again, as after a load. */
  #awake(run: LoadedRun, asleep: UnderWay): void {
    const stillLost = lostAttempts(run.state, run.context);
    for (const lost of asleep.lost) {
      if (stillLost.some((one) => one.task === lost.task && one.attempt === lost.attempt && one.token === lost.token))
        this.#endAbandoned(run, lost);
    }
    const still = outstandingCommands(run.state, run.context);
    for (const command of asleep.commands) {
      if (command.type !== "set-timer" && still.some((one) => isSameCommand(one, command))) this.#resumeCommand(run, command);
    }
    this.#deps.ports.deliverWaiting(run);
  }

  #take(run: LoadedRun, pending: PendingCommit, command: Command): void {
    switch (command.type) {
      case "start-attempt":
        // A run that may be poison takes no step ahead of what is stored: each step that succeeds then counts as progress.
        if (command.effect === "read" && this.modeOf(run) === "open" && !run.isUnproven) this.dispatcher.start(run, command);
        else pending.after.push(command);
        return;
      case "look-up":
        if (this.modeOf(run) === "open") this.dispatcher.start(run, command);
        return;
      case "set-timer":
        return this.#setTimer(run, command.timer, command.dueAtMs);
      case "clear-timer":
        return this.#clearTimer(run, command.timer);
      case "abort-attempt":
        pending.after.push(command);
        return;
      case "start-child":
        (pending.send ??= []).push({ toRunId: command.runId, body: childStart(run, command) });
        return;
      case "subscribe":
        if (command.filters.some((filter) => filter.correlated)) run.hasUnreadBacklog = true;
        (pending.subscribe ??= []).push(
          ...command.filters.map((filter) => ({
            tenant: run.tenant,
            task: command.task,
            filter: filter.index,
            eventType: filter.eventType,
            correlated: filter.correlated,
            key: filter.key,
          })),
        );
        pending.after.push(command);
        return;
      case "unsubscribe":
        // The store ends subscriptions before it begins others: one that was asked for in the same commit would stay for ever.
        pending.subscribe = pending.subscribe?.filter(({ task }) => task !== command.task);
        (pending.unsubscribe ??= []).push(command.task);
        return;
      case "emit-event":
        (pending.events ??= []).push(toIncoming(run, command, this.timeFor(run)));
        return;
      case "acquire-slot":
        (pending.acquire ??= []).push({ key: command.key, task: command.task, limit: command.limit, onConflict: command.onConflict });
        return;
      case "release-slot":
        // The store releases before it grants: a request of the same commit that is withdrawn again must not be asked at all, or it would
        // wait, and one day hold the slot, for a task that is gone.
        pending.acquire = pending.acquire?.filter(({ key, task }) => key !== command.key || task !== command.task);
        (pending.release ??= []).push({ key: command.key, task: command.task });
        return;
      case "cancel-child":
        (pending.send ??= []).push({ toRunId: command.runId, body: { type: "child-order", how: command.how, fromRunId: run.runId } });
        return;
      case "end-run":
        this.tellParent(run, command.outcome);
        return;
      default:
        assertNever(command, "command of the engine");
    }
  }

  /** After the records are stored. A crash before this line: the commands are derived again from the state. */
  #carryOut(run: LoadedRun, command: Command): void {
    switch (command.type) {
      case "start-attempt":
        if (run.isUnproven) this.#deps.ports.guard(run, () => this.#send(run, command), `send ${command.task}`);
        else this.#send(run, command);
        return;
      case "abort-attempt":
        return this.dispatcher.abort(run, command);
      case "subscribe":
        if (this.modeOf(run) === "open") this.#deps.ports.readBacklog(run, command, false);
        return;
      default:
        return;
    }
  }

  #slotDecided(run: LoadedRun, key: string | undefined, { task, verdict, fence }: RunVerdict["slots"][number]): void {
    if (verdict === "queued") return;
    this.feed(run, { type: "slot-decided", at: this.timeFor(run), task, verdict, fence });
    if (verdict !== "granted" || key === undefined || run.isDropped || run.state.tasks.get(task)?.slotKey === key) return;
    // Asked for again after a restart, and given up before the answer came: nobody would let go of it.
    (run.pending.release ??= []).push({ key, task });
    this.commits.add(run);
  }

  /** While closing, only an attempt that nobody could tell from an interrupted one later is begun: its intent is stored already. */
  #send(run: LoadedRun, command: StartAttempt): void {
    const mode = this.modeOf(run);
    const isBegun = mode === "open" || (mode === "closing" && command.effect === "unsafe");
    if (isBegun && !run.isDropped) this.dispatcher.start(run, command);
  }

  #resumeCommand(run: LoadedRun, command: Command): void {
    switch (command.type) {
      case "start-attempt":
      case "look-up":
        if (this.modeOf(run) === "open") this.dispatcher.start(run, command);
        return;
      case "set-timer":
        return this.#setTimer(run, command.timer, command.dueAtMs);
      case "acquire-slot":
        this.#take(run, run.pending, command);
        this.commits.add(run);
        return;
      case "subscribe":
        if (this.modeOf(run) === "open") this.#deps.ports.readBacklog(run, command, true);
        return;
      case "abort-attempt":
        return this.#carryOut(run, command);
      // A `start-child` is a message that waits in the store until the child has taken it.
      default:
        return;
    }
  }

  /** A timer that is set already gets another moment: the run was at rest meanwhile. */
  #setTimer(run: LoadedRun, timer: number, dueAtMs: number): void {
    this.#clearTimer(run, timer);
    const fire = (): void => {
      run.timers.delete(timer);
      if (run.isDropped || this.modeOf(run) === "closed") return;
      const feed = (): void => {
        // While the step was being marked, a person's word may have given the timer a later moment: it is set anew for that.
        if ((run.state.timers.get(timer)?.dueAtMs ?? dueAtMs) > dueAtMs) return;
        this.feed(run, { type: "timer-fired", at: Math.max(this.timeFor(run), dueAtMs), timer });
      };
      if (run.isUnproven) this.#deps.ports.guard(run, feed);
      else feed();
    };
    run.timers.set(timer, this.#deps.timers.schedule(dueAtMs, fire));
  }

  #restoreTimers(run: LoadedRun): void {
    for (const command of outstandingCommands(run.state, run.context)) {
      if (command.type === "set-timer" && !run.timers.has(command.timer)) this.#setTimer(run, command.timer, command.dueAtMs);
    }
  }

  #clearTimer(run: LoadedRun, timer: number): void {
    const entry = run.timers.get(timer);
    if (entry === undefined) return;
    run.timers.delete(timer);
    this.#deps.timers.clear(entry);
  }

  #feedEnding(run: LoadedRun, handle: AttemptHandle): void {
    const { ending } = handle;
    if (ending === undefined || run.isDropped) return;
    const at = this.timeFor(run);
    const { pending } = run;
    pending.ended.push(handle);
    const isRecorded =
      ending.of === "attempt"
        ? this.feed(run, { type: "attempt-ended", at, task: handle.task, attempt: handle.number, outcome: ending.outcome })
        : this.feed(run, { type: "look-up-ended", at, task: handle.task, outcome: ending.outcome });
    if (isRecorded || run.isDropped) return;
    // Nobody wanted it: what the function was lent goes back by itself.
    handle.takeAfterStored();
    this.#forget(run, handle);
    if (run.isQuiet) this.#deps.ports.rested(run);
  }

  #forget(run: LoadedRun, handle: AttemptHandle): void {
    if (run.attempts.get(handle.task) === handle) run.attempts.delete(handle.task);
  }

  /** An attempt of a process that is gone: ends what may be left of it, then lets the effect class decide. */
  #endAbandoned(run: LoadedRun, lost: ReturnType<typeof lostAttempts>[number]): void {
    const feed = (): void => {
      this.#deps.metrics.abandoned(lost.effect);
      const error = taskError("runtime", "The process ended while the attempt was under way.");
      this.feed(run, {
        type: "attempt-ended",
        at: this.timeFor(run),
        task: lost.task,
        attempt: lost.attempt,
        outcome: { kind: "unknown", reason: "crash", error },
      });
    };
    const quiesce = this.dispatcher.quiesce(lost.function, lost.token, QUIESCE_TIMEOUT_MS);
    if (quiesce === undefined) return feed();
    run.holds += 1;
    void quiesce.then(() => {
      run.holds -= 1;
      if (!run.isDropped && this.modeOf(run) !== "closed") feed();
    });
  }
}

interface UnderWay {
  readonly lost: ReturnType<typeof lostAttempts>;
  readonly commands: readonly Command[];
}

export function isQuarantined(run: LoadedRun): boolean {
  return summarize(run.state).status === "quarantined";
}

function holderOf(run: LoadedRun, task: number): SlotHolder | undefined {
  const key = run.state.tasks.get(task)?.slotKey;
  return key === undefined ? undefined : { key, task };
}

function isSameCommand(left: Command, right: Command): boolean {
  if (left.type !== right.type || !("task" in left) || !("task" in right) || left.task !== right.task) return false;
  return !("attempt" in left) || !("attempt" in right) || left.attempt === right.attempt;
}

/** Cut short by our own stop: whatever it says is not an outcome. After the restart it counts as interrupted. */
function isCutShort(handle: AttemptHandle): boolean {
  if (handle.abortReason !== "stop" || handle.ending === undefined) return false;
  const { ending } = handle;
  if (ending.of === "look-up") return ending.outcome.kind === "failed";
  return ending.outcome.kind === "unknown" || (ending.outcome.kind === "failed" && !ending.outcome.began);
}

function toIncoming(run: LoadedRun, command: EmitEvent, acceptedAtMs: number): IncomingEvent {
  const { event } = command;
  return { tenant: run.tenant, source: event.source, id: event.id, type: event.type, acceptedAtMs, body: JSON.stringify(event) };
}

function childStart(run: LoadedRun, command: StartChild): Json {
  const { task, workflow, input, depth, resume } = command;
  return { type: "child-start", fromRunId: run.runId, task, workflow, input, depth, resume };
}
