import { durationMs, isJsonObject, type Json, type JsonObject, ownProperty } from "@tutti/model";
import { compileStrategy } from "../compile-events.ts";
import type { EventStrategy } from "../program.ts";
import { type Cron, parseCron } from "./cron.ts";
import { nextCronInstant } from "./cron-instants.ts";
import { MISFIRE_POLICIES, type MisfirePolicy, type Overlap, OVERLAPS } from "./schedule-profile.ts";
import { type TimeZone, timeZone } from "./time-zone.ts";

/** Shortest interval of `every`: each tick is a run with its commits. */
export const EVERY_MIN_MS = 1000;
/** How far back `misfire: all` goes when it does not say `within`: a day of downtime is made up for, not a year. */
export const CATCH_UP_DEFAULT_MS = 24 * 60 * 60 * 1000;

/** When a workflow starts by itself, compiled from its document. */
export interface SchedulePlan {
  readonly trigger: ScheduleTrigger;
  readonly misfire: { readonly policy: MisfirePolicy; readonly withinMs: number };
  readonly overlap: Overlap;
  /** Equal for versions that start at the same instants, or by the same events. */
  readonly identity: string;
}

export type ScheduleTrigger =
  | { readonly kind: "every"; readonly everyMs: number }
  | { readonly kind: "cron"; readonly text: string; readonly cron: Cron; readonly zone: TimeZone }
  | { readonly kind: "after"; readonly afterMs: number }
  | { readonly kind: "on"; readonly strategy: EventStrategy; readonly read: "data" | "envelope" | "raw" };

/** The plan of a document that the linter has accepted; undefined when it has no schedule. */
export function compileSchedule(document: JsonObject): SchedulePlan | undefined {
  const schedule = ownProperty(document, "schedule");
  if (!isJsonObject(schedule)) return undefined;
  const profile = scheduleProfileOf(document);
  const trigger = compileTrigger(schedule, profile);
  if (trigger === undefined) return undefined;
  const overlap = OVERLAPS.find((one) => one === profile["overlap"]) ?? "allow";
  const zone = trigger.kind === "cron" ? trigger.zone.name : "";
  return { trigger, misfire: compileMisfire(profile["misfire"]), overlap, identity: JSON.stringify([schedule, zone]) };
}

/** The first instant after `afterMs` at which the trigger fires; `anchorMs` is when `every` began to count. Undefined for other triggers. */
export function nextInstant(trigger: ScheduleTrigger, afterMs: number, anchorMs: number): number | undefined {
  if (trigger.kind === "cron") return nextCronInstant(trigger.cron, trigger.zone, afterMs);
  if (trigger.kind !== "every") return undefined;
  return anchorMs + (Math.floor((afterMs - anchorMs) / trigger.everyMs) + 1) * trigger.everyMs;
}

/** `metadata.tutti.schedule` of the document. */
export function scheduleProfileOf(document: JsonObject): JsonObject {
  let value: Json | undefined = document;
  for (const key of ["document", "metadata", "tutti", "schedule"]) value = isJsonObject(value) ? ownProperty(value, key) : undefined;
  return isJsonObject(value) ? value : {};
}

function compileTrigger(schedule: JsonObject, profile: JsonObject): ScheduleTrigger | undefined {
  const everyMs = durationMs(ownProperty(schedule, "every"));
  if (everyMs !== undefined) return { kind: "every", everyMs: Math.max(everyMs, EVERY_MIN_MS) };
  const { cron: text, on, read } = schedule;
  if (typeof text === "string") {
    const cron = parseCron(text);
    const name = profile["timezone"];
    const zone = timeZone(typeof name === "string" ? name : "UTC");
    return "message" in cron || zone === undefined ? undefined : { kind: "cron", text, cron, zone };
  }
  const afterMs = durationMs(ownProperty(schedule, "after"));
  if (afterMs !== undefined) return { kind: "after", afterMs };
  if (!isJsonObject(on)) return undefined;
  return { kind: "on", strategy: compileStrategy(on, []), read: read === "envelope" || read === "raw" ? read : "data" };
}

function compileMisfire(value: Json | undefined): SchedulePlan["misfire"] {
  const given = isJsonObject(value) ? value : { policy: value ?? "once" };
  const policy = MISFIRE_POLICIES.find((one) => one === given["policy"]) ?? "once";
  const withinMs = durationMs(ownProperty(given, "within"));
  return { policy, withinMs: withinMs ?? (policy === "all" ? CATCH_UP_DEFAULT_MS : Number.POSITIVE_INFINITY) };
}
