import { type Cli, newCommand } from "../cli.ts";
import { EXIT } from "../exit-code.ts";
import { scheduleJson, type ScheduleView } from "../json/schedule-json.ts";
import { formatTime } from "../render/duration.ts";
import { triggerText } from "../render/schedule-text.ts";
import { oneLine } from "../render/text.ts";
import { type CommonOptions, type Session, withCommonOptions, withSession } from "../session.ts";
import { parseName } from "../workflow-name.ts";

/** `tutti schedule show`: one schedule, how it is operated and how far it has come. */
export function scheduleShow(cli: Cli): ReturnType<typeof newCommand> {
  const command = newCommand("show", "one schedule: settings, last and next run").argument("<workflow>", "NAMESPACE/NAME");
  return withCommonOptions(command).action((workflow: string, options: CommonOptions) =>
    cli.act(() =>
      withSession(cli.io, options, true, async (session) => {
        const { namespace, name } = parseName(workflow);
        printSchedule(session, await session.service.showSchedule(namespace, name));
        return EXIT.ok;
      }),
    ),
  );
}

/** Prints the schedule as JSON or as lines. */
export function printSchedule({ io, isJson, tutti }: Session, view: ScheduleView): void {
  if (isJson) {
    io.out(`${JSON.stringify(scheduleJson(view))}\n`);
    return;
  }
  const title = `${view.namespace}/${view.name}`;
  const lines = [
    `${title}:${view.version}  ${view.isEnabled ? "enabled" : `off; \`${tutti} schedule enable ${title}\` starts its runs`}`,
    `starts    ${oneLine(triggerText(view))}`,
    `misfire   ${view.misfire}    overlap   ${view.overlap}`,
  ];
  if (view.nextAtMs !== undefined) lines.push(`next      ${formatTime(view.nextAtMs)}`);
  if (view.last !== undefined) lines.push(`last      ${formatTime(view.last.atMs)}  ${view.last.runId}`);
  lines.push(`runs      ${view.started} started, ${view.skipped} skipped, ${view.failed} failed to start`);
  if (view.active.length > 0) lines.push(`under way ${view.active.join(", ")}`);
  if (view.waiting > 0) lines.push(`waiting   ${view.waiting} until the run under way is at rest`);
  if (view.openGroups > 0) lines.push(`events    ${view.openGroups} incomplete group(s) wait for more`);
  if (view.failure !== undefined) lines.push(`failure   ${formatTime(view.failure.atMs)}  ${oneLine(view.failure.message)}`);
  io.out(`${lines.join("\n")}\n`);
}
