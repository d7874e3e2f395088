import { RE2JS } from "re2js";
import { SchemaError } from "./schema-error.ts";

/** Longer patterns are not written by hand; the automaton grows with them. */
const PATTERN_LENGTH_MAX = 1000;

/**
 * A test for the regular expression of a schema, in time linear in the text: native expressions can hang on hostile ones.
 * Look-around and back-references, which no linear engine has, are refused.
 */
export function compilePattern(source: string, pointer: string): (text: string) => boolean {
  if (source.length > PATTERN_LENGTH_MAX)
    throw new SchemaError(`The pattern has ${source.length} characters; the limit is ${PATTERN_LENGTH_MAX}.`, pointer);
  let compiled: RE2JS;
  try {
    compiled = RE2JS.compile(RE2JS.translateRegExp(source));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new SchemaError(`The pattern \`${source}\` is not supported: ${reason}.`, pointer);
  }
  return (text) => compiled.matcher(text).find();
}
