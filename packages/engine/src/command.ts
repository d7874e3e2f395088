import type { CloudEvent, EffectClass, Json, JsonObject, TaskError } from "@tutti/model";
import type { SubscriptionKey } from "./event-key.ts";

/**
 * What the engine asks the runtime to do. Transactional commands belong into the same commit as the records that caused them; the others
 * are carried out after that commit (a `read` attempt may start before it). Commands are not stored: the state says what is outstanding
 * (`outstandingCommands`), so after a restart they are derived again.
 */
export type Command =
  | StartAttempt
  | LookUp
  | AbortAttempt
  | SetTimer
  | ClearTimer
  | StartChild
  | CancelChild
  | EmitEvent
  | Subscribe
  | Unsubscribe
  | AcquireSlot
  | ReleaseSlot
  | EndRun;

export interface StartAttempt {
  readonly type: "start-attempt";
  readonly task: number;
  readonly path: string;
  readonly token: string;
  readonly attempt: number;
  readonly function: string;
  readonly effect: EffectClass;
  readonly taskInput: Json;
  /** Renders the arguments; secrets are given here, at dispatch, and nowhere else. Throws ExpressionError. */
  readonly renderInput: (secrets: JsonObject) => JsonObject;
  readonly needsSecrets: boolean;
  /**
   * Whether one of the call's own expressions holds for a value that the attempt meets, such as a message; undefined when it has none.
   * Throws TaskFailure.
   */
  readonly ask: ((question: string, value: Json) => boolean) | undefined;
}

export interface LookUp {
  readonly type: "look-up";
  readonly task: number;
  readonly path: string;
  readonly token: string;
  readonly attempt: number;
  readonly function: string;
  readonly taskInput: Json;
  readonly renderInput: (secrets: JsonObject) => JsonObject;
  readonly needsSecrets: boolean;
}

/** Asks a running attempt to stop; its end still arrives as `attempt-ended`. */
export interface AbortAttempt {
  readonly type: "abort-attempt";
  readonly task: number;
  readonly reason: "timeout" | "cancelled";
}

export interface SetTimer {
  readonly type: "set-timer";
  readonly timer: number;
  readonly dueAtMs: number;
}
export interface ClearTimer {
  readonly type: "clear-timer";
  readonly timer: number;
}

/**
 * Transactional: the start must not be lost, since a task that does not await its child is over with it. Starts a run under an id derived
 * from the token, so starting it again finds it: a running child is left alone, a final one answers at once, a faulted one is resumed when
 * `resume` is set and else answers with its error.
 */
export interface StartChild {
  readonly type: "start-child";
  readonly task: number;
  readonly runId: string;
  readonly workflow: { readonly namespace: string; readonly name: string; readonly version: string };
  readonly input: Json;
  readonly depth: number;
  readonly await: boolean;
  readonly resume: boolean;
}
/** Transactional. */
export interface CancelChild {
  readonly type: "cancel-child";
  readonly runId: string;
  readonly how: "cancel" | "kill";
}

/** Transactional. Appends to the inbox; the id is derived from the token, so it is accepted once. */
export interface EmitEvent {
  readonly type: "emit-event";
  readonly event: CloudEvent;
}

/** Transactional. One row per filter. */
export interface Subscribe {
  readonly type: "subscribe";
  readonly task: number;
  readonly filters: readonly SubscriptionFilter[];
}
export interface SubscriptionFilter {
  readonly index: number;
  /** Literal event type, or undefined for any. */
  readonly eventType: string | undefined;
  /** Whether events accepted since the run's start count (`correlate`), or only later ones. */
  readonly correlated: boolean;
  /** What else an event must have to be a candidate; undefined when nothing is known, and where the row is there already: after a load. */
  readonly key: SubscriptionKey | undefined;
}
export interface Unsubscribe {
  readonly type: "unsubscribe";
  readonly task: number;
}

/** Transactional. Answered by `slot-decided` at once or when a holder lets go. Asking again with the same holder is harmless. */
export interface AcquireSlot {
  readonly type: "acquire-slot";
  readonly task: number;
  readonly key: string;
  readonly limit: number;
  readonly onConflict: "queue" | "reject" | "replace";
}
export interface ReleaseSlot {
  readonly type: "release-slot";
  readonly task: number;
  readonly key: string;
}

/** Transactional. The run is final or at rest; a waiting parent is told. */
export interface EndRun {
  readonly type: "end-run";
  readonly outcome:
    | { readonly kind: "completed"; readonly output: Json }
    | { readonly kind: "cancelled" }
    | { readonly kind: "faulted"; readonly error: TaskError };
}
