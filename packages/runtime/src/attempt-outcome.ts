import { checkOutput, ConnectorError } from "@tutti/connector-kit";
import type { AttemptOutcome, LookUpEnded, UnknownReason } from "@tutti/engine";
import { AppError, type Json, taskError, type TaskError } from "@tutti/model";
import type { AttemptHandle, Ending } from "./attempt-handle.ts";
import { checkValue } from "./output-check.ts";
import type { Redactor } from "./redactor.ts";

/** Messages and details of errors are recorded; more than this of one is noise. */
const ERROR_TITLE_UNITS_MAX = 4096;

/** The outcome of an attempt whose function returned `output`. The effect happened, whatever is wrong with its description. */
export function outcomeOfOutput(handle: AttemptHandle, output: unknown, redactor: Redactor): AttemptOutcome {
  const { entry } = handle;
  const checked = checkValue(output);
  if (checked.kind === "too-large") return answeredWrongly("runtime", `The output of ${entry.name} is too large: ${checked.why}.`);
  if (checked.kind === "not-plain")
    return answeredWrongly("runtime", redactor.maskText(`The output of ${entry.name} is not plain JSON: ${checked.why}.`));
  const problem = checkOutput(entry.declared, checked.value);
  if (problem !== undefined)
    return answeredWrongly("validation", redactor.maskText(`The output of ${entry.name} does not fit its schema: ${problem}`));
  return { kind: "completed", output: redactor.maskJson(checked.value) };
}

function answeredWrongly(kind: "runtime" | "validation", title: string): AttemptOutcome {
  return { kind: "failed", error: taskError(kind, title), began: true, retryable: false };
}

/** The outcome of an attempt whose function threw. */
export function outcomeOfError(handle: AttemptHandle, thrown: unknown, redactor: Redactor): AttemptOutcome {
  const error = errorOf(thrown, redactor);
  if (thrown instanceof ConnectorError && thrown.outcome !== "unknown") {
    return { kind: "failed", error, began: thrown.outcome === "answered", retryable: thrown.retryable };
  }
  if (handle.abortReason !== undefined) return { kind: "unknown", reason: reasonOf(handle), error };
  // A `read` that throws something unexpected changed nothing: that is a failure, and no riddle.
  if (!(thrown instanceof ConnectorError) && !handle.mayChangeSomething) return { kind: "failed", error, began: true, retryable: false };
  return { kind: "unknown", reason: "connection", error };
}

/** The attempt was asked to stop and did not end within its grace: it may still go on. */
export function endingOfSilence(handle: AttemptHandle): Ending {
  const error = taskError("timeout", `The attempt of ${handle.entry.name} did not end after it was asked to stop.`);
  if (handle.command.type === "look-up") return { of: "look-up", outcome: { kind: "failed", error } };
  return { of: "attempt", outcome: { kind: "unknown", reason: reasonOf(handle), error } };
}

/** Nothing was sent: the arguments could not be made, do not fit, or need a secret that is not there. */
export function outcomeOfNotBeginning(handle: AttemptHandle, thrown: unknown, redactor: Redactor): AttemptOutcome {
  const error = errorOf(thrown, redactor);
  const told = handle.command.needsSecrets && isTaskErrorHolder(thrown) ? { ...error, title: withoutQuotes(error.title) } : error;
  return { kind: "failed", error: told, began: false, retryable: false };
}

/** jq's messages quote the beginnings of values, `string ("hunter2hun...)`, and nobody recognises half a secret. */
function withoutQuotes(title: string): string {
  return title.replace(/["'(][^]*$/, "… (what follows is withheld: the expression reads secrets, and messages quote)");
}

export function lookUpOutcomeOf(handle: AttemptHandle, output: unknown, redactor: Redactor): LookUpEnded["outcome"] {
  if (output === undefined) return { kind: "absent" };
  const outcome = outcomeOfOutput(handle, output, redactor);
  return outcome.kind === "completed" ? { kind: "found", output: outcome.output } : { kind: "failed", error: outcome.error };
}

export function lookUpOutcomeOfError(thrown: unknown, redactor: Redactor): LookUpEnded["outcome"] {
  return { kind: "failed", error: errorOf(thrown, redactor) };
}

function reasonOf(handle: AttemptHandle): UnknownReason {
  switch (handle.abortReason) {
    case "timeout":
    case "cancelled":
      return handle.abortReason;
    case "stop":
    case "dropped":
    case undefined:
      return "crash";
  }
}

/** What the workflow sees of a failure; masked, since messages quote what was sent. */
export function errorOf(thrown: unknown, redactor: Redactor): TaskError {
  const title = redactor.maskText(messageOf(thrown)).slice(0, ERROR_TITLE_UNITS_MAX);
  if (thrown instanceof ConnectorError) {
    const more: Record<string, Json> = {};
    if (thrown.status !== undefined) more["status"] = thrown.status;
    if (thrown.detail !== undefined) more["detail"] = detailOf(thrown.detail, redactor);
    return taskError(thrown.errorKind, title, more);
  }
  if (thrown instanceof AppError && thrown.code === "secret-not-found") return taskError("authorization", title);
  if (isTaskErrorHolder(thrown)) return redactor.maskJson(thrown.error) as TaskError;
  if (thrown instanceof Error && thrown.name === "ExpressionError") return taskError("expression", title);
  return taskError("runtime", title);
}

function detailOf(detail: Json, redactor: Redactor): Json {
  const checked = checkValue(detail);
  return checked.kind === "plain" ? redactor.maskJson(checked.value) : `The error's detail was left out: ${checked.why}.`;
}

function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}

/** Errors of the engine that carry the workflow's own error. */
function isTaskErrorHolder(thrown: unknown): thrown is { readonly error: TaskError } {
  if (!(thrown instanceof Error) || !("error" in thrown)) return false;
  const { error } = thrown;
  return typeof error === "object" && error !== null && "type" in error && "status" in error && "title" in error;
}
