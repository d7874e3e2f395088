import type { FaultKind } from "../sim/faults.ts";

/** One place of our source, and what a programmer might have written there instead. */
export interface Edit {
  /** From the root of the project. */
  readonly file: string;
  /** The text that is there, exactly once. */
  readonly find: string;
  readonly put: string;
}

/** The test that is to notice, and how much of it may be spent. */
export type Catcher =
  /** The simulation as CI runs it, from seed 1 on; `faults` narrows the kinds that may happen. */
  | { readonly by: "simulation"; readonly seedsMax: number; readonly faults?: readonly FaultKind[] }
  /** Cases of our own conformance suite, undisturbed and with a restart at every step, in memory. */
  | { readonly by: "suite"; readonly cases: readonly string[] }
  /** A file of tests; `name` narrows it to those whose name contains it. */
  | { readonly by: "test"; readonly file: string; readonly name?: string }
  /** The loaded process that is killed with kill -9, with a comparison after each kill. */
  | { readonly by: "kill loop"; readonly killsMax: number };

/** A bug that somebody had, put back into our own source when a process loads it. */
export interface Bug {
  readonly name: string;
  /** What the program does with it. */
  readonly breaks: string;
  /** Whose bug it is: a project's issue, or one of ours with the commit that mended it. */
  readonly known: string;
  readonly edits: readonly Edit[];
  readonly catcher: Catcher;
}

/** Names the bug that a process carries. Only `register.ts` and the vitest configuration beside it read this; no program of ours does. */
export const BUG_VARIABLE = "TUTTI_PLANTED_BUG";
/** A file to which every process adds a line for each edit that it has loaded: a bug that nobody loaded tests nothing. */
export const NOTE_VARIABLE = "TUTTI_PLANTED_NOTE";
