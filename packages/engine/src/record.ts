import type { CloudEvent, EffectClass, Json, JsonObject, TaskError } from "@tutti/model";

/**
 * The history of a run: facts from outside in the order in which the engine saw them, and the intents that follow from them.
 *
 * Feeding the facts to `advance` again yields the same state and the same intents; whatever follows by computation alone is not here.
 * `at` is event time in milliseconds since 1970 UTC and never falls within a run. `task` is the activation's number (see `state.ts`).
 * The format is stored: members are only added, with a default for records that lack them.
 */
export type RunRecord =
  | RunStarted
  | AttemptIntended
  | AttemptEnded
  | LookUpEnded
  | TimerFired
  | EventReceived
  | ChildEnded
  | SlotDecided
  | OperatorActed;

export interface RunStarted {
  readonly type: "run-started";
  readonly at: number;
  readonly runId: string;
  readonly tenant: string;
  readonly workflow: WorkflowVersion;
  readonly input: Json;
  readonly labels: Readonly<Record<string, string>>;
  /** Set on a run that a `run.workflow` task started. */
  readonly parent?: { readonly runId: string; readonly task: number; readonly depth: number };
  readonly replayOf?: string;
  readonly actor: string;
  /** Behaviour flags in force for the whole life of the run. */
  readonly flags: readonly number[];
}

/** One published version of a workflow; `digest` pins the text. */
export interface WorkflowVersion {
  readonly namespace: string;
  readonly name: string;
  readonly version: string;
  readonly digest: string;
}

/** Written before an attempt that may change something is sent; `read` attempts need none. */
export interface AttemptIntended {
  readonly type: "attempt-intended";
  readonly at: number;
  readonly task: number;
  readonly path: string;
  readonly token: string;
  readonly attempt: number;
  readonly function: string;
  readonly effect: EffectClass;
}

export interface AttemptEnded {
  readonly type: "attempt-ended";
  readonly at: number;
  readonly task: number;
  readonly attempt: number;
  readonly outcome: AttemptOutcome;
}

export type AttemptOutcome =
  | { readonly kind: "completed"; readonly output: Json }
  /** A complete answer, or an attempt that provably never began: nothing is in doubt. */
  | { readonly kind: "failed"; readonly error: TaskError; readonly began: boolean; readonly retryable: boolean }
  /** Nobody knows whether the effect happened: the effect class decides. */
  | { readonly kind: "unknown"; readonly reason: UnknownReason; readonly error: TaskError };
export type UnknownReason = "crash" | "timeout" | "connection" | "cancelled" | "lease-lost";

/** Answer to a look-up of an effect by its token. */
export interface LookUpEnded {
  readonly type: "look-up-ended";
  readonly at: number;
  readonly task: number;
  readonly outcome:
    | { readonly kind: "found"; readonly output: Json }
    | { readonly kind: "absent" }
    | { readonly kind: "failed"; readonly error: TaskError };
}

export interface TimerFired {
  readonly type: "timer-fired";
  readonly at: number;
  readonly timer: number;
}

export interface EventReceived {
  readonly type: "event-received";
  readonly at: number;
  readonly task: number;
  /** Place of the event in the inbox: a run consumes each at most once. */
  readonly position: number;
  readonly event: CloudEvent;
}

export interface ChildEnded {
  readonly type: "child-ended";
  readonly at: number;
  readonly task: number;
  readonly runId: string;
  readonly outcome:
    | { readonly kind: "completed"; readonly output: Json }
    | { readonly kind: "faulted"; readonly error: TaskError }
    | { readonly kind: "cancelled" }
    /** The child could not be started: unknown workflow, invalid input. */
    | { readonly kind: "refused"; readonly error: TaskError };
}

/** The store's decision on a concurrency slot or lock. */
export interface SlotDecided {
  readonly type: "slot-decided";
  readonly at: number;
  /** Activation that asked; 0 is the run itself. */
  readonly task: number;
  readonly verdict: "granted" | "rejected" | "replaced";
  readonly fence: number;
}

/** What a person or a program asked of the run, with actor and reason. */
export interface OperatorActed {
  readonly type: "operator";
  readonly at: number;
  readonly actor: string;
  readonly reason: string | undefined;
  readonly action: OperatorAction;
}

export type OperatorAction =
  | { readonly kind: "pause" }
  | { readonly kind: "resume"; readonly from?: ResumePoint; readonly setInput?: Json; readonly outputs?: Readonly<Record<string, Json>> }
  /** Run the failed task again now, with the same inputs; without `task`, every failed one. */
  | { readonly kind: "retry"; readonly task?: number }
  | { readonly kind: "skip"; readonly task: number; readonly output?: Json }
  /** `doubt` names what the person speaks of; records made before 2026-11-22 lack it. */
  | { readonly kind: "settle"; readonly task: number; readonly doubt?: DoubtName; readonly verdict: SettleVerdict }
  | { readonly kind: "cancel" }
  | { readonly kind: "kill" }
  /** Undo what the run did: all of it, or what it did since it came to a task, where it then waits to go on. */
  | { readonly kind: "backout"; readonly to?: BackOutPoint }
  /** The run is poison: it took the process down three times in a row. Ends only by an operator's `resume`. */
  | { readonly kind: "quarantine" };

/** Where a back-out ends. Self-contained data, as a resume point. */
export interface BackOutPoint {
  readonly from: ResumePoint;
  /** What had been done before, by its key in `RunState.undos`: it stays. */
  readonly keep: readonly string[];
}

/** Which attempt a doubt is about: a task may come to be in doubt more than once. */
export interface DoubtName {
  readonly token: string;
  readonly attempt: number;
}

export type SettleVerdict = { readonly kind: "done"; readonly output: Json } | { readonly kind: "not-done"; readonly then: "run" | "fail" };

/**
 * Where `resume --from` goes on: a frozen scope that is still there, or the frames rebuilt from the records by `captureResumePoint`.
 * Self-contained data, so that replay needs no second look into history.
 */
export interface ResumePoint {
  readonly path: string;
  /** Frames from the outermost task list to the one that holds the task, as they were when the task was last entered. */
  readonly frames: readonly JsonObject[];
  readonly context: Json;
}
