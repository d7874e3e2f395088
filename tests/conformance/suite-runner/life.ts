import { AsyncLocalStorage } from "node:async_hooks";
import type { Attempt, Connector, ConnectorFunction } from "@tutti/connector-kit";
import { httpClient, httpConnector } from "@tutti/connector-http";
import { processConnector } from "@tutti/connector-process";
import type { Json } from "@tutti/model";
import { createRuntime, type Env, type Runtime } from "@tutti/runtime";
import type { Store } from "@tutti/store";
import type { VirtualClock, VirtualTimer } from "@tutti/testkit";
import { mortalConnector, mortalStore } from "../../restart/mortal.ts";
import type { CrashPlan } from "../../restart/positions.ts";
import type { Caller, StandIns } from "./stand-ins.ts";
import type { Surroundings } from "./surroundings.ts";

/** Turns of the event loop without anything happening, after which nothing will happen before time moves on. */
const QUIET_TURNS = 3;
/** After so many turns something outside this process is waited for (a child process, a disk): then without burning the processor. */
const EAGER_TURNS = 200;
/** A case computes for milliseconds; one that is busy this long hangs. Real time. */
const BUSY_MS_MAX = 300_000;

export interface LifeDeps {
  readonly store: Store;
  readonly clock: VirtualClock;
  readonly standIns: StandIns;
  readonly secrets: Readonly<Record<string, Json>>;
  readonly plan: CrashPlan;
  /** Makes run ids and tokens: processes of one token in two plays would end each other. */
  readonly installationId: string;
  readonly surroundings: Surroundings | undefined;
  readonly limits: { readonly snapshotAfterRecords: number } | undefined;
  readonly report: (message: string, cause: unknown) => void;
}

/**
 * One process on virtual time, with the real runtime, connectors for the stand-ins, and the real process connector. At its death everything
 * it owns goes dead in the middle of whatever it is doing.
 */
export class Life implements Caller {
  readonly runtime: Runtime;
  readonly #clock: VirtualClock;
  readonly #timers = new Set<VirtualTimer>();
  readonly #dying = new AbortController();
  readonly #attempt = new AsyncLocalStorage<Attempt>();
  #busy = 0;
  #activity = 0;
  #ids = 0;

  constructor(deps: LifeDeps) {
    this.#clock = deps.clock;
    const { surroundings } = deps;
    const http = httpClient({ fetch: this.#fetch(deps.standIns, surroundings), nowMs: () => deps.clock.wallClockMs() });
    const real = [httpConnector({ client: http }), processConnector({}), ...(surroundings?.connectors(http) ?? [])];
    const connectors = [...deps.standIns.connectors(this), ...real.map((connector) => this.#counted(connector))];
    this.runtime = createRuntime({
      store: mortalStore(this.#countedStore(deps.store), this),
      connectors: connectors.map((connector) => mortalConnector(connector, this)),
      env: this.#env(deps),
      drive: "all",
      version: "suite",
      installationId: deps.installationId,
      ...(deps.limits !== undefined && { limits: deps.limits }),
      references: surroundings?.references ?? deps.standIns.references,
    });
  }

  get isAlive(): boolean {
    return !this.#dying.signal.aborted;
  }

  get death(): AbortSignal {
    return this.#dying.signal;
  }

  die(): void {
    for (const timer of this.#timers) timer.clear();
    this.#dying.abort(new Error("The process died."));
  }

  idle<T>(work: Promise<T>): Promise<T> {
    this.#busy -= 1;
    return work.finally(() => {
      this.#busy += 1;
      this.#activity += 1;
    });
  }

  /** Lets everything happen that needs no time; false when the process died. */
  async calm(): Promise<boolean> {
    const untilMs = performance.now() + BUSY_MS_MAX;
    let before = -1;
    for (let quiet = 0, turns = 0; quiet < QUIET_TURNS && this.isAlive; turns += 1) {
      await new Promise<void>((resolve) => {
        if (turns < EAGER_TURNS) setImmediate(resolve);
        else setTimeout(resolve, 1);
      });
      quiet = this.#busy === 0 && this.#activity === before ? quiet + 1 : 0;
      before = this.#activity;
      if (turns % EAGER_TURNS === 0 && performance.now() > untilMs)
        throw new Error(`The process is busy with ${this.#busy} things and does not end.`);
    }
    return this.isAlive;
  }

  /** Lets time pass as far as `work` needs it. Undefined when the process died over it. */
  async settle<T>(work: Promise<T>): Promise<{ readonly value: T } | undefined> {
    let settled: { readonly value: T } | { readonly error: unknown } | undefined;
    work.then(
      (value) => (settled = { value }),
      (error: unknown) => (settled = { error }),
    );
    for (;;) {
      const isAlive = await this.calm();
      // Read anew: the callbacks above ran meanwhile.
      const now = settled as { readonly value: T } | { readonly error: unknown } | undefined;
      if (now !== undefined && "error" in now) {
        if (!isAlive) return undefined;
        throw now.error;
      }
      if (now !== undefined) return now;
      if (!isAlive) return undefined;
      if (!(await this.#clock.advanceToNext())) throw new Error("The process waits for nothing that could happen.");
    }
  }

  #env(deps: LifeDeps): Env {
    const { clock } = deps;
    return {
      wallClockMs: () => clock.wallClockMs(),
      monotonicMs: () => clock.monotonicMs(),
      setTimer: (delayMs, callback) => {
        const timer = clock.setTimer(delayMs, () => {
          this.#timers.delete(timer);
          this.#activity += 1;
          if (this.isAlive) callback();
        });
        if (!this.isAlive) timer.clear();
        else this.#timers.add(timer);
        return {
          clear: () => {
            timer.clear();
            this.#timers.delete(timer);
          },
        };
      },
      defer: (callback) => {
        this.#busy += 1;
        setImmediate(() => {
          this.#busy -= 1;
          this.#activity += 1;
          if (this.isAlive) callback();
        });
      },
      randomId: () => `${(clock.monotonicMs() + 1).toString(36)}${(this.#ids += 1).toString(36)}`.padStart(16, "0"),
      secret: (name) => Promise.resolve(Object.hasOwn(deps.secrets, name) ? deps.secrets[name] : undefined),
      logs: { append: () => undefined, read: async function* () {}, remove: async () => undefined },
      crashPoint: (name, detail) => {
        if (!this.isAlive) return;
        if (name === "commit.after") tellHeard(deps.standIns, detail);
        if (deps.plan(name, detail)) this.die();
      },
      report: (message, cause) => {
        if (this.isAlive) deps.report(message, cause);
      },
    };
  }

  #while<T>(work: Promise<T>): Promise<T> {
    this.#busy += 1;
    return work.finally(() => {
      this.#busy -= 1;
      this.#activity += 1;
    });
  }

  #countedStore(store: Store): Store {
    return new Proxy(store, {
      get: (target, property) => {
        const member: unknown = Reflect.get(target, property, target);
        if (typeof member !== "function") return member;
        return (...parameters: unknown[]): unknown => {
          const result: unknown = Reflect.apply(member, target, parameters);
          return result instanceof Promise ? this.#while(result) : result;
        };
      },
    });
  }

  #counted(connector: Connector): Connector {
    const functions = Object.entries(connector.functions).map(([name, one]): [string, ConnectorFunction] => [
      name,
      {
        ...one,
        run: (input, attempt) => this.#while(this.#attempt.run(attempt, () => one.run(input, attempt))),
        ...(one.quiesce !== undefined && { quiesce: (token) => this.#while(Promise.resolve(one.quiesce?.(token))) }),
      },
    ]);
    return { ...connector, functions: Object.fromEntries(functions) };
  }

  #fetch(standIns: StandIns, surroundings: Surroundings | undefined): (url: string, init: RequestInit) => Promise<Response> {
    const send = standIns.fetch(this);
    return (url, init) => {
      const text = surroundings?.texts.get(url);
      return text === undefined ? send(url, init, this.#attempt.getStore()) : Promise.resolve(new Response(text));
    };
  }
}

/** Ends of attempts that are stored now; those that a recovery wrote name no path. */
function tellHeard(standIns: StandIns, detail: Readonly<Record<string, Json>>): void {
  const { runId, records } = detail as unknown as { readonly runId: string; readonly records: readonly Readonly<Record<string, Json>>[] };
  for (const { type, path } of records) {
    if (type === "attempt-ended" && typeof path === "string") standIns.heard(runId, path);
  }
}
