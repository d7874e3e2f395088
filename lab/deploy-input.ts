import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { LAB_STATE } from "./commands.ts";
import type { SampleRepository } from "./sample-repository.ts";
import { DNS_API, DNS_ZONE, TICKET_API, type Hypervisor } from "./systems.ts";

export const APPLICATION_PORT = 8080;
export const BACKEND = "web";
export const BALANCER_SOCKET = join(LAB_STATE, "haproxy", "admin.sock");
export const BALANCER_PORT = 18080;
export const RESOLVER_PORT = 15353;

export interface DeployInputOptions {
  readonly serverName: string;
  readonly application: string;
  readonly hypervisor: Hypervisor;
  readonly repository: SampleRepository;
  /** For files that belong to this deployment: ssh's configuration and what it learns about the host. */
  readonly workDirectory: string;
}

/** The workflow's input for the lab's endpoints. */
export async function deployInput(options: DeployInputOptions) {
  const { hypervisor, repository } = options;
  const sshConfig = join(options.workDirectory, "ssh_config");
  const sshOptions = {
    IdentityFile: hypervisor.keyFile,
    IdentitiesOnly: "yes",
    UserKnownHostsFile: join(options.workDirectory, "known_hosts"),
    StrictHostKeyChecking: "accept-new",
    BatchMode: "yes",
    // Covers the exchange of keys, which a server that is emulated on a busy machine is slow at.
    ConnectTimeout: "30",
    // A server that went away is noticed after this times three, not after the kernel's quarter of an hour.
    ServerAliveInterval: "15",
    LogLevel: "ERROR",
  };
  await writeFile(
    sshConfig,
    `Host *\n${Object.entries(sshOptions)
      .map(([name, value]) => `  ${name} ${value}\n`)
      .join("")}`,
  );
  return {
    server: { name: options.serverName, cpus: 2, memoryMiB: 512, diskGiB: 4 },
    volume: { sizeMiB: 256, mountPoint: "/srv/data" },
    application: {
      repository: `git://${hypervisor.hostAddress}/${repository.name}`,
      revision: repository.revision,
      name: options.application,
      port: APPLICATION_PORT,
    },
    hypervisor: { uri: hypervisor.uri, pool: hypervisor.pool, network: hypervisor.network, image: hypervisor.image },
    access: { user: "debian", publicKey: (await readFile(`${hypervisor.keyFile}.pub`, "utf8")).trim(), sshConfig },
    dns: { api: DNS_API, zone: DNS_ZONE, resolver: "127.0.0.1", resolverPort: RESOLVER_PORT },
    loadBalancer: { socket: BALANCER_SOCKET, backend: BACKEND, address: "127.0.0.1", port: BALANCER_PORT },
    ticketing: { api: TICKET_API, queue: "General" },
  };
}
