import { hash } from "node:crypto";
import { compileWorkflow, type WorkflowProgram } from "@tutti/definition";
import type { EngineContext } from "@tutti/engine";
import type { JsonObject } from "@tutti/model";
import { FunctionTable } from "@tutti/runtime";
import { MemoryDisk } from "@tutti/store";
import { createRandom, type Random } from "@tutti/testkit";
import { Client } from "./client.ts";
import { FAULT_KINDS, type FaultKind, Faults } from "./faults.ts";
import { Monitor } from "./monitor.ts";
import { SimNode } from "./node.ts";
import { Operator } from "./operator.ts";
import { checkOracle } from "./oracle-check.ts";
import { Scheduler } from "./scheduler.ts";
import { SimClock } from "./sim-clock.ts";
import { SimProcess } from "./sim-process.ts";
import { createSimStore, type StoreSabotage } from "./sim-store.ts";
import { SimWorld, type WorldSabotage } from "./sim-world.ts";
import { Violation } from "./violation.ts";
import { planWorkload, type Reductions, type Workload } from "./workload.ts";

export interface SimulationOptions {
  readonly seed: number;
  /** Faults for ever, or faults that stop so that everything has to come to its end. Drawn from the seed without it. */
  readonly mode?: "safety" | "liveness";
  /** Only these kinds may happen, among those that the seed has drawn. */
  readonly faults?: readonly FaultKind[];
  readonly reductions?: Reductions;
  readonly sabotage?: Sabotage;
  readonly trace?: (line: string) => void;
}

/** What is broken on purpose, for the controls. */
export interface Sabotage extends StoreSabotage, WorldSabotage {
  /** The monotonic clock of a process goes twice as fast as time. */
  readonly fastClock?: boolean;
}

export interface SimulationResult {
  readonly seed: number;
  readonly mode: "safety" | "liveness";
  readonly hash: number;
  readonly steps: number;
  readonly virtualMs: number;
  readonly crashes: number;
  readonly commits: number;
  readonly snapshots: number;
  readonly runs: number;
  /** Runs that ended as the oracle said. */
  readonly judged: number;
  /** Operation × kind, how often. */
  readonly faults: ReadonlyMap<string, number>;
  readonly kinds: readonly FaultKind[];
  /** How much there is to leave out. */
  readonly planned: { readonly runs: number; readonly events: number; readonly tasks: number };
  readonly violation: { readonly law: string; readonly message: string } | undefined;
}

/** Faults of a liveness simulation stop then. */
const STORM_MS = 90_000;
/** Then everything that was accepted has reached whoever wants it; nothing new comes meanwhile. */
const QUIET_MS = 60_000;
/** Everything is at its end, or waits with reason, this long after the faults have stopped. */
const CALM_MS = 8 * 60_000;
/** What waits with reason is cancelled then, and is gone after this. */
const END_MS = 2 * 60_000;
/** A safety simulation is long enough then. */
const SAFETY_MS = 8 * 60_000;
/** A simulation that runs into this is a busy loop. */
const STEPS_MAX = 400_000;
const SAFETY_SHARE = 0.25;
const PAUSE_MAX_MS = 20_000;
const JUMP_MAX_MS = 60 * 60_000;
const ORIGIN_MS = Date.UTC(2026, 0, 1);
const CANARY = "canary-0f9e8d7c6b5a";
/** A crash while a mark stands is blamed on its run; after this many in a row an innocent one would be set aside. */
const BLAMES_MAX = 2;

/** Carries out one seed. The same options give the same result, to the last step. */
export async function simulate(options: SimulationOptions): Promise<SimulationResult> {
  return new Simulation(options).run();
}

class Simulation {
  readonly #options: SimulationOptions;
  readonly #mode: "safety" | "liveness";
  readonly #disk = new MemoryDisk();
  readonly #scheduler: Scheduler;
  readonly #clock: SimClock;
  readonly #faults: Faults;
  readonly #world: SimWorld;
  readonly #monitor: Monitor;
  readonly #node: SimNode;
  readonly #client: Client;
  readonly #operator: Operator;
  readonly #workload: Workload;
  readonly #random: Random;
  readonly #space = { fullUntilMs: 0 };
  readonly #blames = new Map<string, number>();
  #violation: Error | undefined;
  #judged = 0;

  constructor(options: SimulationOptions) {
    this.#options = options;
    const random = createRandom(options.seed);
    this.#random = random.fork("simulation");
    const scheduler = new Scheduler(random.fork("scheduler"));
    scheduler.trace = options.trace;
    this.#scheduler = scheduler;
    this.#clock = new SimClock(() => scheduler.nowMs, ORIGIN_MS);
    const swarm = random.fork("swarm");
    // Drawn in any case: what is left out or given must not shift what follows.
    const mode = swarm.chance(SAFETY_SHARE) ? "safety" : "liveness";
    this.#mode = options.mode ?? mode;
    const drawn = FAULT_KINDS.filter(() => swarm.chance(0.5));
    const isUnique = swarm.chance(0.5);
    // A jump forward counts as time that has passed. Where only the passing of time tells that an effect is absent, that is a lie.
    const possible = isUnique ? drawn : drawn.filter((kind) => kind !== "clock-forward");
    this.#faults = new Faults(
      random.fork("faults"),
      possible.filter((kind) => options.faults?.includes(kind) ?? true),
    );
    const limits = { snapshotAfterRecords: swarm.pick([0, 0, 5, 1000]) };
    const sabotage = options.sabotage ?? {};
    this.#world = new SimWorld({
      scheduler,
      random: random.fork("world"),
      faults: this.#faults,
      sabotage,
      isUnique,
      isStrict: (runId) => this.#monitor.isStrict(runId),
      isIntended: (attempt) => this.#monitor.isIntended(attempt),
    });
    const functions = new FunctionTable([this.#world.connector({ isAlive: false, pausedUntilMs: 0 })]);
    this.#workload = planWorkload(random.fork("workload"), functions, options.reductions);
    const contexts = contextsOf(this.#workload, functions);
    this.#monitor = new Monitor({
      disk: this.#disk,
      scheduler,
      clock: this.#clock,
      contextOf: (digest) => contexts.get(digest) ?? unknownDigest(digest),
      canary: CANARY,
      marked: (mark) => this.#marked(mark),
    });
    const store = random.fork("store");
    const process = random.fork("process");
    this.#node = new SimNode({
      scheduler,
      random: random.fork("node"),
      disk: this.#disk,
      died: () => this.#guarded(() => this.#mourn()),
      makeProcess: () =>
        new SimProcess({
          scheduler,
          clock: this.#clock,
          random: process,
          secrets: { canary: CANARY },
          limits,
          clockRate: sabotage.fastClock === true ? 2 : 1,
          makeStore: (owner) =>
            createSimStore({
              disk: this.#disk,
              scheduler,
              random: store,
              faults: this.#faults,
              owner,
              sabotage,
              space: this.#space,
              witness: {
                committed: (batch, result) => this.#guarded(() => this.#monitor.committed(batch, result)),
                marked: (mark) => this.#monitor.marked(mark),
              },
            }),
          makeConnector: (owner) => this.#world.connector(owner),
          diesAt: (name) => this.#mayDie() && this.#faults.strikes("crash-point", name),
          reported: (message, cause) => this.#reported(message, cause),
        }),
    });
    const fail = (error: Error): void => this.#fail(error);
    this.#client = new Client({ node: this.#node, disk: this.#disk, monitor: this.#monitor, faults: this.#faults, fail });
    this.#operator = new Operator({
      scheduler,
      random: random.fork("operator"),
      faults: this.#faults,
      monitor: this.#monitor,
      disk: this.#disk,
      world: this.#world,
      client: this.#client,
      node: this.#node,
    });
  }

  async run(): Promise<SimulationResult> {
    const scheduler = this.#scheduler;
    try {
      this.#begin();
      if (this.#mode === "safety") await this.#pass(SAFETY_MS);
      else {
        await this.#pass(STORM_MS);
        this.#calmDown();
        await this.#pass(QUIET_MS);
        this.#monitor.checkEvents();
        this.#operator.help();
        await this.#pass(CALM_MS, () => this.#isAllOver());
        this.#monitor.checkEvents();
        this.#judged = checkOracle({ workload: this.#workload, monitor: this.#monitor, world: this.#world });
        this.#operator.endAll();
        await this.#pass(END_MS, () => this.#isAllOver());
        this.#operator.checkEnd();
      }
      this.#monitor.checkAll();
      this.#monitor.checkReplay();
      this.#client.check();
    } catch (error) {
      this.#fail(error instanceof Error ? error : new Error(String(error)));
    } finally {
      this.#node.process?.kill();
    }
    const violation = this.#violation;
    return {
      seed: this.#options.seed,
      mode: this.#mode,
      hash: scheduler.hash,
      steps: scheduler.steps,
      virtualMs: scheduler.nowMs,
      crashes: this.#node.crashes,
      commits: this.#monitor.commits,
      snapshots: this.#monitor.snapshots,
      runs: this.#monitor.mirrors.size,
      judged: this.#judged,
      faults: this.#faults.counts,
      kinds: [...this.#faults.kinds],
      planned: this.#workload.planned,
      violation:
        violation === undefined
          ? undefined
          : { law: violation instanceof Violation ? violation.law : "unexpected error", message: violation.stack ?? violation.message },
    };
  }

  #begin(): void {
    this.#node.start();
    for (const document of this.#workload.documents) this.#client.publish(document);
    for (const run of this.#workload.runs) this.#scheduler.after(run.atMs, `client starts ${run.startKey}`, () => this.#begin1(run));
    for (const event of this.#workload.events)
      this.#scheduler.after(event.atMs, `client sends ${event.id}`, () => this.#client.send(event));
    this.#operator.start();
  }

  /** A run is started once its workflow, and the child that it may have, are published. */
  #begin1(run: Workload["runs"][number]): void {
    if (this.#disk.definitions.size === this.#workload.documents.length) return this.#client.begin(run);
    this.#scheduler.after(1000, `client waits with ${run.startKey}`, () => this.#begin1(run));
  }

  /** Lets time pass, or less of it when `isEnough` holds. */
  async #pass(ms: number, isEnough: () => boolean = () => false): Promise<void> {
    let isOver = false;
    const bell = this.#scheduler.after(ms, "time passes", () => {
      isOver = true;
    });
    await this.#scheduler.drive(
      () => isOver || this.#violation !== undefined || isEnough(),
      () => this.#afterStep(),
    );
    bell.clear();
    if (this.#violation !== undefined) throw this.#violation;
  }

  #isAllOver(): boolean {
    const { mirrors } = this.#monitor;
    if (this.#client.runs.size < this.#workload.runs.length || this.#disk.messages.size > 0) return false;
    for (const { status } of mirrors.values()) if (status !== "completed" && status !== "cancelled") return false;
    return true;
  }

  #afterStep(): void {
    const faults = this.#faults;
    if (this.#scheduler.steps > STEPS_MAX) throw new Violation("no busy loop", `${STEPS_MAX} steps in ${this.#scheduler.nowMs} ms`);
    const { process } = this.#node;
    if (faults.isOver || process?.isAlive !== true) return;
    if (faults.strikes("clock-forward", "clock")) this.#clock.jump(this.#random.next() ** 3 * JUMP_MAX_MS);
    if (faults.strikes("clock-back", "clock")) this.#clock.jump(-(this.#random.next() ** 3) * JUMP_MAX_MS);
    if (faults.strikes("pause", "process")) process.pausedUntilMs = this.#scheduler.nowMs + this.#random.next() * PAUSE_MAX_MS;
    if (faults.strikes("stop", "process")) this.#node.stop();
    if (this.#mayDie() && faults.strikes("crash", "process")) this.#node.kill();
  }

  #calmDown(): void {
    this.#faults.isOver = true;
    this.#space.fullUntilMs = 0;
    this.#clock.heal();
  }

  #mayDie(): boolean {
    const { suspect } = this.#disk;
    return suspect === undefined || (this.#blames.get(suspect) ?? 0) < BLAMES_MAX;
  }

  #mourn(): void {
    const { suspect } = this.#disk;
    if (suspect !== undefined) this.#blames.set(suspect, (this.#blames.get(suspect) ?? 0) + 1);
    this.#monitor.checkAll();
    this.#client.check();
  }

  /** A poisoned run takes the process down as soon as it is looked at, which is when its mark stands. */
  #marked(mark: string | undefined): void {
    const runId = mark?.slice(0, mark.lastIndexOf("@"));
    const mirror = runId === undefined ? undefined : this.#monitor.mirrors.get(runId);
    if (mirror?.labels["kind"] === "poison" && this.#faults.strikes("poison", "load")) this.#node.kill();
  }

  #reported(message: string, cause: unknown): void {
    const text = cause instanceof Error ? `${message} ${cause.message}` : message;
    this.#scheduler.note(`report: ${text}`);
    if (message.includes("could not take a fact"))
      this.#fail(new Violation("a run takes every fact", cause instanceof Error ? (cause.stack ?? text) : text));
    if (message.includes("is quarantined") && this.#isInnocent(message)) this.#fail(new Violation("only poison is set aside", text));
  }

  #isInnocent(message: string): boolean {
    const runId = /run_[0-9a-z]+/.exec(message)?.[0] ?? "";
    return this.#monitor.mirrors.get(runId)?.labels["kind"] !== "poison";
  }

  #guarded(check: () => void): void {
    try {
      check();
    } catch (error) {
      this.#fail(error instanceof Error ? error : new Error(String(error)));
    }
  }

  #fail(error: Error): void {
    this.#violation ??= error;
  }
}

function contextsOf(workload: Workload, functions: FunctionTable): ReadonlyMap<string, EngineContext> {
  return new Map(
    workload.documents.map((document): [string, EngineContext] => {
      const text = JSON.stringify(document);
      const runtime = { name: "tutti", version: "sim", metadata: {} };
      return [hash("sha256", text, "hex"), { program: programOf(document), functions, runtime }];
    }),
  );
}

const PROGRAMS = new WeakMap<JsonObject, WorkflowProgram>();

/** Programs are never changed, so all simulations may share them. */
function programOf(document: JsonObject): WorkflowProgram {
  const program = PROGRAMS.get(document) ?? compileWorkflow(document);
  PROGRAMS.set(document, program);
  return program;
}

function unknownDigest(digest: string): never {
  throw new Violation("a run is pinned to its version", `nobody has published ${digest}`);
}
