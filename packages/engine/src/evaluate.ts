import { evaluatePartly, ExpressionError } from "@tutti/expression";
import { type Duration, type Expression, LOCAL_SLOT, type Template } from "@tutti/definition";
import {
  durationMs,
  emptyObjectFor,
  isJsonObject,
  type Json,
  type JsonObject,
  ownProperty,
  type TaskError,
  taskError,
  unknownIn,
  unknownOf,
  unknownValue,
} from "@tutti/model";
import type { EngineContext } from "./context.ts";
import { EXPRESSIONS_AS_JQ, hasFlag } from "./flags.ts";
import { RUN_FRAME, type RunState, type Task } from "./state.ts";
import { tokenOf } from "./token-of.ts";

/** Thrown by evaluation and caught by the machine: becomes the task's error. */
export class TaskFailure extends Error {
  readonly error: TaskError;
  constructor(error: TaskError) {
    super(error.title);
    this.error = error;
  }
}

const CONTEXT = 0;
const INPUT = 1;
const OUTPUT = 2;
const SECRETS = 3;
const TASK = 4;
const WORKFLOW = 5;
const RUNTIME = 6;

const NO_SECRETS: JsonObject = Object.freeze({});
const NO_VARIABLES: readonly undefined[] = Object.freeze([]);

/** What an expression of a task may see besides the task itself. */
export interface Sight {
  /** Transformed output, in `export.as`. */
  readonly output?: Json;
  /** Raw output, for `$task.output`. */
  readonly rawOutput?: Json;
  /** Locals that are not the task's own: of a loop's iteration, a caught error. */
  readonly locals?: readonly Json[];
  readonly secrets?: JsonObject;
  /** The task that is extended, in the `when` of an extension. */
  readonly extends?: Task;
}

/**
 * Evaluates documents' expressions for one run: builds only the variables that an expression reads. The availability of variables per
 * position is the linter's; here every position sees what it needs.
 */
export class Evaluator {
  readonly #state: RunState;
  readonly #context: EngineContext;

  constructor(state: RunState, context: EngineContext) {
    this.#state = state;
    this.#context = context;
  }

  /** Whether values may be unknown, since nothing is carried out. */
  get isForesight(): boolean {
    return this.#context.foresight !== undefined;
  }

  /** First output of the expression; `empty` counts as null. Throws TaskFailure of kind `expression`. */
  expression(expression: Expression, dot: Json, task: Task, sight: Sight = {}): Json {
    const { program } = expression;
    if (program.isIdentity) return dot;
    try {
      const slots = this.#slots(expression.needs, task, sight);
      const options = { nowMs: this.#state.lastAtMs, hasOlderRules: !hasFlag(this.#state, EXPRESSIONS_AS_JQ) };
      if (this.isForesight) return evaluatePartly(program, dot, slots, options);
      return program.first(dot, slots, options) ?? null;
    } catch (cause) {
      throw expressionFailure(cause, program.source);
    }
  }

  /** Whether a condition holds: anything but false and null, as in jq. */
  condition(expression: Expression, dot: Json, task: Task, sight: Sight = {}): boolean {
    const value = this.expression(expression, dot, task, sight);
    return value !== false && value !== null;
  }

  template(template: Template, dot: Json, task: Task, sight: Sight = {}): Json {
    switch (template.kind) {
      case "literal":
        return template.value;
      case "expression":
        return this.expression(template.expression, dot, task, sight);
      case "array":
        return template.items.map((item) => this.template(item, dot, task, sight));
      case "object": {
        const object = emptyObjectFor(template.keys);
        for (let index = 0; index < template.keys.length; index++)
          object[template.keys[index] as string] = this.template(template.values[index] as Template, dot, task, sight);
        return object;
      }
      case "uri":
        return (this.isForesight ? unknownUri(template.names, dot) : undefined) ?? expandUri(template.literals, template.names, dot);
    }
  }

  /** Milliseconds of a duration, 0 or more. */
  duration(duration: Duration, dot: Json, task: Task, sight: Sight = {}): number {
    if (duration.kind === "fixed") return duration.ms;
    const value = this.template(duration.template, dot, task, sight);
    // Nothing is waited for in a preview.
    if (unknownIn(value) !== undefined) return 0;
    const ms = durationMs(value);
    if (ms === undefined)
      throw new TaskFailure(
        taskError("expression", `not a duration: ${excerpt(value)}`, {
          detail: "A duration is ISO 8601 text such as PT5M, or an object such as {minutes: 5}.",
        }),
      );
    return ms;
  }

  contextOf(task: Task): Json {
    return this.#state.tasks.get(task.contextOf)?.context ?? null;
  }

  #slots(needs: number, task: Task, sight: Sight): readonly (Json | undefined)[] {
    const locals = sight.locals ?? task.locals;
    if (needs === 0 && locals.length === 0) return NO_VARIABLES;
    const slots: (Json | undefined)[] = [undefined, undefined, undefined, undefined, undefined, undefined, undefined, undefined];
    if (needs !== 0) {
      if (needs & (1 << CONTEXT)) slots[CONTEXT] = this.contextOf(task);
      if (needs & (1 << INPUT)) slots[INPUT] = task.input;
      if (needs & (1 << OUTPUT)) slots[OUTPUT] = sight.output ?? null;
      if (needs & (1 << SECRETS)) slots[SECRETS] = sight.secrets ?? NO_SECRETS;
      if (needs & (1 << TASK)) slots[TASK] = this.#describeTask(task, sight);
      if (needs & (1 << WORKFLOW)) slots[WORKFLOW] = this.#describeWorkflow();
      if (needs & (1 << RUNTIME)) slots[RUNTIME] = this.#describeRuntime();
      slots[LOCAL_SLOT - 1] = null; // $authorization: resolved by connectors at dispatch, never part of a run's data.
    }
    for (let index = 0; index < locals.length; index++) slots.push(locals[index]);
    return slots;
  }

  #describeTask(task: Task, sight: Sight): Json {
    if (task.id === RUN_FRAME) return null;
    const own = this.#context.program.nodes[task.node];
    const extended = sight.extends ?? (own?.isExtension === true ? this.#extendedBy(task) : undefined);
    const described = extended ?? task;
    const node = this.#context.program.nodes[described.node];
    const { rawOutput } = extended ?? sight;
    return {
      // An extension looks at the definition of what it extends: `$task.with.endpoint` in the specification's examples.
      ...(extended !== undefined && node?.definition),
      name: node?.name ?? "",
      reference: node?.pointer ?? "",
      path: node?.path ?? "",
      definition: node?.definition ?? null,
      input: described.rawInput,
      output: rawOutput ?? null,
      startedAt: this.#describeTime(described.startedAtMs, node?.path ?? ""),
      // Of the task itself, also in an extension: its effects are its own.
      token: tokenOf(this.#state, task),
    };
  }

  /** The task around which a task of an extension stands. */
  #extendedBy(task: Task): Task | undefined {
    for (let outer = this.#state.tasks.get(task.parent); outer !== undefined; outer = this.#state.tasks.get(outer.parent))
      if (this.#context.program.nodes[outer.node]?.isExtension === false) return outer;
    return undefined;
  }

  #describeRuntime(): Json {
    const { runtime, program } = this.#context;
    if (program.outputs !== "all" && program.outputs.size === 0) return runtime;
    const metadata = ownProperty(runtime, "metadata");
    return { ...runtime, metadata: { ...(isJsonObject(metadata) && metadata), outputs: this.#state.outputs ?? {} } };
  }

  #describeWorkflow(): Json {
    return {
      id: this.#state.runId,
      definition: this.#context.program.document,
      input: this.#state.rawInput,
      startedAt: this.#describeTime(this.#state.startedAtMs, "the run"),
    };
  }

  #describeTime(atMs: number, of: string): JsonObject {
    return this.isForesight ? unknownValue(`when ${of} starts`) : describeTime(atMs);
  }
}

/** The specification's date time descriptor. */
function describeTime(atMs: number): JsonObject {
  return { iso8601: new Date(atMs).toISOString(), epoch: { seconds: Math.floor(atMs / 1000), milliseconds: atMs } };
}

/** What a URI template gives while a name that it reads is unknown. */
function unknownUri(names: readonly string[], input: Json): Json | undefined {
  const of = names.map((name) => unknownOf(input) ?? unknownOf(isJsonObject(input) ? ownProperty(input, name) : undefined)).find(Boolean);
  return of === undefined ? undefined : unknownValue(of);
}

/**
 * Expands `{name}` by top-level scalars of the task's input, percent-encoded (RFC 6570, simple expansion). What is missing or null is empty, as the
 * specification has it.
 */
export function expandUri(literals: readonly string[], names: readonly string[], input: Json): string {
  let uri = literals[0] as string;
  names.forEach((name, index) => {
    const value = (isJsonObject(input) ? ownProperty(input, name) : undefined) ?? "";
    if (typeof value === "object")
      throw new TaskFailure(
        taskError("expression", `the URI template's {${name}} is not a text, number or boolean: ${excerpt(value)}`, {
          detail: "A URI template reads top-level scalars of the task's input; use an expression ${ … } for anything else.",
        }),
      );
    uri += encodeUnreserved(String(value)) + (literals[index + 1] as string);
  });
  return uri;
}

/** RFC 6570 leaves letters, digits and `-._~` as they are; half a surrogate pair, which has no UTF-8, becomes the replacement character. */
function encodeUnreserved(text: string): string {
  return encodeURIComponent(text.toWellFormed()).replaceAll(
    /[!'()*]/g,
    (reserved) => `%${reserved.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

function expressionFailure(cause: unknown, source: string): TaskFailure {
  if (!(cause instanceof ExpressionError)) throw cause;
  return new TaskFailure(taskError("expression", cause.message, { detail: `in the expression: ${excerpt(source)}` }));
}

const EXCERPT_LENGTH = 200;

/** The beginning of a value, for messages. */
export function excerpt(value: Json): string {
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return text.length <= EXCERPT_LENGTH ? text : `${text.slice(0, EXCERPT_LENGTH)}…`;
}
