import { createRun, CURRENT_FLAGS, type RunStarted } from "@tutti/engine";
import { AppError, DEFAULT_TENANT, type Json, type TaskError, taskError } from "@tutti/model";
import type { RunRowChange } from "@tutti/store";
import type { Env } from "./env.ts";
import { LoadedRun } from "./loaded-run.ts";
import { drivenElsewhere, type Ownership } from "./ownership.ts";
import type { PassedOnStart } from "./node-mail.ts";
import type { LoadedProgram, ProgramCache } from "./program-cache.ts";
import type { RunDriver } from "./run-driver.ts";
import type { RunRegistry } from "./run-registry.ts";

/** Pauses between tries to start a child while the store fails. */
const CHILD_RETRY_MS = 1000;

export interface NewRun {
  readonly runId: string;
  readonly program: LoadedProgram;
  readonly input: Json;
  readonly labels: Readonly<Record<string, string>>;
  readonly actor: string;
  readonly parent?: { readonly runId: string; readonly task: number; readonly depth: number };
  readonly replayOf?: string;
  /** Position of the message that ordered it. */
  readonly take?: number;
}

/** A parent's order to start a child, as it lies in the store. */
export interface ChildOrder {
  readonly position: number;
  readonly runId: string;
  readonly fromRunId: string;
  readonly task: number;
  readonly workflow: { readonly namespace: string; readonly name: string; readonly version: string };
  readonly input: Json;
  readonly depth: number;
  /** A faulted child is resumed; otherwise it answers with its error. */
  readonly resume: boolean;
}

export interface RunStarterDeps {
  readonly env: Env;
  readonly nowMs: () => number;
  readonly programs: ProgramCache;
  readonly driver: RunDriver;
  readonly registry: RunRegistry;
  readonly ownership: Ownership;
  /** Whether the run is stored. */
  readonly exists: (runId: string) => Promise<boolean>;
  /** Tells a parent that another node drives. */
  readonly refuseElsewhere: (order: ChildOrder, error: TaskError) => Promise<void>;
  /** Takes the run into this process's hands. */
  readonly adoptRun: (runId: string) => void;
}

/** Starts runs: an operator's, and the children of runs. A run is there when its first record is committed. */
export class RunStarter {
  readonly #deps: RunStarterDeps;
  readonly #starting = new Map<string, Promise<void>>();

  constructor(deps: RunStarterDeps) {
    this.#deps = deps;
  }

  /** Resolves when the run is stored. Rejects when it is not, or when that is not known; then the store knows. */
  create(given: NewRun): Promise<void> {
    const { driver, registry, ownership } = this.#deps;
    const lease = ownership.leaseOf(given.runId);
    if (lease === undefined) return Promise.reject(drivenElsewhere(given.runId));
    // The same start, asked of this node and of another at once.
    if (registry.peek(given.runId) !== undefined)
      return Promise.reject(new AppError("commit-outcome-unknown", `The run ${given.runId} is being started by somebody else.`));
    const { definition, context } = given.program;
    const at = this.#deps.nowMs();
    const started: RunStarted = {
      type: "run-started",
      at,
      runId: given.runId,
      tenant: DEFAULT_TENANT,
      workflow: { namespace: definition.namespace, name: definition.name, version: definition.version, digest: definition.digest },
      input: given.input,
      labels: given.labels,
      ...(given.parent === undefined ? {} : { parent: given.parent }),
      ...(given.replayOf === undefined ? {} : { replayOf: given.replayOf }),
      actor: given.actor,
      flags: CURRENT_FLAGS,
    };
    const { state, records, commands } = createRun(started, context);
    const run = new LoadedRun({
      state,
      lease,
      tenant: DEFAULT_TENANT,
      context,
      baseDirectory: definition.baseDirectory,
      parent: given.parent,
      row: firstRow(started),
      seq: 0,
    });
    return new Promise<void>((resolve, reject) => {
      (run.pending.acknowledgements ??= []).push({ seq: 1, record: started, resolve, reject });
      if (given.take !== undefined) {
        run.pending.take = [given.take];
        run.handed.add(given.take);
      }
      this.#deps.adoptRun(run.runId);
      registry.add(run);
      driver.absorb(run, { records, commands });
    });
  }

  /** Starts what another node was asked to start, once: the run's row decides. */
  async startAsked(asked: { readonly runId: string; readonly start: PassedOnStart; readonly position: number }): Promise<void> {
    const { runId, start, position } = asked;
    if (await this.#deps.exists(runId)) return;
    const { workflow, input, labels, actor, replayOf } = start;
    const program = await this.#deps.programs.get(workflow.namespace, workflow.name, workflow.version);
    const more = replayOf === undefined ? {} : { replayOf };
    if (await this.#deps.exists(runId)) return;
    await this.create({ runId, program, input, labels, actor, take: position, ...more });
  }

  /**
   * Makes sure that the child an order names is there, whatever happened before; or tells the parent why it can't be. The order is taken
   * from the store by the commit that creates the child. Never rejects; ends early only when the process stops.
   */
  async startChild(order: ChildOrder): Promise<void> {
    const underWay = this.#starting.get(order.runId);
    if (underWay !== undefined) return underWay;
    const starting = this.#startChild(order).finally(() => this.#starting.delete(order.runId));
    this.#starting.set(order.runId, starting);
    return starting;
  }

  async #startChild(order: ChildOrder): Promise<void> {
    const { driver, env } = this.#deps;
    while (driver.mode === "open") {
      try {
        const refusal = await this.#tryChild(order);
        if (refusal !== undefined) await this.#refuse(order, refusal);
        return;
      } catch (error) {
        if (this.#deps.ownership.leaseOf(order.runId) === undefined) return;
        env.report(`Starting the child ${order.runId} of run ${order.fromRunId} failed; it is tried again.`, error);
        await new Promise<void>((resolve) => void env.setTimer(CHILD_RETRY_MS, resolve));
      }
    }
  }

  /** Why the child can't be started, or undefined when it is there. */
  async #tryChild(order: ChildOrder): Promise<TaskError | undefined> {
    if (await this.#deps.exists(order.runId)) return undefined;
    const { namespace, name, version } = order.workflow;
    const label = `${namespace}/${name} ${version}`;
    let program: LoadedProgram | undefined;
    try {
      program = await this.#deps.programs.find(namespace, name, version);
    } catch (error) {
      if (!(error instanceof AppError) || error.kind !== "usage") throw error;
      return taskError("configuration", `The workflow ${label} is no longer accepted: ${error.message}`);
    }
    if (program === undefined)
      return taskError("configuration", `There is no workflow ${label}. Publish it (tutti workflow apply FILE), then retry.`);
    const unsupported = describeUnsupported(program);
    if (unsupported !== undefined) return taskError("configuration", `The workflow ${label} can't be run: ${unsupported}`);
    const parent = { runId: order.fromRunId, task: order.task, depth: order.depth };
    await this.create({
      runId: order.runId,
      program,
      input: order.input,
      labels: {},
      actor: `run ${order.fromRunId}`,
      parent,
      take: order.position,
    });
    return undefined;
  }

  async #refuse(order: ChildOrder, error: TaskError): Promise<void> {
    const { driver, registry, ownership } = this.#deps;
    if (ownership.leaseOf(order.fromRunId) === undefined) return this.#deps.refuseElsewhere(order, error);
    const parent = await registry.use(order.fromRunId);
    driver.feed(parent, {
      type: "child-ended",
      at: driver.timeFor(parent),
      task: order.task,
      runId: order.runId,
      outcome: { kind: "refused", error },
    });
    if (parent.isDropped) throw new AppError("commit-outcome-unknown", `The run ${parent.runId} is being loaded again.`);
    (parent.pending.take ??= []).push(order.position);
    driver.commits.add(parent);
    await parent.stored();
  }
}

/** The constructs of a valid document that this engine does not run, by name; undefined when there are none. */
export function describeUnsupported(program: LoadedProgram): string | undefined {
  const { unsupported } = program.context.program;
  if (unsupported.length === 0) return undefined;
  return `this version does not run ${unsupported.map((one) => `${one.construct} (${one.pointer})`).join(", ")}`;
}

function firstRow(started: RunStarted): RunRowChange {
  return {
    tenant: started.tenant,
    status: "running",
    namespace: started.workflow.namespace,
    name: started.workflow.name,
    version: started.workflow.version,
    digest: started.workflow.digest,
    labels: started.labels,
    parentRunId: started.parent?.runId,
    startedAtMs: started.at,
    updatedAtMs: started.at,
    endedAtMs: undefined,
    wakeAtMs: undefined,
    isOutstanding: true,
    inDoubt: 0,
    errorType: undefined,
    reason: undefined,
  };
}
