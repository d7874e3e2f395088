import { hash } from "node:crypto";
import { compileWorkflow, type WorkflowProgram } from "@tutti/definition";
import type { EngineContext } from "@tutti/engine";
import type { JsonObject } from "@tutti/model";
import { FunctionTable, LEASE_MS } from "@tutti/runtime";
import { MemoryDisk } from "@tutti/store";
import { createRandom, type Random } from "@tutti/testkit";
import { Client } from "./client.ts";
import { Cluster, type Platform } from "./cluster.ts";
import { FAULT_KINDS, type FaultKind, Faults, SHARED_KINDS } from "./faults.ts";
import { Monitor } from "./monitor.ts";
import { SimNode } from "./node.ts";
import { Operator } from "./operator.ts";
import { checkOracle } from "./oracle-check.ts";
import { Scheduler } from "./scheduler.ts";
import { ShardLaws } from "./shard-laws.ts";
import { SimClock } from "./sim-clock.ts";
import { SimProcess } from "./sim-process.ts";
import { createSimStore, type StoreSabotage } from "./sim-store.ts";
import { SimWorld, type WorldSabotage } from "./sim-world.ts";
import { must, Violation } from "./violation.ts";
import { planWorkload, type Reductions, type Workload } from "./workload.ts";

export interface SimulationOptions {
  readonly seed: number;
  /** Faults for ever, or faults that stop so that everything has to come to its end. Drawn from the seed without it. */
  readonly mode?: "safety" | "liveness";
  /** Only these kinds may happen, among those that the seed has drawn. */
  readonly faults?: readonly FaultKind[];
  readonly reductions?: Reductions;
  readonly sabotage?: Sabotage;
  /** How many share the store; drawn from the seed without it. */
  readonly nodes?: number;
  readonly trace?: (line: string) => void;
}

/** What is broken on purpose, for the controls. */
export interface Sabotage extends StoreSabotage, WorldSabotage {
  /** The monotonic clock of a process goes twice as fast as time. */
  readonly fastClock?: boolean;
  /** Leases are measured by the wall clock. */
  readonly leasesByWallClock?: boolean;
}

export interface SimulationResult {
  readonly seed: number;
  readonly mode: "safety" | "liveness";
  readonly hash: number;
  readonly steps: number;
  readonly virtualMs: number;
  readonly crashes: number;
  readonly nodes: number;
  /** Shards claimed, those of them from a node that had not handed them over, commits refused for that, and instants of schedules. */
  readonly claims: number;
  readonly takeovers: number;
  readonly fenced: number;
  readonly ticks: number;
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
/** The same of several nodes, whose beats are steps too. */
const SAFETY_SHARED_MS = 3 * 60_000;
/** A simulation that runs into this is a busy loop. */
const STEPS_MAX = 400_000;
const SAFETY_SHARE = 0.25;
const PAUSE_MAX_MS = 20_000;
const JUMP_MAX_MS = 60 * 60_000;
const ORIGIN_MS = Date.UTC(2026, 0, 1);
const CANARY = "canary-0f9e8d7c6b5a";
/** A crash while a mark stands is blamed on its run; after this many in a row an innocent one would be set aside. */
const BLAMES_MAX = 2;
/** How many nodes share the store. Three of four simulations have one, with a store of its own: several take twice as many steps. */
const NODES = [1, 1, 1, 1, 1, 1, 1, 1, 2, 1, 3, 4] as const;
/** Nodes whose wall clocks nobody keeps are this far apart at most, besides their jumps. */
const SKEW_MAX_MS = 30_000;
/** How long a node stands still, or is cut off from the store, in leases. */
const LEASES_PAUSED_MIN = 0.1;
const LEASES_PAUSED_MAX = 10;
const LEASES_CUT_OFF_MAX = 3;
/** A dead node's shards have another owner this long after its lease has ended. */
const TAKEN_OVER_MS = 2000;
/** Starts runs by the clock, whichever node drives it. */
const TICKING: JsonObject = {
  document: { dsl: "1.0.3", namespace: "test", name: "tick", version: "1.0.0" },
  schedule: { every: { seconds: 7 } },
  do: [{ tick: { set: { ticked: true } } }],
};
const QUIET_TICKS_MIN = 5;

/** Carries out one seed. The same options give the same result, to the last step. */
export async function simulate(options: SimulationOptions): Promise<SimulationResult> {
  return new Simulation(options).run();
}

class Simulation {
  readonly #options: SimulationOptions;
  readonly #mode: "safety" | "liveness";
  readonly #disk = new MemoryDisk();
  readonly #scheduler: Scheduler;
  readonly #clocks: readonly SimClock[];
  readonly #faults: Faults;
  readonly #world: SimWorld;
  readonly #monitor: Monitor;
  readonly #nodes: readonly SimNode[];
  readonly #platform: Platform;
  readonly #laws: ShardLaws;
  readonly #documents: readonly JsonObject[];
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
    this.#laws = new ShardLaws(scheduler);
    const drawnNodes = random.fork("nodes").pick(NODES);
    const nodes = options.nodes ?? drawnNodes;
    const isShared = nodes > 1;
    this.#clocks = Array.from({ length: nodes }, () => new SimClock(() => scheduler.nowMs, ORIGIN_MS));
    const swarm = random.fork("swarm");
    // Drawn in any case: what is left out or given must not shift what follows.
    const mode = swarm.chance(SAFETY_SHARE) ? "safety" : "liveness";
    this.#mode = options.mode ?? mode;
    const apart = random.fork("shared swarm");
    const drawn = FAULT_KINDS.filter((kind) => (SHARED_KINDS.has(kind) ? apart : swarm).chance(0.5));
    const isUnique = swarm.chance(0.5);
    // A jump forward counts as time that has passed. Where only the passing of time tells that an effect is absent, that is a lie.
    const possible = isUnique ? drawn : drawn.filter((kind) => kind !== "clock-forward" && kind !== "clock-skew");
    this.#faults = new Faults(
      random.fork("faults"),
      possible.filter((kind) => options.faults?.includes(kind) ?? true),
    );
    const limits = { snapshotAfterRecords: swarm.pick([0, 0, 5, 1000]) };
    const sabotage = options.sabotage ?? {};
    const nodeIds = new WeakMap<object, string>();
    this.#world = new SimWorld({
      scheduler,
      random: random.fork("world"),
      faults: this.#faults,
      sabotage,
      isUnique,
      history: () => this.#monitor,
      sends: (owner, runId) => {
        const nodeId = nodeIds.get(owner);
        if (isShared && nodeId !== undefined) this.#guarded(() => this.#laws.sends(nodeId, runId));
      },
    });
    const functions = new FunctionTable([this.#world.connector({ isAlive: false, pausedUntilMs: 0 })]);
    const workload = planWorkload(random.fork("workload"), functions, options.reductions);
    // Several nodes have more to do than runs: half as many take about as long.
    this.#workload = isShared ? { ...workload, runs: workload.runs.filter(({ startKey }) => /[02468]$/.test(startKey)) } : workload;
    this.#documents = isShared ? [...this.#workload.documents, TICKING] : this.#workload.documents;
    const contexts = contextsOf(this.#documents, functions);
    this.#monitor = new Monitor({
      disk: this.#disk,
      scheduler,
      latestMs: () => Math.max(...this.#clocks.map((clock) => clock.latestMs())),
      contextOf: (digest) => contexts.get(digest) ?? unknownDigest(digest),
      canary: CANARY,
    });
    const store = random.fork("store");
    const process = random.fork("process");
    const makeProcess = (node: SimNode, clock: SimClock): SimProcess => {
      const { nodeId } = node;
      const made: SimProcess = new SimProcess({
        scheduler,
        clock,
        random: process,
        secrets: { canary: CANARY },
        limits,
        clockRate: sabotage.fastClock === true ? 2 : 1,
        isMonotonicWall: sabotage.leasesByWallClock === true,
        makeStore: (owner) =>
          createSimStore({
            disk: this.#disk,
            scheduler,
            random: store,
            faults: this.#faults,
            owner,
            sabotage,
            space: this.#space,
            shared: isShared ? { nodeId, cutOffUntilMs: () => node.cutOffUntilMs } : undefined,
            witness: {
              committed: (batch, result) =>
                this.#guarded(() => {
                  if (isShared) this.#laws.committed(batch, result);
                  this.#monitor.committed(batch, result);
                }),
              marked: (mark) => this.#marked(node, mark),
              beaten: (beat, answer) => this.#guarded(() => this.#laws.beaten(nodeId, beat, answer)),
              handedOver: (shards) => this.#laws.handedOver(nodeId, shards),
            },
          }),
        makeConnector: (owner) => {
          nodeIds.set(owner, nodeId);
          return this.#world.connector(owner);
        },
        diesAt: (name) => this.#mayDie(node) && this.#faults.strikes("crash-point", name),
        reported: (message, cause) => this.#reported(message, cause),
      });
      return made;
    };
    this.#nodes = this.#clocks.map((clock, index) => {
      const name = isShared ? "abcd".charAt(index) : "";
      const node: SimNode = new SimNode({
        scheduler,
        random: random.fork(`node${name}`),
        name,
        died: () => this.#guarded(() => this.#mourn(node)),
        makeProcess: () => makeProcess(node, clock),
      });
      return node;
    });
    const [only] = this.#nodes;
    this.#platform = isShared || only === undefined ? new Cluster(this.#nodes, scheduler, random.fork("cluster")) : only;
    const fail = (error: Error): void => this.#fail(error);
    this.#client = new Client({ node: this.#platform, disk: this.#disk, monitor: this.#monitor, faults: this.#faults, fail });
    this.#operator = new Operator({
      scheduler,
      random: random.fork("operator"),
      faults: this.#faults,
      monitor: this.#monitor,
      disk: this.#disk,
      world: this.#world,
      client: this.#client,
      node: this.#platform,
    });
  }

  async run(): Promise<SimulationResult> {
    const scheduler = this.#scheduler;
    try {
      this.#begin();
      if (this.#mode === "safety") await this.#pass(this.#isShared ? SAFETY_SHARED_MS : SAFETY_MS);
      else {
        await this.#pass(STORM_MS);
        this.#calmDown();
        await this.#failOver();
        const ticksBefore = this.#monitor.ticks;
        await this.#pass(QUIET_MS);
        if (this.#isShared) {
          const ticks = this.#monitor.ticks - ticksBefore;
          must(ticks >= QUIET_TICKS_MIN, "schedules go on", () => `${ticks} ticks in ${QUIET_MS} ms`);
          this.#client.schedule("tick", false);
        }
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
      for (const node of this.#nodes) node.process?.kill();
    }
    const violation = this.#violation;
    return {
      seed: this.#options.seed,
      mode: this.#mode,
      hash: scheduler.hash,
      steps: scheduler.steps,
      virtualMs: scheduler.nowMs,
      crashes: this.#nodes.reduce((sum, node) => sum + node.crashes, 0),
      nodes: this.#nodes.length,
      claims: this.#laws.claims,
      takeovers: this.#laws.takeovers,
      fenced: this.#laws.fenced,
      ticks: this.#monitor.ticks,
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
    for (const node of this.#nodes) node.start();
    if (this.#faults.kinds.has("clock-skew") && this.#isShared)
      for (const clock of this.#clocks)
        if (this.#faults.strikes("clock-skew", "clock")) clock.jump((this.#random.next() * 2 - 1) * SKEW_MAX_MS);
    for (const document of this.#documents) this.#client.publish(document);
    if (this.#isShared) this.#enableTicks();
    for (const run of this.#workload.runs) this.#scheduler.after(run.atMs, `client starts ${run.startKey}`, () => this.#begin1(run));
    for (const event of this.#workload.events)
      this.#scheduler.after(event.atMs, `client sends ${event.id}`, () => this.#client.send(event));
    this.#operator.start();
  }

  /** A run is started once its workflow, and the child that it may have, are published. */
  #begin1(run: Workload["runs"][number]): void {
    if (this.#disk.definitions.size === this.#documents.length) return this.#client.begin(run);
    this.#scheduler.after(1000, `client waits with ${run.startKey}`, () => this.#begin1(run));
  }

  /** A schedule can be enabled once its workflow is published. */
  #enableTicks(): void {
    if (this.#disk.definitions.size === this.#documents.length) return this.#client.schedule("tick", true);
    this.#scheduler.after(1000, "client waits with its schedule", () => this.#enableTicks());
  }

  /** A node dies while all is well: somebody else has its shards within a lease and two seconds. */
  async #failOver(): Promise<void> {
    if (!this.#isShared) return;
    await this.#pass(2 * LEASE_MS);
    const victim = this.#random.pick(this.#nodes);
    if (victim.process?.isAlive !== true) return;
    victim.kill(4 * LEASE_MS);
    await this.#pass(LEASE_MS + TAKEN_OVER_MS);
    this.#laws.checkOwned(new Set(this.#nodes.filter((node) => node.isUp).map((node) => node.nodeId)));
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
    const index = this.#isShared ? this.#random.integer(0, this.#nodes.length - 1) : 0;
    const node = this.#nodes[index];
    const process = node?.process;
    if (faults.isOver || node === undefined || process?.isAlive !== true) return;
    const clock = this.#clocks[index];
    if (faults.strikes("clock-forward", "clock")) clock?.jump(this.#random.next() ** 3 * JUMP_MAX_MS);
    if (faults.strikes("clock-back", "clock")) clock?.jump(-(this.#random.next() ** 3) * JUMP_MAX_MS);
    if (faults.strikes("pause", "process")) process.pauseUntil(this.#scheduler.nowMs + this.#random.next() * PAUSE_MAX_MS);
    if (this.#isShared) this.#afterStepOfSeveral(node, process);
    if (faults.strikes("stop", "process")) node.stop();
    if (this.#mayDie(node) && faults.strikes("crash", "process")) node.kill();
  }

  #afterStepOfSeveral(node: SimNode, process: SimProcess): void {
    const { nowMs } = this.#scheduler;
    const faults = this.#faults;
    if (this.#mayDie(node) && faults.strikes("long-pause", "process")) {
      const leases = LEASES_PAUSED_MIN * (LEASES_PAUSED_MAX / LEASES_PAUSED_MIN) ** this.#random.next();
      process.pauseUntil(nowMs + leases * LEASE_MS);
      this.#blame(node);
    }
    if (this.#mayDie(node) && faults.strikes("partition", "network")) {
      node.cutOffUntilMs = nowMs + this.#random.next() * LEASES_CUT_OFF_MAX * LEASE_MS;
      this.#blame(node);
    }
  }

  #calmDown(): void {
    this.#faults.isOver = true;
    this.#space.fullUntilMs = 0;
    const aheadMs = Math.max(...this.#clocks.map((clock) => clock.aheadMs));
    for (const clock of this.#clocks) clock.healTo(aheadMs);
    for (const node of this.#nodes) {
      node.cutOffUntilMs = 0;
      // Whoever looks after the machines does not wait for one that has stood still for long.
      if ((node.process?.pausedUntilMs ?? 0) > this.#scheduler.nowMs + PAUSE_MAX_MS) node.kill();
    }
  }

  get #isShared(): boolean {
    return this.#nodes.length > 1;
  }

  /** The mark of a process that would be blamed if that process died now. */
  #suspectOf(node: SimNode): string | undefined {
    return this.#isShared ? this.#disk.marks.get(node.nodeId) : this.#disk.suspect;
  }

  #blame(node: SimNode): void {
    const suspect = this.#suspectOf(node);
    if (suspect !== undefined) this.#blames.set(suspect, (this.#blames.get(suspect) ?? 0) + 1);
  }

  #mayDie(node: SimNode): boolean {
    const suspect = this.#suspectOf(node);
    return suspect === undefined || (this.#blames.get(suspect) ?? 0) < BLAMES_MAX;
  }

  #mourn(node: SimNode): void {
    if (!this.#isShared) this.#disk.crash();
    this.#blame(node);
    this.#monitor.checkAll();
    this.#client.check();
  }

  /** A poisoned run takes the process down as soon as it is looked at, which is when its mark stands. */
  #marked(node: SimNode, mark: string | undefined): void {
    const runId = mark?.slice(0, mark.lastIndexOf("@"));
    const mirror = runId === undefined ? undefined : this.#monitor.mirrors.get(runId);
    if (mirror?.labels["kind"] === "poison" && this.#faults.strikes("poison", "load")) node.kill();
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

function contextsOf(documents: readonly JsonObject[], functions: FunctionTable): ReadonlyMap<string, EngineContext> {
  return new Map(
    documents.map((document): [string, EngineContext] => {
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
