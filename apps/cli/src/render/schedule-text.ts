import { isJsonObject, type Json } from "@tutti/model";
import type { ScheduleView } from "../json/schedule-json.ts";

/** What starts the runs, in a few words: `cron 0 3 * * * Europe/Berlin`, `every PT1H`, `on one com.example.alarm`. */
export function triggerText(view: ScheduleView): string {
  const { schedule } = view;
  if (schedule === undefined) return "none in this version";
  const { cron, every, after, on } = schedule;
  if (typeof cron === "string") return `cron ${cron} ${view.timezone ?? "UTC"}`;
  if (every !== undefined) return `every ${durationText(every)}`;
  if (after !== undefined) return `after ${durationText(after)}`;
  return isJsonObject(on) ? `on ${eventsText(on)}` : "none in this version";
}

function durationText(value: Json): string {
  if (!isJsonObject(value)) return typeof value === "string" ? value : JSON.stringify(value);
  return Object.entries(value)
    .map(([unit, amount]) => `${JSON.stringify(amount)} ${unit}`)
    .join(" ");
}

function eventsText(on: { readonly [key: string]: Json }): string {
  for (const kind of ["one", "any", "all"]) {
    const filters = on[kind];
    if (filters === undefined) continue;
    const types = (Array.isArray(filters) ? filters : [filters]).map((filter: Json) => {
      const wanted = isJsonObject(filter) && isJsonObject(filter["with"]) ? filter["with"] : {};
      return typeof wanted["type"] === "string" ? wanted["type"] : "any event";
    });
    return `${kind} ${types.join(", ") || "event"}`;
  }
  return "events";
}
