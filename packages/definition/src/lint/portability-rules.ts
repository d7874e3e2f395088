import { isJsonObject, type Json, type JsonObject } from "@tutti/model";
import { RE2JS } from "re2js";
import { joinPointer } from "../json-pointer.ts";
import { BUILT_IN_CALLS } from "../schema/call.ts";
import { isWrappedExpression } from "../schema/text.ts";
import { type LintContext, listAt, member, textAt } from "./context.ts";

/** What `uri` had to look like in the tag 1.0.3. */
const ABSOLUTE_URI = /^[A-Za-z][A-Za-z0-9+\-.]*:\/\/.*/;

/**
 * Constructs that the schema of tag 1.0.3 refuses: Tutti follows a later state of the specification, other runtimes may not. And event
 * patterns, which have to be patterns.
 */
export function checkPortability(context: LintContext): void {
  const { document } = context;
  if (Object.hasOwn(document, "evaluate")) newer(context, "/evaluate", "`evaluate`");
  if (Object.hasOwn(member(document, "schedule"), "read")) newer(context, "/schedule/read", "`schedule.read`");
  checkStrategy(context, member(document, "schedule")["on"], "/schedule/on");
  for (const part of ["errors", "catalogs"]) {
    for (const [name, entry] of Object.entries(member(context.use, part))) {
      if (!isJsonObject(entry)) continue;
      const key = part === "errors" ? "type" : "endpoint";
      checkRelative(context, entry[key], joinPointer("/use", part, name, key));
    }
  }
  for (const { task, pointer } of context.sites) {
    const caught = member(task, "catch");
    if (Object.hasOwn(caught, "then")) newer(context, joinPointer(pointer, "catch", "then"), "`catch.then`");
    if (Object.hasOwn(member(member(caught, "errors"), "with"), "detail"))
      newer(context, joinPointer(pointer, "catch", "errors", "with", "detail"), "`detail` of an error filter");
    if (Array.isArray(member(task, "for")["in"])) newer(context, joinPointer(pointer, "for", "in"), "a list in `for.in`");
    const event = member(member(member(task, "emit"), "event"), "with");
    if (Object.hasOwn(event, "type") && !Object.hasOwn(event, "source"))
      newer(context, joinPointer(pointer, "emit", "event", "with"), "`emit` without `source`");
    for (const [uri, at] of urisOf(task, pointer)) checkRelative(context, uri, at);
    checkStrategy(context, member(task, "listen")["to"], joinPointer(pointer, "listen", "to"));
  }
}

function newer(context: LintContext, pointer: string, what: string): void {
  context.note("newer-than-1.0.3", {
    pointer,
    place: "key",
    message: `The tag 1.0.3 of the specification does not have ${what}; other runtimes may refuse it.`,
  });
}

/** URIs of a task besides those of its event filters, with their places. */
function* urisOf(task: JsonObject, pointer: string): Generator<readonly [uri: Json | undefined, pointer: string]> {
  const given = member(task, "with");
  if (BUILT_IN_CALLS.some((name) => name === task["call"])) {
    for (const key of ["endpoint", "server"]) yield [given[key], joinPointer(pointer, "with", key)];
    for (const key of ["document", "proto", "agentCard"])
      yield [member(given, key)["endpoint"], joinPointer(pointer, "with", key, "endpoint")];
    yield [member(member(given, "transport"), "http")["endpoint"], joinPointer(pointer, "with", "transport", "http", "endpoint")];
  }
  const source = member(member(member(task, "run"), "script"), "source");
  yield [source["endpoint"], joinPointer(pointer, "run", "script", "source", "endpoint")];
  yield [member(member(task, "raise"), "error")["type"], joinPointer(pointer, "raise", "error", "type")];
  const event = member(member(member(task, "emit"), "event"), "with");
  for (const key of ["source", "dataschema"]) yield [event[key], joinPointer(pointer, "emit", "event", "with", key)];
}

/** URIs may be relative now, and may begin with a value of the input. */
function checkRelative(context: LintContext, value: Json | undefined, pointer: string): void {
  if (isJsonObject(value)) return checkRelative(context, value["uri"], joinPointer(pointer, "uri"));
  if (typeof value !== "string" || isWrappedExpression(value) || ABSOLUTE_URI.test(value)) return;
  newer(context, pointer, "URIs without scheme and `//`");
}

/** A text of an event filter that is anchored, as in `^com\.example\.`, is a regular expression. */
function checkStrategy(context: LintContext, strategy: Json | undefined, pointer: string): void {
  if (!isJsonObject(strategy)) return;
  const filters: (readonly [Json, string])[] = [
    [member(strategy, "one"), joinPointer(pointer, "one")],
    ...["any", "all"].flatMap((key) => listAt(strategy, key).map((filter, index) => [filter, joinPointer(pointer, key, index)] as const)),
  ];
  for (const [filter, at] of filters) {
    if (!isJsonObject(filter)) continue;
    const wanted = member(filter, "with");
    for (const name of Object.keys(wanted)) {
      const text = textAt(wanted, name);
      if (name === "source" || name === "dataschema") checkRelative(context, text, joinPointer(at, "with", name));
      const isPattern = text !== undefined && (text.startsWith("^") || (text.endsWith("$") && !text.endsWith("\\$")));
      const problem = isPattern ? patternProblem(text) : undefined;
      if (problem !== undefined)
        context.error("malformed-pattern", {
          pointer: joinPointer(at, "with", name),
          message: `This is not a regular expression: ${problem}.`,
        });
    }
  }
  checkStrategy(context, strategy["until"], joinPointer(pointer, "until"));
}

function patternProblem(text: string): string | undefined {
  try {
    RE2JS.compile(text);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
