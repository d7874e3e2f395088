import { execFile } from "node:child_process";
import { randomInt } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

/** The first start on a bare machine installs packages. Milliseconds. */
const START_MS = 280_000;
/** The system gives ports from 32768 on to whoever asks for any. */
const [PORT_MIN, PORT_END] = [20_000, 30_000];

const run = promisify(execFile);

/** The lab installs packages and needs root on Debian. */
export const hasLab = process.getuid?.() === 0;

/** A system of `lab/` that a test has for itself, beside any other that runs. */
export interface LabSystem {
  /** Where it keeps its data, logs and sockets. */
  readonly state: string;
  /** What its script said when it had started. */
  readonly said: string;
  /** Ends it and removes its data. */
  stop(): Promise<void>;
}

/**
 * Starts a system by `lab/NAME.sh` in a state directory of its own.
 *
 * @param environment what the script reads: ports, passwords. Ports come from `freePort`.
 * @throws what the script printed, when it does not start.
 */
export async function startLabSystem(name: string, environment: Readonly<Record<string, string | number>> = {}): Promise<LabSystem> {
  const script = fileURLToPath(new URL(`../../../lab/${name}.sh`, import.meta.url));
  const state = await mkdtemp(join(tmpdir(), `tutti-${name}-`));
  const own = Object.fromEntries(Object.entries(environment).map(([key, value]) => [key, String(value)]));
  const say = async (verb: string): Promise<string> => {
    const { stdout } = await run("bash", [script, verb], { timeout: START_MS, env: { ...process.env, ...own, LAB_STATE: state } });
    return stdout;
  };
  return {
    state,
    said: await say("start"),
    stop: async () => {
      await say("stop");
      await rm(state, { recursive: true, force: true });
    },
  };
}

/** A port that nobody listens on, and hardly another test's. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(PORT_MIN, PORT_END);
    const isFree = await new Promise<boolean>((resolve) => {
      const server = createServer();
      server.once("error", () => resolve(false));
      server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
    });
    if (isFree) return port;
  }
}
