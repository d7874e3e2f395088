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
  const read = readBySchema(schema, input);
  if (read.kind === "fits") return read.value;
  throw new ConnectorError(`The input does not fit: ${read.problem}`, { kind: "validation", outcome: "never-began" });
}

function check(schema: z.ZodType, value: Json): string | undefined {
  const read = readBySchema(schema, value);
  return read.kind === "fits" ? undefined : read.problem;
}

/** `problem` is one line of members and rules, never values. */
export type ReadBySchema<Value> = { readonly kind: "fits"; readonly value: Value } | { readonly kind: "misfit"; readonly problem: string };

/**
 * Reads `value` by a connector's schema, with defaults filled in. A value that makes the schema itself throw does not fit: zod compares the length that
 * `min`, `max` and `length` of texts and lists ask for also where there is neither, and throws over `{"length":{"toString":0}}`; the rules that an
 * author writes may have such a gap too. What another system answered must not become an error of the process.
 */
export function readBySchema<S extends z.ZodType>(schema: S, value: unknown): ReadBySchema<z.infer<S>> {
  let parsed: z.ZodSafeParseResult<z.infer<S>>;
  try {
    parsed = schema.safeParse(value);
  } catch (thrown) {
    // Its name only: the message may quote a value.
    const what = thrown instanceof Error ? thrown.name : typeof thrown;
    return { kind: "misfit", problem: `the schema itself fails on it (${what}); is there an object in the place of a text or a list?` };
  }
  return parsed.success ? { kind: "fits", value: parsed.data } : { kind: "misfit", problem: describeIssues(parsed.error) };
}

/** What is wrong, in one line: members and rules, never values. */
function describeIssues(error: z.ZodError): string {
  const shown = error.issues.slice(0, ISSUES_SHOWN_MAX).map((issue) => {
    const path = issue.path.length === 0 ? "" : `${issue.path.map(String).join(".")}: `;
    return `${path}${issue.message}`;
  });
  const more = error.issues.length - shown.length;
  return shown.join("; ") + (more > 0 ? `; and ${more} more` : "");
}
