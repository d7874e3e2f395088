import { existsSync, readFileSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import type { AttemptProvider } from "@tutti/connector-kit";
import type { OpenTarget, TargetFault } from "@tutti/connector-kit/conformance";
import type { JsonObject } from "@tutti/model";
import { freePort, startLabSystem } from "@tutti/testkit/lab";

const LOOK_EVERY_MS = 10;
const ACCOUNT = "lab-account-0123456789";
const PASSWORD = "lab/pass word:0123456789";

/** A server of repositories of a test's own, and files to back up. */
export interface Backups {
  /** Files of a directory of their own. */
  readonly directory: string;
  provider(more?: JsonObject, password?: string): AttemptProvider;
  stop(): Promise<void>;
}

/** Starts the server by `lab/restic.sh`, beside any other that runs. */
export async function startBackups(): Promise<Backups> {
  const port = await freePort();
  const system = await startLabSystem("restic", { RESTIC_PORT: port, RESTIC_LAB_PASSWORD: ACCOUNT });
  const directory = join(system.state, "files");
  await mkdir(join(directory, "deep"), { recursive: true });
  await writeFile(join(directory, "one.txt"), "one");
  await writeFile(join(directory, "deep/two.txt"), "two");
  return {
    directory,
    provider: (more = {}, password = PASSWORD) => ({
      name: "backups",
      configuration: { repository: `rest:http://127.0.0.1:${port}/main/`, cacheDirectory: join(system.state, "cache"), ...more },
      credentials: { password, user: "lab", userPassword: ACCOUNT },
    }),
    stop: () => system.stop(),
  };
}

/** A program before restic that loses, doubles and spoils its answers on demand: as the provider's `restic`. */
export async function openDoor(backups: Backups, fault: TargetFault): Promise<OpenTarget> {
  const directory = await mkdtemp(join(tmpdir(), "tutti-restic-"));
  const script = join(directory, "door");
  const counted = join(directory, "count");
  await writeFile(script, doorScript(counted, fault), { mode: 0o755 });
  const stopped = new AbortController();
  const requests = (): number => (existsSync(counted) ? readFileSync(counted, "utf8").split("\n").length - 1 : 0);
  const reached = (async () => {
    while (requests() === 0 && !stopped.signal.aborted) await pause(LOOK_EVERY_MS);
  })();
  const nowhere: JsonObject = fault.kind === "down" ? { repository: "rest:http://127.0.0.1:1/main/" } : {};
  return {
    provider: backups.provider({ restic: script, ...nowhere }, fault.kind === "denied" ? "another password 0123456789" : undefined),
    requests,
    reached,
    close: async () => {
      stopped.abort();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

function doorScript(counted: string, fault: TargetFault): string {
  const here = "request" in fault ? `[ $n = ${fault.request} ]` : "true";
  return `#!/bin/bash
echo x >> ${counted}
n=$(wc -l < ${counted})
${deeds(here)[fault.kind]}
exec restic "$@"
`;
}

function deeds(here: string): Readonly<Record<TargetFault["kind"], string>> {
  return {
    none: "",
    down: "",
    denied: "",
    busy: `echo "Fatal: unable to create lock in backend: repository is already locked by PID 1 on elsewhere" >&2; exit 1`,
    silent: "exec sleep 1000",
    garbage: `printf '<html>\\0 {[ not what you think'; exit 0`,
    stranger: `echo '{"status":"ok","message":"welcome"}'; exit 0`,
    echo: `{ echo "$@"; env; cat /proc/self/fd/3; } >&2; exit 1`,
    flood: "exec yes",
    "request-lost": `${here} && kill -9 $$`,
    "answer-lost": `${here} && { restic "$@" > /dev/null; kill -9 $$; }`,
    "failed-after": `${here} && { restic "$@" > /dev/null; echo "Fatal: server response unexpected: 503 Service Unavailable (503)" >&2; exit 1; }`,
    doubled: `${here} && { restic "$@" > /dev/null 2>&1; exec restic "$@"; }`,
  };
}
