import type { Json } from "@tutti/model";
import { Token } from "@tutti/model/schemas";
import type { Attempt, StoredEnd } from "./connector.ts";
import { ConnectorError } from "./connector.ts";

/** An attempt that remembers what a function did with it. */
export interface RecordingAttempt extends Attempt {
  readonly lines: readonly { readonly stream: "stdout" | "stderr" | "info"; readonly text: string }[];
  readonly heartbeats: () => number;
  /** Values given to `mask`. */
  readonly maskedValues: readonly Json[];
  /** Does what the runtime does when a known end is stored. */
  readonly store: (end?: StoredEnd) => Promise<void>;
}

/** An attempt for a connector's own tests: everything can be overridden, logs and heartbeats are kept. */
export function attemptForTests(
  given: Partial<Omit<Attempt, "secret" | "mask" | "masked" | "log" | "heartbeat" | "ask" | "afterStored">> & {
    readonly secrets?: Readonly<Record<string, Json>>;
    readonly questions?: Readonly<Record<string, (value: Json) => boolean>>;
  } = {},
): RecordingAttempt {
  const { secrets = {}, questions = {}, ...overrides } = given;
  const listeners: ((end: StoredEnd) => Promise<void>)[] = [];
  const lines: { stream: "stdout" | "stderr" | "info"; text: string }[] = [];
  const maskedValues: Json[] = [];
  let beats = 0;
  return {
    token: Token.parse(`tok_${"0".repeat(32)}`),
    runId: "run_0000000000000000",
    taskPath: "/do/task",
    number: 1,
    traceparent: undefined,
    taskInput: {},
    baseDirectory: undefined,
    provider: undefined,
    signal: new AbortController().signal,
    ...overrides,
    lines,
    maskedValues,
    mask: (value) => {
      maskedValues.push(value);
    },
    // Texts as they are: what is masked of them is the runtime's.
    masked: (text) =>
      [...Object.values(secrets), ...maskedValues]
        .filter((it) => typeof it === "string")
        .reduce((left, it) => left.replaceAll(it, "***"), text),
    heartbeats: () => beats,
    ask: async (question, value) => {
      const holds = questions[question];
      if (holds === undefined) throw new Error(`the test has no answer to "${question}"`);
      return holds(value);
    },
    afterStored: (listener) => {
      listeners.push(listener);
    },
    store: async (end = "completed") => {
      for (const listener of listeners.splice(0)) await listener(end);
    },
    heartbeat: () => {
      beats += 1;
    },
    log: (stream, text) => {
      lines.push({ stream, text });
    },
    secret: async (name) => {
      if (Object.hasOwn(secrets, name)) return secrets[name] as Json;
      throw new ConnectorError(`The workflow may not use the secret "${name}".`, { kind: "authorization", outcome: "never-began" });
    },
  };
}
