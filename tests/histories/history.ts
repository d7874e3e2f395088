import { compileWorkflow, parseDocument, type PinnedReference } from "@tutti/definition";
import { type EngineContext, type FunctionTraits, replay, type RunRecord, summarize, type TaskView, viewRun } from "@tutti/engine";
import type { Json, JsonObject } from "@tutti/model";

/**
 * What a run of the real runtime left behind, with everything that is needed to replay it: written once by `record.ts`, never edited. A later
 * engine must read it and come to the same intents (`replay` compares them), the same status at each record and the same end.
 */
export interface History {
  readonly about: string;
  readonly engineVersion: number;
  /** The document as its author wrote it. */
  readonly document: string;
  /** What the document named and was read when it was published. */
  readonly references?: readonly PinnedReference[];
  /** What the engine was told of functions, by `functionKey`: connectors may change, histories do not. */
  readonly functions: Readonly<Record<string, FunctionTraits>>;
  /** Content of `$runtime`. */
  readonly runtime: JsonObject;
  readonly expected: Expected;
  readonly records: readonly RunRecord[];
}

export interface Expected {
  /** The run's status as of each record. */
  readonly statuses: readonly string[];
  readonly output: Json;
  readonly error: Json;
  readonly inDoubt: number;
  readonly tasks: readonly ExpectedTask[];
}

export interface ExpectedTask {
  readonly path: string;
  readonly status: string;
  readonly attempts: number;
  readonly output: Json;
  readonly error: Json;
  readonly children: readonly ExpectedTask[];
}

/** A function's traits may depend on its arguments: HTTP goes by the method. */
export function functionKey(name: string, input: JsonObject): string {
  return `${name} ${JSON.stringify(input)}`;
}

/** The engine's surroundings as they were. */
export function contextOf(history: Pick<History, "document" | "references" | "functions" | "runtime">): EngineContext {
  const { json } = parseDocument(history.document);
  if (json === undefined) throw new Error("The document of the history can't be parsed.");
  return {
    program: compileWorkflow(json, history.references),
    functions: { describe: (name, input) => history.functions[functionKey(name, input)] },
    runtime: history.runtime,
  };
}

/** Replays the records and says what comes of it. @throws AppError `history-mismatch`. */
export function outcomeOf(records: readonly RunRecord[], context: EngineContext): Expected {
  const end = summarize(replay(records, context));
  return {
    // A batch may have more than one record; its facts are replayed with what was cut off then, so each has the status after its batch.
    statuses: records.map((_, index) => summarize(replay(records.slice(0, index + 1), context)).status),
    output: end.output ?? null,
    error: asStored(end.error),
    inDoubt: end.inDoubt,
    tasks: viewRun(records, context).tasks.map((task) => expectedTask(task, wordsOf(records))),
  };
}

/** What views said of a task when the history was recorded. */
type Words = (task: TaskView) => Pick<TaskView, "status" | "error">;

const FLAG_OF_WORDS_OF_TODAY = 2;

/** Until behaviour flag 2 came, a task whose error was caught was shown as cancelled, and one that an operator skipped as completed. */
function wordsOf(records: readonly RunRecord[]): Words {
  const [started] = records;
  if (started?.type !== "run-started" || started.flags.includes(FLAG_OF_WORDS_OF_TODAY)) return (task) => task;
  const skipped = new Set(records.map((record) => (record.type === "operator" && record.action.kind === "skip" ? record.action.task : undefined)));
  return (task) => {
    if (task.status === "failed" && task.endedAtMs !== undefined) return { status: "cancelled", error: undefined };
    return task.status === "skipped" && skipped.has(task.task) ? { status: "completed", error: task.error } : task;
  };
}

function expectedTask(task: TaskView, words: Words): ExpectedTask {
  const { status, error } = words(task);
  return {
    path: task.path,
    status,
    attempts: task.attempts,
    output: task.output ?? null,
    error: asStored(error),
    children: task.children.map((child) => expectedTask(child, words)),
  };
}

/** Members that are undefined are not stored. */
function asStored(value: object | undefined): Json {
  return value === undefined ? null : (JSON.parse(JSON.stringify(value)) as Json);
}
