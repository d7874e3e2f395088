import { execFile } from "node:child_process";
import { randomInt } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { AttemptProvider } from "@tutti/connector-kit";
import { isJsonObject, type Json, type JsonObject } from "@tutti/model";

const SCRIPT = fileURLToPath(new URL("../../../../lab/rt.sh", import.meta.url));
const LOGIN = { user: "root", password: "labpassword" } as const;
/** The first start on a bare machine installs packages. */
const START_MS = 280_000;

const run = promisify(execFile);

/** The lab installs packages and needs root on Debian. */
export const hasLab = process.getuid?.() === 0;

/** A Request Tracker of a test's own, with the queues `one` and `two` and the custom fields Server (one value) and Hosts (several). */
export interface Rt {
  readonly url: string;
  /** An authentication token of its administrator. */
  readonly token: string;
  provider(url: string, credentials?: JsonObject): AttemptProvider;
  /** Speaks to it past the connector. */
  ask(method: string, path: string, body?: Json): Promise<Json>;
  /** Deletes all tickets. */
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

/** Starts Request Tracker by `lab/rt.sh`, beside any other that runs. */
export async function startRt(): Promise<Rt> {
  const state = await mkdtemp(join(tmpdir(), "tutti-rt-"));
  const port = await freePort();
  const script = (verb: string): Promise<{ readonly stdout: string }> =>
    run("bash", [SCRIPT, verb], { timeout: START_MS, env: { ...process.env, RT_PORT: `${port}`, LAB_STATE: state } });
  const { stdout } = await script("start");
  const token = /^RT_TOKEN=(\S+)$/m.exec(stdout)?.[1];
  if (token === undefined) throw new Error(`lab/rt.sh says no RT_TOKEN: ${stdout}`);
  const url = `http://127.0.0.1:${port}`;
  const ask = async (method: string, path: string, body?: Json): Promise<Json> => {
    const answer = await fetch(`${url}/REST/2.0${path}`, {
      method,
      headers: { authorization: `token ${token}`, "content-type": "application/json" },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path} answered ${answer.status}: ${text}`);
    return text === "" ? null : (JSON.parse(text) as Json);
  };
  for (const name of ["one", "two"]) await ask("POST", "/queue", { Name: name });
  return {
    url,
    token,
    ask,
    provider: (at, credentials = LOGIN) => ({ name: "desk", configuration: { url: at }, credentials }),
    empty: async () => {
      const found = await ask("GET", `/tickets?query=${encodeURIComponent("id > 0")}&orderby=id&order=DESC&per_page=100`);
      const items = isJsonObject(found) && Array.isArray(found["items"]) ? found["items"] : [];
      for (const ticket of items) if (isJsonObject(ticket)) await ask("PUT", `/ticket/${ticket["id"] as string}`, { Status: "deleted" });
    },
    stop: async () => {
      await script("stop");
      await rm(state, { recursive: true, force: true });
    },
  };
}
