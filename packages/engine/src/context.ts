import type { EffectClass, JsonObject } from "@tutti/model";
import type { WorkflowProgram } from "@tutti/definition";
import type { Command } from "./command.ts";
import type { Foresight } from "./preview/foresight.ts";
import type { RunRecord } from "./record.ts";

/** What the engine knows besides the run: constant while a run is in memory. */
export interface EngineContext {
  readonly program: WorkflowProgram;
  readonly functions: FunctionCatalog;
  /** Content of `$runtime`. */
  readonly runtime: JsonObject;
  /** Set in a change preview only: values may be unknown, and what depends on them is asked here. */
  readonly foresight?: Foresight;
}

/** The runtime's knowledge of functions, as data. */
export interface FunctionCatalog {
  /** Traits of a function for these arguments (members that need secrets are left out), or undefined when there is no such function. */
  describe(name: string, input: JsonObject): FunctionTraits | undefined;
}

export interface FunctionTraits {
  readonly effect: EffectClass;
  /** Whether the connector itself can look the effect up. */
  readonly canFind: boolean;
  readonly unique: boolean;
  readonly settleMs: number;
  readonly requestTimeoutMs: number;
}

/** What one fact led to: records to append (the fact first, then the intents that follow) and commands to carry out. */
export interface Advanced {
  readonly records: readonly RunRecord[];
  readonly commands: readonly Command[];
}
