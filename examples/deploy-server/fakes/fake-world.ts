import { join } from "node:path";
import { failed, EffectLedger, FaultPlan, succeeded, type ToolAnswer } from "./fault.ts";
import { FakeBalancer } from "./fake-balancer.ts";
import { FakeDns } from "./fake-dns.ts";
import { FakeHypervisor } from "./fake-hypervisor.ts";
import { FakeMachine } from "./fake-machine.ts";
import { FakeTickets } from "./fake-tickets.ts";
import type { Inventory } from "../inventory.ts";
import { HttpDoor } from "./http-door.ts";
import { type ToolCall, ToolDoor } from "./tool-door.ts";

export const FAKE_SERVER = "app1";
export const FAKE_ZONE = "lab.test.";
export const FAKE_LOGIN = { username: "root", password: "labpassword" } as const;
export const FAKE_DNS_KEY = "lab";
const BALANCER_PORT = 18080;

/**
 * Stand-ins for all systems of the deployment that speak their protocols: HTTP on loopback ports, and executables in place of the tools.
 * They live in this process, so what they were told outlives every process that told them.
 */
export class FakeWorld {
  readonly ledger = new EffectLedger();
  readonly hypervisor = new FakeHypervisor(this.ledger);
  readonly machine = new FakeMachine(FAKE_SERVER, this.hypervisor, this.ledger);
  readonly balancer = new FakeBalancer(this.ledger);
  readonly dns = new FakeDns(FAKE_ZONE, FAKE_DNS_KEY);
  readonly tickets = new FakeTickets(this.ledger, FAKE_LOGIN);
  readonly plan: FaultPlan;
  readonly #tickets: HttpDoor;
  readonly #dns: HttpDoor;
  readonly #tools: ToolDoor;

  constructor(plan: FaultPlan = new FaultPlan()) {
    this.plan = plan;
    this.#tickets = new HttpDoor(
      "tickets",
      () => plan,
      (request) => this.tickets.handle(request),
    );
    this.#dns = new HttpDoor(
      "dns",
      () => plan,
      (request) => this.dns.handle(request),
    );
    this.#tools = new ToolDoor(
      () => plan,
      (call) => this.#carryOut(call),
    );
  }

  /** Opens the doors. @returns the workflow's input for this world; executables are written under `directory`. */
  async open(directory: string) {
    const tools = await this.#tools.open(join(directory, "tools"));
    return {
      server: { name: FAKE_SERVER },
      volume: { sizeMiB: 64, mountPoint: "/srv/data" },
      application: { repository: "git://198.18.200.2/applications.git", revision: "main", name: "hello", port: 8080 },
      hypervisor: {
        uri: "qemu:///system",
        pool: "lab",
        network: "lab",
        image: { base: "/fake/base.qcow2", kernel: "/fake/vmlinuz", initrd: "/fake/initrd", commandLine: "quiet" },
      },
      access: { user: "debian", publicKey: "ssh-ed25519 AAAA fake", sshConfig: join(directory, "ssh_config") },
      dns: { api: `${await this.#dns.open()}/api/v1/servers/localhost`, zone: FAKE_ZONE, resolver: "127.0.0.1", resolverPort: 15353 },
      loadBalancer: { socket: join(directory, "admin.sock"), backend: "web", address: "127.0.0.1", port: BALANCER_PORT },
      ticketing: { api: `${await this.#tickets.open()}/REST/2.0`, queue: "General" },
      tools,
    };
  }

  async close(): Promise<void> {
    await Promise.all([this.#tickets.close(), this.#dns.close(), this.#tools.close()]);
  }

  /** What the systems list, as `lab/inspect.ts` lists the real ones. */
  inventory(): Inventory {
    const domains = [...this.hypervisor.domains.values()];
    const data = `/${FAKE_SERVER}-data`;
    const comments = this.tickets.tickets.flatMap((ticket) => ticket.history).filter((each) => each.type === "Comment");
    return {
      domains: domains.map((domain) => domain.name),
      volumes: [...this.hypervisor.volumes.keys()],
      attached: domains.flatMap((domain) => [...domain.disks.values()].filter((source) => source.includes(data))),
      members: [...this.balancer.members.keys()],
      records: this.dns.recordSets.flatMap((set) => set.records.map((record) => `${set.name} ${set.type} ${record.content}`)),
      tickets: this.tickets.tickets.map(({ id, status }) => ({ id, status })),
      reports: comments.filter((each) => each.data.startsWith("Deployed [")).length,
    };
  }

  /** Everything in the systems but what differs from run to run: tokens and what derives from them. */
  contents(): unknown {
    return {
      domains: [...this.hypervisor.domains.values()].map((domain) => ({
        name: domain.name,
        state: domain.state,
        disks: [...domain.disks],
      })),
      volumes: [...this.hypervisor.volumes.values()].toSorted((a, b) => a.name.localeCompare(b.name)),
      machine: {
        fileSystems: [...this.machine.fileSystems],
        mounts: [...this.machine.mounts],
        checkouts: [...this.machine.checkouts.keys()],
        services: [...this.machine.services].map(([name, service]) => ({ name, commit: service.commit, port: service.port })),
      },
      members: [...this.balancer.members],
      records: this.dns.recordSets.map(({ name, type, ttl, records }) => ({ name, type, ttl, records })),
      tickets: this.tickets.tickets.map((ticket) => ({
        status: ticket.status,
        subject: ticket.subject.replace(/\[.*\]/, "[]"),
        history: ticket.history.map((each) => ({ type: each.type, data: each.data.replace(/\[.*\]/, "[]") })),
      })),
    };
  }

  #carryOut(call: ToolCall): ToolAnswer {
    switch (call.tool) {
      case "virsh":
        return this.hypervisor.virsh(call.args);
      case "ssh":
        return this.machine.ssh(call.args, call.input);
      case "socat":
        return succeeded(this.balancer.tell(call.input));
      case "dig":
        return succeeded(
          this.dns
            .resolve(call.args.at(-2) ?? "")
            .map((address) => `${address}\n`)
            .join(""),
        );
      case "curl":
        return this.#fetch(call.args);
      case "genisoimage":
        return failed("genisoimage works without the world", 2);
    }
  }

  /** Through the load balancer, when `--resolve` leads to it. */
  #fetch(args: readonly string[]): ToolAnswer {
    const resolved = args[args.indexOf("--resolve") + 1] ?? "";
    if (!resolved.endsWith(`:${BALANCER_PORT}:127.0.0.1`)) return failed(`curl: (6) Could not resolve host: ${args.at(-1) ?? ""}`, 6);
    const target = this.balancer.route();
    const page =
      target !== undefined && target.address === this.hypervisor.addressOf(FAKE_SERVER) ? this.machine.health(target.port) : undefined;
    return page === undefined ? failed("curl: (22) The requested URL returned error: 503", 22) : succeeded(page);
  }
}
