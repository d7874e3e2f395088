import {
  type EngineContext,
  type OperatorAction,
  replay,
  type RunRecord,
  type RunState,
  serializeState,
  summarize,
  wantsEvent,
} from "@tutti/engine";
import { type CloudEvent, type Json, jsonEqual } from "@tutti/model";
import type { CommitBatch, CommitResult, MemoryDisk, RunCommit, RunStatus } from "@tutti/store";
import type { Scheduler } from "./scheduler.ts";
import { must, Violation } from "./violation.ts";

/** A run as its records say, built beside the runtime: what the runtime holds in memory and what its rows say is compared with it. */
export interface Mirror {
  readonly runId: string;
  readonly name: string;
  readonly context: EngineContext;
  readonly labels: Readonly<Record<string, string>>;
  readonly parent: { readonly runId: string; readonly task: number } | undefined;
  readonly records: RunRecord[];
  state: RunState;
  status: RunStatus;
  readonly intents: Set<string>;
  readonly tokens: Map<number, string>;
  readonly ends: Set<string>;
  readonly positions: Set<number>;
  readonly words: Set<string>;
  /** By token: attempts of which somebody said that they had no effect, after which the task failed. */
  readonly denied: Map<string, number[]>;
}

export interface MonitorDeps {
  readonly disk: MemoryDisk;
  readonly scheduler: Scheduler;
  /** No timer that is due later may have fired by now, by whichever clock. */
  readonly latestMs: () => number;
  readonly contextOf: (digest: string) => EngineContext;
  /** A text that must never be stored. */
  readonly canary: string;
}

const FINAL: ReadonlySet<RunStatus> = new Set(["completed", "cancelled"]);

/** Holds every commit against the laws of the engine and the runtime. */
export class Monitor {
  readonly mirrors = new Map<string, Mirror>();
  commits = 0;
  snapshots = 0;
  readonly #deps: MonitorDeps;
  readonly #ticks = new Set<string>();
  readonly #queues = new Map<string, readonly string[]>();

  constructor(deps: MonitorDeps) {
    this.#deps = deps;
  }

  committed(batch: CommitBatch, result: CommitResult): void {
    this.commits += 1;
    batch.runs.forEach((commit, index) => {
      if (result.verdicts[index]?.verdict !== "committed") return;
      this.#commit(commit);
      // Who leaves a queue and asks again, even in one commit, is a newcomer.
      for (const { key, task } of commit.release) this.#leaveQueue(key, labelOf({ runId: commit.runId, task }));
    });
    // A law about several runs holds once the whole batch is there.
    batch.runs.forEach((commit) => {
      const mirror = this.mirrors.get(commit.runId);
      if (mirror !== undefined) this.checkWakeable(mirror);
      for (const { key } of [...commit.acquire, ...commit.release]) this.#checkSlots(key);
    });
  }

  /** How many instants of schedules have started a run. */
  get ticks(): number {
    return this.#ticks.size;
  }

  isIntended({ runId, token, number }: { readonly runId: string; readonly token: string; readonly number: number }): boolean {
    return this.mirrors.get(runId)?.intents.has(`${token}/${number}`) ?? false;
  }

  deniedOf(runId: string, token: string): readonly number[] {
    return this.mirrors.get(runId)?.denied.get(token) ?? [];
  }

  isStrict(runId: string): boolean {
    for (let mirror = this.mirrors.get(runId); mirror !== undefined; mirror = this.mirrors.get(mirror.parent?.runId ?? "")) {
      if (mirror.parent === undefined) return mirror.labels["kind"] === "strict";
    }
    return true;
  }

  #commit(commit: RunCommit): void {
    const { disk, scheduler, canary } = this.#deps;
    const { runId } = commit;
    const row = disk.runs.get(runId)?.row;
    must(row !== undefined, "a committed run has a row", () => runId);
    const texts = commit.records.map((record) => record.text);
    for (const text of texts) {
      scheduler.note(`${runId} ${text}`);
      must(!text.includes(canary), "no secret is stored", () => `${runId}: ${text}`);
    }
    const records = texts.map((text) => JSON.parse(text) as RunRecord);
    const known = this.mirrors.get(runId);
    must((known?.records.length ?? 0) === commit.expectedSeq, "history has no gaps", () => `${runId}: ${commit.expectedSeq} expected`);
    const mirror = known ?? this.#begin(runId, records.shift(), row.digest, records);
    const before = mirror.status;
    let hasWord = false;
    for (let index = 0; index < records.length;) {
      let end = index + 1;
      while (records[end]?.type === "attempt-intended") end += 1;
      const group = records.slice(index, end);
      hasWord ||= group[0]?.type === "operator";
      this.#advance(mirror, group);
      index = end;
    }
    must(
      row.seq === mirror.records.length && disk.runs.get(runId)?.records.length === row.seq,
      "history is append-only",
      () => `${runId}: row ${row.seq}, ${mirror.records.length} records`,
    );
    this.#checkRow(mirror, commit);
    mirror.status = row.status;
    if (FINAL.has(before)) must(row.status === before, "final is final", () => `${runId} was ${before} and is ${row.status}`);
    if (before === "faulted" && row.status !== "faulted")
      must(hasWord, "only a word moves a run at rest", () => `${runId} was faulted and is ${row.status}`);
    if (before === "suspended" && row.status !== "suspended" && row.status !== "faulted")
      must(hasWord, "a suspended run halts", () => `${runId} was suspended and is ${row.status}`);
    for (const record of records) if (record.type === "attempt-intended") this.#checkHolds(mirror, record.task);
  }

  #begin(runId: string, first: RunRecord | undefined, digest: string, rest: RunRecord[]): Mirror {
    must(first?.type === "run-started", "a run begins with its start", () => runId);
    const context = this.#deps.contextOf(digest);
    const intents: RunRecord[] = [];
    while (rest[0]?.type === "attempt-intended") intents.push(rest.shift() as RunRecord);
    const mirror: Mirror = {
      runId,
      name: first.workflow.name,
      context,
      labels: first.labels,
      parent: first.parent,
      records: [],
      state: this.#replayed([first, ...intents], context, undefined, runId),
      status: "running",
      intents: new Set(),
      tokens: new Map(),
      ends: new Set(),
      positions: new Set(),
      words: new Set(),
      denied: new Map(),
    };
    this.mirrors.set(runId, mirror);
    const { schedule, scheduledAt } = first.labels;
    if (schedule !== undefined && scheduledAt !== undefined) {
      const tick = `${schedule} ${scheduledAt}`;
      must(!this.#ticks.has(tick), "a tick fires once", () => `${tick}: ${runId}`);
      this.#ticks.add(tick);
    }
    for (const record of [first, ...intents]) this.#remember(mirror, record);
    return mirror;
  }

  #replayed(records: readonly RunRecord[], context: EngineContext, from: RunState | undefined, runId: string): RunState {
    try {
      return replay(records, context, from);
    } catch (error) {
      throw new Violation("replay gives the state", `${runId}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  /** One fact and the intents that follow from it. */
  #advance(mirror: Mirror, group: readonly RunRecord[]): void {
    const [fact] = group;
    const { state, runId } = mirror;
    must(fact !== undefined && fact.at >= state.lastAtMs, "event time never goes back", () => `${runId}: ${JSON.stringify(fact)}`);
    if (fact.type === "timer-fired") {
      const due = state.timers.get(fact.timer)?.dueAtMs ?? Number.POSITIVE_INFINITY;
      const latest = this.#deps.latestMs();
      must(
        fact.at >= due && fact.at <= latest + 1,
        "no timer is early",
        () => `${runId}: due ${due}, fired ${fact.at}, now at most ${latest}`,
      );
    }
    // But for what undoes it.
    const mayStart = !state.isCancelled || state.unwinding.length > 0;
    mirror.state = this.#replayed(group, mirror.context, state, runId);
    for (const record of group) {
      if (record.type === "attempt-intended") must(mayStart, "a cancelled run starts nothing", () => `${runId}: ${record.path}`);
      this.#remember(mirror, record);
    }
  }

  #remember(mirror: Mirror, record: RunRecord): void {
    const { runId } = mirror;
    mirror.records.push(record);
    switch (record.type) {
      case "attempt-intended": {
        const key = `${record.token}/${record.attempt}`;
        mirror.intents.add(key);
        mirror.tokens.set(record.task, record.token);
        return;
      }
      case "attempt-ended": {
        const token = mirror.tokens.get(record.task);
        // A `read` has no intent; whoever reads again after a failure begins to count anew.
        if (token === undefined) return;
        const key = `${record.task}/${token}/${record.attempt}`;
        must(!mirror.ends.has(key), "one result per attempt", () => `${runId}: ${key} ended twice`);
        mirror.ends.add(key);
        return;
      }
      case "event-received":
        must(!mirror.positions.has(record.position), "an event is consumed once", () => `${runId}: event ${record.position}`);
        mirror.positions.add(record.position);
        return;
      case "operator":
        if (record.reason !== undefined && record.actor === "person") {
          must(!mirror.words.has(record.reason), "a word counts once", () => `${runId}: ${record.reason}`);
          mirror.words.add(record.reason);
        }
        this.#rememberDenial(mirror, record.action);
        return;
      default:
    }
  }

  /** Who runs the task again after "not done, run" makes another effect, under another token: that needs no excuse. */
  #rememberDenial(mirror: Mirror, action: OperatorAction): void {
    if (action.kind !== "settle" || action.doubt === undefined) return;
    const { verdict, doubt } = action;
    if (verdict.kind !== "not-done" || verdict.then !== "fail") return;
    mirror.denied.set(doubt.token, [...(mirror.denied.get(doubt.token) ?? []), doubt.attempt]);
  }

  /** The row, and the snapshot when there is one, say what the records say. */
  #checkRow(mirror: Mirror, commit: RunCommit): void {
    const { runId, state } = mirror;
    const row = this.#deps.disk.runs.get(runId)?.row;
    if (row === undefined || (commit.records.length === 0 && row.status === "quarantined")) return;
    const summary = summarize(state);
    const wakeAtMs = summary.isParked && (summary.status === "waiting" || summary.status === "suspended") ? summary.wakeAtMs : undefined;
    must(
      row.status === summary.status && row.wakeAtMs === wakeAtMs && row.inDoubt === summary.inDoubt && row.errorType === summary.errorType,
      "the row says what the records say",
      () => `${runId}: row ${JSON.stringify(row)}, records ${JSON.stringify({ ...summary, wakeAtMs })}`,
    );
    must(row.isOutstanding || !summary.isOutstanding, "what is outstanding is marked", () => `${runId}: ${JSON.stringify(row)}`);
    if (commit.snapshot === undefined) return;
    this.snapshots += 1;
    const body = JSON.parse(commit.snapshot.body) as Json;
    const rebuilt = serializeState(state);
    must(
      jsonEqual(body, JSON.parse(rebuilt) as Json),
      "restart equals replay",
      () => `${runId} after record ${row.seq}\nin memory: ${commit.snapshot?.body}\nreplayed:  ${rebuilt}`,
    );
  }

  /** Whoever acts inside the scope of a slot has it. */
  #checkHolds(mirror: Mirror, task: number): void {
    const { disk } = this.#deps;
    for (let one = mirror.state.tasks.get(task); one !== undefined; one = mirror.state.tasks.get(one.parent)) {
      const { slotKey, id } = one;
      if (slotKey === undefined) continue;
      const holder = disk.slots.get(slotKey)?.find((entry) => entry.runId === mirror.runId && entry.task === id);
      const isReplaced = [...disk.messages.values()].some(
        ({ toRunId, body }) => toRunId === mirror.runId && jsonEqual((body as { type?: Json }).type ?? null, "slot-replaced"),
      );
      must(
        holder?.state === "held" || isReplaced,
        "nobody acts without its slot",
        () => `${mirror.runId}: task ${task} acts under ${slotKey} of task ${id}, which is ${holder?.state ?? "not there"}`,
      );
    }
  }

  #checkSlots(key: string): void {
    const entries = this.#deps.disk.slots.get(key) ?? [];
    const held = entries.filter((entry) => entry.state === "held");
    must(
      held.every((entry) => held.length <= entry.limit),
      "limits hold",
      () => `${key}: ${held.length} holders`,
    );
    const isHeld = new Set(held.map(labelOf));
    let isOpen = true;
    for (const one of this.#queues.get(key) ?? []) {
      const stillWaits = entries.some((entry) => entry.state === "queued" && labelOf(entry) === one);
      if (stillWaits) isOpen = false;
      else must(isOpen || !isHeld.has(one), "first in, first out", () => `${key}: ${one} has overtaken another`);
    }
    this.#queues.set(key, entries.filter((entry) => entry.state === "queued").map(labelOf));
  }

  #leaveQueue(key: string, label: string): void {
    const queue = this.#queues.get(key);
    if (queue?.includes(label) === true)
      this.#queues.set(
        key,
        queue.filter((one) => one !== label),
      );
  }

  /** A process that starts now must find the run again, or somebody must know why it stands still. */
  checkWakeable(mirror: Mirror): void {
    const { disk } = this.#deps;
    const { state, runId } = mirror;
    const run = disk.runs.get(runId);
    if (run === undefined || state.phase !== "active" || state.isPaused || run.row.status === "quarantined") return;
    const { row } = run;
    const messagesTo = (receiver: string): boolean => [...disk.messages.values()].some((message) => message.toRunId === receiver);
    const fail = (what: string): never => {
      throw new Violation("nothing is stuck", `${runId}: ${what}; row ${JSON.stringify(row)}`);
    };
    const isLoaded = row.status === "running" || row.isOutstanding;
    const dues = [...state.timers.values()].map((timer) => timer.dueAtMs);
    if (dues.length > 0 && !isLoaded && row.wakeAtMs !== Math.min(...dues)) fail(`nobody wakes it for its timer at ${Math.min(...dues)}`);
    for (const task of state.tasks.values()) {
      const label = `task ${task.id} is ${task.phase}`;
      if (task.phase === "waiting" && !(task.timer !== undefined && state.timers.has(task.timer))) fail(`${label} without a timer`);
      if ((task.phase === "running" || task.phase === "looking-up") && row.status !== "running") fail(label);
      if (task.frame?.kind === "listen" && !task.frame.isOver && task.phase !== "failed") {
        const isSubscribed = [...run.subscriptions.values()].some((one) => one.task === task.id);
        if (!isSubscribed) fail(`${label} and subscribed to nothing`);
      }
      if (task.phase === "child" && task.childRunId !== undefined) {
        const child = disk.runs.get(task.childRunId);
        const isOver = child === undefined || FINAL.has(child.row.status) || child.row.status === "faulted";
        if (isOver && !messagesTo(runId) && !messagesTo(task.childRunId))
          fail(`${label} and its child is ${child?.row.status ?? "not there"}`);
      }
      if (task.phase === "queued" && task.slotKey !== undefined && !isLoaded) {
        const isKnown = disk.slots.get(task.slotKey)?.some((entry) => entry.runId === runId && entry.task === task.id) === true;
        if (!isKnown) fail(`${label} and the store does not know`);
      }
    }
  }

  /** After a crash: what is stored is all there is. */
  checkAll(): void {
    for (const mirror of this.mirrors.values()) this.checkWakeable(mirror);
  }

  /** When all is calm: no listener has been passed over by an event that it wants. */
  checkEvents(): void {
    const { disk } = this.#deps;
    for (const [runId, run] of disk.runs) {
      const mirror = this.mirrors.get(runId);
      if (mirror === undefined || mirror.state.phase !== "active" || mirror.state.isPaused) continue;
      for (const subscription of run.subscriptions.values()) {
        const from = subscription.correlated ? run.row.startPosition : subscription.createdAfter;
        for (const stored of disk.events) {
          if (stored.position <= from || (subscription.eventType !== undefined && subscription.eventType !== stored.type)) continue;
          const event = JSON.parse(stored.body) as CloudEvent;
          must(
            !wantsEvent(mirror.state, subscription.task, subscription.filter, stored.position, event, mirror.context),
            "no event is lost",
            () =>
              `${runId}: task ${subscription.task} wants event ${stored.position} (${stored.body}) and never got it; its row ${JSON.stringify(run.row)}, its subscription ${JSON.stringify(subscription)}`,
          );
        }
      }
    }
  }

  /** The whole history of each run gives its state, from its first record on. */
  checkReplay(): void {
    for (const mirror of this.mirrors.values()) {
      const whole = this.#replayed(mirror.records, mirror.context, undefined, mirror.runId);
      must(
        jsonEqual(JSON.parse(serializeState(whole)) as Json, JSON.parse(serializeState(mirror.state)) as Json),
        "replay gives the state",
        () => mirror.runId,
      );
    }
  }
}

function labelOf({ runId, task }: { readonly runId: string; readonly task: number }): string {
  return `${runId}/${task}`;
}
