import type { EffectClass, Json, JsonObject } from "@tutti/model";
import type { SchedulePlan } from "./schedule/schedule-plan.ts";
import type { Program as ExpressionProgram } from "@tutti/expression";
import type { OutputsRead } from "./runtime-outputs.ts";

/**
 * The compiled form of a workflow document: what the engine walks. Nothing in it changes after compilation, it holds no run's data, and it
 * is never stored: it is compiled again from the document.
 */
export interface WorkflowProgram {
  readonly document: JsonObject;
  readonly namespace: string;
  readonly name: string;
  readonly version: string;
  readonly retention: Retention | undefined;
  /** All tasks, by `TaskNode.index`. Indexes are positions in document order and so stable for one document. */
  readonly nodes: readonly TaskNode[];
  readonly root: TaskList;
  readonly input: InputFlow;
  readonly output: OutputFlow;
  readonly timeout: Duration | undefined;
  readonly secrets: readonly string[];
  readonly concurrency: Concurrency | undefined;
  /** Set when the whole run is a scope that is backed out together. */
  readonly saga: Saga | undefined;
  /** Whether any scope of it backs out. */
  readonly hasSagas: boolean;
  /** When it starts by itself, once its schedule is enabled. */
  readonly schedule: SchedulePlan | undefined;
  /** Tasks whose outputs some expression reads by `$runtime.metadata.outputs`. */
  readonly outputs: OutputsRead;
  /** Constructs that are valid and that this engine does not run: a start is refused with their names. */
  readonly unsupported: readonly Unsupported[];
}

export interface Unsupported {
  readonly construct: string;
  /** JSON pointer into the document. */
  readonly pointer: string;
}

/** The tasks of one `do`, `try`, branch list …, in order: node indexes. */
export type TaskList = readonly number[];

/** Slots of the variables that every position knows; local variables (`for`, `catch`, `foreach`) follow from `LOCAL_SLOT` on. */
export const STANDARD_VARIABLES = ["context", "input", "output", "secrets", "task", "workflow", "runtime", "authorization"] as const;
export type StandardVariable = (typeof STANDARD_VARIABLES)[number];
export const LOCAL_SLOT = STANDARD_VARIABLES.length;

/** A compiled jq expression. `needs` has bit i set when standard variable i is read: the engine builds only those. */
export interface Expression {
  readonly program: ExpressionProgram;
  readonly needs: number;
}

/** A value of the document in which strings of the form `${ … }` are expressions, also deep inside. */
export type Template =
  | { readonly kind: "literal"; readonly value: Json }
  | { readonly kind: "expression"; readonly expression: Expression }
  | { readonly kind: "array"; readonly items: readonly Template[]; readonly needs: number }
  | { readonly kind: "object"; readonly keys: readonly string[]; readonly values: readonly Template[]; readonly needs: number }
  /** `https://host/pet/{petId}`: literal parts around names of top-level scalars of the task's input (trap 9). */
  | { readonly kind: "uri"; readonly literals: readonly string[]; readonly names: readonly string[] };

export type Duration = { readonly kind: "fixed"; readonly ms: number } | { readonly kind: "template"; readonly template: Template };

/** Checks a value against a JSON Schema: undefined when valid, else what is wrong where. */
export type SchemaCheck = (value: Json) => string | undefined;

export interface InputFlow {
  readonly schema: SchemaCheck | undefined;
  readonly from: Template | undefined;
}
export interface OutputFlow {
  readonly schema: SchemaCheck | undefined;
  readonly as: Template | undefined;
}

/** Where control goes after a task; a number is the position in the same list. */
export type Flow = "continue" | "exit" | "end" | number;

/** How long finished runs and their logs stay; undefined leaves it to the installation, Infinity is for ever. */
export interface Retention {
  readonly runsMs: number | undefined;
  readonly logsMs: number | undefined;
}

export interface Concurrency {
  readonly key: Expression;
  readonly limit: number;
  readonly onConflict: "queue" | "reject" | "replace";
}

/** A scope that is backed out together: when, in which order, and what an undo that fails does to the others (`metadata.tutti.saga`). */
export interface Saga {
  readonly onFaulted: boolean;
  readonly onCancelled: boolean;
  /** `reverse`: one after the other, what was done last is undone first. `parallel`: all at once. */
  readonly order: "reverse" | "parallel";
  /** `stop`: the back-out rests at the undo that failed. `continue`: the others are undone all the same. */
  readonly onFailure: "stop" | "continue";
}

/** How a completed task is undone (`metadata.tutti.compensate`): tasks whose input is the task's `{input, output}`. */
export interface Compensation {
  readonly list: TaskList;
  /** Its text stands elsewhere, so it knows nothing of the locals around the task. */
  readonly isFunction: boolean;
  /** The connector's own undo: its input is the call's arguments and output, as the connector saw them. */
  readonly isOfConnector: boolean;
}

export interface TaskBase {
  readonly index: number;
  readonly name: string;
  /** The name path, the stable identity of a task: `/do/deploy/do/createVm`. Stored in tokens, state, portal. */
  readonly path: string;
  /** JSON pointer with list indexes: `/do/0/deploy/do/1/createVm`; `$task.reference` and `instance` of errors. */
  readonly pointer: string;
  readonly definition: JsonObject;
  readonly if: Expression | undefined;
  readonly input: InputFlow;
  readonly output: OutputFlow;
  readonly export: OutputFlow | undefined;
  readonly timeout: Duration | undefined;
  readonly then: Flow;
  readonly concurrency: Concurrency | undefined;
  readonly compensation: Compensation | undefined;
  /** What stands around the task, in the order of declaration: the first is the outermost. */
  readonly extensions: readonly TaskExtension[];
  /** The task stands inside an extension: `$task` is the task that is extended. */
  readonly isExtension: boolean;
}

/** An extension of `use.extensions` at one task that it extends. */
export interface TaskExtension {
  readonly name: string;
  /** JSON pointer of its declaration. */
  readonly pointer: string;
  /** Evaluated on the task's transformed input. */
  readonly when: Expression | undefined;
  readonly before: TaskList;
  readonly after: TaskList;
}

/** How an effect of a task is treated; from `metadata.tutti.effect` or, when undefined, from the function called. */
export interface EffectOverride {
  readonly class: EffectClass;
  /** Tasks whose output is the effect's output, or null when it is absent. */
  readonly find: TaskList | undefined;
  /** The target refuses a second create of the same name or token, so one absent answer is enough. */
  readonly unique: boolean;
  /** How long after a request's end an effect may still appear. */
  readonly settleMs: number;
}

/** A call of a function that acts: one of the language's own, a process, or a connector's function. */
export interface CallNode extends TaskBase {
  readonly kind: "call";
  /** `http`, `run.shell` …, or `<resource>.<operation>:<major>@<connector>`. */
  readonly function: string;
  readonly arguments: Template;
  /** Expressions among the arguments that are asked while an attempt runs, by name: the filter of a subscription. */
  readonly questions: Readonly<Record<string, Expression>> | undefined;
  readonly effect: EffectOverride | undefined;
  readonly idempotencyKey: Expression | undefined;
  /** What is done with each message that a subscription has brought. */
  readonly foreach: ForeachClause | undefined;
}

/** A call of an entry of `use.functions`: its task runs with the arguments as input. */
export interface FunctionNode extends TaskBase {
  readonly kind: "function";
  readonly arguments: Template | undefined;
  readonly body: TaskList;
}

export interface RunWorkflowNode extends TaskBase {
  readonly kind: "run-workflow";
  readonly workflow: { readonly namespace: string; readonly name: string; readonly version: string };
  readonly arguments: Template | undefined;
  readonly await: boolean;
}

export interface DoNode extends TaskBase {
  readonly kind: "do";
  readonly saga: Saga | undefined;
  readonly body: TaskList;
}
export interface SetNode extends TaskBase {
  readonly kind: "set";
  readonly value: Template;
}
export interface SwitchNode extends TaskBase {
  readonly kind: "switch";
  readonly cases: readonly { readonly name: string; readonly when: Expression | undefined; readonly then: Flow }[];
}
export interface ForNode extends TaskBase {
  readonly kind: "for";
  readonly in: Template;
  readonly while: Expression | undefined;
  readonly body: TaskList;
}
export interface ForkNode extends TaskBase {
  readonly kind: "fork";
  readonly branches: TaskList;
  readonly compete: boolean;
}
export interface RaiseNode extends TaskBase {
  readonly kind: "raise";
  readonly error: Template;
}
export interface WaitNode extends TaskBase {
  readonly kind: "wait";
  readonly duration: Duration;
}
export interface EmitNode extends TaskBase {
  readonly kind: "emit";
  readonly event: Template;
}

export interface TryNode extends TaskBase {
  readonly kind: "try";
  readonly body: TaskList;
  readonly catch: CatchClause;
}
export interface CatchClause {
  /** Static members an error must have; `type` compares kinds (error type aliases). */
  readonly filter: {
    readonly type?: string;
    readonly status?: number;
    readonly instance?: string;
    readonly title?: string;
    readonly detail?: string;
  };
  readonly when: Expression | undefined;
  readonly exceptWhen: Expression | undefined;
  readonly retry: RetryPolicy | undefined;
  readonly body: TaskList | undefined;
  readonly then: Flow | undefined;
}
export interface RetryPolicy {
  readonly when: Expression | undefined;
  readonly exceptWhen: Expression | undefined;
  readonly delay: Duration | undefined;
  readonly backoff: "constant" | "linear" | "exponential";
  readonly attemptsMax: number | undefined;
  readonly attemptTimeout: Duration | undefined;
  readonly durationMax: Duration | undefined;
  readonly jitter: { readonly from: Duration; readonly to: Duration } | undefined;
}

export interface ListenNode extends TaskBase {
  readonly kind: "listen";
  readonly to: EventStrategy;
  readonly read: "data" | "envelope" | "raw";
  readonly foreach: ForeachClause | undefined;
}
export type EventStrategy =
  | { readonly kind: "one"; readonly filters: readonly EventFilter[] }
  | { readonly kind: "all"; readonly filters: readonly EventFilter[] }
  | {
      readonly kind: "any";
      readonly filters: readonly EventFilter[];
      /** An expression over the array of consumed events, or a strategy whose events end the listening and are no output. */
      readonly until: Expression | EventStrategy | undefined;
    };
export interface EventFilter {
  /** Set when `with.type` is a literal: the subscription is indexed by it; otherwise every event is a candidate. */
  readonly type: string | undefined;
  /** Attribute name → literal to equal, or an expression evaluated on the attribute (`data`) whose truth decides. */
  readonly attributes: readonly EventAttribute[];
  readonly correlate: readonly { readonly name: string; readonly from: Expression; readonly expect: Template | undefined }[];
  /** What an event must be equal to, of all that: where the value is known when the listening begins and stays the same as long as it lasts. */
  readonly constants: readonly EventConstant[];
}
/** Subscriptions are looked up by these, so each may leave events out only that the filter does not fit anyway. */
export interface EventConstant {
  /** Names of members, from the event down: `["subject"]`, `["data", "order"]`. */
  readonly path: readonly string[];
  readonly value: Template;
  /** The value stays the same only as long as nobody exports into the task's context. */
  readonly readsContext: boolean;
}
export type EventAttribute =
  | { readonly name: string; readonly kind: "equals"; readonly value: Template }
  | { readonly name: string; readonly kind: "matches"; readonly test: (text: string) => boolean }
  | { readonly name: string; readonly kind: "holds"; readonly expression: Expression };
export interface ForeachClause {
  readonly body: TaskList | undefined;
  readonly output: OutputFlow;
  readonly export: OutputFlow | undefined;
}

export type TaskNode =
  | CallNode
  | FunctionNode
  | RunWorkflowNode
  | DoNode
  | SetNode
  | SwitchNode
  | ForNode
  | ForkNode
  | RaiseNode
  | WaitNode
  | EmitNode
  | TryNode
  | ListenNode;
export type TaskKind = TaskNode["kind"];
