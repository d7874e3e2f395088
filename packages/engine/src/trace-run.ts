import { assert, type TaskError } from "@tutti/model";
import type { EngineContext } from "./context.ts";
import type { Machine } from "./machine.ts";
import type { Observer } from "./observer.ts";
import type { RunRecord, WorkflowVersion } from "./record.ts";
import { replay } from "./replay.ts";
import { RUN_FRAME, type RunState, type Task } from "./state.ts";
import { summarize } from "./summary.ts";

/** Spans of one run; beyond that the later ones are left out and counted. */
export const TRACE_SPANS_MAX = 20_000;

/** What a run did, as spans of time with names that never change: the same records give the same spans. Names and codes only, no values. */
export interface RunTrace {
  readonly runId: string;
  readonly workflow: WorkflowVersion;
  readonly parent: { readonly runId: string; readonly task: number } | undefined;
  /** Those that have ended, the run's own last. */
  readonly spans: readonly TraceSpan[];
  readonly omitted: number;
}

export interface TraceSpan {
  /** Unique in the run. `run`, `task:7`, or for attempts `attempt:PATH:TOKEN:NUMBER`. */
  readonly key: string;
  readonly parentKey: string | undefined;
  readonly kind: "run" | "task" | "attempt";
  readonly name: string;
  readonly startAtMs: number;
  readonly endAtMs: number;
  /** How it ended: completed, skipped, cancelled, failed, unknown. */
  readonly outcome: string;
  readonly errorType: string | undefined;
  readonly path: string | undefined;
  readonly task: number | undefined;
  readonly attempt: number | undefined;
  readonly function: string | undefined;
  readonly effect: string | undefined;
  readonly childRunId: string | undefined;
}

/** Derives the trace of a run from its records, fed piece by piece: a fact with its intents never apart. */
export class TraceDeriver {
  readonly #context: EngineContext;
  readonly #observer = new TraceObserver();
  #state: RunState | undefined;

  constructor(context: EngineContext) {
    this.#context = context;
  }

  /** Feeds the records that follow. @throws AppError `history-mismatch`. */
  feed(records: readonly RunRecord[]): void {
    this.#state = replay(records, this.#context, this.#state, this.#observer);
  }

  /** What has ended until the last record fed. */
  trace(): RunTrace {
    const state = this.#state;
    assert(state !== undefined, "a run has records");
    const { spans, omitted } = this.#observer;
    const { runId, workflow, parent } = state;
    return { runId, workflow, parent, spans: state.endedAtMs === undefined ? [...spans] : [...spans, spanOfRun(state)], omitted };
  }
}

/** Derives the trace of a run from all of its records. */
export function traceRun(records: readonly RunRecord[], context: EngineContext): RunTrace {
  const deriver = new TraceDeriver(context);
  deriver.feed(records);
  return deriver.trace();
}

/** The key of an attempt's span: what the attempt itself knows, so that it can name its span to others before there is one. */
export function attemptSpanKey(path: string, token: string, attempt: number): string {
  return `attempt:${path}:${token}:${attempt}`;
}

const NOTHING = {
  path: undefined,
  task: undefined,
  attempt: undefined,
  function: undefined,
  effect: undefined,
  childRunId: undefined,
} as const;

function spanOfRun(state: RunState): TraceSpan {
  return {
    ...NOTHING,
    key: "run",
    parentKey: undefined,
    kind: "run",
    name: `${state.workflow.namespace}/${state.workflow.name}`,
    startAtMs: state.startedAtMs,
    endAtMs: state.endedAtMs ?? state.lastAtMs,
    outcome: summarize(state).status,
    errorType: state.error?.type,
  };
}

interface OpenAttempt {
  readonly token: string;
  readonly attempt: number;
  readonly startAtMs: number;
}

class TraceObserver implements Observer {
  readonly spans: TraceSpan[] = [];
  omitted = 0;
  readonly #attempts = new Map<number, OpenAttempt>();
  /** Errors of live tasks, whoever took them. */
  readonly #errors = new Map<number, TaskError>();

  entered(): void {}

  failed(_machine: Machine, task: Task, error: TaskError): void {
    this.#errors.set(task.id, error);
  }

  moved(machine: Machine, task: Task): void {
    const open = this.#attempts.get(task.id);
    if (open !== undefined) this.#endAttempt(machine, task, open);
    if (task.phase === "running" && task.call !== undefined)
      this.#attempts.set(task.id, { token: task.call.token, attempt: task.call.attempt, startAtMs: machine.now });
  }

  left(machine: Machine, task: Task, how: "completed" | "skipped" | "cancelled"): void {
    const open = this.#attempts.get(task.id);
    if (open !== undefined) this.#endAttempt(machine, task, open);
    const error = this.#errors.get(task.id);
    this.#errors.delete(task.id);
    const node = machine.node(task);
    const hasFailed = how === "cancelled" && error !== undefined;
    this.#add({
      ...NOTHING,
      key: `task:${task.id}`,
      parentKey: parentKeyOf(task),
      kind: "task",
      name: node.name,
      startAtMs: task.startedAtMs,
      endAtMs: machine.now,
      outcome: hasFailed ? "failed" : how,
      errorType: hasFailed ? error.type : undefined,
      path: node.path,
      task: task.id,
      childRunId: task.childRunId,
    });
  }

  #endAttempt(machine: Machine, task: Task, { token, attempt, startAtMs }: OpenAttempt): void {
    this.#attempts.delete(task.id);
    const node = machine.node(task);
    const [first] = machine.records;
    const outcome = first?.type === "attempt-ended" && first.task === task.id ? first.outcome : undefined;
    this.#add({
      ...NOTHING,
      key: attemptSpanKey(node.path, token, attempt),
      parentKey: `task:${task.id}`,
      kind: "attempt",
      name: node.kind === "call" ? node.function : node.name,
      startAtMs,
      endAtMs: machine.now,
      outcome: outcome?.kind ?? "cancelled",
      errorType: outcome === undefined || outcome.kind === "completed" ? undefined : outcome.error.type,
      path: node.path,
      task: task.id,
      attempt,
      function: node.kind === "call" ? node.function : undefined,
      effect: task.call?.effect,
    });
  }

  #add(span: TraceSpan): void {
    if (this.spans.length < TRACE_SPANS_MAX) this.spans.push(span);
    else this.omitted += 1;
  }
}

function parentKeyOf(task: Task): string {
  return task.parent === RUN_FRAME ? "run" : `task:${task.parent}`;
}
