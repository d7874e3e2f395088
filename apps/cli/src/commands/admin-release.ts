import { readRestoreMark, removeRestoreMark } from "@tutti/host";
import { type Cli, newCommand } from "../cli.ts";
import { EXIT } from "../exit-code.ts";
import { oneLine, plural } from "../render/text.ts";
import { type CommonOptions, dataDirectoryOf, mustExist, type Session, withCommonOptions, withSession } from "../session.ts";

/** Runs named in the text; `run list` has the others. */
const NAMED_MAX = 20;
const PAGE = 200;

interface ReleaseOptions extends CommonOptions {
  readonly dryRun?: boolean;
}

/** `tutti admin release`: lets the runs of a restored data directory go on. */
export function adminRelease(cli: Cli): ReturnType<typeof newCommand> {
  const command = newCommand("release", "let the runs of a restored data directory go on").option(
    "--dry-run",
    "show what would go on, change nothing",
  );
  return withCommonOptions(command).action((options: ReleaseOptions) =>
    cli.act(async () => {
      const directory = dataDirectoryOf(cli.io, options);
      mustExist(directory);
      const mark = await readRestoreMark(directory);
      if (mark === undefined) {
        if (options.json) cli.io.out(`${JSON.stringify({ released: false, runs: [] })}\n`);
        else cli.io.out("Nothing to release: the data directory is not paused after a restore.\n");
        return EXIT.ok;
      }
      // The session's host still refuses to move anything; it has ended when the mark goes.
      const runs = await withSession(cli.io, options, true, (session) => show(session, options));
      if (options.dryRun) return EXIT.ok;
      await removeRestoreMark(directory);
      if (options.json) cli.io.out(`${JSON.stringify({ released: true, backupAtMs: mark.backupAtMs, runs })}\n`);
      else cli.io.out("Released: `tutti up` drives all runs on, `tutti run resume RUN` one of them.\n");
      return EXIT.ok;
    }),
  );
}

/** Runs that are under way, with what of them is in flight. @returns their ids. */
async function show(session: Session, options: ReleaseOptions): Promise<readonly string[]> {
  const { io, service, isJson } = session;
  const rows = [];
  let cursor: string | undefined;
  do {
    const page = await service.list({ status: ["running", "waiting"], limit: PAGE, ...(cursor === undefined ? {} : { cursor }) });
    rows.push(...page.runs);
    cursor = page.next;
  } while (cursor !== undefined);
  const runIds = rows.map((row) => row.runId);
  if (isJson) {
    if (options.dryRun) io.out(`${JSON.stringify({ released: false, runs: runIds })}\n`);
    return runIds;
  }
  const inFlight = rows.filter((row) => row.isOutstanding);
  io.out(
    `${plural(rows.length, "run")} would go on, ${plural(inFlight.length, "of them had", "of them had")} something in flight when the backup was made.\n`,
  );
  for (const row of inFlight.slice(0, NAMED_MAX))
    io.out(`  ${row.runId}  ${oneLine(`${row.namespace}/${row.name}`)}  ${oneLine(row.reason ?? row.status)}\n`);
  io.out(
    "What was in flight counts as interrupted: reads and idempotent calls are repeated, findable effects are looked up, the others wait for `tutti run settle`.\n" +
      "What the installation did after the backup is not known here: release only when it works no more.\n",
  );
  return runIds;
}
