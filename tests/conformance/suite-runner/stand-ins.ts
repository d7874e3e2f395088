import { type Attempt, type Connector, ConnectorError, type ConnectorFunction, defineConnector, z } from "@tutti/connector-kit";
import {
  AppError,
  durationMs,
  type EffectClass,
  ERROR_STATUS,
  type ErrorKind,
  isJsonObject,
  type Json,
  type JsonObject,
} from "@tutti/model";
import type { ReferenceReader } from "@tutti/runtime";
import type { VirtualClock } from "@tutti/testkit";
import type { FunctionAnswer, HttpAnswer, StubFunction } from "./case-format.ts";
import type { SuiteCase } from "./case-file.ts";

/** A request that reached a stand-in. */
export interface Delivery {
  readonly what: { readonly kind: "function"; readonly name: string; readonly with: Json } | HttpRequest;
  readonly runId: string;
  readonly path: string;
  /** Number of the activation that asked: a later pass over the same task is another request, a repetition after a death is not. */
  readonly activation: number;
  token: string;
  /** Virtual milliseconds since the clock's start. */
  readonly atMs: number;
  /** When its answer is ready: a target works on when its caller dies. */
  readonly readyAtMs: number;
  /** Which of the scripted answers it gets. */
  readonly turn: number;
  /** `open`: on its way; `heard`: its answer is stored; `cut`: its caller died before that. */
  state: "open" | "heard" | "cut";
  hasEffect: boolean;
  output: Json;
}
export interface HttpRequest {
  readonly kind: "http";
  readonly line: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Json;
}

/** The functions every case has; what they answer unless a case says more is their arguments. */
const STANDARD_FUNCTIONS: Readonly<Record<string, EffectClass>> = {
  "echo.read": "read",
  "echo.write": "idempotent",
  "echo.make": "findable",
  "echo.send": "unsafe",
};
const CONNECTOR = "stub";
/** Calls of the language that a case may script under their own name: their class is the language's. */
const LANGUAGE_CALLS: Readonly<Record<string, ConnectorFunction["effect"]>> = {
  asyncapi: (input) => (input["subscription"] === undefined ? "unsafe" : "read"),
  grpc: "unsafe",
  mcp: (input) => (input["method"] === "tools/call" ? "unsafe" : "read"),
  "run.container": "idempotent",
};
const REQUEST_TIMEOUT_MS = 1000;

/** What one process of the run under test may ask of the world around it. */
export interface Caller {
  readonly isAlive: boolean;
  /** Aborted at the death of the process. */
  readonly death: AbortSignal;
  /** Marks time in which the process only waits for virtual time. */
  idle<T>(work: Promise<T>): Promise<T>;
}

/**
 * The systems around a run, as the case scripts them. They outlive the process under test: an effect stays when its caller dies, and an
 * answer that nobody could store is given again.
 */
export class StandIns {
  readonly deliveries: Delivery[] = [];
  readonly #functions: Readonly<Record<string, StubFunction>>;
  readonly #http: Readonly<Record<string, readonly HttpAnswer[]>>;
  readonly #outside: Readonly<Record<string, Json>>;
  readonly #clock: VirtualClock;
  readonly #lookUps = new Map<string, number>();
  /** Messages that subscriptions have been given, and those that are gone from the broker because they are stored. */
  readonly #lent = new Map<Delivery, number[]>();
  readonly #gone = new Set<number>();
  /** Effects by function and token: those that a target refuses to have twice. */
  readonly #effects = new Map<string, { readonly name: string; readonly output: Json }[]>();

  constructor(one: SuiteCase, clock: VirtualClock) {
    this.#functions = one.scene.functions ?? {};
    this.#http = one.scene.http ?? {};
    this.#outside = one.scene.outside ?? {};
    this.#clock = clock;
  }

  /** For texts that documents refer to. */
  get references(): ReferenceReader {
    return {
      read: async ({ uri, from }) => {
        const url = new URL(uri, from).href;
        const text = this.#outside[url];
        if (text === undefined) throw new AppError("reference-unreachable", `There is no ${url} in the case.`);
        return { url, text: typeof text === "string" ? text : JSON.stringify(text) };
      },
    };
  }

  /** How often each function had its effect. */
  effects(): ReadonlyMap<string, number> {
    const counts = new Map<string, number>();
    for (const list of this.#effects.values()) for (const { name } of list) counts.set(name, (counts.get(name) ?? 0) + 1);
    return counts;
  }

  /** The functions as connectors of one process: those of the suite, and the calls of the language that the case scripts. */
  connectors(caller: Caller): readonly Connector[] {
    const scripted = Object.keys(this.#functions);
    const calls = scripted.filter((name) => Object.hasOwn(LANGUAGE_CALLS, name));
    const names = new Set([...Object.keys(STANDARD_FUNCTIONS), ...scripted.filter((name) => !calls.includes(name))]);
    const define = (name: string, functions: readonly (readonly [string, ConnectorFunction])[]): Connector =>
      defineConnector({ name, version: "1.0.0", functions: Object.fromEntries(functions) });
    return [
      define(
        CONNECTOR,
        [...names].map((name) => [`${name}:1`, this.#declare(name, caller)]),
      ),
      ...(calls.length === 0
        ? []
        : [
            define(
              "calls",
              calls.map((name) => [name, this.#declare(name, caller)]),
            ),
          ]),
    ];
  }

  /** The end of an attempt is stored: its answer will not be needed again. */
  heard(runId: string, path: string): void {
    const delivery = this.deliveries.find((one) => one.state === "open" && one.runId === runId && one.path === path);
    if (delivery === undefined) return;
    delivery.state = "heard";
    for (const index of this.#lent.get(delivery) ?? []) this.#gone.add(index);
  }

  /** The process died: answers that are not stored are given again when somebody asks. */
  cut(): void {
    for (const delivery of this.deliveries) if (delivery.state === "open") delivery.state = "cut";
  }

  /** What a person finds who looks at the target: whether the request of the token arrived, and what it left. */
  look(token: string): { readonly hasEffect: boolean; readonly output: Json } {
    const found = this.deliveries.findLast((one) => one.token === token);
    return { hasEffect: found?.hasEffect ?? false, output: found?.output ?? null };
  }

  #declare(name: string, caller: Caller): ConnectorFunction {
    const script = this.#functions[name] ?? {};
    const effect = script.effect ?? LANGUAGE_CALLS[name] ?? STANDARD_FUNCTIONS[name] ?? "idempotent";
    const classOf = (input: JsonObject): EffectClass => (typeof effect === "function" ? effect(input) : effect);
    return {
      title: name,
      input: z.custom<JsonObject>((value) => isJsonObject(value as Json)),
      output: z.custom<Json>((value) => value !== undefined),
      effect,
      unique: script.unique ?? effect === "findable",
      requestTimeoutMs: script.requestTimeout ?? REQUEST_TIMEOUT_MS,
      settleMs: script.settle ?? 0,
      run: (input, attempt) =>
        script.messages !== undefined && isJsonObject(input["subscription"] ?? null)
          ? this.#subscribe(input, attempt, caller)
          : this.#call(name, classOf(input), input, attempt, caller),
      ...(effect === "findable" && { find: (_: JsonObject, attempt: Attempt) => this.#find(name, attempt) }),
    };
  }

  async #call(name: string, effect: EffectClass, input: JsonObject, attempt: Attempt, caller: Caller): Promise<Json> {
    const answers = this.#functions[name]?.answers ?? [{ echo: true as const }];
    const what = { kind: "function" as const, name, with: input };
    const delivery = this.#arrive(what, attempt, (turn) => takesOf(answers[Math.min(turn, answers.length - 1)] as FunctionAnswer));
    const answer = answers[Math.min(delivery.turn, answers.length - 1)] as FunctionAnswer;
    const act = (output: Json): Json => this.#act(name, effect, delivery, output);
    const outputOf = (given: Json | undefined): Json => given ?? input;
    if ("unreachable" in answer) throw failure("The target can't be reached.", { outcome: "never-began", retryable: true });
    if ("hangs" in answer) {
      if (answer.hangs === "after") act(outputOf(answer.output));
      await abortOf(attempt.signal, caller);
      throw failure("The answer never came.", { outcome: "unknown" });
    }
    if ("lost" in answer) {
      if (answer.lost === "after") act(outputOf(answer.output));
      throw failure("The connection was lost.", { outcome: "unknown", retryable: true });
    }
    await this.#sleepUntil(delivery.readyAtMs, answer.stubborn === true ? undefined : attempt.signal, caller);
    if ("error" in answer) {
      const { status, kind = "communication", title = `The target answered ${status}.`, detail } = answer.error;
      if (!Object.hasOwn(ERROR_STATUS, kind)) throw new Error(`There is no error kind ${kind}.`);
      throw new ConnectorError(title, {
        kind: kind as ErrorKind,
        outcome: "answered",
        status,
        retryable: status >= 500,
        ...(detail !== undefined && { detail }),
      });
    }
    return act("echo" in answer ? input : answer.output);
  }

  /** A broker that lends messages: what is not stored is there again for the next who asks. */
  async #subscribe(input: JsonObject, attempt: Attempt, caller: Caller): Promise<Json> {
    const messages = this.#functions["asyncapi"]?.messages ?? [];
    const delivery = this.#arrive({ kind: "function", name: "asyncapi", with: input }, attempt, () => 0);
    // The connector's own schema has not looked at it: the document was valid.
    const { filter, consume } = input["subscription"] as { readonly filter?: string; readonly consume: Readonly<Record<string, Json>> };
    const lifetimeMs = durationMs(consume["for"] ?? null);
    const endMs = lifetimeMs === undefined ? Infinity : this.#clock.monotonicMs() + lifetimeMs;
    const taken: Json[] = [];
    const lent: number[] = [];
    this.#lent.set(delivery, lent);
    if (consume["amount"] === 0 || (consume["until"] !== undefined && (await attempt.ask("until", [])))) return taken;
    for (const [index, { comes = 0, ...message }] of messages.entries()) {
      // What another subscription was given is not stored yet, and not back either.
      const isLent = [...this.#lent].some(([other, indexes]) => other !== delivery && other.state === "open" && indexes.includes(index));
      if (isLent || this.#gone.has(index)) continue;
      if (comes > endMs) break;
      await this.#sleepUntil(comes, attempt.signal, caller);
      if (filter !== undefined && !(await attempt.ask("filter", message as Json))) continue;
      taken.push(message as Json);
      lent.push(index);
      if (taken.length === consume["amount"]) return taken;
      if (consume["until"] !== undefined && (await attempt.ask("until", taken))) return taken;
      if (consume["while"] !== undefined && !(await attempt.ask("while", taken))) return taken;
    }
    if (endMs === Infinity) {
      await abortOf(attempt.signal, caller);
      throw failure("No further message came.", { outcome: "never-began" });
    }
    await this.#sleepUntil(endMs, attempt.signal, caller);
    return taken;
  }

  async #find(name: string, attempt: Attempt): Promise<Json | undefined> {
    const script = this.#functions[name]?.lookUps ?? [];
    const turn = this.#lookUps.get(attempt.token) ?? 0;
    this.#lookUps.set(attempt.token, turn + 1);
    const answer = script[turn];
    if (answer !== undefined && "fails" in answer) throw failure("The look-up failed.", { outcome: "answered" });
    return this.#effects.get(`${name} ${attempt.token}`)?.[0]?.output;
  }

  /** Has the effect once per token where the target knows its tokens, else each time. */
  #act(name: string, effect: EffectClass, delivery: Delivery, output: Json): Json {
    if (effect === "read") return output;
    const key = `${name} ${delivery.token}`;
    const list = this.#effects.get(key) ?? [];
    const known = effect === "unsafe" ? undefined : list[0];
    if (known === undefined) this.#effects.set(key, [...list, { name, output }]);
    delivery.hasEffect = true;
    delivery.output = known?.output ?? output;
    return delivery.output;
  }

  /** A fetch for the HTTP connector of one process. */
  fetch(caller: Caller): (url: string, init: RequestInit, attempt: Attempt | undefined) => Promise<Response> {
    return async (url, init, attempt) => {
      const headers = Object.fromEntries(new Headers(init.headers));
      const line = `${init.method ?? "GET"} ${url}`;
      const what: HttpRequest = { kind: "http", line, headers, body: bodyOf(init.body) };
      const answers = this.#http[line] ?? [{ status: 404, headers: {}, body: { message: `There is no ${line} in the case.` } }];
      const place = attempt ?? NOWHERE;
      const delivery = this.#arrive(what, place, (turn) => {
        const answer = answers[Math.min(turn, answers.length - 1)] as HttpAnswer;
        return "status" in answer ? (answer.takes ?? 0) : 0;
      });
      const answer = answers[Math.min(delivery.turn, answers.length - 1)] as HttpAnswer;
      if ("unreachable" in answer) throw Object.assign(new TypeError("fetch failed"), { cause: refused() });
      if ("lost" in answer) throw Object.assign(new TypeError("fetch failed"), { cause: reset() });
      await caller.idle(this.#sleepUntil(delivery.readyAtMs, init.signal ?? undefined, caller));
      delivery.hasEffect = true;
      delivery.output = answer.body ?? answer.text ?? null;
      return responseOf(answer);
    };
  }

  #arrive(
    what: Delivery["what"],
    place: { readonly runId: string; readonly taskPath: string; readonly token: string },
    takes: (turn: number) => number,
  ): Delivery {
    const { runId, taskPath: path, token } = place;
    const activation = activationOf(place);
    const sameTarget = (one: Delivery): boolean => targetOf(one.what) === targetOf(what);
    const cut = this.deliveries.find(
      (one) => one.state === "cut" && one.runId === runId && one.path === path && one.activation === activation && sameTarget(one),
    );
    if (cut !== undefined) {
      cut.state = "open";
      cut.token = token;
      return cut;
    }
    const turn = this.deliveries.filter(sameTarget).length;
    const atMs = this.#clock.monotonicMs();
    const delivery: Delivery = {
      what,
      runId,
      path,
      activation,
      token,
      atMs,
      readyAtMs: atMs + takes(turn),
      turn,
      state: "open",
      hasEffect: false,
      output: null,
    };
    this.deliveries.push(delivery);
    return delivery;
  }

  async #sleepUntil(atMs: number, signal: AbortSignal | undefined, caller: Caller): Promise<void> {
    const leftMs = atMs - this.#clock.monotonicMs();
    if (leftMs <= 0) return;
    const signals = [caller.death, ...(signal === undefined ? [] : [signal])];
    try {
      await this.#clock.sleep(leftMs, AbortSignal.any(signals));
    } catch {
      throw failure("Stopped before the target did anything.", { outcome: "never-began" });
    }
  }
}

/** A request that belongs to no attempt, such as for a token of OAuth2. */
const NOWHERE = { runId: "", taskPath: "", token: "" };

/** The runtime's attempts know it; the contract with connectors does not show it. */
function activationOf(place: object): number {
  return "task" in place && typeof place.task === "number" ? place.task : 0;
}

function targetOf(what: Delivery["what"]): string {
  return what.kind === "http" ? what.line : what.name;
}

function takesOf(answer: FunctionAnswer): number {
  return "takes" in answer ? (answer.takes ?? 0) : 0;
}

function failure(
  message: string,
  options: { readonly outcome: "answered" | "never-began" | "unknown"; readonly retryable?: boolean },
): ConnectorError {
  return new ConnectorError(message, { kind: "communication", ...options });
}

function abortOf(signal: AbortSignal, caller: Caller): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted || caller.death.aborted) resolve();
    signal.addEventListener("abort", () => resolve(), { once: true });
    caller.death.addEventListener("abort", () => resolve(), { once: true });
  });
}

/** As Node's fetch says it. */
function refused(): Error {
  return Object.assign(new Error("connect ECONNREFUSED"), { code: "ECONNREFUSED", syscall: "connect" });
}

function reset(): Error {
  return Object.assign(new Error("read ECONNRESET"), { code: "ECONNRESET", syscall: "read" });
}

function bodyOf(body: RequestInit["body"]): Json {
  if (body === undefined || body === null) return null;
  const text = typeof body === "string" ? body : Buffer.from(body as Uint8Array).toString();
  try {
    return JSON.parse(text) as Json;
  } catch {
    return text;
  }
}

function responseOf(answer: Exclude<HttpAnswer, { unreachable: true } | { lost: true }>): Response {
  const isJson = answer.text === undefined && answer.base64 === undefined && answer.body !== undefined;
  const body = isJson ? JSON.stringify(answer.body) : answer.base64 === undefined ? answer.text : Buffer.from(answer.base64, "base64");
  const headers = new Headers({
    ...(isJson && { "content-type": "application/json" }),
    ...(answer.text !== undefined && { "content-type": "text/plain" }),
    ...answer.headers,
  });
  const mayHaveBody = answer.status !== 204 && answer.status !== 304;
  return new Response(mayHaveBody ? (body ?? "") : null, { status: answer.status, headers });
}
