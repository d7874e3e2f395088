import { type Cli, newCommand } from "../cli.ts";
import { EXIT } from "../exit-code.ts";
import { scheduleJson } from "../json/schedule-json.ts";
import { formatNear } from "../render/duration.ts";
import { triggerText } from "../render/schedule-text.ts";
import { renderTable } from "../render/table.ts";
import { oneLine } from "../render/text.ts";
import { type CommonOptions, type Session, withCommonOptions, withSession } from "../session.ts";

/** `tutti schedule list`: workflows that have a schedule, and which of them start by themselves. */
export function scheduleList(cli: Cli): ReturnType<typeof newCommand> {
  const command = newCommand("list", "workflows with a schedule, and when they start next").alias("ls");
  return withCommonOptions(command).action((options: CommonOptions) => cli.act(() => withSession(cli.io, options, true, list)));
}

async function list(session: Session): Promise<number> {
  const { io, service, style } = session;
  const schedules = await service.listSchedules();
  if (session.isJson) io.out(`${JSON.stringify({ schedules: schedules.map(scheduleJson) })}\n`);
  else if (schedules.length === 0)
    io.error(`No published workflow has a schedule. \`${session.tutti} workflow apply FILE\` publishes one.\n`);
  else {
    const rows = schedules.map((view) => [
      oneLine(`${view.namespace}/${view.name}:${view.version}`),
      view.isEnabled ? "enabled" : "off",
      view.nextAtMs === undefined ? "" : formatNear(view.nextAtMs, io.now()),
      view.last === undefined ? "" : formatNear(view.last.atMs, io.now()),
      oneLine(triggerText(view)),
    ]);
    const columns = [{ title: "WORKFLOW" }, { title: "STATE" }, { title: "NEXT" }, { title: "LAST" }, { title: "STARTS" }];
    io.out(renderTable(columns, rows, io.size().columns, style.dim));
  }
  return EXIT.ok;
}
