import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
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
  return DOCUMENT.replaceAll(/after: \{ (?:seconds|minutes): \d+ \}/g, "after: { seconds: 8 }").replaceAll(
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
