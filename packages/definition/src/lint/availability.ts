import type { StandardVariable } from "../program.ts";

type Variables = readonly StandardVariable[];

/**
 * Which variables an expression may read, by where it stands: the matrix of the specification, where `$secrets` is left out everywhere but
 * in what is sent to another system. Elsewhere its value would become data, and data is stored and shown (trap 5).
 */
const workflow: Variables = ["workflow", "runtime"];
const taskInput: Variables = ["context", "task", ...workflow];
const definition: Variables = [...taskInput, "input", "authorization"];

export const AVAILABLE = {
  /** `input.from` of the workflow, its schedule and timeout. */
  workflow,
  /** `output.as` of the workflow. */
  workflowOutput: ["context", ...workflow],
  /** `if` and `input.from` of a task: its input is not made yet. */
  taskInput,
  /** The task itself, and what reacts to its errors. */
  definition,
  /** `with` of calls that leave the run, `authentication`, `environment`. */
  sent: [...definition, "secrets"],
  /** `output.as` of a task. */
  taskOutput: definition,
  /** `export.as` of a task: its output is made. */
  taskExport: [...definition, "output"],
  /** Authentication that belongs to no task. */
  workflowSent: [...workflow, "secrets"],
} as const satisfies Readonly<Record<string, Variables>>;
export type Availability = keyof typeof AVAILABLE;
