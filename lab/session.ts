import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Phases, ROOT_DIRECTORY, say } from "./commands.ts";
import { deployInput } from "./deploy-input.ts";
import { cleanUp } from "./inspect.ts";
import { buildSampleRepository, type SampleRepository } from "./sample-repository.ts";
import { type Hypervisor, LabSystems } from "./systems.ts";
import { Tutti } from "./tutti.ts";

export const WORKFLOW_FILE = join(ROOT_DIRECTORY, "examples/deploy-server/deploy-server.yaml");

export interface LabSession {
  readonly phases: Phases;
  readonly hypervisor: Hypervisor;
  readonly repository: SampleRepository;
  readonly tutti: Tutti;
  readonly workDirectory: string;
  readonly inputFile: string;
}

export interface LabSessionOptions {
  readonly serverName: string;
  readonly application: string;
  /** Leaves the systems and what was deployed as they are. */
  readonly keeps: boolean;
}

/**
 * Brings the lab up, lets `work` happen and takes everything down again, whatever became of it, also after Ctrl-C.
 *
 * @returns the process's exit code: 0 only when `work` and the cleaning up succeeded.
 */
export async function withLab(options: LabSessionOptions, work: (session: LabSession) => Promise<void>): Promise<number> {
  const phases = new Phases();
  const systems = new LabSystems(phases);
  const workDirectory = await mkdtemp(join(tmpdir(), "tutti-lab-"));
  const tutti = new Tutti(join(workDirectory, "data"));
  const interrupted = new Promise<never>((_, reject) => {
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => reject(new Error(`ended by ${signal}`)));
  });
  let hypervisor: Hypervisor | undefined;
  let code = 0;
  try {
    const prepare = async (): Promise<void> => {
      hypervisor = await systems.start();
      await cleanUp(hypervisor, options.serverName);
      const repository = await buildSampleRepository();
      const inputFile = join(workDirectory, "input.json");
      const input = await deployInput({ ...options, hypervisor, repository, workDirectory });
      await writeFile(inputFile, JSON.stringify(input, undefined, 2));
      await work({ phases, hypervisor, repository, tutti, workDirectory, inputFile });
    };
    await Promise.race([prepare(), interrupted]);
  } catch (error) {
    say(`FAILED: ${error instanceof Error ? error.message : String(error)}`);
    code = 1;
  }
  // Whatever goes wrong from here on, the rest of the cleaning is still tried.
  const clean = async (what: string, action: () => Promise<void>): Promise<void> => {
    try {
      await action();
    } catch (error) {
      say(`cleaning up ${what} failed: ${String(error)}`);
      code = 1;
    }
  };
  await clean("tutti", () => tutti.stop());
  if (options.keeps) {
    say(`kept: the lab's systems, the deployment and ${workDirectory}`);
  } else {
    const known = hypervisor;
    if (known !== undefined)
      await clean("the deployment", () => phases.time("deployment cleaned up", () => cleanUp(known, options.serverName)));
    await clean("the systems", () => phases.time("systems stopped", () => systems.stop()));
    if (code === 0) await clean("files", () => rm(workDirectory, { recursive: true, force: true }));
    else say(`data directory kept for a look: ${join(workDirectory, "data")}`);
  }
  say(`total: ${phases.totalSeconds} s`);
  return code;
}
