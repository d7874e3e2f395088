import { execFile } from "node:child_process";
import { randomInt } from "node:crypto";
import { createServer } from "node:net";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { AttemptProvider } from "@tutti/connector-kit";
import { isJsonObject, type Json } from "@tutti/model";

const SCRIPT = fileURLToPath(new URL("../../../../lab/pdns.sh", import.meta.url));
const KEY = "lab-key-0123456789abcdef";
/** The first start on a bare machine installs packages. */
const START_MS = 240_000;

const run = promisify(execFile);

/** The lab installs packages and needs root on Debian. */
export const hasLab = process.getuid?.() === 0;

/** A PowerDNS of a test's own. */
export interface Pdns {
  readonly url: string;
  provider(url: string, apiKey?: string): AttemptProvider;
  /** Speaks to it past the connector. */
  ask(method: string, path: string, body?: Json): Promise<Json>;
  /** Deletes all zones. */
  empty(): Promise<void>;
  stop(): Promise<void>;
}

/** A port that nobody listens on, of those that the system gives to nobody (from 32768 on it does), and hardly another test's. */
async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(20_000, 30_000);
    const isFree = await new Promise<boolean>((resolve) => {
      const server = createServer();
      server.once("error", () => resolve(false));
      server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
    });
    if (isFree) return port;
  }
}

/** Starts PowerDNS by `lab/pdns.sh`, beside any other that runs. */
export async function startPdns(): Promise<Pdns> {
  const state = await mkdtemp(join(tmpdir(), "tutti-pdns-"));
  const [dns, api] = [await freePort(), await freePort()];
  const environment = { PDNS_PORT: `${dns}`, PDNS_API_PORT: `${api}`, PDNS_API_KEY: KEY, LAB_STATE: state };
  const script = (verb: string): Promise<unknown> =>
    run("bash", [SCRIPT, verb], { timeout: START_MS, env: { ...process.env, ...environment } });
  await script("start");
  const url = `http://127.0.0.1:${api}`;
  const ask = async (method: string, path: string, body?: Json): Promise<Json> => {
    const answer = await fetch(`${url}/api/v1/servers/localhost${path}`, {
      method,
      headers: { "x-api-key": KEY },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path} answered ${answer.status}: ${text}`);
    return text === "" ? null : (JSON.parse(text) as Json);
  };
  return {
    url,
    ask,
    provider: (at, apiKey = KEY) => ({ name: "dns", configuration: { url: at }, credentials: { apiKey } }),
    empty: async () => {
      const zones = await ask("GET", "/zones");
      for (const zone of Array.isArray(zones) ? zones : [])
        if (isJsonObject(zone)) await ask("DELETE", `/zones/${String(zone["id"] as string)}`);
    },
    stop: async () => {
      await script("stop");
      await rm(state, { recursive: true, force: true });
    },
  };
}
