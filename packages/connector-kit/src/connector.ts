import type { EffectClass, ErrorKind, Json, JsonObject, Token } from "@tutti/model";
import type { z } from "zod";
import type { EffectPreview } from "./effect-preview.ts";
import type { Health, ProviderAccess } from "./provider.ts";
import type { ResourceType } from "./resource-type.ts";
import type { Undo } from "./undo.ts";

/**
 * A package that teaches Tutti one kind of system. Only cloneable values cross this contract (a connector may run in another process), and
 * a connector keeps no state of its own between attempts: what an attempt needs to be found again stands in the target, under the token.
 */
export interface Connector {
  /** `http`, `bank` …: the part behind `@` in a function's name. Lower case, digits and dashes. */
  readonly name: string;
  readonly version: string;
  /** By `<resource>.<operation>:<major>`; the built-in language calls by their plain name (`http`, `run.shell`). */
  readonly functions: Readonly<Record<string, ConnectorFunction>>;
  /** What the connector speaks to, and the versions of it that its tests ran against: for the reference pages. */
  readonly target?: { readonly system: string; readonly tested: string };
  /** Kinds of things that it makes, by name (`zone`, `recordset`). */
  readonly resources?: Readonly<Record<string, ResourceType>>;
  /**
   * What a provider of this connector is configured with: an object, no secrets. A connector with `configuration` or `credentials` takes a provider:
   * its functions get `attempt.provider`, and `with.provider` in a workflow names one.
   */
  readonly configuration?: z.ZodType;
  /** Credentials of a provider, an object. What is stored of them is which secret each member is; values reach running attempts only. */
  readonly credentials?: z.ZodType;
  /**
   * Says whether a provider can be worked with: reachable, which version, what is wrong and the way out. Changes nothing. What it throws becomes
   * an unhealthy answer with the error's message.
   */
  check?(access: ProviderAccess): Promise<Health>;
}

export interface ConnectorFunction {
  readonly title: string;
  readonly input: z.ZodType;
  readonly output: z.ZodType;
  /** Fixed, or decided by the input (an HTTP call's method). */
  readonly effect: EffectClass | ((input: JsonObject) => EffectClass);
  /** How long a request may go on after this process lost sight of it; an absent effect is not believed before. Milliseconds. */
  readonly requestTimeoutMs: number;
  /** How long after a request's end its effect may still appear in a look-up. Milliseconds, 0 when the target is consistent. */
  readonly settleMs: number;
  /** The target refuses a second effect of the same token or name, so that one absent look-up is enough. */
  readonly unique?: boolean;
  /** Nothing can undo what it did (a mail, a payment): a saga should not reach it before somebody has approved. */
  readonly irreversible?: boolean;
  /** Attempts of this function that may run at the same time in one process. */
  readonly concurrencyMax?: number;

  /**
   * Carries out one attempt and returns its output.
   *
   * @throws ConnectorError `known`: a complete answer arrived or the attempt provably never began. Anything else thrown, and a ConnectorError
   * with `outcome: "unknown"`, leaves the outcome unknown: the effect class decides.
   */
  run(input: JsonObject, attempt: Attempt): Promise<Json>;

  /** Looks an effect up by its token: its output, or undefined when it is absent. Only for `findable` functions. */
  find?(input: JsonObject, attempt: Attempt): Promise<Json | undefined>;

  /**
   * What `run` would do with this input now: what it would touch, how, and its output as far as it is known before. Changes nothing. Without it a
   * change preview shows the task as unknown.
   */
  preview?(input: JsonObject, attempt: Attempt): Promise<EffectPreview>;

  /** How a completed call is taken back; see `Undo`. Not together with `irreversible`. */
  readonly undo?: Undo;
  /** The type of resource (of this connector's `resources`) that a call makes, changes or deletes; at most one of them. */
  readonly creates?: string;
  readonly changes?: string;
  readonly deletes?: string;

  /** Ends what an earlier, dead process left running under this token, before the outcome of its attempt is decided. */
  quiesce?(token: Token): Promise<void>;
}

/** What an attempt knows and may use. */
export interface Attempt extends ProviderAccess {
  readonly token: Token;
  readonly runId: string;
  readonly taskPath: string;
  /** Counts from 1 over all attempts of the token. */
  readonly number: number;
  /**
   * The span that this attempt is in its run's trace (W3C Trace Context, `traceparent`), for the other side's own spans; undefined when the operator
   * does not want it told.
   */
  readonly traceparent: string | undefined;
  /** The task's transformed input; URI templates and defaults may read it. */
  readonly taskInput: Json;
  /** Directory of the workflow's files, for relative references; undefined when the document came without one. */
  readonly baseDirectory: string | undefined;
  /**
   * Aborted on timeout, cancellation and stop. A function that stops without effect throws `ConnectorError` with outcome `never-began`. The reason's
   * name is `TimeoutError`, `AbortError` (cancelled), or `StopError`: this process ends, and what would be found again may go on.
   */
  readonly signal: AbortSignal;
  /** Says that the attempt still makes progress; a supervisor may end attempts that promised heartbeats and fell silent. */
  heartbeat(): void;
  /** Adds a line to the attempt's log. Secrets are masked before it leaves the process. */
  log(stream: "stdout" | "stderr" | "info", text: string): void;
  /** The value of a secret the workflow names in `use.secrets`; registered for masking by being asked for. */
  secret(name: string): Promise<Json>;
  /**
   * Asks one of the call's own expressions, such as the filter of a subscription, whether it holds for `value`. Which there are says the
   * language: a connector asks only for what stands in its input.
   *
   * @throws when the expression fails on this value; the attempt then fails with that error.
   */
  ask(question: string, value: Json): Promise<boolean>;
  /**
   * Registers what is left to do in the target once the end of this attempt is stored and nothing can be lost any more: acknowledge a message that
   * was only lent, remove what was kept so that the outcome could be found again.
   *
   * The runtime calls the listener at most once, after the commit that stores a known end of the attempt, before another attempt of the token
   * begins; `completed` says whether its output was stored, or an error. It is not called when nobody knows the end, when nobody wants it (the task was
   * cancelled meanwhile) and when the process dies before: whatever was lent has to come back by itself, and whatever is left behind must do no
   * harm. A stop of the process waits for it, within a bound. Its failure is reported and changes nothing.
   */
  afterStored(listener: (end: StoredEnd) => Promise<void>): void;
}

/** What was stored of an attempt whose end is known: its output, or its error. */
export type StoredEnd = "completed" | "failed";

/** What is known about an attempt's effect when it fails. */
export type FailureOutcome =
  /** The target answered completely, whatever it said. */
  | "answered"
  /** The request provably never reached the target. */
  | "never-began"
  /** The connection was lost, or time ran out, after the request began. */
  | "unknown";

/** A failure that a connector understands; becomes the error that the workflow sees. */
export class ConnectorError extends Error {
  readonly errorKind: ErrorKind;
  readonly retryable: boolean;
  readonly outcome: FailureOutcome;
  readonly status: number | undefined;
  readonly detail: Json | undefined;

  constructor(
    message: string,
    options: {
      readonly kind: ErrorKind;
      readonly outcome: FailureOutcome;
      readonly retryable?: boolean;
      readonly status?: number;
      readonly detail?: Json;
      readonly cause?: unknown;
    },
  ) {
    super(message, { cause: options.cause });
    this.name = "ConnectorError";
    this.errorKind = options.kind;
    this.outcome = options.outcome;
    this.retryable = options.retryable ?? false;
    this.status = options.status;
    this.detail = options.detail;
  }
}
