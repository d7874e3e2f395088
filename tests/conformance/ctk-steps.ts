import { isJsonObject, type Json, jsonEqual, type TaskError } from "@tutti/model";

/** What a scenario can see of a run. */
export interface Execution {
  readonly status: string;
  readonly output: Json | undefined;
  readonly error: TaskError | undefined;
  /** Top-level tasks in the order in which they were entered. */
  readonly order: readonly string[];
}

type Check = (execution: Execution, words: readonly string[], expected: Json | undefined) => string | undefined;

/** The forms of the kit's steps about outcomes; each says what does not hold, or undefined. */
const FORMS: readonly { readonly form: RegExp; readonly check: Check }[] = [
  { form: /^the workflow should complete$/, check: (execution) => hasStatus(execution, "completed") },
  {
    form: /^the workflow should complete with output:$/,
    check: (execution, _, expected) => hasStatus(execution, "completed") ?? equals(execution.output, expected),
  },
  { form: /^the workflow should fault$/, check: (execution) => hasStatus(execution, "faulted") },
  {
    form: /^the workflow should fault with error:$/,
    check: (execution, _, expected) =>
      hasStatus(execution, "faulted") ??
      Object.entries(isJsonObject(expected) ? expected : {})
        .map(([name, value]) => equals(execution.error?.[name], value))
        .find((problem) => problem !== undefined),
  },
  {
    form: /^the workflow output should have properties (.+)$/,
    check: (execution, [list = ""]) => {
      const missing = [...list.matchAll(/'([^']+)'/g)]
        .map(([, path = ""]) => path)
        .filter((path) => at(execution.output, path) === undefined);
      return missing.length === 0 ? undefined : `(missing ${missing.join(", ")})`;
    },
  },
  {
    form: /^the workflow output should have an? '([^']+)' property with value:$/,
    check: (execution, [path = ""], expected) => equals(at(execution.output, path), expected),
  },
  {
    form: /^the workflow output should have an? '([^']+)' property containing (\d+) items$/,
    check: (execution, [path = "", count]) => {
      const value = at(execution.output, path);
      return Array.isArray(value) && value.length === Number(count) ? undefined : `(it is ${JSON.stringify(value)})`;
    },
  },
  { form: /^(\S+) should run first$/, check: (execution, [name]) => inOrder(execution, execution.order[0] === name) },
  { form: /^(\S+) should run last$/, check: (execution, [name]) => inOrder(execution, execution.order.at(-1) === name) },
  {
    form: /^(\S+) should run after (\S+)$/,
    check: (execution, [later = "", earlier = ""]) => {
      const positions = [execution.order.indexOf(earlier), execution.order.indexOf(later)] as const;
      return inOrder(execution, positions[0] >= 0 && positions[1] > positions[0]);
    },
  },
];

/** Checks one step. A form that is not known is a failure: the kit has grown. */
export function checkOutcome(step: string, expected: Json | undefined, execution: Execution): string | undefined {
  for (const { form, check } of FORMS) {
    const match = form.exec(step);
    if (match) return check(execution, match.slice(1), expected);
  }
  return "(unknown form of step)";
}

function hasStatus(execution: Execution, wanted: string): string | undefined {
  if (execution.status === wanted) return undefined;
  return `(it is ${execution.status}${execution.error === undefined ? "" : `: ${JSON.stringify(execution.error)}`})`;
}

function equals(value: Json | undefined, expected: Json | undefined): string | undefined {
  return jsonEqual(value, expected) ? undefined : `(it is ${JSON.stringify(value)})`;
}

function inOrder(execution: Execution, holds: boolean): string | undefined {
  return holds ? undefined : `(the order was ${execution.order.join(", ")})`;
}

/** The value at a path of names joined by dots. */
function at(value: Json | undefined, path: string): Json | undefined {
  return path
    .split(".")
    .reduce<Json | undefined>((inner, name) => (isJsonObject(inner) && Object.hasOwn(inner, name) ? inner[name] : undefined), value);
}
