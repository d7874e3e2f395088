import type { Flow, TaskList, TaskNode, WorkflowProgram } from "@tutti/definition";
import { assert, isPartlyKnown, type Json, type TaskError, taskError, unknownOf } from "@tutti/model";
import type { Command } from "./command.ts";
import type { EngineContext } from "./context.ts";
import { Evaluator, type Sight } from "./evaluate.ts";
import type { Observer, Question } from "./observer.ts";
import type { ResumePoint, RunRecord } from "./record.ts";
import { type AfterUnwinding, type ListRole, NO_CHILD, RUN_FRAME, type RunState, setPhase, type Task, type TimerPurpose } from "./state.ts";
import { addTimer } from "./timers.ts";
import { tokenOf } from "./token-of.ts";

/** What is left to do within one `advance`, first in first out: no recursion, so a loop of a million steps needs no stack. */
export type Work =
  /** Enter the task at a position of the list that `parent` is at. */
  | { readonly kind: "enter"; readonly parent: number; readonly position: number; readonly input: Json }
  /** Start what a task does, after its input and its slot are there. */
  | { readonly kind: "begin"; readonly task: number }
  /** A task's raw output is there. `flow` overrides the node's own `then`; `asIs` skips `output.as` (a supplied output). */
  | {
      readonly kind: "complete";
      readonly task: number;
      readonly output: Json;
      readonly flow: Flow | undefined;
      readonly asIs: boolean;
      /** A person gave the output in the task's place: nothing was done that could be undone. */
      readonly isSupplied?: boolean;
    }
  /** `inside`: the error happened to the task's inner tasks as a whole, so the task itself may catch it. */
  | { readonly kind: "fail"; readonly task: number; readonly error: TaskError; readonly effectUnknown: boolean; readonly inside: boolean }
  /** An inner task of `parent` is over. */
  | {
      readonly kind: "inner-done";
      readonly parent: number;
      readonly child: number;
      readonly position: number;
      readonly output: Json;
      readonly flow: Flow;
      readonly context: Json | undefined;
    }
  | { readonly kind: "dispatch"; readonly task: number }
  /** What was inside a task is stopped and backed out. */
  | { readonly kind: "unwound"; readonly task: number; readonly then: AfterUnwinding }
  /** The run was backed out to this task: it waits there for a person to let it go on. */
  | { readonly kind: "suspend-at"; readonly point: ResumePoint }
  /** Begin the run, also again after its own failure. */
  | { readonly kind: "begin-run" };

/**
 * One `advance` at work: collects the records and commands that a fact leads to. The files of the task kinds see this and the state, never each
 * other; they hand over by `later`.
 */
export class Machine {
  readonly state: RunState;
  readonly context: EngineContext;
  readonly program: WorkflowProgram;
  readonly evaluator: Evaluator;
  readonly observer: Observer | undefined;
  readonly records: RunRecord[] = [];
  readonly commands: Command[] = [];
  readonly work: Work[] = [];
  /** The computation within this `advance` took too long: no further task begins. */
  isExhausted = false;

  constructor(state: RunState, context: EngineContext, observer?: Observer) {
    this.state = state;
    this.context = context;
    this.program = context.program;
    this.evaluator = new Evaluator(state, context);
    this.observer = observer;
  }

  get now(): number {
    return this.state.lastAtMs;
  }

  /** Whether attempts of this task may be sent now: the run moves, and no scope around it waits for its slot again. */
  mayDispatch(task: Task): boolean {
    const { state } = this;
    if (state.phase !== "active" || state.isPaused) return false;
    if (state.counts.queued === 0) return true;
    for (let outer = this.task(task.parent); outer !== undefined; outer = this.task(outer.parent))
      if (outer.phase === "queued") return false;
    return true;
  }

  task(id: number): Task | undefined {
    return this.state.tasks.get(id);
  }

  node(task: Task): TaskNode {
    const node = this.program.nodes[task.node];
    assert(node !== undefined, `task ${task.id} has a node`);
    return node;
  }

  record(record: RunRecord): void {
    this.records.push(record);
    this.state.seq++;
  }

  command(command: Command): void {
    this.commands.push(command);
  }

  later(work: Work): void {
    this.work.push(work);
  }

  complete(task: Task, output: Json, flow?: Flow): void {
    this.work.push({ kind: "complete", task: task.id, output, flow, asIs: false });
  }

  fail(task: Task, error: TaskError, effectUnknown = false): void {
    this.work.push({ kind: "fail", task: task.id, error, effectUnknown, inside: false });
  }

  setPhase(task: Task, phase: Task["phase"]): void {
    setPhase(this.state, task, phase);
    this.observer?.moved(this, task);
  }

  setTimer(task: number, purpose: TimerPurpose, afterMs: number): number {
    const timer = addTimer(this.state, task, purpose, this.now + afterMs);
    this.commands.push({ type: "set-timer", timer: timer.id, dueAtMs: timer.dueAtMs });
    return timer.id;
  }

  clearTimer(timer: number | undefined): void {
    if (timer !== undefined && this.state.timers.delete(timer)) this.commands.push({ type: "clear-timer", timer });
  }

  /** The list that a list's frame, a loop or a foreach walks through. */
  listOf(task: Task): TaskList {
    const { frame } = task;
    if (task.id === RUN_FRAME) return this.program.root;
    const node = this.node(task);
    if (frame?.kind === "list" && frame.role === "undo") return node.compensation?.list ?? [];
    if (frame?.kind === "list" && frame.role === "find") return node.kind === "call" ? (node.effect?.find ?? []) : [];
    if (frame?.kind === "list" && frame.role === "catch") return node.kind === "try" ? (node.catch.body ?? []) : [];
    if (frame?.kind === "list" && (frame.role === "before" || frame.role === "after"))
      return node.extensions[task.extension?.at ?? -1]?.[frame.role] ?? [];
    switch (node.kind) {
      case "do":
      case "function":
      case "for":
      case "try":
        return node.body;
      case "fork":
        return node.branches;
      case "listen":
      case "call":
        return node.foreach?.body ?? [];
      default:
        return [];
    }
  }

  /** Opens a list inside `task` and enters its first task; an empty list is done at once. */
  openList(task: Task, role: ListRole, input: Json): void {
    task.frame = { kind: "list", role, position: 0, visits: {}, child: NO_CHILD };
    this.setPhase(task, "active");
    if (this.listOf(task).length === 0)
      this.later({ kind: "inner-done", parent: task.id, child: NO_CHILD, position: 0, output: input, flow: "exit", context: undefined });
    else this.later({ kind: "enter", parent: task.id, position: 0, input });
  }

  /** Whether a condition of the document holds; anything but false and null does. Throws TaskFailure. */
  asks(task: Task, question: Omit<Question, "holds" | "sight"> & { readonly sight?: Sight }): boolean {
    const { expression, dot, sight = {} } = question;
    const value = this.evaluator.expression(expression, dot, task, sight);
    const { foresight } = this.context;
    const unknown = foresight === undefined || isPartlyKnown(value) ? undefined : unknownOf(value);
    const holds =
      foresight === undefined || unknown === undefined
        ? value !== false && value !== null
        : foresight.decide(this, task, {
            of: question.of,
            name: question.name,
            expression: expression.program.source,
            dependsOn: unknown,
          });
    this.observer?.asked?.(this, task, { ...question, sight, holds });
    return holds;
  }

  tokenOf(task: Task): string {
    return tokenOf(this.state, task);
  }

  /** The error that tells of a bug or limit of ours. */
  runtimeError(title: string, detail?: string): TaskError {
    return taskError("runtime", title, detail === undefined ? {} : { detail });
  }
}
