import { execFile } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { promisify } from "node:util";
import type { AttemptProvider } from "@tutti/connector-kit";
import type { OpenTarget, TargetFault } from "@tutti/connector-kit/conformance";
import type { JsonObject } from "@tutti/model";
import { startLabSystem } from "@tutti/testkit/lab";

const LOOK_EVERY_MS = 10;
const run = promisify(execFile);

/** A volume of the lab that an image would be: empty. */
export const IMAGE = "base.qcow2";

/** libvirt with QEMU of a test's own. */
export interface Hypervisor {
  readonly provider: AttemptProvider;
  readonly uri: string;
  /** Kernel and initramfs of a guest that boots in seconds. */
  readonly boot: { readonly kernel: string; readonly initrd: string };
  /** Asks libvirt past the connector. */
  virsh(...words: readonly string[]): Promise<string>;
  /** What the lab begins with: the image, the pool and the network. */
  reset(): Promise<void>;
  stop(): Promise<void>;
}

export function providerOf(configuration: JsonObject): AttemptProvider {
  return { name: "lab", configuration, credentials: {} };
}

/** Starts libvirt by `lab/libvirt.sh`, beside any other that there is. */
export async function startHypervisor(): Promise<Hypervisor> {
  const lab = await startLabSystem("libvirt", { LAB_LIBVIRT: `lab-lv-${process.pid}`, LAB_TINY: 1 });
  const said = (name: string): string => new RegExp(`^${name}=(\\S+)`, "m").exec(lab.said)?.[1] ?? "";
  const uri = said("LIBVIRT_URI");
  const virsh = async (...words: readonly string[]): Promise<string> => (await run("virsh", ["-q", "-c", uri, ...words])).stdout;
  const lines = async (...words: readonly string[]): Promise<readonly string[]> =>
    (await virsh(...words))
      .split("\n")
      .map((line) => line.trim())
      .filter((line) => line !== "");
  await virsh("vol-create-as", "lab", IMAGE, "8MiB", "--format", "qcow2");
  return {
    provider: providerOf({ uri, pool: "lab", network: "lab", virtualization: "qemu" }),
    uri,
    boot: { kernel: said("KERNEL"), initrd: said("INITRD") },
    virsh,
    reset: async () => {
      const running = await lines("list", "--uuid");
      const domains = await lines("list", "--all", "--uuid");
      const networks = (await lines("net-list", "--all", "--name")).filter((name) => name !== "lab");
      const volumes = (await lines("vol-list", "lab")).map((line) => line.split(/\s+/)[0] ?? "").filter((name) => name !== IMAGE);
      const commands = [
        ...running.map((uuid) => `destroy ${uuid}`),
        ...domains.map((uuid) => `undefine ${uuid} --managed-save --snapshots-metadata`),
        ...networks.flatMap((name) => [`net-destroy ${name}`, `net-undefine ${name}`]),
        ...volumes.map((name) => `vol-delete ${name} lab`),
      ];
      if (commands.length > 0) await virsh(commands.join("; "));
    },
    stop: () => lab.stop(),
  };
}

/** Faults that only these tests make. */
export type DoorFault =
  | TargetFault
  /** The command whose words have this in them is refused for good, once. */
  | { readonly kind: "refuses"; readonly word: string };

/** A program before virsh that loses, doubles and spoils its answers on demand: as the provider's `virsh`. */
export async function openDoor(hypervisor: Hypervisor, fault: DoorFault): Promise<OpenTarget> {
  const directory = await mkdtemp(join(tmpdir(), "tutti-virsh-"));
  const script = join(directory, "door");
  const counted = join(directory, "count");
  await writeFile(script, doorScript(counted, fault), { mode: 0o755 });
  const stopped = new AbortController();
  const requests = (): number => (existsSync(counted) ? readFileSync(counted, "utf8").split("\n").length - 1 : 0);
  const reached = (async () => {
    while (requests() === 0 && !stopped.signal.aborted) await pause(LOOK_EVERY_MS);
  })();
  const uri = fault.kind === "down" ? `qemu:///system?socket=${directory}/nobody` : hypervisor.provider.configuration["uri"];
  return {
    provider: providerOf({ ...hypervisor.provider.configuration, uri: uri ?? null, virsh: script }),
    requests,
    reached,
    close: async () => {
      stopped.abort();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

function doorScript(counted: string, fault: DoorFault): string {
  const here = "request" in fault ? `[ $n = ${fault.request} ]` : "true";
  return `#!/bin/bash
echo x >> ${counted}
n=$(wc -l < ${counted})
${deeds(here, "word" in fault ? fault.word : "")[fault.kind]}
exec virsh "$@"
`;
}

function deeds(here: string, word: string): Readonly<Record<DoorFault["kind"], string>> {
  return {
    none: "",
    down: "",
    busy: `echo "error: Timed out during operation: cannot acquire state change lock (held by monitor=remoteDispatchDomainCreate)" >&2; exit 1`,
    denied: `echo "error: failed to connect to the hypervisor
error: authentication unavailable: no polkit agent available to authenticate action 'org.libvirt.unix.manage'" >&2; exit 1`,
    silent: "exec sleep 1000",
    garbage: `printf '<html>\\0 {[ not what you think'; exit 0`,
    stranger: `echo '{"status":"ok","message":"welcome"}'; exit 0`,
    echo: `{ echo "$@"; cat; } >&2; exit 1`,
    flood: "exec yes",
    "request-lost": `${here} && kill -9 $$`,
    "answer-lost": `${here} && { virsh "$@" > /dev/null; kill -9 $$; }`,
    "failed-after": `${here} && { virsh "$@" > /dev/null; echo "error: Timed out during operation: cannot acquire state change lock" >&2; exit 1; }`,
    doubled: `${here} && { virsh "$@" > /dev/null 2>&1; exec virsh "$@"; }`,
    refuses: `[[ "$*" = *"${word}"* ]] && { echo "error: internal error: not today" >&2; exit 1; }`,
  };
}
