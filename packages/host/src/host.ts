import { AppError } from "@tutti/model";
import { rmSync } from "node:fs";
import { createRuntime, type Runtime, RuntimeMetrics } from "@tutti/runtime";
import type { Store } from "@tutti/store";
import { openSqliteStore } from "@tutti/store-sqlite";
import { loadConnectors } from "./connectors.ts";
import { writeBackup } from "./backup.ts";
import { type DataDirectory, messageOf, prepareDataDirectory } from "./data-directory.ts";
import { Outlets } from "./delivery/outlets.ts";
import { installationId } from "./installation-id.ts";
import { CommitLog } from "./log/commit-log.ts";
import type { EventLog } from "./log/event-log.ts";
import type { LogFields } from "./log/log-catalogue.ts";
import { HostCounts } from "./metrics/host-counts.ts";
import type { ListenAddress } from "./metrics/listen-address.ts";
import type { ServedMetrics } from "./metrics/serve-metrics.ts";
import { createNodeEnv } from "./node-env.ts";
import { pausedError, pausedService, readRestoreMark } from "./restore-mark.ts";
import { type RunChange, RunChanges } from "./run-changes.ts";
import { createReferenceReader } from "./reference-reader.ts";
import { type HostSettings, readSettings } from "./settings.ts";
import type { DriveMode, OwnerInfo, TuttiService } from "./service.ts";
import { socketPathOf } from "./socket-path.ts";
import { SocketServer } from "./socket-server.ts";
import { traceparentOf } from "./traces/trace-id.ts";
import { traceTargetOf } from "./traces/trace-settings.ts";
import { TUTTI_VERSION } from "./version.ts";

export interface HostOptions {
  readonly directory: DataDirectory;
  /** `all` drives every run of the directory; `asked` only those that are started, operated or asked for. */
  readonly drive: DriveMode;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** How long finished runs and their logs stay when their document says nothing; the runtime's defaults when it is left out. */
  readonly retention?: { readonly runsMs?: number; readonly logsMs?: number };
  /** Where metrics are served, in place of what `settings.yaml` says; only by a process that drives all runs. */
  readonly metrics?: ListenAddress;
  /** Where traces are sent, in place of what `settings.yaml` or the environment says; only by a process that drives all runs. */
  readonly traces?: string;
  /** Who is told lifecycle events besides the sinks of `settings.yaml`; only by a process that drives all runs. */
  readonly lifecycle?: string;
  /** Where what is committed, and failures, are told as lines; nowhere by default. */
  readonly log?: EventLog;
  /** Failures that no run can be blamed for. */
  readonly report: (message: string, cause: unknown) => void;
}

/**
 * This process as the owner of a data directory: store, connectors and runtime wired together, and the socket on which it answers others.
 * The only place where implementations are named.
 */
export class Host {
  readonly service: TuttiService;
  readonly #runtime: Runtime;
  readonly #store: Store;
  readonly #socket: SocketServer;
  readonly #socketPath: string;
  readonly #flushLogs: () => Promise<void>;
  readonly #askedByOthers: Set<string>;
  readonly #changes: RunChanges;
  readonly #served: ServedMetrics | undefined;
  readonly #outlets: Outlets;
  #stopping: Promise<void> | undefined;

  private constructor(parts: {
    readonly runtime: Runtime;
    readonly service: Omit<TuttiService, "owner" | "close">;
    readonly store: Store;
    readonly socket: SocketServer;
    readonly socketPath: string;
    readonly flushLogs: () => Promise<void>;
    readonly askedByOthers: Set<string>;
    readonly changes: RunChanges;
    readonly owner: OwnerInfo;
    readonly served: ServedMetrics | undefined;
    readonly outlets: Outlets;
  }) {
    this.#runtime = parts.runtime;
    this.#store = parts.store;
    this.#socket = parts.socket;
    this.#socketPath = parts.socketPath;
    this.#flushLogs = parts.flushLogs;
    this.#askedByOthers = parts.askedByOthers;
    this.#changes = parts.changes;
    this.#served = parts.served;
    this.#outlets = parts.outlets;
    this.service = { ...parts.service, owner: parts.owner, close: () => this.stop() };
  }

  /**
   * Becomes the owner of the data directory and starts.
   *
   * @throws AppError `store-in-use` when another process owns it; `file-unreadable`, `settings-invalid`, `restored-paused`, `store-newer`, `store-damaged`.
   */
  static async open(options: HostOptions): Promise<Host> {
    await prepareDataDirectory(options.directory);
    const mark = await readRestoreMark(options.directory);
    if (mark !== undefined && options.drive === "all") throw pausedError(mark);
    const settings = await readSettings(options.directory, options.environment);
    const { network, directories } = settings;
    const counts = new HostCounts();
    const report: HostOptions["report"] = (message, cause) => {
      counts.reports += 1;
      options.log?.log("report", { message, ...causeFields(cause) });
      options.report(message, cause);
    };
    const env = createNodeEnv({ directory: options.directory, environment: options.environment, report });
    const store = openSqliteStore({ directory: options.directory.path });
    await store.start();
    const changes = new RunChanges();
    changes.observe(store);
    if (options.log !== undefined) new CommitLog(options.log).observe(store);
    const traceTarget =
      options.drive === "all"
        ? traceTargetOf({ flag: options.traces, settings: settings.traces.destination, environment: options.environment })
        : undefined;
    const sinks = options.drive === "all" ? sinksOf(settings.sinks, options.lifecycle) : [];
    const metricsAddress = options.drive === "all" ? (options.metrics ?? settings.metrics) : undefined;
    const metrics = new RuntimeMetrics();
    try {
      const connectors = await loadConnectors(options.environment, settings);
      const runtime = createRuntime({
        store,
        metrics,
        connectors,
        env,
        drive: options.drive,
        version: TUTTI_VERSION,
        ...(settings.traces.propagate ? { traceparent: traceparentOf } : {}),
        ...(options.retention === undefined ? {} : { retention: options.retention }),
        installationId: await installationId(options.directory),
        references: createReferenceReader({ network, directories, secret: (name) => env.secret(name) }),
      });
      const running = serve(runtime, (request) =>
        writeBackup({ directory: options.directory, nowMs: () => env.wallClockMs(), copyStore: (file) => store.backup(file) }, request),
      );
      const service = mark === undefined ? running : pausedService(running, mark);
      const askedByOthers = new Set<string>();
      const socketPath = socketPathOf(options.directory, options.environment);
      const socket = new SocketServer({
        path: socketPath,
        service,
        version: TUTTI_VERSION,
        drive: options.drive,
        report: options.report,
        onRunAsked: (runId) => askedByOthers.add(runId),
      });
      const served =
        metricsAddress === undefined
          ? undefined
          : await (await import("./metrics/serve-metrics.ts")).serveMetrics(metricsAddress, { runtime, metrics, store, counts, report });
      const outlets = await Outlets.prepare(
        { traces: traceTarget, sinks },
        { directory: options.directory, runtime, store, env, settings, counts, report },
      );
      // The socket last: whoever connects finds a runtime that has loaded what was outstanding.
      try {
        await runtime.start();
        outlets.start();
        await socket.start();
      } catch (error) {
        await outlets.stop();
        await served?.stop();
        await runtime.stop();
        throw error;
      }
      const owner: OwnerInfo = { where: "here", pid: process.pid, version: TUTTI_VERSION, drive: options.drive };
      return new Host({
        runtime,
        service,
        store,
        socket,
        socketPath,
        flushLogs: () => env.logs.flush(),
        askedByOthers,
        changes,
        owner,
        served,
        outlets,
      });
    } catch (error) {
      // Nobody has tried the runs that a crash before this start may be blamed on.
      await store.stop({ leavesSuspects: !store.stoppedCleanly });
      throw error;
    }
  }

  /** Where metrics are served, if they are. */
  get metricsAddress(): ListenAddress | undefined {
    return this.#served?.address;
  }

  /** Tells of every committed change of how a run stands. @returns ends the telling. */
  onRunChange(listener: (change: RunChange) => void): () => void {
    return this.#changes.subscribe(listener);
  }

  /** Whether no run can move by itself any more: none is running, none has work outstanding, no timer is set, no schedule starts one by the clock. */
  async isIdle(): Promise<boolean> {
    const [runnable, wakeAtMs] = await Promise.all([this.#store.listRunnable(undefined, 1), this.#store.nextWakeAt()]);
    return runnable.length === 0 && wakeAtMs === undefined && this.#runtime.nextTickAt() === undefined;
  }

  /**
   * Whether runs that other processes asked for are moving: leaving now would break off their attempts. Those who only watch are no reason to
   * stay.
   */
  async isNeededByOthers(): Promise<boolean> {
    const rows = await Promise.all([...this.#askedByOthers].map((runId) => this.#runtime.loadRow(runId)));
    return rows.some((row) => row.status === "running");
  }

  /** Resolves when no other process needs this one, or with the signal. */
  async untilUnneeded(signal: AbortSignal): Promise<void> {
    while (!signal.aborted && (await this.isNeededByOthers())) {
      // A run that is stopped meanwhile, or the signal, ends the waiting, too: the loop looks again.
      await Promise.allSettled([...this.#askedByOthers].map((runId) => this.#runtime.waitFor(runId, "parked", signal)));
    }
  }

  /** Stops answering, then the runtime, then lets go of the directory. May be called twice. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  async #stop(): Promise<void> {
    await this.#socket.stop();
    await this.#outlets.stop();
    await this.#served?.stop();
    await this.#runtime.stop();
    await this.#flushLogs();
    rmSync(this.#socketPath, { force: true });
    // Last: from here on another process may own the directory, and the socket file is its own.
    await this.#store.stop();
  }
}

/** The runtime's methods as own properties, without those that only the owner may call. */
function serve(runtime: Runtime, backup: TuttiService["backup"]): Omit<TuttiService, "owner" | "close"> {
  return {
    publish: (document) => runtime.publish(document),
    listDefinitions: () => runtime.listDefinitions(),
    loadDefinition: (namespace, name, version) => runtime.loadDefinition(namespace, name, version),
    startRun: (request) => runtime.startRun(request),
    previewRun: (request) => runtime.previewRun(request),
    startPreviewed: (request) => runtime.startPreviewed(request),
    operate: (request) => runtime.operate(request),
    drive: (runId) => runtime.drive(runId),
    listSchedules: () => runtime.listSchedules(),
    showSchedule: (namespace, name) => runtime.showSchedule(namespace, name),
    setSchedule: (namespace, name, isEnabled) => runtime.setSchedule(namespace, name, isEnabled),
    fireSchedule: (request) => runtime.fireSchedule(request),
    nextInstants: (namespace, name, count) => runtime.nextInstants(namespace, name, count),
    listProviders: () => runtime.listProviders(),
    addProvider: (request) => runtime.addProvider(request),
    checkProvider: (name) => runtime.checkProvider(name),
    removeProvider: (name) => runtime.removeProvider(name),
    acceptEvent: (event) => runtime.acceptEvent(event),
    listEvents: (limit) => runtime.listEvents(limit),
    show: (runId, options) => runtime.show(runId, options),
    explain: (runId, options) => runtime.explain(runId, options),
    planBackOut: (runId, options) => runtime.planBackOut(runId, options),
    list: (query) => runtime.list(query),
    resolveRunId: (text) => runtime.resolveRunId(text),
    loadRow: (runId) => runtime.loadRow(runId),
    watch: (runId, signal) => runtime.watch(runId, signal),
    waitFor: (runId, until, signal) => runtime.waitFor(runId, until, signal),
    records: (runId, fromSeq, limit) => runtime.records(runId, fromSeq, limit),
    lifecycleEvents: (runId) => runtime.lifecycleEvents(runId),
    trace: (runId) => runtime.trace(runId),
    logs: (runId, options) => runtime.logs(runId, options),
    backup,
    prune: (request) => runtime.prune(request),
    diagnose: () => runtime.diagnose(),
  };
}

function sinksOf(settings: HostSettings["sinks"], url: string | undefined): HostSettings["sinks"] {
  return url === undefined || settings.some((sink) => sink.url === url) ? settings : [...settings, { url, headers: {}, types: [] }];
}

/** What a report says of why: the code of an error of ours, and its message. */
function causeFields(cause: unknown): LogFields {
  if (cause === undefined) return {};
  return { code: cause instanceof AppError ? cause.code : undefined, cause: messageOf(cause) };
}
