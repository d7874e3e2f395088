import { type Connector, ConnectorError, defineConnector, type Health, type ProviderAccess } from "@tutti/connector-kit";
import { allDomains, readDomain, Vm } from "./domains.ts";
import { allNetworks, Network, networkFunctions, readNetwork, tokenOfNetwork } from "./network-functions.ts";
import { allSnapshots, readSnapshot, Snapshot, snapshotFunctions, snapshotId } from "./snapshot-functions.ts";
import { CONFIGURATION, Virsh, type VirshEnvironment } from "./virsh.ts";
import { vmFunctions } from "./vm-functions.ts";
import { volumeFunctions } from "./volume-functions.ts";
import { allVolumes, readVolume, splitVolume, Volume, volumeId } from "./volumes.ts";

export interface LibvirtConnectorOptions {
  /** Of this process; virsh gets what it needs of it: where programs are, and what ssh and a session's libvirt ask for. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
}

const PASSED_ON = ["HOME", "SSH_AUTH_SOCK", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "LIBVIRT_AUTH_FILE"];
const SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin";
/** The first version whose virsh has all that is asked for here. */
const VERSION_MIN = 8;

/** Machines, volumes, networks and snapshots of libvirt, through `virsh`. */
export function libvirtConnector(options: LibvirtConnectorOptions = {}): Connector {
  const environment = programEnvironment(options.environment ?? {});
  return defineConnector({
    name: "libvirt",
    version: "1.0.0",
    target: { system: "libvirt with QEMU", tested: "9.0" },
    configuration: CONFIGURATION,
    check: (access) => check(environment, access),
    resources: resources(environment),
    functions: {
      ...vmFunctions(environment),
      ...volumeFunctions(environment),
      ...networkFunctions(environment),
      ...snapshotFunctions(environment),
    },
  });
}

function programEnvironment(given: Readonly<Record<string, string | undefined>>): VirshEnvironment {
  const kept = PASSED_ON.map((name) => [name, given[name]] as const).filter(
    (each): each is readonly [string, string] => each[1] !== undefined,
  );
  // The words that are looked for in virsh's errors are those of no language.
  return { ...Object.fromEntries(kept), LC_ALL: "C", PATH: given["PATH"] === undefined ? SYSTEM_PATH : `${given["PATH"]}:${SYSTEM_PATH}` };
}

function resources(environment: VirshEnvironment): NonNullable<Connector["resources"]> {
  return {
    vm: {
      title: "A machine",
      schema: Vm,
      id: (vm) => Vm.parse(vm).name,
      token: (vm) => Vm.parse(vm).token ?? undefined,
      read: async (id, access) => (await readDomain(new Virsh(environment, access), id))?.vm,
      list: async (access) => (await allDomains(new Virsh(environment, access))).map(({ vm }) => vm),
    },
    volume: {
      title: "A volume of a storage pool",
      schema: Volume,
      id: (volume) => volumeId(Volume.parse(volume)),
      token: (volume) => Volume.parse(volume).token ?? undefined,
      read: async (id, access) => readVolume(new Virsh(environment, access), splitVolume(id, "")),
      list: async (access) => allVolumes(new Virsh(environment, access)),
    },
    network: {
      title: "A network",
      schema: Network,
      id: (network) => Network.parse(network).name,
      token: (network) => tokenOfNetwork(Network.parse(network)),
      read: async (id, access) => readNetwork(new Virsh(environment, access), id),
      list: async (access) => allNetworks(new Virsh(environment, access)),
    },
    snapshot: {
      title: "A snapshot of a machine",
      schema: Snapshot,
      id: (snapshot) => snapshotId(Snapshot.parse(snapshot)),
      token: (snapshot) => Snapshot.parse(snapshot).token ?? undefined,
      read: async (id, access) => {
        const at = id.indexOf(" ");
        const virsh = new Virsh(environment, access);
        const domain = await readDomain(virsh, id.slice(0, at < 0 ? id.length : at));
        return domain === undefined ? undefined : readSnapshot(virsh, domain, id.slice(at + 1));
      },
      list: async (access) => allSnapshots(new Virsh(environment, access)),
    },
  };
}

async function check(environment: VirshEnvironment, access: ProviderAccess): Promise<Health> {
  try {
    const virsh = new Virsh(environment, access);
    const said = await virsh.read("version", "--daemon");
    const version = /Running against daemon: (\d+\.\d+\.\d+)/.exec(said ?? "")?.[1];
    if (version === undefined) throw virsh.strange();
    if (Number.parseInt(version, 10) < VERSION_MIN)
      return {
        status: "degraded",
        version,
        problem: `libvirt ${version} is older than ${VERSION_MIN}.0, the first version that this works with.`,
        wayOut: "Update libvirt.",
      };
    const { pool } = virsh.configuration;
    if ((await virsh.read("pool-info", "--pool", pool)) === undefined)
      return {
        status: "degraded",
        version,
        problem: `There is no storage pool ${pool}, in which disks would be made.`,
        wayOut: "Make it (virsh pool-define-as), or name another in the provider's `pool`.",
      };
    return { status: "healthy", version };
  } catch (error) {
    if (!(error instanceof ConnectorError)) throw error;
    const wayOut =
      error.errorKind === "authorization"
        ? "Let the user of Tutti use libvirt (group libvirt), or correct account and keys of the uri."
        : "Look at the provider's uri, and try it by hand: virsh -c URI list.";
    return { status: "unhealthy", version: undefined, problem: error.message, wayOut };
  }
}
