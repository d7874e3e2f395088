import type { CloudEvent, Json, JsonObject } from "@tutti/model";
import { RunId, Token } from "@tutti/model/schemas";

/** The n-th run id of a test: readable, valid, always the same. */
export function buildRunId(number: number): RunId {
  return RunId.parse(`run_${number.toString(36).padStart(16, "0")}`);
}

/** The n-th token of a test. */
export function buildToken(number: number): Token {
  return Token.parse(`tok_${number.toString(16).padStart(32, "0")}`);
}

/** A CloudEvent that only has what it must have, and what the test cares about. */
export function buildEvent(given: JsonObject & { readonly type: string }): CloudEvent {
  return { specversion: "1.0", id: "event-1", source: "https://test.example", ...given };
}

/** A workflow document around a task list, named so that it can be published. */
export function buildDocument(tasks: readonly JsonObject[], more: JsonObject = {}): JsonObject {
  const { document = {}, ...rest } = more;
  return {
    document: { dsl: "1.0.3", namespace: "test", name: "sample", version: "1.0.0", ...(document as JsonObject) },
    do: tasks,
    ...rest,
  };
}

/** A task list entry that calls one of the bank's functions: `callBank("pay", "account.transfer:1", { amount: 5 })`. */
export function callBank(name: string, functionName: string, input: JsonObject = {}, more: JsonObject = {}): JsonObject {
  const task: Record<string, Json> = { call: `${functionName}@bank`, with: input, ...more };
  return { [name]: task };
}
