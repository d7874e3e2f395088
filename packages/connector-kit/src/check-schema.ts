import type { Json, JsonObject } from "@tutti/model";
import type { z } from "zod";
import { ConnectorError, type ConnectorFunction } from "./connector.ts";

/** More would bury the first mistake; the author fixes that one and looks again. */
const ISSUES_SHOWN_MAX = 5;

/** What is wrong with `input` for this function, in one line; undefined when it fits. */
export function checkInput(declared: ConnectorFunction, input: JsonObject): string | undefined {
  return check(declared.input, input);
}

/** What is wrong with `output` of this function, in one line; undefined when it fits. */
export function checkOutput(declared: ConnectorFunction, output: Json): string | undefined {
  return check(declared.output, output);
}

/**
 * Reads `input` by its schema, with defaults filled in: the first line of a function's `run`.
 *
 * @throws ConnectorError `validation`, never-began: nothing was done with a wrong input.
 */
export function parseInput<S extends z.ZodType>(schema: S, input: JsonObject): z.infer<S> {
  const parsed = schema.safeParse(input);
  if (parsed.success) return parsed.data;
  throw new ConnectorError(`The input does not fit: ${describeIssues(parsed.error)}`, { kind: "validation", outcome: "never-began" });
}

function check(schema: z.ZodType, value: Json): string | undefined {
  const parsed = schema.safeParse(value);
  return parsed.success ? undefined : describeIssues(parsed.error);
}

/** What is wrong, in one line: members and rules, never values. */
export function describeIssues(error: z.ZodError): string {
  const shown = error.issues.slice(0, ISSUES_SHOWN_MAX).map((issue) => {
    const path = issue.path.length === 0 ? "" : `${issue.path.map(String).join(".")}: `;
    return `${path}${issue.message}`;
  });
  const more = error.issues.length - shown.length;
  return shown.join("; ") + (more > 0 ? `; and ${more} more` : "");
}
