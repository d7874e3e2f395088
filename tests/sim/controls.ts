import type { FaultKind } from "./faults.ts";
import { simulate, type Sabotage, type SimulationResult } from "./simulation.ts";

/** A platform that is broken on purpose: a simulation that does not notice it proves nothing. */
export interface Control {
  readonly name: string;
  readonly sabotage: Sabotage;
  /** Kinds of faults under which the break shows. */
  readonly faults: readonly FaultKind[];
  readonly mode: "safety" | "liveness";
  /** How many share the store; one without it. */
  readonly nodes?: number;
}

export const CONTROLS: readonly Control[] = [
  { name: "the store answers before it has stored", sabotage: { answersEarly: true }, faults: ["crash"], mode: "safety" },
  {
    name: "commits that failed are taken for done",
    sabotage: { hidesFailures: true },
    faults: ["store-not-executed", "crash"],
    mode: "safety",
  },
  {
    name: "the world forgets which tokens it has seen",
    sabotage: { forgetsTokens: true },
    faults: ["answer-lost", "request-delayed"],
    mode: "safety",
  },
  { name: "the process's clock is too fast", sabotage: { fastClock: true }, faults: [], mode: "safety" },
  { name: "some subscribers are not told of an event", sabotage: { forgetsSubscribers: true }, faults: [], mode: "liveness" },
  { name: "a result of an attempt is invented", sabotage: { inventsOutputs: true }, faults: [], mode: "liveness" },
  {
    name: "the store does not compare epochs",
    sabotage: { ignoresEpochs: true },
    faults: ["long-pause", "partition"],
    mode: "safety",
    nodes: 3,
  },
  {
    name: "nodes measure their leases by the wall clock",
    sabotage: { leasesByWallClock: true },
    faults: ["long-pause", "partition", "clock-back"],
    mode: "safety",
    nodes: 3,
  },
  {
    name: "shards are taken over under the epoch of the dead",
    sabotage: { keepsEpochs: true },
    faults: ["crash"],
    mode: "safety",
    nodes: 2,
  },
];

/** A control that is not caught within so many seeds is not caught. */
export const CONTROL_SEEDS_MAX = 200;

/** The first seed at which the break shows; undefined when none does. */
export async function runControl(control: Control): Promise<SimulationResult | undefined> {
  for (let seed = 1; seed <= CONTROL_SEEDS_MAX; seed += 1) {
    const { sabotage, mode, faults, nodes = 1 } = control;
    const result = await simulate({ seed, sabotage, mode, faults, nodes });
    if (result.violation !== undefined) return result;
  }
  return undefined;
}
