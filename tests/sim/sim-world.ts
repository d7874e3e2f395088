import { type Attempt, type Connector, ConnectorError, type ConnectorFunction, defineConnector, z } from "@tutti/connector-kit";
import type { EffectClass, Json, JsonObject } from "@tutti/model";
import type { Random } from "@tutti/testkit";
import type { Faults } from "./faults.ts";
import { isTwice } from "./once-per-token.ts";
import type { Owner, Scheduler } from "./scheduler.ts";
import { must } from "./violation.ts";

/** A request never arrives later than this after it was sent; what `requestTimeoutMs` promises. */
const REQUEST_TIMEOUT_MS = 2000;
/** An effect can be looked up at the latest this long after it was made. */
const SETTLE_MS = 1000;
const LATENCY_MAX_MS = 20;
const HANG_MS = 3 * 60_000;

const Input = z.looseObject({ value: z.custom<Json>((value) => value !== undefined).optional() });
const Output = z.custom<Json>((value) => value !== undefined);

/** One effect that the world really had. */
export interface Effect {
  readonly runId: string;
  readonly taskPath: string;
  readonly function: string;
  readonly token: string;
  readonly attempt: number;
  readonly output: Json;
  readonly visibleAtMs: number;
}

export interface WorldSabotage {
  /** The idempotent function forgets which tokens it has seen. */
  readonly forgetsTokens?: boolean;
  /** Gives other outputs than those of the effects it had. */
  readonly inventsOutputs?: boolean;
}

export interface History {
  isStrict(runId: string): boolean;
  /** Whether an intent of the attempt is stored. */
  isIntended(attempt: { readonly runId: string; readonly token: string; readonly number: number }): boolean;
  /** Attempts of the token of which somebody said that they had no effect, after which the task failed. */
  deniedOf(runId: string, token: string): readonly number[];
}

export interface SimWorldDeps {
  readonly scheduler: Scheduler;
  readonly random: Random;
  readonly faults: Faults;
  readonly sabotage: WorldSabotage;
  /** Whether `x.findable:1` refuses a second effect of a token. */
  readonly isUnique: boolean;
  /** What is stored. */
  readonly history: () => History;
  /** Somebody sends a request for the run. */
  readonly sends: (owner: Owner, runId: string) => void;
}

/**
 * The systems that workflows act on: they count what happens to them, and outlive every process. A request that was sent arrives, whatever
 * becomes of its sender; an answer finds its process alive or is lost.
 */
export class SimWorld {
  readonly effects: Effect[] = [];
  readonly #byToken = new Map<string, Effect[]>();
  /** Requests of a token that were sent and have not arrived. */
  readonly #onTheWay = new Map<string, number>();
  readonly #deps: SimWorldDeps;

  constructor(deps: SimWorldDeps) {
    this.#deps = deps;
  }

  /** What a process of `owner` may call. */
  connector(owner: Owner): Connector {
    return defineConnector({
      name: "t",
      version: "1.0.0",
      functions: {
        "x.read:1": this.#declare("x.read:1", "read", owner),
        "x.idempotent:1": this.#declare("x.idempotent:1", "idempotent", owner),
        "x.findable:1": this.#declare("x.findable:1", "findable", owner),
        "x.unsafe:1": this.#declare("x.unsafe:1", "unsafe", owner),
        // Its workflow says that it is findable, by a look-up of its own.
        "x.listed:1": this.#declare("x.listed:1", "unsafe", owner),
      },
    });
  }

  /** What a person who looks sees: the effect, its absence, or that it is too early to say. */
  truthOf(token: string): { readonly kind: "done"; readonly output: Json } | { readonly kind: "not-done" } | { readonly kind: "open" } {
    const effect = this.#byToken.get(token)?.[0];
    if (effect !== undefined) return { kind: "done", output: effect.output };
    return { kind: (this.#onTheWay.get(token) ?? 0) > 0 ? "open" : "not-done" };
  }

  #declare(name: string, effect: EffectClass, owner: Owner): ConnectorFunction {
    const declared: ConnectorFunction = {
      title: name,
      input: Input,
      output: Output,
      effect,
      requestTimeoutMs: REQUEST_TIMEOUT_MS,
      settleMs: SETTLE_MS,
      unique: effect === "findable" && this.#deps.isUnique,
      run: (input, attempt) => this.#send(name, { input: input as JsonObject, attempt, owner, phase: "run" }) as Promise<Json>,
    };
    if (effect !== "findable") return declared;
    return { ...declared, find: (input, attempt) => this.#send(name, { input: input as JsonObject, attempt, owner, phase: "find" }) };
  }

  #send(
    name: string,
    call: { readonly input: JsonObject; readonly attempt: Attempt; readonly owner: Owner; readonly phase: "run" | "find" },
  ): Promise<Json | undefined> {
    const { scheduler, random, faults } = this.#deps;
    const { attempt, owner, phase, input } = call;
    if (!owner.isAlive) return new Promise(() => undefined);
    this.#deps.sends(owner, attempt.runId);
    const request = { operation: `${name} ${phase}`, token: attempt.token, isStrict: this.#deps.history().isStrict(attempt.runId) };
    const strikes = (kind: Parameters<Faults["strikes"]>[0]): boolean => faults.strikesRequest(kind, request);
    return new Promise((resolve, reject) => {
      let isAnswered = false;
      const answer = (delayMs: number, what: () => void): void => {
        const label = `answer ${request.operation} ${attempt.taskPath}`;
        scheduler.after(
          delayMs,
          label,
          () => {
            isAnswered = true;
            what();
          },
          owner,
        );
      };
      const latencyMs = random.next() * LATENCY_MAX_MS;
      if (strikes("never-began")) return answer(latencyMs, () => reject(neverBegan()));
      let arrivesMs = latencyMs;
      if (strikes("request-delayed")) arrivesMs = random.next() * REQUEST_TIMEOUT_MS;
      let answersMs = random.next() * LATENCY_MAX_MS;
      if (strikes("answer-delayed")) answersMs = random.next() * REQUEST_TIMEOUT_MS * 4;
      if (strikes("hang")) answersMs = HANG_MS;
      const isLost = strikes("request-lost");
      const isRefused = !isLost && strikes("refused");
      const isAnswerLost = strikes("answer-lost");
      const isDuplicated = strikes("answer-duplicated");
      const stubborn = strikes("ignores-abort");
      if (!stubborn) this.#obey(attempt, { owner, isOver: () => isAnswered, reject, label: request.operation });
      if (isLost) return answer(arrivesMs + answersMs, () => reject(lost(request.operation)));
      if (phase === "run") this.#onTheWay.set(attempt.token, (this.#onTheWay.get(attempt.token) ?? 0) + 1);
      const arrive = (): void => {
        if (phase === "run") this.#onTheWay.set(attempt.token, (this.#onTheWay.get(attempt.token) ?? 1) - 1);
        const output = isRefused ? undefined : phase === "find" ? this.#find(attempt.token) : this.#apply(name, input, attempt);
        const deliver = (): void => {
          if (isAnswerLost) reject(lost(request.operation));
          else if (isRefused) reject(refused());
          else resolve(output);
        };
        answer(answersMs, deliver);
        if (isDuplicated) answer(answersMs + random.next() * LATENCY_MAX_MS, deliver);
      };
      // Nobody's: the request is on its way, whatever becomes of its sender.
      scheduler.after(arrivesMs, `request ${request.operation} ${attempt.taskPath}`, arrive);
    });
  }

  /** Whoever is asked to stop says so soon, and does not know what became of the request. */
  #obey(
    attempt: Attempt,
    call: { readonly owner: Owner; readonly isOver: () => boolean; readonly reject: (error: Error) => void; readonly label: string },
  ): void {
    const { scheduler, random } = this.#deps;
    const delayMs = random.next() * LATENCY_MAX_MS;
    attempt.signal.addEventListener(
      "abort",
      () => {
        if (!call.isOver()) scheduler.after(delayMs, `aborted ${call.label}`, () => call.reject(lost(call.label)), call.owner);
      },
      { once: true },
    );
  }

  #find(token: string): Json | undefined {
    return this.#byToken.get(token)?.find((effect) => effect.visibleAtMs <= this.#deps.scheduler.nowMs)?.output;
  }

  #apply(name: string, input: JsonObject, attempt: Attempt): Json {
    const { scheduler, random, faults, isUnique, sabotage } = this.#deps;
    const { token, runId, taskPath } = attempt;
    if (name === "x.read:1") return this.#read(input, attempt);
    must(
      this.#deps.history().isIntended(attempt),
      "intent before effect",
      () => `${runId} ${taskPath}: attempt ${attempt.number} of ${token} reached the world before its intent was stored`,
    );
    const earlier = this.#byToken.get(token)?.filter((effect) => effect.function === name) ?? [];
    const [first] = earlier;
    const dedupes = name === "x.idempotent:1" || name === "x.listed:1" || (name === "x.findable:1" && isUnique);
    if (first !== undefined && dedupes && sabotage.forgetsTokens !== true) return first.output;
    const before = earlier.map((effect) => effect.attempt);
    must(
      !isTwice(attempt.number, before, this.#deps.history().deniedOf(runId, token)),
      "an effect happens once per token",
      () => `${runId} ${taskPath}: ${name} had its effect twice under ${token}`,
    );
    const output: Json = { made: sabotage.inventsOutputs === true ? "something" : name, of: input["value"] ?? null };
    const isLate = name === "x.findable:1" && faults.strikesRequest("appears-late", { operation: name, token, isStrict: false });
    const effect = {
      runId,
      taskPath,
      function: name,
      token,
      attempt: attempt.number,
      output,
      visibleAtMs: scheduler.nowMs + (isLate ? random.next() * SETTLE_MS : 0),
    };
    this.effects.push(effect);
    const known = this.#byToken.get(token);
    if (known === undefined) this.#byToken.set(token, [effect]);
    else known.push(effect);
    scheduler.note(`effect ${name} ${runId} ${taskPath} ${token}`);
    return output;
  }

  /** Reads inside a look-up of a listed effect tell of it: they run under its token. */
  #read(input: JsonObject, { token, taskPath }: Attempt): Json {
    if (taskPath.endsWith("/look")) return this.#byToken.get(token)?.find((effect) => effect.function === "x.listed:1")?.output ?? null;
    return { read: input["value"] ?? null };
  }
}

function lost(operation: string): ConnectorError {
  return new ConnectorError(`The connection was lost during ${operation}.`, { kind: "communication", outcome: "unknown", retryable: true });
}

function neverBegan(): ConnectorError {
  return new ConnectorError("Nobody listens there.", { kind: "communication", outcome: "never-began", retryable: true });
}

function refused(): ConnectorError {
  return new ConnectorError("The world answered 503.", { kind: "communication", outcome: "answered", status: 503, retryable: true });
}
