import type { Health } from "@tutti/connector-kit";
import type { CloudEvent, Json, JsonObject } from "@tutti/model";
import type { Finding } from "@tutti/definition";
import type { BackOutPlan, EventExplanation, RunTrace, RunView, TaskExplanation } from "@tutti/engine";
import type { ChangePreview } from "./preview/change-preview.ts";
import type { LifecycleReader } from "./lifecycle-reader.ts";
import type { RuntimeGauges } from "./metrics/runtime-metrics.ts";
import type { DefinitionRow, RunPage, RunQuery, RunRow, StoredEvent, StoreReport } from "@tutti/store";

/**
 * Drives the engine: owns runs, commits in groups, keeps time, carries out attempts, delivers events. It acts and never decides.
 *
 * A method that resolves has committed what it acknowledges. Errors are `AppError`s of the catalogue.
 */
export interface Runtime {
  /** Loads what was outstanding and goes on with it (with `drive: "all"`). */
  start(): Promise<void>;
  /**
   * Takes no new work, lets attempts in flight end within `STOP_GRACE_MS`, aborts the rest, commits, and releases everything. May be called
   * twice or before `start`.
   */
  stop(): Promise<void>;

  /** Checks a document and publishes it under its namespace, name and version. Errors among the findings refuse it (`definition-invalid`). */
  publish(
    document: DocumentSource,
  ): Promise<{ readonly definition: Omit<DefinitionRow, "text">; readonly created: boolean; readonly findings: readonly Finding[] }>;
  listDefinitions(): Promise<readonly Omit<DefinitionRow, "text">[]>;
  loadDefinition(namespace: string, name: string, version: string): Promise<DefinitionRow>;

  /** Starts a run of a published version. With a `startKey` the same key starts one run only: `created` is false for the second. */
  startRun(request: StartRunRequest): Promise<{ readonly runId: string; readonly created: boolean }>;
  /**
   * What a run with this input would do, and would not be able to undo. Changes nothing: connectors are asked what calls would do, and what only reads is
   * read before anything would have changed.
   *
   * @throws AppError as `startRun`.
   */
  previewRun(request: PreviewRunRequest): Promise<ChangePreview>;
  /**
   * Starts the run of a preview, once, if it would still do what the preview says; the run has the id that the preview names.
   *
   * @throws AppError `preview-void` with the `differences`: nothing was started. As `startRun` else.
   */
  startPreviewed(request: StartPreviewedRequest): Promise<{ readonly runId: string; readonly created: boolean }>;
  /** Carries out an operator's action; the answer says what the run looks like after it. */
  operate(request: OperateRequest): Promise<RunView>;
  /** Takes a run that this process does not drive (mode `asked`) into its hands. */
  drive(runId: string): Promise<void>;

  /** Workflows whose latest version has a schedule, and those whose schedule was enabled once, by name. */
  listSchedules(): Promise<readonly ScheduleView[]>;
  /** @throws AppError `definition-not-found`, `schedule-not-found`. */
  showSchedule(namespace: string, name: string): Promise<ScheduleView>;
  /** Enables the schedule of a workflow from now on, whatever version is the latest; or disables it. The same again changes nothing. */
  setSchedule(namespace: string, name: string, isEnabled: boolean): Promise<ScheduleView>;
  /** Starts a run of a scheduled workflow now, besides its schedule and whatever else runs. */
  fireSchedule(request: FireScheduleRequest): Promise<{ readonly runId: string }>;
  /** The next instants of a schedule by the clock, enabled or not, in milliseconds; fewer when there are no more. */
  nextInstants(namespace: string, name: string, count: number): Promise<readonly number[]>;
  /** The earliest instant at which this process will start a run of a schedule. */
  nextTickAt(): number | undefined;

  /** Configured targets of connectors, by name, with the last look at each. */
  listProviders(): Promise<readonly ProviderView[]>;
  /**
   * Adds a provider, or with `replace` changes it for every attempt that begins from now on. Credentials are names of secrets.
   *
   * @throws AppError `provider-invalid`, `provider-exists`.
   */
  addProvider(request: AddProviderRequest): Promise<ProviderView>;
  /** Asks the provider's target how it is, within `PROVIDER_CHECK_MS`, and keeps the answer. @throws AppError `provider-not-found`. */
  checkProvider(name: string): Promise<ProviderView>;
  /** Removes a provider; attempts that are under way go on with what they have. @throws AppError `provider-not-found`. */
  removeProvider(name: string): Promise<void>;

  /** How much of everything there is now; undefined when it is not started or has stopped. */
  gauges(): RuntimeGauges | undefined;

  acceptEvent(event: CloudEvent): Promise<{ readonly position: number; readonly duplicate: boolean }>;
  listEvents(limit: number): Promise<readonly StoredEvent[]>;

  /**
   * The run as it is, as it was after record `atSeq`, or as it was at a moment: after the last record that was made until then.
   *
   * @throws AppError `usage` before the first record or beyond the last; `run-not-found`.
   */
  show(runId: string, options?: ShowOptions): Promise<RunView>;
  /**
   * Why a task ran, did not run or waits, from the run's records; without `task` what the run waits for now. The task is named by its path, a
   * unique end of it, or the number of an activation.
   *
   * @throws AppError `task-not-found`, `task-ambiguous`, `run-not-found`.
   */
  explain(runId: string, options?: { readonly task?: string }): Promise<RunExplanation>;
  /**
   * What `operate` with `backout` would undo now, in its order, and what would stay. Changes nothing.
   *
   * @throws AppError `operation-not-possible` for a run at its end; `task-not-found`, `task-ambiguous`, `run-not-found`.
   */
  planBackOut(runId: string, options?: { readonly to?: string }): Promise<BackOutPlan>;
  list(query: Omit<RunQuery, "tenant">): Promise<RunPage>;
  /** The whole id of a run for a unique beginning of it, `@latest` or a whole id. */
  resolveRunId(text: string): Promise<string>;
  loadRow(runId: string): Promise<RunRow>;
  /** The run now and after every commit that changed it; ends when the run is final, or with the signal. */
  watch(runId: string, signal: AbortSignal): AsyncIterable<RunView>;
  /** Resolves when the run has come so far (see `WaitUntil`). Rejects with the signal's reason. */
  waitFor(runId: string, until: WaitUntil, signal: AbortSignal): Promise<StoredRun>;
  /** Records as stored, parsed, from `fromSeq` on. */
  records(runId: string, fromSeq: number, limit: number): Promise<readonly { readonly seq: number; readonly record: Json }[]>;
  /** The run's lifecycle events of the specification, derived from its records: the same records give the same events with the same ids. */
  lifecycleEvents(runId: string): Promise<readonly CloudEvent[]>;
  /** Derives the run's lifecycle events piece by piece, for whoever tells them on. @throws AppError `run-not-found`. */
  readLifecycle(runId: string): Promise<LifecycleReader>;
  /** The run's trace, derived from its records: the same records give the same spans. */
  trace(runId: string): Promise<RunTrace>;
  /** The value with everything masked that is known to be secret; for what leaves the process by another way than the runtime's. */
  mask(value: Json): Json;
  /** Log lines of the run's attempts, oldest first; with `follow` it goes on until the run is final or the signal. */
  logs(runId: string, options: { readonly task?: string; readonly follow: boolean; readonly signal: AbortSignal }): AsyncIterable<LogLine>;

  /** Deletes finished runs now: those whose time is over, or with `olderThanMs` all that ended longer ago. */
  prune(request: PruneRequest): Promise<PruneReport>;

  /** Facts for `admin doctor`. */
  diagnose(): Promise<RuntimeReport>;
}

/**
 * `final`: completed or cancelled. `rest`: also faulted, quarantined or suspended. `parked`: also when nothing is in flight and the run waits
 * for a timer, an event or a person; what `run start` without a server waits for.
 */
/** A run as the store has it. */
export type StoredRun = Omit<RunRow, "startPosition">;

export interface ShowOptions {
  readonly atSeq?: number;
  /** Milliseconds since 1970 UTC. Goes behind `atSeq`. */
  readonly atMs?: number;
}

export interface RunExplanation {
  readonly runId: string;
  readonly status: RunRow["status"];
  /** What the run's row says of it: what it waits for, why it faulted or was set aside. */
  readonly reason: string | undefined;
  readonly seq: number;
  readonly tasks: readonly ExplainedTask[];
}

/** What the engine knows of a task, and what lies outside of its run. */
export interface ExplainedTask extends TaskExplanation {
  /** Of a task that waits for a slot. */
  readonly slot: SlotExplanation | undefined;
  /** Of a task that listens: the latest events and why they were not taken, newest first. */
  readonly events: readonly EventExplanation[];
  /** The run that it waits for. */
  readonly child:
    | { readonly runId: string; readonly status: RunRow["status"] | undefined; readonly reason: string | undefined }
    | undefined;
}

export interface SlotExplanation {
  readonly key: string;
  readonly limit: number;
  readonly holders: readonly { readonly runId: string; readonly task: number }[];
  /** Place in the queue, from 1. */
  readonly place: number | undefined;
  readonly queued: number;
}

/**
 * How long to wait for a run. `final`: until it is completed or cancelled. `rest`: or faulted, suspended, quarantined. `person`: or only a person's
 * word moves it on, such as a doubt to be settled; its time limits go on. `parked`: or nothing moves it on within the next minute.
 */
export type WaitUntil = "final" | "rest" | "person" | "parked";

export interface DocumentSource {
  readonly text: string;
  /** For messages only. */
  readonly file?: string;
  readonly baseDirectory?: string;
}

export interface StartRunRequest {
  readonly namespace: string;
  readonly name: string;
  readonly version: string;
  readonly input: Json;
  readonly labels?: Readonly<Record<string, string>>;
  readonly startKey?: string;
  readonly actor: string;
  /** Starts with the input of that run. */
  readonly replayOf?: string;
}

export interface PreviewRunRequest {
  /** A document that need not be published, or the published version. */
  readonly workflow:
    | { readonly document: DocumentSource }
    | { readonly namespace: string; readonly name: string; readonly version: string };
  readonly input: Json;
  /** What may differ when the run starts: `facts`, or the path of a task, or a unique end of it. */
  readonly tolerances?: readonly string[];
}

export interface StartPreviewedRequest {
  readonly preview: ChangePreview;
  /** Needed when the preview's own has masked secrets in it. */
  readonly input?: Json;
  readonly labels?: Readonly<Record<string, string>>;
  readonly actor: string;
}

export interface FireScheduleRequest {
  readonly namespace: string;
  readonly name: string;
  /** `{}` when it is left out; an empty array of events for a schedule with `on`. */
  readonly input?: Json;
  readonly actor: string;
}

/** How the schedule of a workflow stands. */
export interface ScheduleView {
  readonly namespace: string;
  readonly name: string;
  /** The latest version, whose schedule counts. */
  readonly version: string;
  /** As the document has it; undefined when the latest version has none, and the schedule rests. */
  readonly schedule: JsonObject | undefined;
  readonly timezone: string | undefined;
  readonly misfire: string;
  readonly overlap: string;
  readonly isEnabled: boolean;
  readonly nextAtMs: number | undefined;
  readonly last: { readonly atMs: number; readonly runId: string } | undefined;
  /** Runs under way, as far as the schedule has to know them. */
  readonly active: readonly string[];
  /** Starts that wait for those. */
  readonly waiting: number;
  /** Groups of events that are not complete. */
  readonly openGroups: number;
  readonly started: number;
  readonly skipped: number;
  readonly failed: number;
  /** Why the latest start that failed did. */
  readonly failure: { readonly atMs: number; readonly message: string } | undefined;
}

/** A configured target of a connector. No value of a credential is ever in it. */
export interface ProviderView {
  readonly name: string;
  readonly connector: string;
  readonly configuration: JsonObject;
  /** Per credential the name of the secret that it is. */
  readonly credentials: Readonly<Record<string, string>>;
  /** The last look at it; undefined before the first, and after a change. */
  readonly health: { readonly atMs: number; readonly found: Health } | undefined;
}

export interface AddProviderRequest {
  readonly name: string;
  readonly connector: string;
  readonly configuration: JsonObject;
  /** Per credential the name of the secret that it is. */
  readonly credentials: Readonly<Record<string, string>>;
  /** Changes the provider of this name, if there is one. */
  readonly replace: boolean;
  /** Checks the request, writes nothing. */
  readonly dryRun: boolean;
}

/** An operator's word as people say it; tasks are named by path, unique end of a path, or activation number. */
export interface OperateRequest {
  readonly runId: string;
  readonly actor: string;
  readonly reason?: string;
  readonly action:
    | { readonly kind: "pause" | "cancel" | "kill" }
    | { readonly kind: "resume"; readonly from?: string; readonly setInput?: Json; readonly outputs?: Readonly<Record<string, Json>> }
    | { readonly kind: "retry"; readonly task?: string }
    /** Undo what the run did: all of it, or what it did since it came to the task, where it then waits. */
    | { readonly kind: "backout"; readonly to?: string }
    | { readonly kind: "skip"; readonly task: string; readonly output?: Json }
    | {
        readonly kind: "settle";
        readonly task: string;
        /**
         * Number of the last record (`RunView.seq`) of the run as the person saw it: the word is refused when the task came to be in doubt
         * later, for it is about another attempt then. Without it the present doubt is meant.
         */
        readonly seen?: number;
        readonly verdict: { readonly kind: "done"; readonly output: Json } | { readonly kind: "not-done"; readonly then: "run" | "fail" };
      };
}

export interface LogLine {
  readonly atMs: number;
  readonly runId: string;
  readonly task: number;
  readonly path: string;
  readonly attempt: number;
  readonly stream: "stdout" | "stderr" | "info";
  readonly text: string;
}

export interface PruneRequest {
  /** In place of what documents and host say. */
  readonly olderThanMs?: number;
  /** Counts, and deletes nothing. */
  readonly dryRun: boolean;
}
export interface PruneReport {
  readonly dryRun: boolean;
  /** Runs without a parent that were deleted, or would be. */
  readonly runs: number;
  /** Runs below these that went with them; 0 in a dry run. */
  readonly runsBelow: number;
  /** The most first. */
  readonly workflows: readonly { readonly namespace: string; readonly name: string; readonly runs: number }[];
  /** Size of the store before and after. */
  readonly bytesBefore: number;
  readonly bytesAfter: number;
}

export interface RuntimeReport {
  readonly store: StoreReport;
  readonly runsByStatus: Readonly<Record<string, number>>;
  readonly loadedRuns: number;
  readonly attemptsInFlight: number;
  readonly functions: readonly { readonly name: string; readonly connector: string; readonly version: string }[];
  readonly stoppedCleanly: boolean;
}
