/* Over 500 lines: the whole of the runtime's interface, most of it one call to the part that does the work. */
import type { Connector } from "@tutti/connector-kit";
import {
  type BackOutPlan,
  LifecycleDeriver,
  type OperatorActed,
  planBackOut,
  type RunView,
  type RunTrace,
  TraceDeriver,
} from "@tutti/engine";
import { AppError, type CloudEvent, DEFAULT_TENANT, type Json } from "@tutti/model";
import { CloudEventSchema } from "@tutti/model/schemas";
import type { DefinitionRow, RunPage, RunQuery, RunRow, Store, StoredEvent } from "@tutti/store";
import { crashDetail } from "./crash-detail.ts";
import type { Env } from "./env.ts";
import { LifecycleReader } from "./lifecycle-reader.ts";
import type { LoadedRun } from "./loaded-run.ts";
import type { RuntimeGauges, RuntimeMetrics } from "./metrics/runtime-metrics.ts";
import { withMaskedReports } from "./masked-reports.ts";
import { findPath, toOperatorAction } from "./operations.ts";
import { checkValue } from "./output-check.ts";
import type { ChangePreview } from "./preview/change-preview.ts";
import { Previews } from "./preview/previews.ts";
import { Redactor } from "./redactor.ts";
import type { ReferenceReader } from "./reference-reader.ts";
import { explainRun } from "./run-explaining.ts";
import { readLogs } from "./run-logs.ts";
import { RunStarts, type StartedRun } from "./run-starts.ts";
import { waitForRun, type WatchingDeps, watchRun } from "./run-watching.ts";
import type {
  DocumentSource,
  LogLine,
  OperateRequest,
  PruneReport,
  PruneRequest,
  RunExplanation,
  Runtime,
  RuntimeReport,
  AddProviderRequest,
  FireScheduleRequest,
  PreviewRunRequest,
  StartPreviewedRequest,
  ProviderView,
  ScheduleView,
  ShowOptions,
  StartRunRequest,
  StoredRun,
  WaitUntil,
} from "./runtime.ts";
import { assemble, type RuntimeParts } from "./runtime-parts.ts";
import { ProviderOperations } from "./provider-operations.ts";
import { ScheduleOperations } from "./schedule-operations.ts";
import { Scheduler } from "./scheduler.ts";

/** After `stop`, attempts in flight have this long to end by themselves. */
export const STOP_GRACE_MS = 10_000;
/** What must be stored after that is given this long; a store that does not answer is left as it is, as in a crash. */
const STOP_COMMIT_MS = 10_000;
const RUNNABLE_PAGE = 500;
/** Runs loaded at the same time after a clean stop. */
const LOAD_AT_ONCE = 16;
const RUN_IDS_SHOWN_MAX = 5;
const CHILDREN_MAX = 1000;
const RECORDS_MAX = 10_000;
const STATUS_PAGE = 1000;
export interface RuntimeDeps {
  readonly store: Store;
  readonly connectors: readonly Connector[];
  readonly env: Env;
  /** `all`: every run, timer and event. `asked`: only runs that were started, operated on or driven through this process, and their children. */
  readonly drive: "all" | "asked";
  /** Version of Tutti; `$runtime.version`. */
  readonly version: string;
  /** Unguessable and the same for the life of a data directory: with it a start key gives another run id, and so other tokens, in each installation. */
  readonly installationId?: string;
  /** How documents reach what they refer to when they are published; without it nothing outside can be referred to. */
  readonly references?: ReferenceReader;
  readonly limits?: RuntimeLimits;
  /** The W3C `traceparent` of a span of a run, which attempts tell the other side; without it they tell none. */
  readonly traceparent?: (runId: string, spanKey: string) => string;
  /** Where it counts what it does; its own place by default. */
  readonly metrics?: RuntimeMetrics;
  /** How long finished runs and their logs stay when their document says nothing; `FOREVER_MS` for ever. */
  readonly retention?: { readonly runsMs?: number; readonly logsMs?: number };
}
export interface RuntimeLimits {
  readonly stopGraceMs?: number;
  /** A snapshot after this many records, whatever it costs: for tests that want to see the state in memory. */
  readonly snapshotAfterRecords?: number;
}

export function createRuntime(deps: RuntimeDeps): Runtime {
  return new RuntimeService(deps);
}

class RuntimeService implements Runtime {
  readonly #deps: RuntimeDeps;
  readonly #redactor = new Redactor();
  #parts: RuntimeParts | undefined;
  #phase: "new" | "started" | "stopping" | "stopped" = "new";
  #stopping: Promise<void> | undefined;
  readonly #starts: RunStarts;
  readonly #previews: Previews;
  readonly #providers: ProviderOperations;
  #scheduler: Scheduler | undefined;

  constructor(deps: RuntimeDeps) {
    this.#deps = { ...deps, env: withMaskedReports(deps.env, this.#redactor) };
    const { store, env, installationId = "" } = this.#deps;
    this.#providers = new ProviderOperations({ ...this.#deps, redactor: this.#redactor });
    const acknowledge = (runId: string): void => this.#acknowledge("run", runId);
    this.#starts = new RunStarts({ store, env, installationId, parts: () => this.#open(), acknowledge });
    this.#previews = new Previews({
      store,
      env: this.#deps.env,
      starts: this.#starts,
      redactor: this.#redactor,
      parts: () => this.#open(),
    });
  }

  async start(): Promise<void> {
    if (this.#phase !== "new") return;
    const { store, drive } = this.#deps;
    await store.start();
    // What an earlier life sent to others may come back before this one has used the secret.
    for (const secret of (await this.#deps.env.allSecrets?.()) ?? []) this.#redactor.register(secret);
    const parts = assemble(this.#deps, this.#redactor, () => this.#scheduler);
    this.#parts = parts;
    this.#phase = "started";
    const scheduler = this.#makeScheduler(parts);
    this.#scheduler = scheduler;
    parts.events.onAccepted(() => scheduler.eventsAccepted());
    await parts.mailbox.start();
    // After an unclean stop they are also suspects, whoever drives them later.
    const runnable = parts.shared === undefined && (drive === "all" || !store.stoppedCleanly) ? await this.#runnable() : [];
    if (!store.stoppedCleanly) {
      // What has come due will be woken in a moment; who is beyond the page is watched when a next crash has moved it up.
      const due = await store.listDue(parts.clock.nowMs(), RUNNABLE_PAGE);
      await parts.poison.start([...runnable, ...due.map(({ runId }) => runId)]);
    }
    await parts.events.start();
    if (drive !== "all") return;
    await this.#loadAll([...new Set([...runnable, ...parts.mailbox.receivers()])]);
    await parts.wakeUps.start();
    await parts.retention.start();
    await scheduler.start();
    await parts.shared?.ownership.start();
  }

  async stop(): Promise<void> {
    if (this.#phase === "new" || this.#phase === "stopped") {
      this.#phase = "stopped";
      return;
    }
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  async publish(document: DocumentSource): ReturnType<Runtime["publish"]> {
    const { programs, clock } = this.#open();
    const published = await programs.publish(document, clock.nowMs());
    this.#scheduler?.published(published.definition);
    return published;
  }

  async listDefinitions(): Promise<readonly Omit<DefinitionRow, "text">[]> {
    this.#open();
    return this.#deps.store.listDefinitions();
  }

  async loadDefinition(namespace: string, name: string, version: string): Promise<DefinitionRow> {
    this.#open();
    const row = await this.#deps.store.loadDefinition({ namespace, name, version });
    if (row !== undefined) return row;
    throw new AppError("definition-not-found", `There is no workflow ${namespace}/${name} ${version}.`, {
      details: { namespace, name, version },
    });
  }

  async startRun(request: StartRunRequest): Promise<StartedRun> {
    this.#writable();
    return this.#starts.start(request);
  }

  previewRun(request: PreviewRunRequest): Promise<ChangePreview> {
    return this.#previews.preview(request);
  }

  async startPreviewed(request: StartPreviewedRequest): Promise<StartedRun> {
    this.#writable();
    return this.#previews.start(request);
  }

  async operate(request: OperateRequest): Promise<RunView> {
    const parts = this.#writable();
    const { runId } = request;
    const row = await parts.history.row(runId);
    const needsRecords = !["pause", "cancel", "kill"].includes(request.action.kind);
    const isHere = (): boolean => parts.shared === undefined || parts.ownership.leaseOf(runId)?.mode === "open";
    parts.driven.add(runId);
    if (isHere()) await (await parts.registry.use(runId, true)).stored();
    const records = needsRecords ? await parts.history.records(runId) : [];
    const action = toOperatorAction(request.action, records, await parts.history.context(row));
    checkAction(request.action);
    const word = { actor: request.actor, reason: request.reason, action };
    // The run may have been loaded again while its records were read.
    if (isHere()) await this.#commitOperation(await parts.registry.use(runId, true), word);
    else await parts.shared?.mail.operate(runId, word);
    await this.#driveChildren(runId);
    this.#acknowledge("operation", runId);
    return parts.history.view(runId);
  }

  async drive(runId: string): Promise<void> {
    const parts = this.#writable();
    const row = await parts.history.row(runId);
    if (row.status === "quarantined") return;
    // Where nodes share the store somebody drives it anyway.
    if (parts.shared !== undefined) return;
    parts.driven.add(runId);
    await parts.registry.use(runId);
    await this.#driveChildren(runId);
  }

  async listSchedules(): Promise<readonly ScheduleView[]> {
    return this.#schedules().list();
  }

  async showSchedule(namespace: string, name: string): Promise<ScheduleView> {
    return this.#schedules().show({ namespace, name });
  }

  async setSchedule(namespace: string, name: string, isEnabled: boolean): Promise<ScheduleView> {
    this.#writable();
    return this.#schedules().set({ namespace, name }, isEnabled);
  }

  async fireSchedule(request: FireScheduleRequest): Promise<{ readonly runId: string }> {
    this.#writable();
    return this.#schedules().fire(request);
  }

  async nextInstants(namespace: string, name: string, count: number): Promise<readonly number[]> {
    return this.#schedules().nextInstants({ namespace, name }, count);
  }

  async listProviders(): Promise<readonly ProviderView[]> {
    this.#open();
    return this.#providers.list();
  }

  async addProvider(request: AddProviderRequest): Promise<ProviderView> {
    this.#writable();
    return this.#providers.add(request);
  }

  async checkProvider(name: string): Promise<ProviderView> {
    this.#writable();
    return this.#providers.check(name);
  }

  async removeProvider(name: string): Promise<void> {
    this.#writable();
    return this.#providers.remove(name);
  }

  nextTickAt(): number | undefined {
    return this.#scheduler?.nextTickAt();
  }

  async acceptEvent(event: CloudEvent): Promise<{ readonly position: number; readonly duplicate: boolean }> {
    const parts = this.#writable();
    const checked = CloudEventSchema.safeParse(event);
    if (!checked.success)
      throw new AppError(
        "event-invalid",
        `The event is no CloudEvent: ${checked.error.issues.map((issue) => `${issue.path.map(String).join(".")}: ${issue.message}`).join("; ")}`,
      );
    const value = checkValue(checked.data);
    if (value.kind !== "plain")
      throw new AppError(value.kind === "too-large" ? "payload-too-large" : "event-invalid", `The event is refused: ${value.why}.`);
    const { id, source, type } = checked.data;
    // What names the event stays: by it the event is accepted once.
    const body = { ...(this.#redactor.maskJson(value.value) as CloudEvent), specversion: checked.data.specversion, id, source, type };
    const accepted = await this.#deps.store.acceptEvent({
      tenant: DEFAULT_TENANT,
      source,
      id,
      type,
      acceptedAtMs: parts.clock.nowMs(),
      body: JSON.stringify(body),
    });
    parts.events.accepted();
    if (accepted.duplicate) parts.metrics.eventsDuplicate += 1;
    else parts.metrics.eventsAccepted += 1;
    this.#acknowledge("event", id);
    return accepted;
  }

  async listEvents(limit: number): Promise<readonly StoredEvent[]> {
    this.#open();
    return this.#deps.store.listEvents(DEFAULT_TENANT, limit);
  }

  async show(runId: string, options: ShowOptions = {}): Promise<RunView> {
    return this.#open().history.view(runId, options);
  }

  async explain(runId: string, options: { readonly task?: string } = {}): Promise<RunExplanation> {
    return explainRun({ store: this.#deps.store, history: this.#open().history }, runId, options.task);
  }

  async planBackOut(runId: string, { to }: { readonly to?: string } = {}): Promise<BackOutPlan> {
    const { history } = this.#open();
    const context = await history.context(await history.row(runId));
    return planBackOut(await history.records(runId), context, to === undefined ? undefined : findPath(to, context));
  }

  async list(query: Omit<RunQuery, "tenant">): Promise<RunPage> {
    this.#open();
    return this.#deps.store.listRuns({ ...query, tenant: DEFAULT_TENANT });
  }

  async resolveRunId(text: string): Promise<string> {
    const { store } = this.#deps;
    this.#open();
    if (text === "@latest") {
      const [latest] = (await store.listRuns({ tenant: DEFAULT_TENANT, limit: 1 })).runs;
      if (latest === undefined) throw new AppError("run-not-found", "There is no run yet.");
      return latest.runId;
    }
    if (text === "") throw new AppError("usage", "A run is named by its id, a unique beginning of it, or @latest.");
    const found = await store.findRunIds(text.startsWith("run_") ? text : `run_${text}`, RUN_IDS_SHOWN_MAX);
    if (found.includes(text)) return text;
    if (found.length === 0) throw new AppError("run-not-found", `There is no run ${text}.`, { details: { runId: text } });
    if (found.length > 1)
      throw new AppError("run-ambiguous", `"${text}" begins the ids of several runs: ${found.join(", ")}.`, {
        details: { candidates: [...found] },
      });
    return found[0] as string;
  }

  async loadRow(runId: string): Promise<RunRow> {
    return this.#open().history.row(runId);
  }

  async *watch(runId: string, signal: AbortSignal): AsyncGenerator<RunView> {
    const parts = this.#open();
    yield* watchRun(this.#watching(parts), runId, signal);
  }

  async waitFor(runId: string, until: WaitUntil, signal: AbortSignal): Promise<StoredRun> {
    const parts = this.#open();
    return waitForRun(this.#watching(parts), { runId, until, signal });
  }

  async records(runId: string, fromSeq: number, limit: number): Promise<readonly { readonly seq: number; readonly record: Json }[]> {
    await this.#open().history.row(runId);
    const stored = await this.#deps.store.readRecords(runId, fromSeq, Math.min(limit, RECORDS_MAX));
    return stored.map(({ seq, body }) => ({ seq, record: JSON.parse(body) as Json }));
  }

  async lifecycleEvents(runId: string): Promise<readonly CloudEvent[]> {
    const { history } = this.#open();
    const context = await history.context(await history.row(runId));
    return new LifecycleDeriver(context).feed(await history.records(runId));
  }

  async readLifecycle(runId: string): Promise<LifecycleReader> {
    const { history } = this.#open();
    const context = await history.context(await history.row(runId));
    return new LifecycleReader({ runId, history, deriver: new LifecycleDeriver(context), defer: (next) => this.#deps.env.defer(next) });
  }

  async trace(runId: string): Promise<RunTrace> {
    const { history } = this.#open();
    const row = await history.row(runId);
    const deriver = new TraceDeriver(await history.context(row));
    for await (const page of history.pages(runId, 1, row.seq)) {
      deriver.feed(page);
      // Runs move on while a long one is read.
      await new Promise<void>((resolve) => this.#deps.env.defer(resolve));
    }
    return deriver.trace();
  }

  mask(value: Json): Json {
    return this.#redactor.maskJson(value);
  }

  async *logs(
    runId: string,
    options: { readonly task?: string; readonly follow: boolean; readonly signal: AbortSignal },
  ): AsyncGenerator<LogLine> {
    const parts = this.#open();
    await parts.history.row(runId);
    const { task, follow, signal } = options;
    yield* readLogs(this.#watching(parts), this.#deps.env.logs, { runId, task, follow, signal });
  }

  async prune(request: PruneRequest): Promise<PruneReport> {
    return this.#writable().retention.prune(request);
  }

  async diagnose(): Promise<RuntimeReport> {
    const parts = this.#open();
    const runsByStatus: Record<string, number> = {};
    let cursor: string | undefined;
    do {
      const page: RunPage = await this.#deps.store.listRuns({
        tenant: DEFAULT_TENANT,
        limit: STATUS_PAGE,
        ...(cursor === undefined ? {} : { cursor }),
      });
      for (const row of page.runs) runsByStatus[row.status] = (runsByStatus[row.status] ?? 0) + 1;
      cursor = page.next;
    } while (cursor !== undefined);
    return {
      store: await this.#deps.store.check(),
      runsByStatus,
      loadedRuns: parts.registry.size,
      attemptsInFlight: parts.dispatcher.inFlight,
      functions: parts.functions.list(),
      stoppedCleanly: this.#deps.store.stoppedCleanly,
    };
  }

  gauges(): RuntimeGauges | undefined {
    const parts = this.#parts;
    if (parts === undefined || this.#phase === "stopped") return undefined;
    const { registry, dispatcher, commits, timers } = parts;
    return { loadedRuns: registry.size, attemptsInFlight: dispatcher.inFlight, runsToCommit: commits.waiting, timers: timers.size };
  }

  #makeScheduler({ clock, timers, programs, changes, ownership, metrics }: RuntimeParts): Scheduler {
    const { store, env } = this.#deps;
    return new Scheduler({
      store,
      env,
      clock,
      timers,
      programs,
      changes,
      metrics,
      isMine: (schedule) => ownership.leaseOf(schedule)?.mode === "open",
      start: (request) => this.startRun(request),
      runIdOf: (startKey) => this.#starts.runIdOf(startKey),
      cancel: async (runId, actor, reason) => {
        try {
          await this.operate({ runId, actor, reason, action: { kind: "cancel" } });
        } catch (error) {
          // It has ended meanwhile, or is being cancelled already.
          if (!(error instanceof AppError) || error.code !== "operation-not-possible") throw error;
        }
      },
    });
  }

  #schedules(): ScheduleOperations {
    const { programs } = this.#open();
    const { store, env } = this.#deps;
    if (this.#scheduler === undefined) throw new AppError("stopping", "The runtime is not started, or it has stopped.");
    return new ScheduleOperations({ store, env, programs, scheduler: this.#scheduler });
  }

  #open(): RuntimeParts {
    if (this.#parts === undefined || this.#phase === "stopped")
      throw new AppError("stopping", "The runtime is not started, or it has stopped.");
    return this.#parts;
  }

  #watching({ history, changes, isBusy, clock, registry }: RuntimeParts): WatchingDeps {
    const statusOf: WatchingDeps["statusOf"] = (runId) => registry.peek(runId)?.storedRow?.status;
    return { statusOf, env: this.#deps.env, store: this.#deps.store, history, changes, isBusy, nowMs: () => clock.nowMs() };
  }

  #writable(): RuntimeParts {
    const parts = this.#open();
    if (this.#phase === "stopping") throw new AppError("stopping", "The process is stopping and takes no new work.");
    if (parts.commits.isFull) throw new AppError("store-full", "The store is full; nothing new is taken until there is space.");
    return parts;
  }

  /** Runs that were under way when the last process ended. */
  async #runnable(): Promise<readonly string[]> {
    const runIds: string[] = [];
    for (;;) {
      const page = await this.#deps.store.listRunnable(runIds.at(-1), RUNNABLE_PAGE);
      runIds.push(...page);
      if (page.length < RUNNABLE_PAGE) return runIds;
    }
  }

  async #loadAll(runIds: readonly string[]): Promise<void> {
    const parts = this.#open();
    const left = runIds.values();
    const worker = async (): Promise<void> => {
      for (const runId of left) {
        if (this.#phase !== "started") return;
        await parts.takeUp(runId);
      }
    };
    await Promise.all(Array.from({ length: LOAD_AT_ONCE }, worker));
  }

  async #driveChildren(runId: string): Promise<void> {
    if (this.#deps.drive === "all") return;
    const parts = this.#open();
    if (parts.mailbox.concerns(runId)) await parts.mailbox.deliverTo(runId);
    const children = await this.#deps.store.listRuns({
      tenant: DEFAULT_TENANT,
      parentRunId: runId,
      status: ["running", "waiting"],
      limit: CHILDREN_MAX,
    });
    for (const child of children.runs) {
      if (parts.driven.has(child.runId)) continue;
      parts.driven.add(child.runId);
      await parts.takeUp(child.runId);
      await this.#driveChildren(child.runId);
    }
  }

  async #commitOperation(run: LoadedRun, operation: Pick<OperatorActed, "actor" | "reason" | "action">): Promise<void> {
    const { driver } = this.#open();
    const fact: OperatorActed = { type: "operator", at: driver.timeFor(run), ...operation };
    const seq = run.seqAhead + 1;
    if (!driver.feed(run, fact)) {
      if (run.isDropped) throw new AppError("operation-not-possible", `The run ${run.runId} could not carry this out; it is loaded again.`);
      return;
    }
    await new Promise<void>((resolve, reject) => {
      (run.pending.acknowledgements ??= []).push({ seq, record: fact, resolve, reject });
    });
  }

  #acknowledge(what: string, id: string): void {
    const { env } = this.#deps;
    env.crashPoint("acknowledge.before", crashDetail.acknowledge(what, id));
    env.defer(() => env.crashPoint("acknowledge.after", crashDetail.acknowledge(what, id)));
  }

  /**
   * What has been sent may end and is recorded; what follows is left for the next start, except intents of `unsafe` calls: those are carried
   * out within the grace, since after a restart nobody could tell them from interrupted ones.
   */
  async #stop(): Promise<void> {
    const parts = this.#open();
    const { env, store } = this.#deps;
    this.#phase = "stopping";
    parts.driver.mode = "closing";
    parts.shared?.ownership.close();
    parts.events.stop();
    parts.wakeUps.stop();
    await this.#within(STOP_COMMIT_MS, () => parts.retention.stop());
    await this.#within(STOP_COMMIT_MS, async () => this.#scheduler?.stop());
    await this.#within(this.#deps.limits?.stopGraceMs ?? STOP_GRACE_MS, async () => {
      do {
        await parts.dispatcher.idle();
        await parts.commits.settled();
        await parts.poison.settled();
      } while (parts.dispatcher.inFlight > 0);
    });
    parts.driver.mode = "closed";
    for (const handle of parts.dispatcher.list()) parts.dispatcher.abortHandle(handle, "stop");
    await parts.dispatcher.idle();
    await this.#within(STOP_COMMIT_MS, () => parts.commits.settled());
    await parts.dispatcher.settledAfterwards();
    if (parts.shared !== undefined) await this.#within(STOP_COMMIT_MS, () => this.#leave(parts.shared));
    parts.commits.stop();
    parts.registry.removeAll();
    parts.timers.stop();
    this.#phase = "stopped";
    try {
      await store.stop({ leavesSuspects: parts.poison.leavesSuspects });
    } catch (error) {
      env.report("The store could not be stopped in order; the next start recovers.", error);
    }
  }

  /** What waits for another node's shards may be claimed by it at once. */
  async #leave(shared: RuntimeParts["shared"]): Promise<void> {
    try {
      await shared?.ownership.leave();
    } catch (error) {
      this.#deps.env.report("The shards of this node could not be handed over; others claim them when their leases have ended.", error);
    }
  }

  async #within(limitMs: number, work: () => Promise<void>): Promise<void> {
    let timer: { clear(): void } | undefined;
    const limit = new Promise<void>((resolve) => {
      timer = this.#deps.env.setTimer(limitMs, resolve);
    });
    await Promise.race([work(), limit]);
    timer?.clear();
  }
}

/** Values that an operator brings obey the same limits as those of connectors. */
function checkAction(action: OperateRequest["action"]): void {
  const values: (Json | undefined)[] = [];
  if (action.kind === "resume") values.push(action.setInput, ...Object.values(action.outputs ?? {}));
  if (action.kind === "skip") values.push(action.output);
  if (action.kind === "settle" && action.verdict.kind === "done") values.push(action.verdict.output);
  for (const value of values) {
    if (value === undefined) continue;
    const checked = checkValue(value);
    if (checked.kind !== "plain")
      throw new AppError(checked.kind === "too-large" ? "payload-too-large" : "usage", `A value is refused: ${checked.why}.`);
  }
}
