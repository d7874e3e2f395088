import { execFile, spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { AttemptProvider } from "@tutti/connector-kit";
import type { OpenTarget, TargetFault } from "@tutti/connector-kit/conformance";
import type { JsonObject } from "@tutti/model";

const SCRIPT = fileURLToPath(new URL("../../../../lab/nftables.sh", import.meta.url));
/** The first start on a bare machine installs packages. */
const START_MS = 240_000;
const LOOK_EVERY_MS = 10;
/** What a refused or dropped connection is waited for: the counters tell that it was the firewall. */
const CONNECT_SECONDS = 2;
const SERVER = "198.18.211.2";

const run = promisify(execFile);

/** The lab makes network namespaces, installs packages and needs root on Debian. */
export const hasLab = process.getuid?.() === 0;

/** Client, firewall and server of a test's own. */
export interface Firewall {
  readonly namespace: string;
  readonly provider: AttemptProvider;
  /** Whether the client reaches a service of the server. */
  reaches(port: number): Promise<boolean>;
  /** Starts a service on the server. */
  serve(port: number): Promise<void>;
  /** Gives nft a script past the connector. */
  nft(script: string): Promise<string>;
  /** The rules and sets that the lab begins with. */
  reset(): Promise<void>;
  stop(): Promise<void>;
}

export function providerOf(configuration: JsonObject): AttemptProvider {
  return { name: "fw", configuration, credentials: {} };
}

/** Starts three hosts by `lab/nftables.sh`, beside any others that there are. */
export async function startFirewall(): Promise<Firewall> {
  const namespace = `lab-fw-${process.pid}`;
  const environment = { ...process.env, LAB_FW: namespace };
  const script = (verb: string): Promise<unknown> => run("bash", [SCRIPT, verb], { timeout: START_MS, env: environment });
  await script("start");
  const within = (name: string): readonly string[] => [`--net=/run/netns/${name}`];
  const services: ReturnType<typeof spawn>[] = [];
  const reaches = async (port: number): Promise<boolean> =>
    run("nsenter", [
      ...within(`${namespace}-client`),
      "curl",
      "-s",
      "--connect-timeout",
      `${CONNECT_SECONDS}`,
      `http://${SERVER}:${port}/`,
    ]).then(
      () => true,
      () => false,
    );
  return {
    namespace,
    provider: providerOf({ namespace }),
    reaches,
    serve: async (port) => {
      const program = `require("node:http").createServer((q, r) => r.end("here")).listen(${port}, "${SERVER}", () => console.log("up"))`;
      const child = spawn("nsenter", [...within(`${namespace}-server`), process.execPath, "-e", program], {
        stdio: ["ignore", "pipe", "inherit"],
      });
      services.push(child);
      await new Promise<void>((resolve, reject) => {
        child.stdout?.once("data", () => resolve());
        child.once("exit", () => reject(new Error("the service did not start")));
      });
    },
    nft: async (text) => {
      const child = run("nsenter", [...within(namespace), "nft", "-f", "-"]);
      child.child.stdin?.end(text);
      return (await child).stdout;
    },
    reset: () => script("start").then(() => {}),
    stop: async () => {
      for (const child of services) child.kill();
      await script("stop");
    },
  };
}

/** Faults that only these tests make. */
export type DoorFault =
  | TargetFault
  /** After this many requests the program is gone. */
  | { readonly kind: "gone-after"; readonly request: number };

/** A command before nft that loses, doubles and spoils its answers on demand: as the provider's `command`, where an ssh would stand. */
export async function openDoor(firewall: Firewall, fault: DoorFault): Promise<OpenTarget> {
  const directory = await mkdtemp(join(tmpdir(), "tutti-nft-"));
  const script = join(directory, "door");
  const counted = join(directory, "count");
  if (fault.kind !== "down") await writeFile(script, doorScript(counted, script, fault), { mode: 0o755 });
  const stopped = new AbortController();
  const requests = (): number => (existsSync(counted) ? readFileSync(counted, "utf8").split("\n").length - 1 : 0);
  const reached = (async () => {
    while (requests() === 0 && !stopped.signal.aborted) await pause(LOOK_EVERY_MS);
  })();
  return {
    provider: providerOf({ namespace: firewall.namespace, command: [script] }),
    requests,
    reached,
    close: async () => {
      stopped.abort();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

function doorScript(counted: string, self: string, fault: DoorFault): string {
  const here = "request" in fault ? `[ $n = ${fault.request} ]` : "true";
  return `#!/bin/bash
echo x >> ${counted}
n=$(wc -l < ${counted})
${deeds(here, self)[fault.kind]}
exec "$@"
`;
}

function deeds(here: string, self: string): Readonly<Record<DoorFault["kind"], string>> {
  return {
    none: "",
    down: "",
    busy: `echo "netlink: Error: cache initialization failed: Resource temporarily unavailable" >&2; exit 1`,
    denied: `exec setpriv --reuid 65534 --clear-groups "$@"`,
    silent: "exec sleep 1000",
    garbage: `printf '<html>\\0 {[ not what you think'; exit 0`,
    stranger: `echo '{"status":"ok","message":"welcome"}'; exit 0`,
    echo: `{ echo "$@"; cat; } >&2; exit 1`,
    flood: "exec yes",
    "request-lost": `${here} && kill -9 $$`,
    "answer-lost": `${here} && { "$@" > /dev/null; kill -9 $$; }`,
    "failed-after": `${here} && { "$@" > /dev/null; echo "Resource temporarily unavailable" >&2; exit 1; }`,
    doubled: `${here} && { input=$(cat); printf %s "$input" | "$@" > /dev/null 2>&1; printf %s "$input" | "$@"; exit $?; }`,
    "gone-after": `${here} && rm ${self}`,
  };
}
