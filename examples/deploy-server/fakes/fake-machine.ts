import { type EffectLedger, failed, succeeded, type ToolAnswer } from "./fault.ts";
import type { FakeHypervisor } from "./fake-hypervisor.ts";

/** Stands for the commit that the repository's revision names. */
export const FAKE_COMMIT = "1234567890abcdef1234567890abcdef12345678";

interface Checkout {
  readonly token: string;
}
interface Service {
  readonly token: string;
  readonly commit: string;
  readonly port: number;
}

/**
 * The machine behind `ssh`. A script is known by its first line, `# NAME ARGUMENT...`; the fake does on its small state what that script does
 * on a real server, with the same guards, and prints the same.
 */
export class FakeMachine {
  readonly fileSystems = new Set<string>();
  readonly mounts = new Map<string, string>();
  readonly checkouts = new Map<string, Checkout>();
  readonly services = new Map<string, Service>();
  readonly #ledger: EffectLedger;
  readonly #hypervisor: FakeHypervisor;
  readonly #name: string;

  constructor(name: string, hypervisor: FakeHypervisor, ledger: EffectLedger) {
    this.#name = name;
    this.#hypervisor = hypervisor;
    this.#ledger = ledger;
  }

  /** `-F CONFIG USER@ADDRESS COMMAND...`, the script on standard input. */
  ssh(args: readonly string[], script: string): ToolAnswer {
    const [flag, , login = "", ...command] = args;
    const address = login.split("@")[1];
    if (flag !== "-F" || address === undefined) return failed("usage: ssh -F configfile destination command", 255);
    if (address !== this.#hypervisor.addressOf(this.#name)) return failed(`ssh: connect to host ${address} port 22: No route to host`, 255);
    if (command.join(" ").startsWith("cloud-init status --wait")) return succeeded();
    if (command.slice(0, 4).join(" ") !== "sudo bash -s --") return failed(`bash: ${command.join(" ")}: command not found`, 127);
    return this.#script(/^# ([a-z-]+)/.exec(script)?.[1] ?? "", command.slice(4));
  }

  /** What a client gets that asks the service at this port. */
  health(port: number): string | undefined {
    for (const [application, service] of this.services) {
      if (service.port === port) return `${JSON.stringify({ status: "ok", application, commit: service.commit })}\n`;
    }
    return undefined;
  }

  #script(name: string, args: readonly string[]): ToolAnswer {
    const [first = "", second = "", third = "", fourth = ""] = args;
    switch (name) {
      case "mount-volume":
        return this.#mount(first, second);
      case "find-volume":
        return succeeded(this.mounts.has(first) ? `ext4   ${first}\n` : "");
      case "fetch-application":
        if (this.checkouts.get(fourth)?.token !== first) {
          this.#ledger.note(`checkout of ${fourth}`);
          this.checkouts.set(fourth, { token: first });
        }
        return succeeded(`${FAKE_COMMIT}\n`);
      case "find-application":
        return succeeded(this.checkouts.get(second)?.token === first ? `${FAKE_COMMIT}\n` : "");
      case "install-application":
        if (!this.checkouts.has(second)) return failed(`ExecStart: /opt/tutti/${second}/${second}/run: No such file`);
        this.services.set(second, { token: first, commit: third, port: Number(fourth) });
        return succeeded("active\n");
      case "find-service":
        return succeeded(this.services.get(second)?.token === first ? "active\n" : "");
      default:
        return failed(`no script named ${name}`, 127);
    }
  }

  #mount(serial: string, mountPoint: string): ToolAnswer {
    if (!this.#hypervisor.disksOf(this.#name).has(serial))
      return failed(`mkfs.ext4: /dev/disk/by-id/virtio-${serial}: No such file or directory`);
    if (!this.fileSystems.has(serial)) {
      this.#ledger.note(`file system on ${serial}`);
      this.fileSystems.add(serial);
    }
    if (!this.mounts.has(mountPoint)) {
      this.#ledger.note(`mount at ${mountPoint}`);
      this.mounts.set(mountPoint, serial);
    }
    return succeeded(`ext4   ${mountPoint}\n`);
  }
}
