import { durationMs, isJsonObject, ownProperty } from "@tutti/model";
import { joinPointer } from "../json-pointer.ts";
import { didYouMean } from "../nearest-name.ts";
import { isWrappedExpression } from "../schema/text.ts";
import { WORKFLOW_KEYS } from "../schema/workflow.ts";
import { type LintContext, member, textAt } from "./context.ts";
import { cronProblem } from "../schedule/cron.ts";
import { EVERY_MIN_MS, scheduleProfileOf } from "../schedule/schedule-plan.ts";
import { timeZone, timeZoneNames } from "../schedule/time-zone.ts";

/** The document as a whole: top-level keys, and its schedule. */
export function checkDocument(context: LintContext): void {
  const known: readonly string[] = WORKFLOW_KEYS;
  for (const key of Object.keys(context.document)) {
    if (known.includes(key)) continue;
    const pointer = `/${key.replaceAll("~", "~0").replaceAll("/", "~1")}`;
    context.error("unknown-top-level-key", {
      pointer,
      place: "key",
      message: `A document has no \`${key}\`.`,
      hint: () => didYouMean(key, known) ?? `It takes ${known.map((name) => `\`${name}\``).join(", ")}.`,
    });
  }
  checkSchedule(context);
}

const TRIGGERS = ["every", "cron", "after", "on"] as const;
const PROFILE = "/document/metadata/tutti/schedule";
/** Settings of `metadata.tutti.schedule` that mean something for a trigger. */
const SETTINGS_OF: Readonly<Record<(typeof TRIGGERS)[number], readonly string[]>> = {
  every: ["misfire", "overlap"],
  cron: ["timezone", "misfire", "overlap"],
  after: [],
  on: ["overlap"],
};

function checkSchedule(context: LintContext): void {
  const profile = scheduleProfileOf(context.document);
  if (!Object.hasOwn(context.document, "schedule")) {
    if (Object.keys(profile).length > 0)
      context.error("profile-misplaced", {
        pointer: PROFILE,
        place: "key",
        message: "The document has no `schedule` that these settings could be for.",
      });
    return;
  }
  const schedule = member(context.document, "schedule");
  const triggers = TRIGGERS.filter((key) => Object.hasOwn(schedule, key));
  if (triggers.length === 0)
    context.error("empty-schedule", {
      pointer: "/schedule",
      message: "`schedule` says nothing: it needs one of `every`, `cron`, `after`, `on`.",
    });
  for (const extra of triggers.slice(1)) {
    context.error("schedule-conflict", {
      pointer: `/schedule/${extra}`,
      place: "key",
      message: `\`${extra}\` cannot stand together with \`${triggers[0] ?? ""}\`: a schedule has one trigger.`,
    });
  }
  const cron = textAt(schedule, "cron");
  const problem = cron === undefined ? undefined : cronProblem(cron);
  if (problem !== undefined)
    context.error("malformed-cron", {
      pointer: "/schedule/cron",
      offset: problem.offset,
      message: `This is not a cron expression: ${problem.message}.`,
    });
  checkIntervals(context);
  checkSettings(context, triggers[0]);
}

function checkIntervals(context: LintContext): void {
  const schedule = member(context.document, "schedule");
  for (const key of ["every", "after"]) {
    const value = ownProperty(schedule, key);
    if (typeof value === "string" && isWrappedExpression(value))
      context.error("schedule-interval", {
        pointer: joinPointer("", "schedule", key),
        message: `\`${key}\` must be a duration written out: there is no run yet whose data an expression could read.`,
      });
  }
  const everyMs = durationMs(ownProperty(schedule, "every"));
  if (everyMs !== undefined && everyMs < EVERY_MIN_MS)
    context.error("schedule-interval", {
      pointer: "/schedule/every",
      message: `\`every\` is at least ${EVERY_MIN_MS / 1000} second: each time is a run of its own.`,
    });
}

function checkSettings(context: LintContext, trigger: (typeof TRIGGERS)[number] | undefined): void {
  const profile = scheduleProfileOf(context.document);
  const zone = textAt(profile, "timezone");
  if (zone !== undefined && timeZone(zone) === undefined)
    context.error("unknown-timezone", {
      pointer: joinPointer(PROFILE, "timezone"),
      message: `There is no time zone \`${zone}\`.`,
      hint: () => didYouMean(zone, timeZoneNames()) ?? "Give a name of the IANA data base, for example `Europe/Berlin`, or `UTC`.",
    });
  const misfire = ownProperty(profile, "misfire");
  if (isJsonObject(misfire) && Object.hasOwn(misfire, "within") && durationMs(misfire["within"]) === undefined)
    context.error("profile-value", {
      pointer: joinPointer(PROFILE, "misfire", "within"),
      message: "`within` must be a duration written out, between 0 and 100 years.",
    });
  if (trigger === undefined) return;
  for (const key of Object.keys(profile)) {
    if (SETTINGS_OF[trigger].includes(key) || !["timezone", "misfire", "overlap"].includes(key)) continue;
    context.warning("schedule-setting-unused", {
      pointer: joinPointer(PROFILE, key),
      place: "key",
      message: `\`${key}\` means nothing for a schedule with \`${trigger}\`.`,
    });
  }
}
