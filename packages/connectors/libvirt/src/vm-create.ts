import { type Attempt, ConnectorError, type ConnectorFunction, parseInput, programFile, z } from "@tutti/connector-kit";
import type { JsonObject } from "@tutti/model";
import { type Domain, NAMESPACE, readDomain } from "./domains.ts";
import { Image, macOf, NetworkName, SizeMib, Text, uuidOf, VmName, volumeNameOf } from "./names.ts";
import { removeMachine } from "./remove-machine.ts";
import { SEED_FILE_BYTES_MAX, seedImage } from "./seed.ts";
import { ANSWER_MS, TIMES, Virsh, type VirshEnvironment } from "./virsh.ts";
import { makeVolume, MIB, readVolume, splitVolume, type Volume, volumeId } from "./volumes.ts";
import { writeXml, xml, type XmlElement } from "./xml.ts";

/** A machine with more is none that one call should make. */
const DISKS_MAX = 16;
const NETWORKS_MAX = 8;
const VCPUS_MAX = 512;
/** vda, vdb …: of one letter. */
const LETTERS = "abcdefghijklmnopqrstuvwxyz";

const SeedText = z.string().max(SEED_FILE_BYTES_MAX);
export const Vcpus = z.int().min(1).max(VCPUS_MAX);
const FilePath = z.string().regex(/^\/[\w./+@-]{1,1000}$/, "an absolute path on the host of the machine");

const CreateInput = z
  .strictObject({
    name: VmName,
    vcpus: Vcpus.default(1),
    memoryMib: SizeMib.default(1024),
    image: Image.optional(),
    rootDiskMib: SizeMib.optional().meta({ description: "Size of the disk over the image; left out: that of the image" }),
    disks: z
      .array(z.strictObject({ sizeMib: SizeMib, format: z.enum(["qcow2", "raw"]).default("qcow2") }))
      .max(DISKS_MAX)
      .default([])
      .meta({ description: "More disks, empty, deleted with the machine" }),
    networks: z.array(NetworkName).max(NETWORKS_MAX).optional().meta({ description: "Left out: the provider's network; empty: none" }),
    userData: SeedText.optional().meta({ description: "For cloud-init, such as a text that begins with #cloud-config" }),
    metaData: z.record(z.string(), z.json()).optional().meta({ description: "For cloud-init, besides instance-id and local-hostname" }),
    networkConfig: SeedText.optional().meta({ description: "For cloud-init" }),
    start: z.boolean().default(true),
    autostart: z.boolean().default(false).meta({ description: "Start it with its host" }),
    description: Text.optional().meta({ description: "For the people who look at it" }),
    vcpusMax: Vcpus.optional().meta({ description: "So many it may get while it runs; left out: as it begins with" }),
    memoryMaxMib: SizeMib.optional().meta({ description: "So much it may get while it runs; left out: as it begins with" }),
    boot: z
      .strictObject({ kernel: FilePath, initrd: FilePath.optional(), commandLine: Text.optional() })
      .optional()
      .meta({ description: "Boot this kernel of the host directly, instead of what is on the disk" }),
  })
  .refine(({ image, rootDiskMib }) => image !== undefined || rootDiskMib === undefined, "rootDiskMib is the size of a disk over an image")
  .refine(({ vcpus, vcpusMax = vcpus }) => vcpus <= vcpusMax, "vcpusMax is at least vcpus")
  .refine(({ memoryMib, memoryMaxMib = memoryMib }) => memoryMib <= memoryMaxMib, "memoryMaxMib is at least memoryMib");
type CreateInput = z.infer<typeof CreateInput>;
const CreateOutput = z.strictObject({
  name: z.string(),
  uuid: z.string(),
  token: z.string(),
  /** Of the disks that go with it, as pool/volume. */
  volumes: z.array(z.string()),
  interfaces: z.array(z.strictObject({ mac: z.string(), network: z.string() })),
});

/** What a call makes: the same for each attempt of its token and input. */
interface Plan {
  readonly input: CreateInput;
  readonly uuid: string;
  readonly token: string;
  readonly disks: readonly (Parameters<typeof makeVolume>[1] & { readonly target: string })[];
  readonly seed: { readonly volume: Pick<Volume, "pool" | "name">; readonly target: string; readonly image: Buffer } | undefined;
  readonly interfaces: readonly { readonly mac: string; readonly network: string }[];
}

export function vmCreate(environment: VirshEnvironment): ConnectorFunction {
  /**
   * Findable and unique: the UUID follows from the token, and libvirt has one machine of a UUID and of a name. The machine is defined first and marked as
   * complete last, so an attempt that was interrupted is gone on with, and what it has made is never more than once there.
   */
  return {
    ...TIMES,
    title: "Make a machine from an image, with disks, networks and cloud-init",
    input: CreateInput,
    output: CreateOutput,
    effect: "findable",
    unique: true,
    creates: "vm",
    undo: { call: "vm.delete:1", with: { vm: "${ .output.uuid }", token: "${ .output.token }" } },
    run: async (given, attempt) => {
      const virsh = new Virsh(environment, attempt);
      const { plan, present } = await planned(virsh, given, attempt);
      // An input that was corrected since: what was made under the old name goes.
      if (present !== undefined && present.vm.name !== plan.input.name) await removeMachine(virsh, present);
      if (present?.mark?.isComplete === true && present.vm.name === plan.input.name) return outputOf(plan);
      try {
        await make(virsh, plan);
      } catch (error) {
        throw error instanceof ConnectorError && error.outcome === "answered" && !error.retryable
          ? await takenBack(virsh, plan, error)
          : error;
      }
      return outputOf(plan);
    },
    find: async (given, attempt) => {
      const virsh = new Virsh(environment, attempt);
      const found = await readDomain(virsh, uuidOf(attempt.token));
      if (found?.mark?.token !== attempt.token || !found.mark.isComplete) return undefined;
      return outputOf((await planned(virsh, given, attempt)).plan);
    },
    preview: async (given, attempt) => {
      const { plan, present } = await planned(new Virsh(environment, attempt), given, attempt);
      const output = outputOf(plan);
      if (present?.mark?.isComplete === true) return { effects: [], output };
      const { name, vcpus, memoryMib, start, description = null } = plan.input;
      const after = { name, uuid: plan.uuid, token: plan.token, description, isRunning: start, vcpus, memoryMib };
      return {
        effects: [
          { kind: "create", resource: "vm", name, after, isReversible: true },
          ...output.volumes.map((volume) => ({ kind: "create" as const, resource: "volume", name: volume, isReversible: true })),
        ],
        output,
      };
    },
  };
}

function outputOf(plan: Plan): z.infer<typeof CreateOutput> {
  const volumes = [...plan.disks, ...(plan.seed === undefined ? [] : [plan.seed.volume])].map(volumeId);
  return { name: plan.input.name, uuid: plan.uuid, token: plan.token, volumes, interfaces: [...plan.interfaces] };
}

async function planned(
  virsh: Virsh,
  given: JsonObject,
  attempt: Attempt,
): Promise<{ readonly plan: Plan; /** What an earlier attempt has made. */ readonly present: Domain | undefined }> {
  const input = parseInput(CreateInput, given);
  const { configuration } = virsh;
  const { token } = attempt;
  const uuid = uuidOf(token);
  const present = await readDomain(virsh, uuid);
  const other = present?.vm.name === input.name ? undefined : await readDomain(virsh, input.name);
  if (other !== undefined)
    throw virsh.refusal(
      `There is a machine ${input.name} already, and this call has not made it.${other.vm.token === null ? "" : ` The call ${other.vm.token} has.`} Choose another name.`,
    );
  const base = input.image === undefined ? undefined : await imageOf(virsh, input.image);
  const { pool } = configuration;
  const disks: Plan["disks"][number][] = [];
  const target = (): string => `vd${LETTERS[disks.length] ?? "z"}`;
  if (base !== undefined)
    disks.push({
      pool,
      name: volumeNameOf(input.name, token, "qcow2"),
      format: "qcow2",
      capacityBytes: Math.max(base.capacityBytes, (input.rootDiskMib ?? 0) * MIB),
      base,
      target: target(),
    });
  for (const [place, { sizeMib, format }] of input.disks.entries())
    disks.push({
      pool,
      name: volumeNameOf(`${input.name}-disk${place + 1}`, token, format === "raw" ? "img" : format),
      format,
      capacityBytes: sizeMib * MIB,
      base: undefined,
      target: target(),
    });
  const hasSeed = [input.userData, input.metaData, input.networkConfig].some((each) => each !== undefined);
  const seed = hasSeed
    ? { volume: { pool, name: volumeNameOf(`${input.name}-seed`, token, "iso") }, target: target(), image: seedOf(input, uuid) }
    : undefined;
  const interfaces = (input.networks ?? [configuration.network]).map((network, place) => ({ mac: macOf(token, place), network }));
  return { plan: { input, uuid, token, disks, seed, interfaces }, present };
}

async function imageOf(
  virsh: Virsh,
  image: string,
): Promise<{ readonly path: string; readonly format: string; readonly capacityBytes: number }> {
  const { pool, imagePool = pool } = virsh.configuration;
  const place = splitVolume(image, imagePool);
  const volume = await readVolume(virsh, place);
  if (volume?.path === undefined || volume.path === null)
    throw virsh.refusal(
      `There is no image ${volumeId(place)}: put it into that storage pool, or name another; \`volume.list\` tells which there are.`,
    );
  return { path: volume.path, format: volume.format ?? "raw", capacityBytes: volume.capacityBytes };
}

function seedOf(input: CreateInput, uuid: string): Buffer {
  const { name, userData = "#cloud-config\n{}\n", metaData = {}, networkConfig } = input;
  return seedImage({
    "user-data": userData,
    // JSON is YAML.
    "meta-data": `${Object.entries({ "instance-id": uuid, "local-hostname": name, ...metaData })
      .map(
        ([key, value]) =>
          `${/^[\w-]+$/.test(key) ? key : JSON.stringify(key)}: ${typeof value === "string" && /^[\w.-]+$/.test(value) ? value : JSON.stringify(value)}`,
      )
      .join("\n")}\n`,
    ...(networkConfig === undefined ? {} : { "network-config": networkConfig }),
  });
}

/** What happens on a crash between two of these: the next attempt does them all once more, and each finds what it makes made. */
async function make(virsh: Virsh, plan: Plan): Promise<void> {
  const { input, uuid } = plan;
  await virsh.must(["define", "/dev/stdin"], { input: writeXml(domainXml(virsh, plan)) });
  for (const disk of plan.disks) await makeVolume(virsh, disk);
  if (plan.seed !== undefined) {
    const { volume, image } = plan.seed;
    await makeVolume(virsh, { ...volume, format: "raw", capacityBytes: image.length, base: undefined });
    await virsh.must(["vol-upload", "--vol", volume.name, "--pool", volume.pool, "--file", programFile(0)], {
      files: [image],
      timeoutMs: ANSWER_MS,
    });
  }
  if (input.autostart) await virsh.must(["autostart", "--domain", uuid]);
  if (input.start) await startMachine(virsh, uuid);
  const { token, volumes } = outputOf(plan);
  const mark = writeXml(xml("vm", { token, complete: "yes", volumes: volumes.join(" ") }));
  await virsh.must(["metadata", "--domain", uuid, "--uri", NAMESPACE, "--key", "tutti", "--set", mark, "--config"]);
}

/** Starts a machine, or finds it running. @throws ConnectorError. */
export async function startMachine(virsh: Virsh, uuid: string): Promise<void> {
  const end = await virsh.change(["start", "--domain", uuid]);
  if (end.kind === "done" || /already (?:active|running)/.test(end.said)) return;
  throw virsh.refusal(`The machine can't be started: ${end.said}`);
}

/** What was begun and will never be done leaves nothing behind; where that fails, the error says so. */
async function takenBack(virsh: Virsh, plan: Plan, error: ConnectorError): Promise<ConnectorError> {
  try {
    const domain = await readDomain(virsh, plan.uuid);
    if (domain !== undefined) await removeMachine(virsh, domain);
    return error;
  } catch (second) {
    const why = second instanceof Error ? second.message : String(second);
    return virsh.refusal(`${error.message} What was made of ${plan.input.name} before is still there (${why}): delete that machine.`);
  }
}

function domainXml(virsh: Virsh, plan: Plan): XmlElement {
  const { input, uuid, token } = plan;
  const { virtualization } = virsh.configuration;
  const { vcpus, vcpusMax = vcpus, memoryMib, memoryMaxMib = memoryMib, boot } = input;
  const { volumes } = outputOf(plan);
  return xml(
    "domain",
    { type: virtualization },
    xml("name", {}, input.name),
    xml("uuid", {}, uuid),
    xml("description", {}, input.description === undefined ? token : `${input.description} ${token}`),
    xml("metadata", {}, xml("vm", { xmlns: NAMESPACE, token, complete: "no", volumes: volumes.join(" ") })),
    xml("memory", { unit: "MiB" }, memoryMaxMib),
    xml("currentMemory", { unit: "MiB" }, memoryMib),
    xml("vcpu", { current: vcpus }, vcpusMax),
    xml(
      "os",
      {},
      xml("type", {}, "hvm"),
      boot === undefined ? undefined : xml("kernel", {}, boot.kernel),
      boot?.initrd === undefined ? undefined : xml("initrd", {}, boot.initrd),
      boot?.commandLine === undefined ? undefined : xml("cmdline", {}, boot.commandLine),
    ),
    xml("features", {}, xml("acpi"), xml("apic")),
    virtualization === "kvm" ? xml("cpu", { mode: "host-model" }) : undefined,
    xml("clock", { offset: "utc" }),
    xml("on_poweroff", {}, "destroy"),
    xml("on_reboot", {}, "restart"),
    xml("on_crash", {}, "destroy"),
    xml(
      "devices",
      {},
      ...plan.disks.map(({ pool, name, format, target }) => diskXml({ pool, name, format, target })),
      plan.seed === undefined ? undefined : diskXml({ ...plan.seed.volume, format: "raw", target: plan.seed.target, isReadOnly: true }),
      ...plan.interfaces.map(({ mac, network }) =>
        xml("interface", { type: "network" }, xml("mac", { address: mac }), xml("source", { network }), xml("model", { type: "virtio" })),
      ),
      xml("channel", { type: "unix" }, xml("target", { type: "virtio", name: "org.qemu.guest_agent.0" })),
      xml("rng", { model: "virtio" }, xml("backend", { model: "random" }, "/dev/urandom")),
      xml("serial", { type: "pty" }, xml("target", { port: 0 })),
      xml("console", { type: "pty" }, xml("target", { type: "serial", port: 0 })),
    ),
  );
}

/** A volume as a disk of a machine. */
export function diskXml(disk: {
  readonly pool: string;
  readonly name: string;
  readonly format: string;
  readonly target: string;
  readonly isReadOnly?: boolean;
  readonly alias?: string;
}): XmlElement {
  return xml(
    "disk",
    { type: "volume", device: "disk" },
    xml("driver", { name: "qemu", type: disk.format }),
    xml("source", { pool: disk.pool, volume: disk.name }),
    xml("target", { dev: disk.target, bus: "virtio" }),
    disk.isReadOnly === true ? xml("readonly") : undefined,
    disk.alias === undefined ? undefined : xml("alias", { name: disk.alias }),
  );
}
