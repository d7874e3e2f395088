import { durationMs, isJsonObject, type Json, type JsonObject, ownProperty } from "@tutti/model";
import { compileSchema } from "../json-schema/compile-schema.ts";
import { SchemaError } from "../json-schema/schema-error.ts";
import { joinPointer } from "../json-pointer.ts";
import { isWrappedExpression } from "../schema/text.ts";
import { type LintContext, member } from "./context.ts";
import { iteratorOf } from "./task-sites.ts";

/** Schemas of data and durations: what is written in them must be usable. */
export function checkData(context: LintContext): void {
  const { document, use } = context;
  checkSchemas(context, document, "");
  checkDuration(context, member(document, "timeout")["after"], "/timeout/after");
  const schedule = member(document, "schedule");
  for (const key of ["every", "after"]) checkDuration(context, schedule[key], `/schedule/${key}`);
  for (const [name, timeout] of Object.entries(member(use, "timeouts"))) {
    if (isJsonObject(timeout)) checkDuration(context, timeout["after"], joinPointer("/use/timeouts", name, "after"));
  }
  for (const [name, policy] of Object.entries(member(use, "retries"))) checkRetry(context, policy, joinPointer("/use/retries", name));
  for (const { task, pointer } of context.sites) {
    checkSchemas(context, task, pointer);
    const iterator = iteratorOf(task);
    checkSchemas(context, iterator.clause, joinPointer(pointer, ...iterator.at));
    checkDuration(context, member(task, "timeout")["after"], joinPointer(pointer, "timeout", "after"));
    checkDuration(context, ownProperty(task, "wait"), joinPointer(pointer, "wait"));
    checkRetry(context, ownProperty(member(task, "catch"), "retry"), joinPointer(pointer, "catch", "retry"));
  }
}

function checkSchemas(context: LintContext, owner: JsonObject, pointer: string): void {
  for (const key of ["input", "output", "export"]) {
    const definition = member(member(owner, key), "schema");
    const at = joinPointer(pointer, key, "schema");
    const format = ownProperty(definition, "format");
    if (typeof format === "string" && format.split(":")[0] !== "json") {
      context.error("schema-format", {
        pointer: joinPointer(at, "format"),
        message: `Schemas of format \`${format}\` are not supported; \`json\` is.`,
      });
      continue;
    }
    const schema = ownProperty(definition, "document");
    if (schema === undefined) continue;
    try {
      compileSchema(schema);
    } catch (error) {
      if (!(error instanceof SchemaError)) throw error;
      context.error("malformed-schema", { pointer: `${joinPointer(at, "document")}${error.pointer}`, message: error.message });
    }
  }
}

function checkRetry(context: LintContext, policy: Json | undefined, pointer: string): void {
  if (!isJsonObject(policy)) return;
  const limit = member(policy, "limit");
  checkDuration(context, policy["delay"], joinPointer(pointer, "delay"));
  checkDuration(context, limit["duration"], joinPointer(pointer, "limit", "duration"));
  checkDuration(context, member(limit, "attempt")["duration"], joinPointer(pointer, "limit", "attempt", "duration"));
  for (const key of ["from", "to"]) checkDuration(context, member(policy, "jitter")[key], joinPointer(pointer, "jitter", key));
  const count = member(limit, "attempt")["count"];
  if (typeof count === "number" && count < 1) {
    context.error("malformed-retry", {
      pointer: joinPointer(pointer, "limit", "attempt", "count"),
      message: `A retry policy allows at least one attempt, this one ${count}.`,
    });
  }
}

/** The schema has seen the form; left are negative and endless ones. */
function checkDuration(context: LintContext, duration: Json | undefined, pointer: string): void {
  if (duration === undefined || isWrappedExpression(duration) || durationMs(duration) !== undefined) return;
  context.error("malformed-duration", { pointer, message: "A duration is between 0 and 100 years." });
}
