import { type Json, VALUE_DEPTH_MAX } from "@tutti/model";
import { ConnectorError } from "./connector.ts";

/** Of a path more than this tells nobody where it is. */
const PATH_CHARACTERS_MAX = 100;

interface Step {
  readonly value: unknown;
  readonly path: string;
  readonly depth: number;
}

/**
 * Why `value` would not come through JSON unchanged, and where; undefined when it would. Connectors may run in another process, so
 * functions, `undefined`, NaN, dates, class instances and cycles must be found here and not as silently different data after a restart.
 */
export function findNotCloneable(value: unknown): string | undefined {
  const steps: Step[] = [{ value, path: "", depth: 0 }];
  for (let step = steps.pop(); step !== undefined; step = steps.pop()) {
    const problem = problemOf(step);
    if (problem !== undefined) return `${placeOf(step.path)} ${problem}`;
    if (typeof step.value !== "object" || step.value === null) continue;
    // Object.keys of an array with holes skips them, so lengths are compared; extra named members of an array are found the same way.
    const keys = Object.keys(step.value);
    if (Array.isArray(step.value) && keys.length !== step.value.length)
      return `${placeOf(step.path)} is an array with holes or named members`;
    for (const key of keys) {
      steps.push({ value: (step.value as Record<string, unknown>)[key], path: `${step.path}/${key}`, depth: step.depth + 1 });
    }
  }
  return undefined;
}

function placeOf(path: string): string {
  if (path === "") return "the value";
  return path.length <= PATH_CHARACTERS_MAX ? path : `${path.slice(0, PATH_CHARACTERS_MAX)}…`;
}

function problemOf({ value, depth }: Step): string | undefined {
  switch (typeof value) {
    case "string":
    case "boolean":
      return undefined;
    case "number":
      return Number.isFinite(value) ? undefined : `is ${value}, which JSON does not have`;
    case "object":
      if (value === null) return undefined;
      // A cycle is found as endless depth: cheaper than remembering every object of every output.
      if (depth > VALUE_DEPTH_MAX) return `is nested deeper than ${VALUE_DEPTH_MAX} or contains itself`;
      return isPlain(value) ? undefined : `is a ${value.constructor?.name ?? "class instance"}, not plain data`;
    default:
      return `is ${typeof value === "undefined" ? "undefined" : `a ${typeof value}`}, which JSON does not have`;
  }
}

function isPlain(value: object): boolean {
  if (Array.isArray(value)) return true;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || prototype === Object.prototype;
}

/**
 * Throws unless `value` is plain JSON data; `what` names it in the message ("the output of vm.create:1@libvirt").
 *
 * @throws ConnectorError `runtime`, answered: the effect happened, its connector described it wrongly, and a repetition would not help.
 */
export function assertCloneable(value: unknown, what: string): asserts value is Json {
  const problem = findNotCloneable(value);
  if (problem !== undefined) {
    throw new ConnectorError(`${what} is not plain JSON: ${problem}.`, { kind: "runtime", outcome: "answered" });
  }
}
