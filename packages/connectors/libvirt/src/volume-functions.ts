import { type ConnectorFunction, parseInput, z } from "@tutti/connector-kit";
import type { Json, JsonObject, Token } from "@tutti/model";
import type { Element } from "@xmldom/xmldom";
import { allDomains, type Domain, sourceOf, theDomain, type Vm } from "./domains.ts";
import { Image, NewVolumeName, PoolName, SizeMib, TokenText, VmReference, VolumeName, volumeNameOf } from "./names.ts";
import { changeConfig, readNote, removeNote } from "./notes.ts";
import { TIMES, Virsh, type VirshEnvironment } from "./virsh.ts";
import { diskXml } from "./vm-create.ts";
import { allVolumes, makeVolume, MIB, readVolume, removeVolume, splitVolume, usersOf, Volume, volumeId } from "./volumes.ts";
import { attribute, child, childrenOf, domElement, writeXml, removeElement } from "./xml.ts";

const TARGET = /^[shv]d[a-z]$/;
const LETTERS = "abcdefghijklmnopqrstuvwxyz".split("");

const Format = z.enum(["qcow2", "raw"]);
const CreateInput = z
  .strictObject({
    pool: PoolName.optional(),
    name: NewVolumeName,
    sizeMib: SizeMib.optional().meta({ description: "Left out: that of the image" }),
    format: Format.default("qcow2"),
    image: Image.optional(),
  })
  .refine(({ sizeMib, image }) => sizeMib !== undefined || image !== undefined, "name sizeMib, image, or both")
  .refine(({ format, image }) => image === undefined || format === "qcow2", "what lies over an image is qcow2");
const CreateOutput = z.strictObject({ pool: z.string(), volume: z.string(), token: z.string(), sizeMib: z.number() });
const Placed = { pool: PoolName.optional(), volume: VolumeName };
const ResizeInput = z.strictObject({
  ...Placed,
  sizeMib: SizeMib.meta({ description: "Not less than it has: what is on it would be lost" }),
});
const ResizeOutput = z.strictObject({ pool: z.string(), volume: z.string(), sizeMib: z.number() });
const DeleteInput = z.strictObject(Placed);
const DeleteOutput = z.strictObject({ pool: z.string(), volume: z.string() });
const Target = z
  .string()
  .regex(TARGET, "the name of a disk: vdb")
  .meta({ description: "As which disk: vdb; left out: the next that is free" });
const AttachInput = z.strictObject({ ...Placed, vm: VmReference, target: Target.optional() });
const AttachOutput = z.strictObject({
  vm: z.string(),
  uuid: z.string(),
  pool: z.string(),
  volume: z.string(),
  target: z.string(),
  token: z.string().nullable(),
});
const DetachInput = z.strictObject({
  ...Placed,
  vm: VmReference,
  token: TokenText.optional().meta({ description: "Only as the call with this token has attached it" }),
});
const DetachOutput = z.strictObject({
  vm: z.string(),
  uuid: z.string(),
  pool: z.string(),
  volume: z.string(),
  /** As which disk it was there; null when it was not. */
  before: z.string().nullable(),
});
const RestoreInput = z.strictObject({ ...Placed, vm: VmReference, before: z.string().regex(TARGET).nullable() });
const ListInput = z.strictObject({ pool: PoolName.optional() });

export function volumeFunctions(environment: VirshEnvironment): Readonly<Record<string, ConnectorFunction>> {
  return {
    "volume.create:1": create(environment),
    "volume.resize:1": resize(environment),
    "volume.attach:1": attach(environment),
    "volume.detach:1": detach(environment),
    "volume.reattach:1": reattach(environment),
    "volume.delete:1": remove(environment),
    "volume.list:1": {
      ...TIMES,
      title: "List the volumes of a pool, or of all that are active",
      input: ListInput,
      output: z.strictObject({ volumes: z.array(Volume) }),
      effect: "read",
      run: async (given, attempt) => ({
        volumes: [...(await allVolumes(new Virsh(environment, attempt), parseInput(ListInput, given).pool))],
      }),
    },
  };
}

/** Findable and unique: its name ends with the token, and a pool has one volume of a name. */
function create(environment: VirshEnvironment): ConnectorFunction {
  const planned = async (
    virsh: Virsh,
    given: JsonObject,
    token: Token,
  ): Promise<{
    readonly wanted: Parameters<typeof makeVolume>[1];
    readonly present: Volume | undefined;
    readonly output: z.infer<typeof CreateOutput>;
  }> => {
    const { pool = virsh.configuration.pool, name, sizeMib = 0, format, image } = parseInput(CreateInput, given);
    const volume = volumeNameOf(name, token, format === "raw" ? "img" : format);
    const present = await readVolume(virsh, { pool, name: volume });
    const place = image === undefined ? undefined : splitVolume(image, virsh.configuration.imagePool ?? virsh.configuration.pool);
    const found = place === undefined ? undefined : await readVolume(virsh, place);
    if (place !== undefined && (found?.path === undefined || found.path === null))
      throw virsh.refusal(`There is no image ${volumeId(place)}; \`volume.list\` tells which there are.`);
    const base = found?.path === undefined || found.path === null ? undefined : { path: found.path, format: found.format ?? "raw" };
    const capacityBytes = Math.max(found?.capacityBytes ?? 0, sizeMib * MIB);
    return {
      wanted: { pool, name: volume, capacityBytes, format, base },
      present,
      output: { pool, volume, token, sizeMib: capacityBytes / MIB },
    };
  };
  return {
    ...TIMES,
    title: "Make a volume, empty or over an image",
    input: CreateInput,
    output: CreateOutput,
    effect: "findable",
    unique: true,
    creates: "volume",
    undo: { call: "volume.delete:1", with: { pool: "${ .output.pool }", volume: "${ .output.volume }" } },
    run: async (given, attempt) => {
      const virsh = new Virsh(environment, attempt);
      const { wanted, present, output } = await planned(virsh, given, attempt.token);
      // An input that was corrected since: nobody has had it yet.
      if (present !== undefined && present.capacityBytes !== wanted.capacityBytes) await removeVolume(virsh, present);
      if (present?.capacityBytes !== wanted.capacityBytes) await makeVolume(virsh, wanted);
      return output;
    },
    find: async (given, attempt) => {
      const { present, output } = await planned(new Virsh(environment, attempt), given, attempt.token);
      return present === undefined ? undefined : output;
    },
    preview: async (given, attempt) => {
      const { wanted, present, output } = await planned(new Virsh(environment, attempt), given, attempt.token);
      if (present !== undefined) return { effects: [], output };
      const { pool, name, format, capacityBytes } = wanted;
      const after = { pool, name, format, capacityBytes, token: output.token };
      return { effects: [{ kind: "create", resource: "volume", name: volumeId(wanted), after, isReversible: true }], output };
    },
  };
}

/** Idempotent: a desired state. It only grows, and what a guest has made of it since can't be taken back. */
function resize(environment: VirshEnvironment): ConnectorFunction {
  const planned = async (
    virsh: Virsh,
    given: JsonObject,
  ): Promise<{ readonly present: Volume; readonly bytes: number; readonly output: z.infer<typeof ResizeOutput> }> => {
    const { pool = virsh.configuration.pool, volume, sizeMib } = parseInput(ResizeInput, given);
    const present = await theVolume(virsh, { pool, name: volume });
    if (present.capacityBytes > sizeMib * MIB)
      throw virsh.refusal(
        `The volume ${volumeId(present)} has ${present.capacityBytes / MIB} MiB already, and is not made smaller: what is on it would be lost.`,
      );
    return { present, bytes: sizeMib * MIB, output: { pool, volume, sizeMib } };
  };
  return {
    ...TIMES,
    title: "Make a volume larger, also while a machine runs with it",
    input: ResizeInput,
    output: ResizeOutput,
    effect: "idempotent",
    changes: "volume",
    irreversible: true,
    run: async (given, attempt) => {
      const virsh = new Virsh(environment, attempt);
      const { present, bytes, output } = await planned(virsh, given);
      if (present.capacityBytes === bytes) return output;
      const user = usersOf(await allDomains(virsh), present).find(({ runId }) => runId !== undefined);
      if (user === undefined || present.path === null)
        await virsh.must(["vol-resize", "--vol", present.name, "--pool", present.pool, "--capacity", `${bytes}B`]);
      // QEMU has it, and tells the guest.
      else
        await virsh.must([
          "blockresize",
          "--domain",
          user.vm.uuid,
          "--path",
          targetOf(user, present) ?? present.path,
          "--size",
          `${bytes}B`,
        ]);
      return output;
    },
    preview: async (given, attempt) => {
      const { present, bytes, output } = await planned(new Virsh(environment, attempt), given);
      if (present.capacityBytes === bytes) return { effects: [], output };
      const after = { ...present, capacityBytes: bytes };
      return {
        effects: [{ kind: "change", resource: "volume", name: volumeId(present), before: present, after, isReversible: false }],
        output,
      };
    },
  };
}

/** Idempotent: what is gone is gone. What was on it is lost, so it can't be undone. */
function remove(environment: VirshEnvironment): ConnectorFunction {
  const planned = async (
    virsh: Virsh,
    given: JsonObject,
  ): Promise<{ readonly present: Volume | undefined; readonly output: z.infer<typeof DeleteOutput> }> => {
    const { pool = virsh.configuration.pool, volume } = parseInput(DeleteInput, given);
    const present = await readVolume(virsh, { pool, name: volume });
    const output = { pool, volume };
    if (present === undefined) return { present, output };
    const [user] = usersOf(await allDomains(virsh), present);
    if (user !== undefined)
      throw virsh.refusal(
        `The volume ${volumeId(present)} is a disk of the machine ${user.vm.name}: detach it there, or delete the machine.`,
      );
    return { present, output };
  };
  return {
    ...TIMES,
    title: "Delete a volume that is no machine's disk",
    input: DeleteInput,
    output: DeleteOutput,
    effect: "idempotent",
    deletes: "volume",
    irreversible: true,
    run: async (given, attempt) => {
      const virsh = new Virsh(environment, attempt);
      const { present, output } = await planned(virsh, given);
      if (present !== undefined) await removeVolume(virsh, present);
      return output;
    },
    preview: async (given, attempt) => {
      const { present, output } = await planned(new Virsh(environment, attempt), given);
      const effects =
        present === undefined
          ? []
          : [{ kind: "delete" as const, resource: "volume", name: volumeId(present), before: present, isReversible: false }];
      return { effects, output };
    },
  };
}

/** Idempotent: the disk's alias is the token. Configuration first, then what runs. */
function attach(environment: VirshEnvironment): ConnectorFunction {
  const planned = async (
    virsh: Virsh,
    given: JsonObject,
    token: Token,
  ): Promise<Attachment & { readonly output: z.infer<typeof AttachOutput> }> => {
    const input = parseInput(AttachInput, given);
    const found = await attachment(virsh, input);
    const { domain, volume, disk } = found;
    const target = disk === undefined ? (input.target ?? freeTarget(domain)) : targetNameOf(disk);
    if (disk !== undefined && input.target !== undefined && input.target !== target)
      throw virsh.refusal(`The volume ${volumeId(volume)} is ${target} of ${domain.vm.name} already: detach it first.`);
    if (disk === undefined && domain.vm.disks.some((each) => each.target === target))
      throw virsh.refusal(`The machine ${domain.vm.name} has a disk ${target} already: name another target.`);
    const isOurs = disk === undefined || attribute(child(disk, "alias"), "name") === aliasOf(token);
    const output = {
      vm: domain.vm.name,
      uuid: domain.vm.uuid,
      pool: volume.pool,
      volume: volume.name,
      target,
      token: isOurs ? token : null,
    };
    return { ...found, output };
  };
  return {
    ...TIMES,
    title: "Attach a volume to a machine as a disk, also while it runs",
    input: AttachInput,
    output: AttachOutput,
    effect: "idempotent",
    changes: "vm",
    undo: {
      call: "volume.detach:1",
      // What was attached already stays: the token of nobody is looked for.
      with: {
        vm: "${ .output.uuid }",
        pool: "${ .output.pool }",
        volume: "${ .output.volume }",
        token: `\${ .output.token // "tok_${"0".repeat(32)}" }`,
      },
    },
    run: async (given, attempt) => {
      const virsh = new Virsh(environment, attempt);
      const { domain, volume, disk, output } = await planned(virsh, given, attempt.token);
      attempt.afterStored(async () => removeNote(new Virsh(environment, attempt), domain.vm.uuid, attempt.token));
      const xml = {
        pool: volume.pool,
        name: volume.name,
        format: volume.format ?? "raw",
        target: output.target,
        alias: aliasOf(attempt.token),
      };
      if (disk === undefined) await putDisk(virsh, domain, { token: attempt.token, before: null, disk: xml });
      if (output.token !== null && domain.runId !== undefined) await plug(virsh, domain, writeXml(diskXml(xml)));
      return output;
    },
    preview: async (given, attempt) => {
      const { domain, volume, disk, output } = await planned(new Virsh(environment, attempt), given, attempt.token);
      const { vm } = domain;
      const added = { target: output.target, device: "disk", source: volumeId(volume), isReadOnly: false };
      const effects = disk === undefined ? [changed(vm, { ...vm, disks: [...vm.disks, added] }, true)] : [];
      return { effects, output };
    },
  };
}

/** Idempotent: what is not there is gone. As which disk it was there is noted in the machine's metadata until the end is stored. */
function detach(environment: VirshEnvironment): ConnectorFunction {
  const planned = async (
    virsh: Virsh,
    given: JsonObject,
    own: Token,
  ): Promise<Attachment & { readonly output: z.infer<typeof DetachOutput> }> => {
    const input = parseInput(DetachInput, given);
    const found = await attachment(virsh, input);
    const { domain, volume, disk } = found;
    const isMeant = disk !== undefined && (input.token === undefined || attribute(child(disk, "alias"), "name") === aliasOf(input.token));
    const note = readNote(domain, own);
    const before = isMeant ? targetNameOf(disk) : typeof note === "string" ? note : null;
    return {
      ...found,
      disk: isMeant ? disk : undefined,
      output: { vm: domain.vm.name, uuid: domain.vm.uuid, pool: volume.pool, volume: volume.name, before },
    };
  };
  return {
    ...TIMES,
    title: "Detach a volume from a machine, also while it runs",
    input: DetachInput,
    output: DetachOutput,
    effect: "idempotent",
    changes: "vm",
    undo: {
      call: "volume.reattach:1",
      with: { vm: "${ .output.uuid }", pool: "${ .output.pool }", volume: "${ .output.volume }", before: "${ .output.before }" },
    },
    run: async (given, attempt) => {
      const virsh = new Virsh(environment, attempt);
      const { domain, disk, output } = await planned(virsh, given, attempt.token);
      attempt.afterStored(async () => removeNote(new Virsh(environment, attempt), domain.vm.uuid, attempt.token));
      if (disk !== undefined)
        await changeConfig(virsh, domain, { token: attempt.token, before: output.before, edit: () => removeElement(disk) });
      if (output.before !== null && domain.runId !== undefined) await unplug(virsh, domain, output.before);
      return output;
    },
    preview: async (given, attempt) => {
      const { domain, disk, output } = await planned(new Virsh(environment, attempt), given, attempt.token);
      const { vm } = domain;
      const left = vm.disks.filter(({ target }) => target !== output.before);
      return { effects: disk === undefined ? [] : [changed(vm, { ...vm, disks: left }, true)], output };
    },
  };
}

/** Idempotent: a desired state. */
function reattach(environment: VirshEnvironment): ConnectorFunction {
  const Output = z.strictObject({ vm: z.string(), uuid: z.string() });
  const planned = async (virsh: Virsh, given: JsonObject): Promise<Attachment & { readonly target: string | null }> => {
    const input = parseInput(RestoreInput, given);
    const found = await attachment(virsh, input);
    const { domain, volume, disk } = found;
    const other = domain.vm.disks.find((each) => each.target === input.before);
    if (input.before !== null && disk === undefined && other !== undefined)
      throw virsh.refusal(
        `Somebody has given ${domain.vm.name} another disk ${input.before} since: it stays as it is. Attach ${volumeId(volume)} by hand.`,
      );
    return { ...found, target: disk === undefined ? input.before : null };
  };
  return {
    ...TIMES,
    title: "Attach a volume that was detached, as it was",
    input: RestoreInput,
    output: Output,
    effect: "idempotent",
    changes: "vm",
    run: async (given, attempt) => {
      const virsh = new Virsh(environment, attempt);
      const { domain, volume, target } = await planned(virsh, given);
      const { before } = parseInput(RestoreInput, given);
      attempt.afterStored(async () => removeNote(new Virsh(environment, attempt), domain.vm.uuid, attempt.token));
      const { pool, name, format } = volume;
      if (target !== null)
        await putDisk(virsh, domain, { token: attempt.token, before: null, disk: { pool, name, format: format ?? "raw", target } });
      if (before !== null && domain.runId !== undefined)
        await plug(virsh, domain, writeXml(diskXml({ pool, name, format: format ?? "raw", target: before })));
      return { vm: domain.vm.name, uuid: domain.vm.uuid };
    },
    preview: async (given, attempt) => {
      const { domain, volume, target } = await planned(new Virsh(environment, attempt), given);
      const { vm } = domain;
      const output = { vm: vm.name, uuid: vm.uuid };
      if (target === null) return { effects: [], output };
      const added = { target, device: "disk", source: volumeId(volume), isReadOnly: false };
      return { effects: [changed(vm, { ...vm, disks: [...vm.disks, added] }, false)], output };
    },
  };
}

interface Attachment {
  readonly domain: Domain;
  readonly volume: Volume;
  /** Of the machine's configuration; undefined when the volume is none of its disks. */
  readonly disk: Element | undefined;
}

async function attachment(
  virsh: Virsh,
  input: { readonly pool?: string | undefined; readonly volume: string; readonly vm: string },
): Promise<Attachment> {
  const domain = await theDomain(virsh, input.vm);
  const volume = await theVolume(virsh, { pool: input.pool ?? virsh.configuration.pool, name: input.volume });
  const disk = childrenOf(child(domain.config, "devices"), "disk").find((each) => {
    const source = sourceOf(each);
    return source !== null && (source === volumeId(volume) || source === volume.path);
  });
  return { domain, volume, disk };
}

/** @throws ConnectorError `validation`: there is no such volume. */
async function theVolume(virsh: Virsh, place: Pick<Volume, "pool" | "name">): Promise<Volume> {
  const volume = await readVolume(virsh, place);
  if (volume === undefined) throw virsh.refusal(`There is no volume ${volumeId(place)}; \`volume.list\` tells which there are.`);
  return volume;
}

async function putDisk(
  virsh: Virsh,
  domain: Domain,
  { token, before, disk }: { readonly token: Token; readonly before: Json; readonly disk: Parameters<typeof diskXml>[0] },
): Promise<void> {
  await changeConfig(virsh, domain, {
    token,
    before,
    edit: (config) => {
      const { ownerDocument } = config;
      const devices = child(config, "devices");
      if (ownerDocument === null || devices === undefined) throw virsh.strange();
      // After the other disks, where libvirt itself puts it.
      const last = childrenOf(devices, "disk").at(-1);
      devices.insertBefore(domElement(ownerDocument, diskXml(disk)), last?.nextSibling ?? null);
    },
  });
}

/** Gives a disk to what runs, or finds it there. */
async function plug(virsh: Virsh, { vm }: Domain, disk: string): Promise<void> {
  const end = await virsh.change(["attach-device", "--domain", vm.uuid, "--file", "/dev/stdin", "--live"], { input: disk });
  if (end.kind === "done" || /already exists|in use/.test(end.said)) return;
  throw virsh.refusal(`The machine ${vm.name} has it from its next start on, and does not take it while it runs: ${end.said}`);
}

/** Takes a disk from what runs, or finds it gone. */
async function unplug(virsh: Virsh, { vm }: Domain, target: string): Promise<void> {
  const end = await virsh.change(["detach-disk", "--domain", vm.uuid, "--target", target, "--live"]);
  if (end.kind === "done" || /[Nn]o disk found|not found/.test(end.said)) return;
  throw virsh.refusal(`The machine ${vm.name} is without it from its next start on, and does not give it back while it runs: ${end.said}`);
}

function targetOf({ config }: Domain, volume: Volume): string | undefined {
  const disk = childrenOf(child(config, "devices"), "disk").find((each) => [volumeId(volume), volume.path].includes(sourceOf(each)));
  return disk === undefined ? undefined : targetNameOf(disk);
}

function targetNameOf(disk: Element): string {
  return attribute(child(disk, "target"), "dev") ?? "";
}

function freeTarget({ vm }: Domain): string {
  const taken = new Set(vm.disks.map(({ target }) => target));
  return LETTERS.map((letter) => `vd${letter}`).find((target) => !taken.has(target)) ?? "vdz";
}

/** libvirt keeps an alias that begins so as it was given. */
function aliasOf(token: string): string {
  return `ua-${token}`;
}

function changed(
  before: Vm,
  after: Vm,
  isReversible: boolean,
): { kind: "change"; resource: string; name: string; before: Json; after: Json; isReversible: boolean } {
  return { kind: "change", resource: "vm", name: before.name, before, after, isReversible };
}
