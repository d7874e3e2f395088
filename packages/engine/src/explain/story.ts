import type { Flow } from "@tutti/definition";
import type { TaskError } from "@tutti/model";
import { extensionAt } from "../extension.ts";
import type { Machine } from "../machine.ts";
import type { Observer, Question } from "../observer.ts";
import type { OperatorActed } from "../record.ts";
import { type ListRole, RUN_FRAME, type Task } from "../state.ts";
import { nextPosition } from "../tasks.ts";
import type { ConditionExplanation } from "./explanation.ts";
import { explainCondition } from "./values-read.ts";

/** What is remembered of one activation: how control came, what was asked, how it ended. */
export interface Story {
  readonly task: number;
  readonly node: number;
  readonly parent: number;
  readonly startedAtMs: number;
  readonly visit: number;
  readonly arrival: Arrival;
  /** Latest answer per condition. */
  readonly conditions: Map<string, ConditionExplanation>;
  /** For a switch: the case it took, undefined when none. */
  chosen: { readonly name: string | undefined } | undefined;
  /** Latest step out of each position of its list. */
  readonly steps: Map<number, Step>;
  /** The step that leads to the task which is entered next. */
  pending: Step | undefined;
  /** Its own latest error, whoever took it. */
  failure: { readonly error: TaskError; readonly atMs: number; takenBy: Taker | undefined; readonly declined: Declined[] } | undefined;
  /** The error that its `catch` took last. */
  caught: { readonly from: Place; readonly error: TaskError; readonly how: string; readonly delayMs: number } | undefined;
  end: { readonly how: "completed" | "skipped" | "cancelled"; readonly atMs: number; readonly cause: Cause | undefined } | undefined;
}

export interface Place {
  readonly path: string;
  readonly task: number;
}
/** Who took an error, and what for. */
export interface Taker extends Place {
  readonly how: "retry" | "handle" | "look-up";
  readonly delayMs: number;
}
export interface Declined extends Place {
  readonly why: string;
}

/** Control left an inner task. */
export interface Step {
  readonly order: number;
  readonly from: Place & { readonly kind: string };
  readonly position: number;
  readonly flow: Flow;
  /** Path of the task that a jump leads to. */
  readonly to: string | undefined;
  /** The condition of a switch that decided, and the name of its case; `case` undefined when no case applied. */
  readonly decision: { readonly chosen: string | undefined; readonly condition: ConditionExplanation | undefined } | undefined;
  readonly wasSkipped: boolean;
}

/** How control came to an activation. */
export interface Arrival {
  /** Undefined when it is the first of its list. */
  readonly step: Step | undefined;
  readonly role: ListRole | "iteration" | "branch";
  readonly iteration: number | undefined;
  readonly extension: string | undefined;
  /** The condition of a loop or an extension that let it happen. */
  readonly condition: ConditionExplanation | undefined;
  /** The error that a `catch` handles. */
  readonly caught: Story["caught"];
  /** Passes of the enclosing `try` so far, from its first retry on. */
  readonly retry: number;
  /** A person sent the run here. */
  readonly resumed: OperatorActed | undefined;
}

/** Why something was cancelled. */
export type Cause =
  | { readonly kind: "operator"; readonly record: OperatorActed }
  | { readonly kind: "error"; readonly from: Place; readonly error: TaskError }
  | { readonly kind: "race"; readonly from: Place }
  | { readonly kind: "end"; readonly from: Place };

/**
 * Listens to a replay and keeps the latest story of each task of the program, and that of one wanted activation: as much as the program is
 * large, however long the run was.
 */
export class StoryTeller implements Observer {
  /** By node; -1 is the run. */
  readonly latest = new Map<number, Story>();
  readonly activations = new Map<number, number>();
  /** The story of the activation that was asked for, once it was entered. */
  wanted: Story | undefined;
  /** The last task that ended the run by `then: end`. */
  endedBy: Place | undefined;
  readonly #wantedTask: number | undefined;
  readonly #live = new Map<number, Story>();
  /** Activations that are over and whose step to what comes next is still to be taken. */
  /** Activations whose effect was undone, and when. */
  readonly undone = new Map<number, number>();
  readonly #leaving = new Map<number, Story>();
  #machine: Machine | undefined;
  #order = 0;
  #cause: Cause | undefined;
  #declined: Declined[] = [];
  /** The last task that failed, until somebody takes its error. */
  #failing: Story | undefined;

  constructor(wantedTask?: number) {
    this.#wantedTask = wantedTask;
  }

  /** The story of a live activation, or of the run itself. */
  live(task: number): Story | undefined {
    return this.#live.get(task);
  }

  entered(machine: Machine, task: Task): void {
    this.#follow(machine);
    const parent = machine.task(task.parent);
    const story = newStory(task, machine.now, parent === undefined ? NO_ARRIVAL : this.#arrival(machine, task, parent));
    this.#live.set(task.id, story);
    this.latest.set(task.node, story);
    this.activations.set(task.node, (this.activations.get(task.node) ?? 0) + 1);
    if (task.id === this.#wantedTask) this.wanted = story;
  }

  moved(machine: Machine): void {
    this.#follow(machine);
  }

  asked(machine: Machine, task: Task, question: Question): void {
    const condition = explainCondition(machine, task, question);
    this.#storyOf(machine, task)?.conditions.set(condition.of, condition);
  }

  chose(_machine: Machine, task: Task, name: string | undefined): void {
    const story = this.#live.get(task.id);
    if (story !== undefined) story.chosen = { name };
  }

  passed(machine: Machine, parent: Task, given: { readonly child: number; readonly position: number; readonly flow: Flow }): void {
    this.#follow(machine);
    const story = this.#storyOf(machine, parent);
    const child = this.#leaving.get(given.child);
    this.#leaving.delete(given.child);
    if (story === undefined || child === undefined) return;
    const from = { ...placeOf(machine, child.node, child.task), kind: machine.program.nodes[child.node]?.kind ?? "" };
    const step: Step = {
      order: ++this.#order,
      from,
      position: given.position,
      flow: given.flow,
      to: typeof given.flow === "number" ? placeOf(machine, machine.listOf(parent)[given.flow] ?? -1, 0).path : undefined,
      decision: decisionOf(child),
      wasSkipped: child.end?.how === "skipped",
    };
    story.steps.set(given.position, step);
    const isFork = parent.frame?.kind === "fork";
    story.pending = isFork || nextPosition(machine, parent, given.flow, given.position) === undefined ? undefined : step;
    const node = machine.program.nodes[parent.node];
    if (given.flow === "end") {
      this.endedBy = from;
      this.#cause = { kind: "end", from };
    } else if (node?.kind === "fork" && node.compete) this.#cause = { kind: "race", from };
  }

  failed(machine: Machine, task: Task, error: TaskError): void {
    this.#follow(machine);
    this.#declined = [];
    this.#cause = { kind: "error", from: placeOf(machine, task.node, task.id), error };
    this.#failing = this.#live.get(task.id);
    if (this.#failing !== undefined) this.#failing.failure = { error, atMs: machine.now, takenBy: undefined, declined: this.#declined };
  }

  declined(machine: Machine, scope: Task, why: string): void {
    this.#declined.push({ ...placeOf(machine, scope.node, scope.id), why });
  }

  caught(machine: Machine, scope: Task, how: { readonly kind: Taker["how"]; readonly delayMs: number }): void {
    const failing = this.#failing;
    if (failing?.failure === undefined) return;
    failing.failure.takenBy = { ...placeOf(machine, scope.node, scope.id), how: how.kind, delayMs: how.delayMs };
    const story = this.#live.get(scope.id);
    if (story !== undefined)
      story.caught = {
        from: placeOf(machine, failing.node, failing.task),
        error: failing.failure.error,
        how: how.kind,
        delayMs: how.delayMs,
      };
  }

  left(machine: Machine, task: Task, how: "completed" | "skipped" | "cancelled"): void {
    this.#follow(machine);
    if (task.undoes !== 0 && how === "completed") this.undone.set(task.undoes, machine.now);
    const story = this.#live.get(task.id);
    if (story === undefined) return;
    this.#live.delete(task.id);
    story.end = { how, atMs: machine.now, cause: how === "cancelled" ? (this.#cause ?? operatorOf(machine)) : undefined };
    if (how !== "cancelled") this.#leaving.set(task.id, story);
  }

  /** Causes end with the fact that brought them. */
  #follow(machine: Machine): void {
    if (machine === this.#machine) return;
    this.#machine = machine;
    this.#cause = undefined;
    this.#failing = undefined;
    this.#leaving.clear();
  }

  #storyOf(machine: Machine, task: Task): Story | undefined {
    const known = this.#live.get(task.id);
    if (known !== undefined || task.id !== RUN_FRAME) return known;
    const story = newStory(task, machine.state.startedAtMs, NO_ARRIVAL);
    this.#live.set(RUN_FRAME, story);
    this.latest.set(task.node, story);
    return story;
  }

  #arrival(machine: Machine, task: Task, parent: Task): Arrival {
    const { frame } = parent;
    const story = this.#storyOf(machine, parent);
    const step = story?.pending;
    if (story !== undefined) story.pending = undefined;
    const role = frame?.kind === "list" ? frame.role : frame?.kind === "fork" ? "branch" : "iteration";
    const extension = extensionAt(machine, parent)?.name;
    const [first] = machine.records;
    const path = machine.node(task).path;
    const isResumed = first?.type === "operator" && first.action.kind === "resume" && first.action.from?.path === path;
    return {
      step: step !== undefined && targetOf(step) === task.position ? step : undefined,
      role,
      iteration: frame?.kind === "loop" || frame?.kind === "listen" ? frame.index : undefined,
      extension,
      condition: role === "iteration" ? story?.conditions.get("while") : story?.conditions.get(`extension ${extension ?? ""}`),
      caught: role === "catch" ? story?.caught : undefined,
      retry: role === "body" ? (parent.retries?.count ?? 0) : 0,
      resumed: isResumed ? first : undefined,
    };
  }
}

/** Where a step goes in its list, as long as it stays in it. */
export function targetOf({ flow, position }: Step): number | undefined {
  if (flow === "exit" || flow === "end") return undefined;
  return flow === "continue" ? position + 1 : flow;
}

function decisionOf({ chosen, conditions }: Story): Step["decision"] {
  if (chosen === undefined) return undefined;
  return { chosen: chosen.name, condition: chosen.name === undefined ? undefined : conditions.get(`case ${chosen.name}`) };
}

function operatorOf(machine: Machine): Cause | undefined {
  const [first] = machine.records;
  return first?.type === "operator" ? { kind: "operator", record: first } : undefined;
}

function placeOf(machine: Machine, node: number, task: number): Place {
  return { path: machine.program.nodes[node]?.path ?? "/", task };
}

const NO_ARRIVAL: Arrival = {
  step: undefined,
  role: "body",
  iteration: undefined,
  extension: undefined,
  condition: undefined,
  caught: undefined,
  retry: 0,
  resumed: undefined,
};

function newStory(task: Task, startedAtMs: number, arrival: Arrival): Story {
  return {
    task: task.id,
    node: task.node,
    parent: task.parent,
    startedAtMs,
    visit: task.visit,
    arrival,
    conditions: new Map(),
    chosen: undefined,
    steps: new Map(),
    pending: undefined,
    failure: undefined,
    caught: undefined,
    end: undefined,
  };
}
