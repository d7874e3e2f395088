import { FAULT_KINDS, type FaultKind } from "./faults.ts";
import type { SimulationResult } from "./simulation.ts";

/** What a range of seeds has covered: sums, so that longer runs can be put together from shorter ones. */
export interface Summary {
  readonly from: number;
  readonly to: number;
  readonly seeds: number;
  readonly steps: number;
  readonly virtualHours: number;
  readonly crashes: number;
  readonly commits: number;
  readonly statesCompared: number;
  readonly runs: number;
  readonly judgedByOracle: number;
  readonly liveness: number;
  readonly safety: number;
  readonly repeated: number;
  /** Seeds with several nodes on one store. */
  readonly severalNodes: number;
  readonly claims: number;
  readonly takeovers: number;
  readonly fenced: number;
  readonly ticks: number;
  readonly violations: number;
  readonly faults: Readonly<Record<string, number>>;
  /** Operation × kind. */
  readonly coverage: Readonly<Record<string, number>>;
}

export class Tally {
  #seeds = 0;
  #steps = 0;
  #virtualMs = 0;
  #crashes = 0;
  #commits = 0;
  #snapshots = 0;
  #runs = 0;
  #judged = 0;
  #liveness = 0;
  #repeated = 0;
  #severalNodes = 0;
  #claims = 0;
  #takeovers = 0;
  #fenced = 0;
  #ticks = 0;
  #violations = 0;
  readonly #coverage = new Map<string, number>();

  add(result: SimulationResult, isRepeated: boolean): void {
    this.#seeds += 1;
    this.#steps += result.steps;
    this.#virtualMs += result.virtualMs;
    this.#crashes += result.crashes;
    this.#commits += result.commits;
    this.#snapshots += result.snapshots;
    this.#runs += result.runs;
    this.#judged += result.judged;
    if (result.mode === "liveness") this.#liveness += 1;
    if (result.nodes > 1) this.#severalNodes += 1;
    this.#claims += result.claims;
    this.#takeovers += result.takeovers;
    this.#fenced += result.fenced;
    this.#ticks += result.ticks;
    if (isRepeated) this.#repeated += 1;
    if (result.violation !== undefined) this.#violations += 1;
    for (const [key, count] of result.faults) this.#coverage.set(key, (this.#coverage.get(key) ?? 0) + count);
  }

  summary(from: number, to: number): Summary {
    const coverage = Object.fromEntries([...this.#coverage].toSorted(([left], [right]) => (left < right ? -1 : 1)));
    const faults = Object.fromEntries(FAULT_KINDS.map((kind) => [kind, this.#countOf(kind)]));
    return {
      from,
      to,
      seeds: this.#seeds,
      steps: this.#steps,
      virtualHours: Math.round(this.#virtualMs / 36_000) / 100,
      crashes: this.#crashes,
      commits: this.#commits,
      statesCompared: this.#snapshots,
      runs: this.#runs,
      judgedByOracle: this.#judged,
      liveness: this.#liveness,
      safety: this.#seeds - this.#liveness,
      repeated: this.#repeated,
      severalNodes: this.#severalNodes,
      claims: this.#claims,
      takeovers: this.#takeovers,
      fenced: this.#fenced,
      ticks: this.#ticks,
      violations: this.#violations,
      faults,
      coverage,
    };
  }

  #countOf(kind: FaultKind): number {
    let sum = 0;
    for (const [key, count] of this.#coverage) if (key.endsWith(` × ${kind}`)) sum += count;
    return sum;
  }
}
