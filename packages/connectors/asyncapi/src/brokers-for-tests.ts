import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

/** Ports of `lab/brokers.sh`. */
export const BROKER_PORTS = { mqtt: 11883, amqp: 15680, nats: 14222 } as const;
/** The same brokers with TLS, for the name `TLS_NAME`. */
export const TLS_PORTS = { mqtt: 11884, amqp: 15681, nats: 14224 } as const;
export const TLS_NAME = "broker.lab.test";
/** The log-in of all of them. */
export const LOGIN = { username: "lab", password: "lab" } as const;

const SCRIPT = fileURLToPath(new URL("../../../../lab/brokers.sh", import.meta.url));
const run = promisify(execFile);

/** What the lab made for TLS: the authority, the brokers' certificate, and one that is signed by itself, each with its key but the first. */
export function labCertificates(): Readonly<Record<"authority" | "server" | "serverKey" | "self" | "selfKey", string>> {
  const directory = join(process.env["LAB_STATE"] ?? "/var/tmp/tutti-lab", "brokers/tls");
  const read = (name: string): string => readFileSync(join(directory, name), "utf8");
  return {
    authority: read("ca.pem"),
    server: read("server.pem"),
    serverKey: read("server.key"),
    self: read("self.pem"),
    selfKey: read("self.key"),
  };
}

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
