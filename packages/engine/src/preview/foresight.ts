import type { Json } from "@tutti/model";
import { unknownValue } from "@tutti/model";
import { assert } from "@tutti/model";
import { newIterations, nextIteration } from "../iterations.ts";
import type { Machine } from "../machine.ts";
import type { Question } from "../observer.ts";
import type { Task } from "../state.ts";

/** What a change preview answers in place of the world, where the engine comes to what is not known before the run. */
export interface Foresight {
  /** Which way the path that is being walked takes where a decision depends on an unknown. */
  decide(machine: Machine, task: Task, about: Undecided): boolean;
  /** The task waits for events, which nobody can know. */
  listens(machine: Machine, task: Task): void;
  /** The task emits this event; undefined when what it emits is unknown. */
  emits(machine: Machine, task: Task, event: { readonly type: string; readonly id: string } | undefined): void;
  /** The branches of this fork compete, and the one at `winner` is done first. */
  races(machine: Machine, task: Task, winner: number): void;
}

/** A decision that depends on an unknown. */
export interface Undecided {
  /** A condition of the document; `for`: whether there is anything to iterate over; `race`: whether the branch `name` is done first. */
  readonly of: Question["of"] | "for" | "race";
  /** Of the case, the extension or the branch. */
  readonly name?: string | undefined;
  readonly expression?: string;
  /** What it depends on: `the output of /do/0/make`. */
  readonly dependsOn: string;
}

/** The events that a task waits for, and what it does with each, shown once. */
export function foreseeEvents(machine: Machine, task: Task, foresight: Foresight): void {
  const node = machine.node(task);
  assert(node.kind === "listen", `task ${task.id} listens`);
  foresight.listens(machine, task);
  const event = unknownValue(`the event that ${node.path} takes`);
  if (node.foreach === undefined) {
    machine.complete(task, unknownValue(`the events that ${node.path} takes`));
    return;
  }
  const frame = newIterations({ values: [event], matched: [], isOver: true });
  task.frame = frame;
  machine.setPhase(task, "active");
  nextIteration(machine, task, frame, node.foreach);
}

/** The items of a loop over what is unknown: none, or one that stands for all. */
export function foreseeItems(machine: Machine, task: Task, dependsOn: string): readonly Json[] {
  const { foresight } = machine.context;
  const { path } = machine.node(task);
  const hasItems = foresight?.decide(machine, task, { of: "for", dependsOn }) ?? false;
  return hasItems ? [unknownValue(`each item of ${path}`)] : [];
}

/** Decides which branch of a competing fork is done first. */
export function foreseeRace(machine: Machine, task: Task): void {
  const { foresight } = machine.context;
  const node = machine.node(task);
  if (foresight === undefined || node.kind !== "fork" || !node.compete) return;
  const last = node.branches.length - 1;
  let winner = 0;
  const nameOf = (position: number): string => machine.program.nodes[node.branches[position] ?? -1]?.name ?? "";
  const isFirst = (position: number): boolean =>
    foresight.decide(machine, task, { of: "race", name: nameOf(position), dependsOn: `which branch of ${node.path} is done first` });
  while (winner < last && !isFirst(winner)) winner++;
  foresight.races(machine, task, winner);
}
