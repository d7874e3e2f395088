import { setTimeout as wait } from "node:timers/promises";
import {
  type Attempt,
  type Connector,
  ConnectorError,
  type ConnectorFunction,
  defineConnector,
  NotEmptyText,
  z,
} from "@tutti/connector-kit";
import type { EffectClass, Json, JsonObject } from "@tutti/model";
import { type BankFault, type BankRequest, type FaultPlan, NO_FAULTS } from "./bank-faults.ts";
import { type BankCall, type BankEffect, type BankLedger, createMemoryLedger, openFileLedger } from "./bank-ledger.ts";

const BankInput = z.strictObject({
  account: NotEmptyText.optional(),
  amount: z.number().optional(),
  /** Given back unchanged as `{value}`: engine tests send what they want to see. */
  value: z.custom<Json>((value) => value !== undefined).optional(),
});
const BankOutput = z.union([
  z.strictObject({ value: z.custom<Json>() }),
  z.strictObject({ account: z.string(), amount: z.number(), token: z.string() }),
  z.strictObject({ account: z.string(), balance: z.number() }),
]);

/** Where amounts go when the caller does not care. */
const DEFAULT_ACCOUNT = "main";
const DEFAULT_OPEN_TIMEOUT_MS = 1000;

export interface BankOptions {
  /** File that keeps the books; without it they are kept in memory. */
  readonly path?: string;
  readonly faults?: FaultPlan;
  readonly nowMs?: () => number;
  /** Waits for `delay` faults; tests on virtual time bring their own. Must reject when the signal is aborted. */
  readonly sleep?: (ms: number, signal: AbortSignal) => Promise<void>;
  /** How `account.open:1` may be looked up. */
  readonly open?: {
    /** Refuses a second effect of a token, so that one absent look-up counts. Default true. */
    readonly unique?: boolean;
    /** Default 1000. */
    readonly requestTimeoutMs?: number;
    /** Default 0. */
    readonly settleMs?: number;
  };
}

/** A target system for tests: counts what really happened to it, and misbehaves on demand. */
export interface Bank {
  readonly connector: Connector;
  /** How often each token had its effect. `step.run:1` has none and is not counted. */
  effects(): ReadonlyMap<string, number>;
  /** Every request that arrived, in order; without `step.run:1`. */
  calls(): readonly BankCall[];
  balance(account: string): number;
  /** How often `step.run:1` ran in this process. */
  steps(): number;
  setFaults(plan: FaultPlan): void;
  close(): void;
}

/**
 * Opens the bank: the connector `bank` with one function per effect class.
 *
 * `account.read:1` read · `account.put:1` idempotent (sets the balance; a token's second put gives the first one's answer) · `account.open:1`
 * findable · `account.transfer:1` unsafe (adds to the balance each time) · `step.run:1` an idempotent no-op without books, for benchmarks.
 * Input `{account?, amount?}` gives `{account, amount, token}`, and `{value}` gives `{value}`.
 */
export function createBank(options: BankOptions = {}): Bank {
  const ledger = options.path === undefined ? createMemoryLedger() : openFileLedger(options.path);
  const desk = new BankDesk(ledger, options);
  return {
    connector: defineConnector({
      name: "bank",
      version: "1.0.0",
      functions: {
        "account.read:1": desk.accountFunction("account.read:1", "Read a balance", "read"),
        "account.put:1": desk.accountFunction("account.put:1", "Set a balance", "idempotent"),
        "account.open:1": desk.accountFunction("account.open:1", "Open an account", "findable"),
        "account.transfer:1": desk.accountFunction("account.transfer:1", "Transfer an amount", "unsafe"),
        "step.run:1": desk.stepFunction(),
      },
    }),
    effects: () => {
      const counts = new Map<string, number>();
      for (const [token, effects] of desk.effectsByToken()) counts.set(token, effects.length);
      return counts;
    },
    calls: () => ledger.entries().filter((entry) => entry.type === "call"),
    balance: (account) => desk.balance(account),
    steps: () => desk.steps,
    setFaults: (plan) => {
      desk.faults = plan;
    },
    close: () => ledger.close(),
  };
}

class BankDesk {
  faults: FaultPlan;
  steps = 0;
  readonly #ledger: BankLedger;
  readonly #options: BankOptions;
  readonly #nowMs: () => number;
  readonly #sleep: (ms: number, signal: AbortSignal) => Promise<void>;
  /** Views of the books, brought up to date with what was appended since (`#indexed` entries are in): a loop of kills makes 10⁵ of them. */
  readonly #byToken = new Map<string, BankEffect[]>();
  readonly #balances = new Map<string, number>();
  #indexed = 0;

  constructor(ledger: BankLedger, options: BankOptions) {
    this.#ledger = ledger;
    this.#options = options;
    this.faults = options.faults ?? NO_FAULTS;
    this.#nowMs = options.nowMs ?? Date.now;
    this.#sleep = options.sleep ?? ((ms, signal) => wait(ms, undefined, { signal }));
  }

  effectsByToken(): ReadonlyMap<string, readonly BankEffect[]> {
    const entries = this.#ledger.entries();
    for (; this.#indexed < entries.length; this.#indexed += 1) {
      const entry = entries[this.#indexed];
      if (entry?.type === "effect") this.#index(entry);
    }
    return this.#byToken;
  }

  balance(account: string): number {
    this.effectsByToken();
    return this.#balances.get(account) ?? 0;
  }

  #index(effect: BankEffect): void {
    const known = this.#byToken.get(effect.token);
    if (known === undefined) this.#byToken.set(effect.token, [effect]);
    else known.push(effect);
    const before = effect.function === "account.transfer:1" ? (this.#balances.get(effect.account) ?? 0) : 0;
    this.#balances.set(effect.account, before + effect.amount);
  }

  accountFunction(name: string, title: string, effect: EffectClass): ConnectorFunction {
    const open = effect === "findable" ? (this.#options.open ?? {}) : {};
    const unique = effect === "findable" && (open.unique ?? true);
    const common = {
      title,
      input: BankInput,
      output: BankOutput,
      effect,
      requestTimeoutMs: open.requestTimeoutMs ?? DEFAULT_OPEN_TIMEOUT_MS,
      settleMs: open.settleMs ?? 0,
      unique,
      run: (input: JsonObject, attempt: Attempt) =>
        this.#deliver(requestOf(name, "run", attempt), attempt, {
          apply: (visibleAtMs) => this.#apply(name, input, attempt, { dedupes: unique || effect === "idempotent", visibleAtMs }),
        }),
    };
    if (effect !== "findable") return common;
    return {
      ...common,
      find: (_input, attempt) =>
        this.#deliver(requestOf(name, "find", attempt), attempt, {
          apply: () => this.#effectsOf(attempt.token).find((known) => known.visibleAtMs <= this.#nowMs())?.output,
        }),
    };
  }

  stepFunction(): ConnectorFunction {
    return {
      title: "Do nothing, durably",
      input: BankInput,
      output: z.custom<Json>(),
      effect: "idempotent",
      requestTimeoutMs: 0,
      settleMs: 0,
      run: async (input, attempt) => {
        this.steps += 1;
        if (this.faults === NO_FAULTS) return input;
        const request = requestOf("step.run:1", "run", attempt);
        return this.#fail(request, attempt, this.faults(request), () => input);
      },
    };
  }

  #effectsOf(token: string): readonly BankEffect[] {
    return this.effectsByToken().get(token) ?? [];
  }

  /** Writes the call into the books and carries it out under the plan's fault, if any. */
  async #deliver<T>(request: BankRequest, attempt: Attempt, door: { readonly apply: (visibleAtMs: number) => T }): Promise<T> {
    const fault = this.faults(request);
    this.#ledger.append({ type: "call", ...request, fault: fault?.kind ?? "none" });
    return this.#fail(request, attempt, fault, door.apply);
  }

  async #fail<T>(request: BankRequest, attempt: Attempt, fault: BankFault | undefined, apply: (visibleAtMs: number) => T): Promise<T> {
    if (attempt.signal.aborted) throw stopped();
    const nowMs = this.#nowMs();
    switch (fault?.kind) {
      case undefined:
        return apply(nowMs);
      case "delay":
        await this.#sleep(fault.ms, attempt.signal).catch((error: unknown) => {
          throw attempt.signal.aborted ? stopped() : error;
        });
        return apply(this.#nowMs());
      case "fail-before":
        throw new ConnectorError("The bank is closed.", { kind: "communication", outcome: "never-began", retryable: true });
      case "lose-before":
        throw lost(request);
      case "fail-after":
        apply(nowMs);
        throw lost(request);
      case "appear-late":
        apply(nowMs + fault.ms);
        throw lost(request);
      case "hang":
        if (fault.effect) apply(nowMs);
        await aborted(attempt.signal);
        throw lost(request);
      case "answer-error":
        throw new ConnectorError(`The bank answered ${fault.status}.`, {
          kind: "communication",
          outcome: "answered",
          status: fault.status,
          retryable: fault.retryable ?? fault.status >= 500,
        });
      case "duplicate":
        apply(nowMs);
        return apply(nowMs);
    }
  }

  #apply(name: string, input: JsonObject, attempt: Attempt, how: { readonly dedupes: boolean; readonly visibleAtMs: number }): Json {
    const { account = DEFAULT_ACCOUNT, amount = 0, value } = BankInput.parse(input);
    if (name === "account.read:1") return value === undefined ? { account, balance: this.balance(account) } : { value };
    if (how.dedupes) {
      const earlier = this.#effectsOf(attempt.token)[0];
      if (earlier !== undefined) return earlier.output;
    }
    const output: Json = value === undefined ? { account, amount, token: attempt.token } : { value };
    this.#ledger.append({ type: "effect", function: name, token: attempt.token, account, amount, output, visibleAtMs: how.visibleAtMs });
    return output;
  }
}

function requestOf(name: string, phase: "run" | "find", attempt: Attempt): BankRequest {
  return { function: name, phase, token: attempt.token, runId: attempt.runId, taskPath: attempt.taskPath, attempt: attempt.number };
}

function lost(request: BankRequest): ConnectorError {
  return new ConnectorError(`The connection to the bank was lost during ${request.function}.`, {
    kind: "communication",
    outcome: "unknown",
    retryable: true,
  });
}

/** Nothing had been done when the attempt was aborted. */
function stopped(): ConnectorError {
  return new ConnectorError("Stopped before the bank did anything.", { kind: "timeout", outcome: "never-began" });
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
