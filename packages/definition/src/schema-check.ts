import type { Json } from "@tutti/model";
import { compileSchema } from "./json-schema/compile-schema.ts";
import { Run } from "./json-schema/evaluation.ts";
import type { SchemaCheck } from "./program.ts";

/**
 * Compiles a JSON Schema of a user's document: what it checks, which drafts and which bounds, `compileSchema` says.
 *
 * The check answers undefined for a valid value, else up to three errors with their places: `/pet/id must be a whole number, but is a
 * string`. Its time is bounded whatever schema and value are; one that runs into the bound is refused.
 *
 * @throws SchemaError when the schema itself cannot be used. The linter reports that before anything is compiled.
 */
export function compileSchemaCheck(schema: Json): SchemaCheck {
  const check = compileSchema(schema);
  return (value) => {
    const run = new Run();
    const isValid = check(value, undefined, run, undefined);
    if (run.exhausted !== undefined) return run.exhausted;
    return isValid
      ? undefined
      : run
          .problems()
          .map(({ place, message }) => `${place === "" ? "the value" : place} ${message}`)
          .join("; ");
  };
}
