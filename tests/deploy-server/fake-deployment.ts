import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { openHost, resolveDataDirectory } from "@tutti/host";
import type { Json } from "@tutti/model";
import type { FaultPlan } from "../../examples/deploy-server/fakes/fault.ts";
import { FAKE_DNS_KEY, FAKE_LOGIN, FakeWorld } from "../../examples/deploy-server/fakes/fake-world.ts";

const DOCUMENT_FILE = fileURLToPath(new URL("../../examples/deploy-server/deploy-server.yaml", import.meta.url));

/** The very document. */
export const DOCUMENT = readFileSync(DOCUMENT_FILE, "utf8");

/**
 * The document with shorter times, for answers that get lost: the fakes answer at once, and a machine that runs several of these side by side
 * still carries out every step in this time. Where processes are killed it is too short: a step's time goes on while nobody is there.
 */
export function impatientDocument(): string {
  return DOCUMENT.replaceAll(/after: \{ (?:seconds|minutes): \d+ \}/g, "after: { seconds: 6 }").replaceAll(
    "delay: { seconds: 2 }",
    "delay: { milliseconds: 50 }",
  );
}

export interface FakeDeployment {
  readonly world: FakeWorld;
  /** The data directory, and what a process needs to run the case (`run-process.ts`). */
  readonly directory: string;
  readonly caseFile: string;
  readonly environment: Readonly<Record<string, string>>;
  close(): Promise<void>;
}

/** A fresh world, a fresh data directory and the document, ready to be run. */
export async function prepare(options: { readonly plan?: FaultPlan; readonly document: string }): Promise<FakeDeployment> {
  const directory = mkdtempSync(join(tmpdir(), "deploy-server-"));
  const world = new FakeWorld(options.plan);
  const input = await world.open(directory);
  const caseFile = join(directory, "case.json");
  writeFileSync(caseFile, JSON.stringify({ document: options.document, input }));
  const environment = {
    PATH: process.env.PATH ?? "",
    HOME: directory,
    TUTTI_DATA: join(directory, "data"),
    TUTTI_SECRET_ticketing: JSON.stringify(FAKE_LOGIN),
    TUTTI_SECRET_dnsApiKey: FAKE_DNS_KEY,
  };
  const close = async (): Promise<void> => {
    await world.close();
    rmSync(directory, { recursive: true, force: true });
  };
  return { world, directory, caseFile, environment, close };
}

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
const CASE_LIMIT_MS = 120_000;
