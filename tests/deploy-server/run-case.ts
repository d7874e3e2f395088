import { readFileSync } from "node:fs";
import { openHost, resolveDataDirectory } from "@tutti/host";
import type { Json } from "@tutti/model";

export interface CaseResult {
  readonly runId: string;
  readonly status: string;
  readonly error: unknown;
  /** Paths of tasks that wait for a person. */
  readonly inDoubt: readonly string[];
  readonly seq: number;
}

/**
 * Runs the case in this process until it is at rest or needs a person. The start has a key: done again, after a crash, it finds the run it
 * started before.
 *
 * @param settlement what a person says first about a task in doubt.
 */
export async function runCase(
  caseFile: string,
  environment: Readonly<Record<string, string | undefined>>,
  settlement?: { readonly task: string; readonly output: Json },
): Promise<CaseResult> {
  const { document, input } = JSON.parse(readFileSync(caseFile, "utf8")) as { document: string; input: object };
  const directory = resolveDataDirectory({ flag: undefined, environment, currentDirectory: "/" });
  const host = await openHost({
    directory,
    drive: "all",
    environment,
    report: (message, cause) => process.stderr.write(`${message}: ${String(cause)}\n`),
  });
  try {
    const { service } = host;
    const { definition } = await service.publish({ text: document });
    const { namespace, name, version } = definition;
    // What was parsed from JSON is JSON.
    const { runId } = await service.startRun({ namespace, name, version, input: input as never, actor: "test", startKey: caseFile });
    if (settlement !== undefined) {
      const { task, output } = settlement;
      await service.operate({
        runId,
        actor: "test",
        reason: "seen in the ticket system",
        action: { kind: "settle", task, verdict: { kind: "done", output } },
      });
    }
    await service.waitFor(runId, "parked", AbortSignal.timeout(CASE_LIMIT_MS));
    const view = await service.show(runId);
    const inDoubt = view.waits.filter((wait) => wait.kind === "settle").map((wait) => wait.path);
    return { runId, status: view.status, error: view.error, inDoubt, seq: view.seq };
  } finally {
    await host.stop();
  }
}

/** The longest case waits for two lost answers of the ticket system and looks again after each. */
const CASE_LIMIT_MS = 600_000;
