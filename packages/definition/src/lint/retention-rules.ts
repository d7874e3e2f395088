import { z } from "zod";
import { durationMs, isJsonObject, type JsonObject, ownProperty } from "@tutti/model";
import { joinPointer } from "../json-pointer.ts";
import { choice, closed } from "../schema/building-blocks.ts";
import { Duration } from "../schema/text.ts";
import type { LintContext } from "./context.ts";

const FOREVER = "forever";
const Kept = choice([z.literal(FOREVER), Duration], (value) => (value === FOREVER ? 0 : 1));

/** `metadata.tutti.retention` of a document: how long its finished runs, and their logs, stay. */
export const Retention = closed({ runs: Kept.optional(), logs: Kept.optional() });

/** Both are said once for all runs, so there is nothing an expression could look at; and the logs of a deleted run are gone, too. */
export function checkRetention(context: LintContext, profile: JsonObject, profilePointer: string): void {
  const retention = ownProperty(profile, "retention");
  if (!isJsonObject(retention) || !Retention.safeParse(retention).success) return;
  const pointer = joinPointer(profilePointer, "retention");
  const kept = (key: "runs" | "logs"): number | undefined => {
    const value = ownProperty(retention, key);
    if (value === undefined) return undefined;
    const ms = value === FOREVER ? Number.POSITIVE_INFINITY : durationMs(value);
    if (ms === undefined) {
      context.error("profile-value", {
        pointer: joinPointer(pointer, key),
        message: `\`${key}\` must be \`forever\` or a duration written out, between 0 and 100 years.`,
      });
    }
    return ms;
  };
  const runsMs = kept("runs");
  const logsMs = kept("logs");
  if (runsMs === undefined || logsMs === undefined || logsMs <= runsMs) return;
  context.error("profile-value", {
    pointer: joinPointer(pointer, "logs"),
    message: "Logs go with their run: `logs` must not be longer than `runs`.",
  });
}
