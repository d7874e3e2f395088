import { isJsonObject, type Json } from "@tutti/model";
import { type Cli, newCommand } from "../cli.ts";
import { EXIT } from "../exit-code.ts";
import { formatNear } from "../render/duration.ts";
import { renderTable } from "../render/table.ts";
import { oneLine } from "../render/text.ts";
import { parseCount } from "../run-options.ts";
import { type CommonOptions, withCommonOptions, withSession } from "../session.ts";

const LIMIT_MAX = 1000;

interface EventListOptions extends CommonOptions {
  readonly limit: string;
}

/** `tutti event list`: events that arrived, newest first. */
export function eventList(cli: Cli): ReturnType<typeof newCommand> {
  const command = newCommand("list", "events that arrived").alias("ls").option("--limit <count>", "events at most", "50");
  return withCommonOptions(command).action((options: EventListOptions) =>
    cli.act(() =>
      withSession(cli.io, options, true, async ({ io, service, style, isJson }) => {
        const events = await service.listEvents(parseCount(options.limit, "--limit", LIMIT_MAX));
        if (isJson) {
          const printed = events.map((event) => ({
            position: event.position,
            acceptedAt: new Date(event.acceptedAtMs).toISOString(),
            event: parseBody(event.body),
          }));
          io.out(`${JSON.stringify({ events: printed })}\n`);
        } else if (events.length === 0) io.error("No events.\n");
        else {
          const rows = events.map((event) => [
            String(event.position),
            formatNear(event.acceptedAtMs, io.now()),
            oneLine(event.type),
            oneLine(event.id),
            oneLine(dataOf(event.body)),
          ]);
          io.out(
            renderTable(
              [{ title: "POSITION", align: "right" }, { title: "ACCEPTED" }, { title: "TYPE" }, { title: "ID" }, { title: "DATA" }],
              rows,
              io.size().columns,
              style.dim,
            ),
          );
        }
        return EXIT.ok;
      }),
    ),
  );
}

function parseBody(body: string): Json {
  return JSON.parse(body) as Json;
}

function dataOf(body: string): string {
  const event = parseBody(body);
  const data = isJsonObject(event) ? event["data"] : undefined;
  return data === undefined ? "" : JSON.stringify(data);
}
