import { labScript, say, tryRun, LAB_DIRECTORY, type Phases } from "./commands.ts";

/** In the order in which they are started; git listens on the link that libvirt makes. */
const SYSTEMS = ["rt", "pdns", "haproxy", "libvirt", "git"] as const;
type System = (typeof SYSTEMS)[number];

export const DNS_API = "http://127.0.0.1:18081/api/v1/servers/localhost";
export const DNS_KEY = "lab";
export const DNS_ZONE = "lab.test.";
export const TICKET_API = "http://127.0.0.1:18085/REST/2.0";
export const TICKET_LOGIN = { username: "root", password: "labpassword" } as const;

/** Where a program finds what it needs to make servers of its own: the lines of `libvirt.sh ready`. */
export interface Hypervisor {
  readonly uri: string;
  readonly pool: string;
  readonly network: string;
  readonly image: { readonly base: string; readonly kernel: string; readonly initrd: string; readonly commandLine: string };
  readonly keyFile: string;
  readonly hostAddress: string;
}

/** The systems of the deployment. Stops only what it started itself: a lab that was up before stays up. */
export class LabSystems {
  readonly #started: System[] = [];
  readonly #phases: Phases;

  constructor(phases: Phases) {
    this.#phases = phases;
  }

  async start(): Promise<Hypervisor> {
    for (const system of SYSTEMS) {
      const running = (await tryRun(`${LAB_DIRECTORY}${system}.sh`, ["status"])).code === 0;
      if (!running) this.#started.push(system);
      // Also when it runs: the script installs the tools that belong to it.
      await this.#phases.time(`${system} ${running ? "was up" : "started"}`, () =>
        labScript(system, system === "libvirt" ? "ready" : "start"),
      );
    }
    await this.#zone();
    return this.#hypervisor();
  }

  async stop(): Promise<void> {
    for (const system of this.#started.toReversed()) {
      try {
        await labScript(system, "stop");
      } catch (error) {
        say(`${system} did not stop: ${String(error)}`);
      }
    }
    this.#started.length = 0;
  }

  async #hypervisor(): Promise<Hypervisor> {
    const lines = (await labScript("libvirt", "ready")).split("\n");
    const value = (name: string): string => {
      const line = lines.find((each) => each.startsWith(`${name}=`));
      if (line === undefined) throw new Error(`libvirt.sh ready does not say ${name}`);
      return line.slice(name.length + 1);
    };
    return {
      uri: value("URI"),
      pool: value("POOL"),
      network: value("NETWORK"),
      image: { base: value("BASE"), kernel: value("KERNEL"), initrd: value("INITRD"), commandLine: value("COMMAND_LINE") },
      keyFile: value("KEY"),
      hostAddress: value("HOST"),
    };
  }

  /** The zone is the infrastructure's, not the deployment's: it is there before and after. */
  async #zone(): Promise<void> {
    const response = await fetch(`${DNS_API}/zones`, {
      method: "POST",
      headers: { "X-API-Key": DNS_KEY, "Content-Type": "application/json" },
      body: JSON.stringify({ name: DNS_ZONE, kind: "Native", nameservers: [`ns1.${DNS_ZONE}`] }),
    });
    if (!response.ok && response.status !== 409) throw new Error(`zone ${DNS_ZONE}: ${response.status} ${await response.text()}`);
  }
}
