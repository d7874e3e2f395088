import { existsSync, readFileSync } from "node:fs";
import { type EffectLedger, failed, succeeded, type ToolAnswer } from "./fault.ts";

interface Volume {
  readonly name: string;
  readonly path: string;
  readonly format: string;
  content: string | undefined;
}

interface Domain {
  readonly name: string;
  readonly uuid: string;
  xml: string;
  state: "shut off" | "running";
  readonly disks: Map<string, string>;
  readonly serials: Map<string, string>;
}

/** The `virsh` commands that the deployment uses, with libvirt's rules and messages: names of volumes and domains are unique. */
export class FakeHypervisor {
  readonly volumes = new Map<string, Volume>();
  readonly domains = new Map<string, Domain>();
  readonly #ledger: EffectLedger;
  readonly #pool = "lab";

  constructor(ledger: EffectLedger) {
    this.#ledger = ledger;
  }

  /** The address of a running domain: derived from its name, as a lease stays with a machine. */
  addressOf(name: string): string | undefined {
    const domain = this.domains.get(name);
    return domain?.state === "running" ? "198.18.200.10" : undefined;
  }

  /** Serial numbers of the disks that a running machine has. */
  disksOf(name: string): ReadonlySet<string> {
    return new Set(this.domains.get(name)?.serials.values() ?? []);
  }

  virsh(args: readonly string[]): ToolAnswer {
    const [command, ...rest] = args.filter((each) => each !== "-q");
    const operands = withoutOptions(rest);
    switch (command) {
      case "list":
        return succeeded(`${[...this.domains.keys()].join("\n")}\n`);
      case "define":
        return this.#define(operands[0] ?? "");
      case "start":
        return this.#start(operands[0] ?? "");
      case "dumpxml":
        return this.#ofDomain(operands[0] ?? "", (domain) => domain.xml);
      case "domuuid":
        return this.#ofDomain(operands[0] ?? "", (domain) => `${domain.uuid}\n\n`);
      case "domstate":
        return this.#ofDomain(operands[0] ?? "", (domain) => `${domain.state}\n\n`);
      case "domblklist":
        return this.#ofDomain(operands[0] ?? "", (domain) =>
          [...domain.disks].map(([target, source]) => ` ${target}   ${source}\n`).join(""),
        );
      case "domifaddr":
        return this.#ofDomain(operands[0] ?? "", (domain) => {
          const address = this.addressOf(domain.name);
          return address === undefined ? "" : ` vnet0      52:54:00:00:00:01    ipv4         ${address}/24\n`;
        });
      case "attach-disk":
        return this.#attach(operands, optionOf(rest, "--serial") ?? "");
      case "vol-list":
        return succeeded([...this.volumes.values()].map((volume) => ` ${volume.name}   ${volume.path}\n`).join(""));
      case "vol-create-as":
        return this.#createVolume(operands[0] ?? "", operands[1] ?? "", optionOf(rest, "--format") ?? "raw");
      case "vol-info":
        return this.#ofVolume(operands[0] ?? "", (volume) => `Name:           ${volume.name}\nType:           file\n`);
      case "vol-path":
        return this.#ofVolume(operands[0] ?? "", (volume) => `${volume.path}\n`);
      case "vol-upload":
        return this.#upload(operands[0] ?? "", operands[1] ?? "");
      default:
        return failed(`error: unknown command: '${command ?? ""}'`);
    }
  }

  #createVolume(pool: string, name: string, format: string): ToolAnswer {
    if (pool !== this.#pool) return failed(`error: failed to get pool '${pool}'`);
    if (this.volumes.has(name)) return failed(`error: Failed to create vol ${name}\nerror: storage volume '${name}' exists already`);
    this.#ledger.note(`volume ${name}`);
    this.volumes.set(name, { name, path: `/fake/pool/${name}`, format, content: undefined });
    return succeeded();
  }

  #upload(name: string, file: string): ToolAnswer {
    const volume = this.volumes.get(name);
    if (volume === undefined) return failed(`error: failed to get vol '${name}'`);
    // The file of a sender that was ended in between is gone.
    if (!existsSync(file)) return failed(`error: cannot open ${file}: No such file or directory`);
    volume.content = readFileSync(file, "utf8");
    return succeeded();
  }

  #define(file: string): ToolAnswer {
    if (!existsSync(file)) return failed(`error: Failed to open file '${file}': No such file or directory`);
    const xml = readFileSync(file, "utf8");
    const name = /<name>(.*?)<\/name>/.exec(xml)?.[1];
    const uuid = /<uuid>(.*?)<\/uuid>/.exec(xml)?.[1];
    if (name === undefined || uuid === undefined)
      return failed(`error: Failed to define domain from ${file}\nerror: XML error: missing name or uuid`);
    const existing = this.domains.get(name);
    if (existing !== undefined && existing.uuid !== uuid) {
      return failed(
        `error: Failed to define domain from ${file}\nerror: operation failed: domain '${name}' already exists with uuid ${existing.uuid}`,
      );
    }
    if (existing !== undefined) {
      existing.xml = normalQuotes(xml);
      return succeeded();
    }
    this.#ledger.note(`domain ${name}`);
    const root = /<source file='([^']*)'\/><target dev='vda'/.exec(xml)?.[1] ?? "";
    this.domains.set(name, { name, uuid, xml: normalQuotes(xml), state: "shut off", disks: new Map([["vda", root]]), serials: new Map() });
    return succeeded();
  }

  #start(name: string): ToolAnswer {
    const domain = this.domains.get(name);
    if (domain === undefined) return failed(`error: failed to get domain '${name}'`);
    if (domain.state === "running") return failed("error: Domain is already active");
    this.#ledger.note(`start ${name}`);
    domain.state = "running";
    return succeeded();
  }

  #attach(operands: readonly string[], serial: string): ToolAnswer {
    const [name = "", source = "", target = ""] = operands;
    const domain = this.domains.get(name);
    if (domain === undefined) return failed(`error: failed to get domain '${name}'`);
    if (domain.disks.has(target))
      return failed(`error: Failed to attach disk\nerror: Requested operation is not valid: target ${target} already exists`);
    this.#ledger.note(`attachment of ${source}`);
    domain.disks.set(target, source);
    domain.serials.set(target, serial);
    return succeeded();
  }

  #ofDomain(name: string, show: (domain: Domain) => string): ToolAnswer {
    const domain = this.domains.get(name);
    return domain === undefined ? failed(`error: failed to get domain '${name}'`) : succeeded(show(domain));
  }

  #ofVolume(name: string, show: (volume: Volume) => string): ToolAnswer {
    const volume = this.volumes.get(name);
    return volume === undefined ? failed(`error: failed to get vol '${name}'`) : succeeded(show(volume));
  }
}

/** libvirt writes its XML anew, with one kind of quotes. */
function normalQuotes(xml: string): string {
  return xml.replaceAll("'", '"');
}

/** Options of these commands that take a value; the others stand alone. */
const VALUED = new Set(["--format", "--backing-vol", "--backing-vol-format", "--pool", "--driver", "--subdriver", "--serial"]);

function withoutOptions(args: readonly string[]): string[] {
  return args.filter((each, place) => !each.startsWith("--") && !VALUED.has(args[place - 1] ?? ""));
}

function optionOf(args: readonly string[], name: string): string | undefined {
  const place = args.indexOf(name);
  return place < 0 ? undefined : args[place + 1];
}
