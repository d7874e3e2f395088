import { assert, type CloudEvent, type Json, type JsonObject, type TaskError } from "@tutti/model";
import type { EngineContext } from "./context.ts";
import type { Machine } from "./machine.ts";
import type { Observer } from "./observer.ts";
import type { RunRecord, RunStarted } from "./record.ts";
import { replay } from "./replay.ts";
import type { ListenFrame, RunState, Task, TaskPhase } from "./state.ts";
import { summarize } from "./summary.ts";

/** The specification's names, which every type of a lifecycle event begins with. */
const PREFIX = "io.serverlessworkflow.";

const WORKFLOW_KINDS = [
  "started",
  "suspended",
  "resumed",
  "correlation-started",
  "correlation-completed",
  "cancelled",
  "faulted",
  "completed",
  "status-changed",
] as const;
const TASK_KINDS = [
  "created",
  "started",
  "suspended",
  "resumed",
  "retried",
  "cancelled",
  "faulted",
  "completed",
  "status-changed",
] as const;
type Kind = `workflow.${(typeof WORKFLOW_KINDS)[number]}` | `task.${(typeof TASK_KINDS)[number]}`;
/** Status phases of the specification. */
type Phase = "running" | "waiting" | "suspended" | "faulted" | "completed" | "cancelled";

/**
 * Derives the lifecycle events of one run from its records: nothing of them is stored. The same records give the same events with the same
 * ids, whenever and in whatever pieces they are fed.
 */
export class LifecycleDeriver {
  readonly #context: EngineContext;
  readonly #watch: LifecycleObserver;
  #state: RunState | undefined;
  #phase: Phase | undefined;

  constructor(context: EngineContext) {
    this.#context = context;
    this.#watch = new LifecycleObserver(context);
  }

  /** Number of the last record fed. */
  get seq(): number {
    return this.#state?.seq ?? 0;
  }

  /** Feeds the records that follow, a fact with its intents never apart. @throws AppError `history-mismatch`. */
  feed(records: readonly RunRecord[]): readonly CloudEvent[] {
    const events: CloudEvent[] = [];
    for (let index = 0; index < records.length;) {
      let next = index + 1;
      while (records[next]?.type === "attempt-intended") next += 1;
      events.push(...this.#feedFact(records.slice(index, next)));
      index = next;
    }
    return events;
  }

  #feedFact(records: readonly RunRecord[]): readonly CloudEvent[] {
    const [fact] = records;
    assert(fact !== undefined, "a fact is fed");
    const watch = this.#watch;
    watch.begin(this.seq + 1, fact);
    this.#state = replay(records, this.#context, this.#state, watch);
    const { status, error } = summarize(this.#state);
    const before = this.#phase;
    const phase: Phase = status === "quarantined" ? "suspended" : status;
    this.#phase = phase;
    if (phase === before) return watch.events;
    if (before === "suspended" || before === "faulted") watch.workflow("resumed", { resumedAt: watch.at });
    if (phase === "suspended") watch.workflow("suspended", { suspendedAt: watch.at });
    if (phase === "faulted") watch.workflow("faulted", { faultedAt: watch.at, error: error ?? null });
    if (phase === "completed") watch.workflow("completed", { completedAt: watch.at });
    if (phase === "cancelled") watch.workflow("cancelled", { cancelledAt: watch.at });
    watch.workflow("status-changed", { updatedAt: watch.at, status: phase });
    return watch.events;
  }
}

/** What is known of a live task. */
interface Seen {
  phase: Phase;
  attempts: number;
  retries: number;
  listening: ListenFrame | undefined;
}

class LifecycleObserver implements Observer {
  events: CloudEvent[] = [];
  at = "";
  readonly #context: EngineContext;
  readonly #seen = new Map<number, Seen>();
  readonly #ids = new Set<string>();
  #seq = 0;
  #runId = "";

  constructor(context: EngineContext) {
    this.#context = context;
  }

  /** What follows comes from this record. */
  begin(seq: number, fact: RunRecord): void {
    this.events = [];
    this.#ids.clear();
    this.#seq = seq;
    this.at = new Date(fact.at).toISOString();
    if (fact.type === "run-started") this.#begun(fact);
  }

  entered(_machine: Machine, task: Task): void {
    this.#seen.set(task.id, { phase: "running", attempts: 0, retries: 0, listening: undefined });
    this.#task(task, "created", { createdAt: this.at });
    this.#task(task, "started", { startedAt: this.at });
    this.#status(task, "running");
  }

  failed(_machine: Machine, task: Task, error: TaskError): void {
    this.#fault(task, error);
  }

  moved(_machine: Machine, task: Task): void {
    const seen = this.#seen.get(task.id);
    if (seen === undefined) return;
    const before = seen.phase;
    const phase = phaseOf(task.phase);
    if (phase === "faulted") this.#fault(task, task.error);
    const attempts = task.call?.attempt ?? 0;
    const retries = task.retries?.count ?? 0;
    const isAgain = phase !== "faulted" && (before === "faulted" || (task.phase === "running" && attempts > 1 && attempts > seen.attempts));
    if (isAgain || retries > seen.retries) this.#task(task, "retried", { retriedAt: this.at });
    seen.attempts = Math.max(seen.attempts, attempts);
    seen.retries = retries;
    if (phase === "suspended" && before !== "suspended") this.#task(task, "suspended", { suspendedAt: this.at });
    if (before === "suspended" && phase !== "suspended" && phase !== "faulted") this.#task(task, "resumed", { resumedAt: this.at });
    if (task.phase === "listening" && seen.listening === undefined && task.frame?.kind === "listen") {
      seen.listening = task.frame;
      this.workflow("correlation-started", { startedAt: this.at }, task);
    }
    if (phase !== before && phase !== "faulted") this.#status(task, phase);
    seen.phase = phase;
  }

  left(_machine: Machine, task: Task, how: "completed" | "skipped" | "cancelled"): void {
    const seen = this.#seen.get(task.id);
    if (seen === undefined) return;
    this.#seen.delete(task.id);
    if (how === "cancelled") {
      // A task whose error was caught is over with it.
      if (seen.phase === "faulted") return;
      this.#task(task, "cancelled", { cancelledAt: this.at });
      this.#status(task, "cancelled");
      return;
    }
    if (seen.listening !== undefined) {
      const keys = seen.listening.correlations;
      const found: JsonObject = Object.keys(keys).length === 0 ? {} : { correlationKeys: keys };
      this.workflow("correlation-completed", { completedAt: this.at, ...found }, task);
    }
    this.#task(task, "completed", { completedAt: this.at });
    this.#status(task, "completed");
  }

  workflow(kind: (typeof WORKFLOW_KINDS)[number], data: JsonObject, task?: Task): void {
    this.#emit(`workflow.${kind}`, { name: this.#name, ...data }, task);
  }

  #begun({ runId, workflow }: RunStarted): void {
    this.#runId = runId;
    const { namespace, name, version } = workflow;
    this.workflow("started", { definition: { namespace, name, version }, startedAt: this.at });
  }

  #fault(task: Task, error: TaskError | undefined): void {
    const seen = this.#seen.get(task.id);
    if (seen === undefined || seen.phase === "faulted") return;
    seen.phase = "faulted";
    this.#task(task, "faulted", { faultedAt: this.at, error: error ?? null });
    this.#status(task, "faulted");
  }

  #status(task: Task, status: Phase): void {
    this.#task(task, "status-changed", { updatedAt: this.at, status });
  }

  #task(task: Task, kind: (typeof TASK_KINDS)[number], data: JsonObject): void {
    const reference = this.#context.program.nodes[task.node]?.pointer ?? "/";
    this.#emit(`task.${kind}`, { workflow: this.#name, task: reference, ...data }, task);
  }

  /** The specification's qualified name of a run: `order-pet-ix7iryakiem8j.samples`. */
  get #name(): string {
    const { name, namespace } = this.#context.program;
    return `${name}-${this.#runId.replace(/^run_/, "")}.${namespace}`;
  }

  #emit(kind: Kind, data: { readonly [member: string]: Json }, task?: Task): void {
    const { namespace, name, version } = this.#context.program;
    const base = `${this.#runId}:${this.#seq}:${kind}${task === undefined ? "" : `:${task.id}`}`;
    let id = base;
    for (let again = 2; this.#ids.has(id); again += 1) id = `${base}:${again}`;
    this.#ids.add(id);
    this.events.push({
      specversion: "1.0",
      id,
      source: `/${namespace}/${name}/${version}`,
      type: `${PREFIX}${kind}.v1`,
      subject: this.#runId,
      time: this.at,
      datacontenttype: "application/json",
      data,
    });
  }
}

function phaseOf(phase: TaskPhase): Phase {
  switch (phase) {
    case "active":
    case "running":
    case "looking-up":
      return "running";
    case "waiting":
    case "listening":
    case "child":
    case "queued":
    case "in-doubt":
      return "waiting";
    case "held":
      return "suspended";
    case "failed":
      return "faulted";
  }
}
