import { z } from "zod";
import { closed, choice } from "../schema/building-blocks.ts";
import { Duration } from "../schema/text.ts";

export const MISFIRE_POLICIES = ["skip", "once", "all"] as const;
/** What becomes of instants that nobody was there for: none is made up for, one run for all of them, a run for each. */
export type MisfirePolicy = (typeof MISFIRE_POLICIES)[number];

export const OVERLAPS = ["allow", "skip", "queue", "replace"] as const;
/** What becomes of a start while an earlier run of the schedule is under way. */
export type Overlap = (typeof OVERLAPS)[number];

/** `metadata.tutti.schedule` of a document: how its schedule is operated. */
export const ScheduleProfile = closed({
  timezone: z.string().optional(),
  misfire: choice([z.enum(MISFIRE_POLICIES), closed({ policy: z.enum(MISFIRE_POLICIES), within: Duration.optional() })], (value) =>
    typeof value === "string" ? 0 : 1,
  ).optional(),
  overlap: z.enum(OVERLAPS).optional(),
});
