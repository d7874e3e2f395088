import { didYouMean } from "../nearest-name.ts";
import { WORKFLOW_KEYS } from "../schema/workflow.ts";
import { type LintContext, member, textAt } from "./context.ts";
import { cronProblem } from "./cron.ts";

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

function checkSchedule(context: LintContext): void {
  if (!Object.hasOwn(context.document, "schedule")) return;
  const schedule = member(context.document, "schedule");
  const triggers = ["every", "cron", "after", "on"].filter((key) => Object.hasOwn(schedule, key));
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
}
