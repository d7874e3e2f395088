import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

/** Ports of `lab/brokers.sh`. */
export const BROKER_PORTS = { mqtt: 11883, amqp: 15680, nats: 14222 } as const;
/** The log-in of all of them. */
export const LOGIN = { username: "lab", password: "lab" } as const;

const SCRIPT = fileURLToPath(new URL("../../../../lab/brokers.sh", import.meta.url));
const run = promisify(execFile);

/** The lab installs packages and needs root on Debian. */
export const hasLab = process.getuid?.() === 0;

/** Starts the brokers, or uses those of the lab that run. @returns stops what was started here. */
export async function startBrokers(): Promise<() => Promise<void>> {
  const { stdout } = await run("bash", [SCRIPT, "status"], { timeout: 120_000 }).catch(() => ({ stdout: "off" }));
  if (!/\boff\b/.test(stdout)) return async () => {};
  await run("bash", [SCRIPT, "start"], { timeout: 240_000 });
  return async () => {
    await run("bash", [SCRIPT, "stop"], { timeout: 240_000 });
  };
}

/** Stops one broker and starts it again: its connections are lost. */
export async function restartBroker(name: keyof typeof BROKER_PORTS): Promise<void> {
  await run("bash", [SCRIPT, "restart"], { timeout: 240_000, env: { ...process.env, BROKERS: name } });
}
