import type { AttemptEnded, AttemptIntended, RunRecord } from "./record.ts";

/**
 * The text of a record: what `JSON.stringify` gives, member by member. Two of them belong to every step, and for those it is put together
 * here, which takes a third of the time (measured: 0.7 against 2.1 µs a record).
 */
export function serializeRecord(record: RunRecord): string {
  switch (record.type) {
    case "attempt-intended":
      return intended(record);
    case "attempt-ended":
      return record.outcome.kind === "completed" ? completed(record, record.outcome) : JSON.stringify(record);
    default:
      return JSON.stringify(record);
  }
}

function intended(record: Whole<AttemptIntended, "type" | "at" | "task" | "path" | "token" | "attempt" | "function" | "effect">): string {
  // Token and effect class are words of ours that need no escapes.
  return `{"type":"attempt-intended","at":${record.at},"task":${record.task},"path":${JSON.stringify(record.path)},"token":"${record.token}","attempt":${record.attempt},"function":${JSON.stringify(record.function)},"effect":"${record.effect}"}`;
}

type Completed = AttemptEnded["outcome"] & { readonly kind: "completed" };

function completed(
  record: Whole<AttemptEnded, "type" | "at" | "task" | "attempt" | "outcome">,
  outcome: Whole<Completed, "kind" | "output">,
): string {
  return `{"type":"attempt-ended","at":${record.at},"task":${record.task},"attempt":${record.attempt},"outcome":{"kind":"completed","output":${JSON.stringify(outcome.output)}}}`;
}

/** `T` when `Written` names every member of it; else something nothing is, so that a new member cannot be forgotten here. */
type Whole<T, Written extends keyof T> = [Exclude<keyof T, Written>] extends [never] ? T : never;
