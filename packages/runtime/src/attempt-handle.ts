import { type Attempt, type AttemptProvider, ConnectorError, type StoredEnd } from "@tutti/connector-kit";
import { type AttemptOutcome, attemptSpanKey, type LookUpEnded, type StartAttempt, type LookUp } from "@tutti/engine";
import type { Json, Token } from "@tutti/model";
import type { AttemptLog } from "./attempt-log.ts";
import type { FunctionEntry } from "./function-table.ts";
import type { LoadedRun } from "./loaded-run.ts";
import type { ShardLease } from "./ownership.ts";
import { secretFor, type SecretBook } from "./secrets.ts";

export type AfterStored = (end: StoredEnd) => Promise<void>;

/** Why an attempt was asked to stop. `stop`: the process ends; `dropped`: its run was loaded again and starts it anew. */
export type AbortReason = "timeout" | "cancelled" | "stop" | "dropped";

/** What all attempts share. */
export interface AttemptServices {
  readonly secrets: SecretBook;
  readonly monotonicMs: () => number;
  readonly promisedHeartbeats: (handle: AttemptHandle) => void;
  readonly makeLog: (handle: AttemptHandle) => AttemptLog;
  readonly traceparent: ((runId: string, spanKey: string) => string) | undefined;
}

/** How an attempt or a look-up ended, before it has become a record. */
export type Ending =
  | { readonly of: "attempt"; readonly outcome: AttemptOutcome }
  | { readonly of: "look-up"; readonly outcome: LookUpEnded["outcome"] };

/**
 * One attempt or look-up that is under way, and what its function may see of it.
 *
 * It outlives a run that is loaded again (`run` is then set anew), and its ending is kept until the end is stored: what is known of an
 * effect is never forgotten while the process lives.
 */
export class AttemptHandle implements Attempt {
  readonly token: Token;
  readonly runId: string;
  readonly lease: ShardLease;
  readonly taskPath: string;
  readonly number: number;
  readonly taskInput: Json;
  readonly baseDirectory: string | undefined;
  readonly task: number;
  readonly command: StartAttempt | LookUp;
  readonly entry: FunctionEntry;
  /** What the workflow names in `use.secrets`. */
  readonly secretNames: readonly string[];
  /** Number of records that must be stored before anything of this attempt is shown. */
  readonly visibleFromSeq: number;
  /** Set before the function is called. */
  provider: AttemptProvider | undefined;
  run: LoadedRun | undefined;
  phase: "queued" | "running" | "settled" = "queued";
  abortReason: AbortReason | undefined;
  ending: Ending | undefined;
  /** The attempt that waits until this one has really ended, and whether this one waits so. */
  successor: AttemptHandle | undefined;
  waitsForToken = false;
  hasLeftToken = false;
  /** When the last heartbeat came; undefined while the attempt has promised none. */
  lastBeatAtMs: number | undefined;
  readonly #services: AttemptServices;
  /** Made on first use: few functions have anything left to do. */
  #afterStored: AfterStored[] | undefined;
  #log: AttemptLog | undefined;
  #controller: AbortController | undefined;

  constructor(
    services: AttemptServices,
    run: LoadedRun,
    given: { readonly command: StartAttempt | LookUp; readonly entry: FunctionEntry },
  ) {
    const { command } = given;
    // The engine derives tokens in this form.
    this.token = command.token as Token;
    this.runId = run.runId;
    this.lease = run.lease;
    this.taskPath = command.path;
    this.number = command.attempt;
    this.taskInput = command.taskInput;
    this.baseDirectory = run.baseDirectory;
    this.task = command.task;
    this.command = command;
    this.entry = given.entry;
    this.run = run;
    this.visibleFromSeq = run.seqAhead;
    this.secretNames = run.context.program.secrets;
    this.#services = services;
  }

  /** Made on first use: most attempts never look at it, and an AbortController is the dearest part of an attempt. */
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.abortReason !== undefined) this.#controller.abort(abortError(this.abortReason));
    }
    return this.#controller.signal;
  }

  /** Derived when it is asked for: most functions tell nobody. */
  get traceparent(): string | undefined {
    return this.#services.traceparent?.(this.runId, attemptSpanKey(this.taskPath, this.token, this.number));
  }

  get mayChangeSomething(): boolean {
    return this.command.type === "start-attempt" && this.command.effect !== "read";
  }

  abort(reason: AbortReason): void {
    if (this.abortReason !== undefined) return;
    this.abortReason = reason;
    this.#controller?.abort(abortError(reason));
  }

  heartbeat(): void {
    const isFirst = this.lastBeatAtMs === undefined;
    this.lastBeatAtMs = this.#services.monotonicMs();
    if (isFirst && this.phase === "running") this.#services.promisedHeartbeats(this);
  }

  log(stream: "stdout" | "stderr" | "info", text: string): void {
    if (this.phase === "settled") return;
    this.#log ??= this.#services.makeLog(this);
    this.#log.write(stream, text);
  }

  /** Passes on what the log held back. */
  endLog(): void {
    this.#log?.end();
  }

  async ask(question: string, value: Json): Promise<boolean> {
    const { command } = this;
    if (command.type === "start-attempt" && command.ask !== undefined) return command.ask(question, value);
    throw new ConnectorError(`This call has no question "${question}".`, { kind: "runtime", outcome: "unknown" });
  }

  afterStored(listener: AfterStored): void {
    (this.#afterStored ??= []).push(listener);
  }

  /** What the function wants to do now that its end is stored; handed out once. */
  takeAfterStored(): readonly AfterStored[] {
    const listeners = this.#afterStored ?? NO_LISTENERS;
    this.#afterStored = undefined;
    return listeners;
  }

  mask(value: Json): void {
    this.#services.secrets.mask(value);
  }

  masked(text: string): string {
    return this.#services.secrets.masked(text);
  }

  secret(name: string): Promise<Json> {
    return secretFor(this.#services.secrets, this.secretNames, name);
  }
}

const NO_LISTENERS: readonly AfterStored[] = Object.freeze([]);

/** See `Attempt.signal`. */
const NAMES: Readonly<Record<AbortReason, string>> = {
  timeout: "TimeoutError",
  cancelled: "AbortError",
  stop: "StopError",
  dropped: "StopError",
};

function abortError(reason: AbortReason): Error {
  const error = new Error(`The attempt was asked to stop: ${reason}.`);
  error.name = NAMES[reason];
  return error;
}
