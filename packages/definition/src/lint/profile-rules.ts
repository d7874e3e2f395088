import { z } from "zod";
import { durationMs, EFFECT_CLASSES, isJsonObject, type Json, type JsonObject, ownProperty } from "@tutti/model";
import { joinPointer } from "../json-pointer.ts";
import { didYouMean } from "../nearest-name.ts";
import { choice, closed } from "../schema/building-blocks.ts";
import { shapeProblems } from "../schema/messages.ts";
import { TaskList } from "../schema/task.ts";
import { Duration } from "../schema/text.ts";
import { ScheduleProfile } from "../schedule/schedule-profile.ts";
import { type LintContext, member } from "./context.ts";
import { useEntry } from "./reference-rules.ts";
import { checkRetention, Retention } from "./retention-rules.ts";

/** Where a key of `metadata.tutti` belongs. */
type Owner = "document" | "task";

/** The name of a function of `use.functions`, or tasks. */
const FunctionOrTasks = choice([z.string(), TaskList], (value) => (typeof value === "string" ? 0 : 1));
/** As above; an empty list says that nothing undoes the task, not even what its connector says. */
const Compensation = choice([z.string(), TaskList, z.array(z.never())], (value) =>
  typeof value === "string" ? 0 : Array.isArray(value) && value.length === 0 ? 2 : 1,
);
const Effect = closed({
  class: z.enum(EFFECT_CLASSES),
  find: FunctionOrTasks.optional(),
  unique: z.boolean().optional(),
  settle: Duration.optional(),
});
const Concurrency = closed({
  key: z.string(),
  limit: z
    .number()
    .refine((limit) => Number.isSafeInteger(limit) && limit >= 1, { error: "must be a whole number from 1 on" })
    .optional(),
  onConflict: z.enum(["queue", "reject", "replace"]).optional(),
});

/** When back-out starts, and how: language.md section 8.1 of the profile. */
const Saga = closed({
  on: z
    .array(z.enum(["faulted", "cancelled"]))
    .refine((outcomes) => outcomes.length > 0, { error: "must name an outcome" })
    .optional(),
  order: z.enum(["reverse", "parallel"]).optional(),
  onFailure: z.enum(["stop", "continue"]).optional(),
});

/** Keys whose values are checked, by where they may stand. */
const AVAILABLE: Readonly<Record<string, { readonly schema: z.ZodType; readonly owners: readonly Owner[] }>> = {
  effect: { schema: Effect, owners: ["task"] },
  idempotencyKey: { schema: z.string(), owners: ["task"] },
  concurrency: { schema: Concurrency, owners: ["document", "task"] },
  compensate: { schema: Compensation, owners: ["task"] },
  saga: { schema: Saga, owners: ["document", "task"] },
  schedule: { schema: ScheduleProfile, owners: ["document"] },
  retention: { schema: Retention, owners: ["document"] },
};
/** Keys of the profile that this version does not know how to carry out; to ignore one would run a workflow without what it relies on. */
const NOT_YET: readonly string[] = ["precondition", "refreshOnResume", "sandbox", "artifacts"];

/** `metadata.tutti`: what operates a workflow besides its data. */
export function checkProfile(context: LintContext): void {
  const whole = checkKeys(context, member(context.document, "document"), "/document", "document");
  if (whole !== undefined) checkRetention(context, whole, "/document/metadata/tutti");
  for (const site of context.sites) {
    const profile = checkKeys(context, site.task, site.pointer, "task");
    if (profile === undefined) continue;
    const pointer = joinPointer(site.pointer, "metadata", "tutti");
    checkEffect(context, profile, site.task, pointer);
    checkNamedFunction(context, ownProperty(profile, "compensate"), joinPointer(pointer, "compensate"));
    if (Object.hasOwn(profile, "saga") && site.kind !== "do") {
      context.error("profile-misplaced", {
        pointer: joinPointer(pointer, "saga"),
        place: "key",
        message: "`saga` belongs to a `do` task or to the document: it is the scope that is backed out together.",
      });
    }
    if (Object.hasOwn(profile, "idempotencyKey") && site.kind !== "call" && site.kind !== "run") {
      context.error("profile-misplaced", {
        pointer: joinPointer(pointer, "idempotencyKey"),
        place: "key",
        message: "`idempotencyKey` belongs to a call or a process: this task has no effect.",
      });
    }
  }
}

function checkKeys(context: LintContext, owner: JsonObject, ownerPointer: string, kind: Owner): JsonObject | undefined {
  const metadata = member(owner, "metadata");
  const profile = ownProperty(metadata, "tutti");
  if (profile === undefined) return undefined;
  const pointer = joinPointer(ownerPointer, "metadata", "tutti");
  if (!isJsonObject(profile)) {
    context.error("profile-value", { pointer, message: "`metadata.tutti` must be an object." });
    return undefined;
  }
  for (const key of Object.keys(profile)) checkKey(context, key, profile[key] as Json, joinPointer(pointer, key), kind);
  return profile;
}

function checkKey(context: LintContext, key: string, value: Json, pointer: string, owner: Owner): void {
  if (NOT_YET.includes(key)) {
    context.error("profile-not-available", { pointer, place: "key", message: `\`metadata.tutti.${key}\` is not available yet.` });
    return;
  }
  const known = Object.hasOwn(AVAILABLE, key) ? AVAILABLE[key] : undefined;
  if (known === undefined) {
    const hint = (): string | undefined => didYouMean(key, [...Object.keys(AVAILABLE), ...NOT_YET]);
    context.error("profile-unknown-key", { pointer, place: "key", message: `\`metadata.tutti\` has no \`${key}\`.`, hint });
    return;
  }
  if (!known.owners.includes(owner)) {
    context.error("profile-misplaced", {
      pointer,
      place: "key",
      message: `\`${key}\` belongs to ${owner === "document" ? "a task, not to the document" : "the document, not to a task"}.`,
    });
    return;
  }
  const result = known.schema.safeParse(value);
  if (result.success) return;
  // Messages name a value by its key, so that the checked value is put under its own.
  const issues = result.error.issues.map((issue) => ({ ...issue, path: [key, ...issue.path] }));
  const base = pointer.slice(0, pointer.lastIndexOf("/"));
  for (const problem of shapeProblems({ [key]: value }, issues)) {
    context.error("profile-value", {
      pointer: joinPointer(base, ...problem.path),
      place: problem.place,
      message: problem.message,
      hint: problem.hint,
    });
  }
}

function checkEffect(context: LintContext, profile: JsonObject, task: JsonObject, pointer: string): void {
  const effect = ownProperty(profile, "effect");
  if (!isJsonObject(effect)) return;
  const at = joinPointer(pointer, "effect");
  const run = member(task, "run");
  if (!Object.hasOwn(task, "call") && (!Object.hasOwn(task, "run") || Object.hasOwn(run, "workflow"))) {
    context.error("profile-misplaced", {
      pointer: at,
      place: "key",
      message: "`effect` belongs to a call or a process: this task has no effect of its own.",
    });
    return;
  }
  const find = ownProperty(effect, "find");
  if (effect["class"] === "findable" && find === undefined) {
    context.error("findable-without-find", {
      pointer: joinPointer(at, "class"),
      message: "A `findable` effect needs `find`: tasks that return its output, or null when it is not there.",
    });
  }
  if (find !== undefined && effect["class"] !== "findable" && EFFECT_CLASSES.some((name) => name === effect["class"])) {
    context.error("profile-value", {
      pointer: joinPointer(at, "find"),
      place: "key",
      message: `\`find\` goes with \`class: findable\`, not with ${JSON.stringify(effect["class"])}.`,
    });
  }
  checkNamedFunction(context, find, joinPointer(at, "find"));
  const settle = ownProperty(effect, "settle");
  if (settle === undefined || durationMs(settle) !== undefined || !Duration.safeParse(settle).success) return;
  context.error("profile-value", {
    pointer: joinPointer(at, "settle"),
    message: "`settle` must be a duration written out, between 0 and 100 years.",
  });
}

/** A text names an entry of `use.functions`; anything else is a list of tasks, and checked as one. */
function checkNamedFunction(context: LintContext, name: Json | undefined, pointer: string): void {
  if (typeof name !== "string" || useEntry(context, "functions", name) !== undefined) return;
  const hint = (): string | undefined => didYouMean(name, Object.keys(member(context.use, "functions")));
  context.error("unknown-function", { pointer, message: `There is no function \`${name}\` in \`use.functions\`.`, hint });
}
