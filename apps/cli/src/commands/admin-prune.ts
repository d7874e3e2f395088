import type { TuttiService } from "@tutti/host";
import { type Cli, newCommand } from "../cli.ts";
import { EXIT } from "../exit-code.ts";
import { renderTable } from "../render/table.ts";
import { formatBytes, groupDigits, oneLine, plural } from "../render/text.ts";
import { parseDurationOption } from "../run-options.ts";
import { type CommonOptions, type Session, withCommonOptions, withSession } from "../session.ts";

interface PruneOptions extends CommonOptions {
  readonly olderThan?: string;
  readonly dryRun?: boolean;
}

type PruneReport = Awaited<ReturnType<TuttiService["prune"]>>;

/** `tutti admin prune`: deletes finished runs now, with their logs, and gives their space back. */
export function adminPrune(cli: Cli): ReturnType<typeof newCommand> {
  const command = newCommand("prune", "delete finished runs and give their space back")
    .option("--older-than <duration>", "runs that ended longer ago than this (12h, 90d), whatever documents say (default: what they say)")
    .option("--dry-run", "say what would be deleted, change nothing");
  return withCommonOptions(command).action((options: PruneOptions) =>
    cli.act(async () => {
      const olderThanMs = options.olderThan === undefined ? undefined : parseDurationOption(options.olderThan, "--older-than");
      return withSession(cli.io, options, true, async (session) => {
        const dryRun = options.dryRun === true;
        const report = await session.service.prune(olderThanMs === undefined ? { dryRun } : { dryRun, olderThanMs });
        print(session, report);
        return EXIT.ok;
      });
    }),
  );
}

function print({ io, isJson, style }: Session, report: PruneReport): void {
  if (isJson) {
    io.out(`${JSON.stringify(report)}\n`);
    return;
  }
  const { dryRun, runs, runsBelow, workflows, bytesBefore, bytesAfter } = report;
  const below = runsBelow === 0 ? "" : ` and ${plural(runsBelow, "run")} below`;
  io.out(
    dryRun
      ? `Would delete ${plural(runs, "finished run")} and what is below. Nothing was changed.\n`
      : `Deleted ${plural(runs, "finished run")}${below}; the store had ${formatBytes(bytesBefore)} and has ${formatBytes(bytesAfter)}.\n`,
  );
  if (workflows.length > 0)
    io.out(
      renderTable(
        [
          { title: "WORKFLOW", shrinks: true },
          { title: "RUNS", align: "right" },
        ],
        workflows.map((one) => [oneLine(`${one.namespace}/${one.name}`), groupDigits(one.runs)]),
        io.size().columns,
        style.dim,
      ),
    );
}
