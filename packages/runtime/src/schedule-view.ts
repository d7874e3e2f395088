import { nextInstant, type SchedulePlan } from "@tutti/definition";
import { isJsonObject, ownProperty } from "@tutti/model";
import type { LoadedProgram } from "./program-cache.ts";
import type { ScheduleView } from "./runtime.ts";
import { nextLookMs, type ScheduleState } from "./schedule-state.ts";
import type { StoredSchedule } from "./scheduler.ts";

/** A schedule for people: what its document says, and how far it has come. */
export function viewSchedule(program: LoadedProgram, stored: StoredSchedule | undefined): ScheduleView {
  const { definition, context } = program;
  const { schedule: plan, document } = context.program;
  const schedule = ownProperty(document, "schedule");
  const state = stored?.state;
  const isEnabled = stored?.row.isEnabled ?? false;
  return {
    namespace: definition.namespace,
    name: definition.name,
    version: definition.version,
    schedule: isJsonObject(schedule) ? schedule : undefined,
    timezone: plan?.trigger.kind === "cron" ? plan.trigger.zone.name : undefined,
    misfire: plan?.misfire.policy ?? "once",
    overlap: plan?.overlap ?? "allow",
    isEnabled,
    nextAtMs: isEnabled && plan !== undefined && state !== undefined ? nextLookMs(plan, state) : undefined,
    last: state?.last ?? undefined,
    active: state?.active ?? [],
    waiting: state?.queue.length ?? 0,
    openGroups: state?.groups.length ?? 0,
    started: state?.started ?? 0,
    skipped: state?.skipped ?? 0,
    failed: state?.failed ?? 0,
    failure: state?.failure ?? undefined,
  };
}

/** The next instants by the clock: of an enabled schedule as it will fire, of another as it would if it were enabled now. */
export function instantsAhead(plan: SchedulePlan, state: ScheduleState | undefined, nowMs: number, count: number): readonly number[] {
  const instants: number[] = [];
  const anchorMs = state?.anchorMs ?? nowMs;
  let at = plan.trigger.kind === "after" ? (state?.dueAtMs ?? undefined) : nextInstant(plan.trigger, nowMs, anchorMs);
  while (at !== undefined && instants.length < count) {
    instants.push(at);
    at = nextInstant(plan.trigger, at, anchorMs);
  }
  return instants;
}
