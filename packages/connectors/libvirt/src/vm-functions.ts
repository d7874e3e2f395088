import { isDeepStrictEqual } from "node:util";
import { type ConnectorFunction, parseInput, z } from "@tutti/connector-kit";
import type { Json, JsonObject } from "@tutti/model";
import type { Element } from "@xmldom/xmldom";
import { awaitAddress } from "./addresses.ts";
import { allDomains, type Domain, readDomain, Size, theDomain, Vm } from "./domains.ts";
import { SizeMib, TokenText, VmReference } from "./names.ts";
import { changeConfig, keepNote, readNote, removeNote } from "./notes.ts";
import { powerOff } from "./power.ts";
import { removeMachine } from "./remove-machine.ts";
import { TIMES, Virsh, type VirshEnvironment } from "./virsh.ts";
import { startMachine, Vcpus, vmCreate } from "./vm-create.ts";
import { child, removeElement } from "./xml.ts";

/** A large database may take its time to come to a good end. */
const GRACE_SECONDS_MAX = 3600;
const GRACE_SECONDS = 120;
/** A machine whose first boot installs things. */
const ADDRESS_SECONDS_MAX = 3600;

const GraceSeconds = z.int().min(0).max(GRACE_SECONDS_MAX).default(GRACE_SECONDS);
const StartInput = z.strictObject({
  vm: VmReference,
  graceSeconds: GraceSeconds.meta({ description: "For the undo: how long the machine has to go down by itself before it is ended" }),
});
const StopInput = z.strictObject({
  vm: VmReference,
  graceSeconds: GraceSeconds.meta({
    description: "How long the machine has to go down by itself before it is ended; 0: it is ended at once",
  }),
});
const PowerOutput = z.strictObject({ vm: z.string(), uuid: z.string(), wasRunning: z.boolean() });
const RestartOutput = z.strictObject({ vm: z.string(), uuid: z.string() });
const ResizeInput = z
  .strictObject({
    vm: VmReference,
    vcpus: Vcpus.optional(),
    memoryMib: SizeMib.optional(),
  })
  .refine(({ vcpus, memoryMib }) => vcpus !== undefined || memoryMib !== undefined, "name vcpus, memoryMib, or both");
const ResizeOutput = z.strictObject({
  vm: z.string(),
  uuid: z.string(),
  before: Size,
  after: Size,
  /** False while the machine runs on with what it had: its next start brings the rest. */
  isInForce: z.boolean(),
});
const RestoreInput = z.strictObject({
  vm: VmReference,
  isRunning: z.boolean().optional().meta({ description: "As it was" }),
  size: Size.optional().meta({ description: "As it was" }),
  ifSizeIs: Size.optional().meta({ description: "Only while it is so, or as wanted: for undos" }),
  graceSeconds: GraceSeconds,
});
const DeleteInput = z.strictObject({
  vm: VmReference,
  token: TokenText.optional().meta({ description: "Only the machine that the call with this token made" }),
  keepVolumes: z.boolean().default(false).meta({ description: "Leave the volumes that were made with it" }),
});
const ReadInput = z.strictObject({ vm: VmReference });
const AddressInput = z.strictObject({
  vm: VmReference,
  family: z.enum(["ipv4", "ipv6"]).default("ipv4"),
  withinSeconds: z
    .int()
    .min(0)
    .max(ADDRESS_SECONDS_MAX)
    .default(300)
    .meta({ description: "How long to wait for one; 0: what there is now, perhaps none" }),
});
const Address = z.strictObject({ address: z.string(), mac: z.string(), source: z.enum(["lease", "agent", "arp"]) });
const AddressOutput = z.strictObject({ vm: z.string(), address: z.string().nullable(), addresses: z.array(Address) });

export function vmFunctions(environment: VirshEnvironment): Readonly<Record<string, ConnectorFunction>> {
  return {
    "vm.create:1": vmCreate(environment),
    "vm.start:1": power(environment, true),
    "vm.stop:1": power(environment, false),
    "vm.restart:1": restart(environment),
    "vm.resize:1": resize(environment),
    "vm.restore:1": restore(environment),
    "vm.delete:1": remove(environment),
    ...looks(environment),
  };
}

/** Idempotent: a desired state. What was before is noted in the machine's metadata until the end is stored. */
function power(environment: VirshEnvironment, wanted: boolean): ConnectorFunction {
  const Input = wanted ? StartInput : StopInput;
  const outputOf = ({ vm }: Domain, wasRunning: boolean): z.infer<typeof PowerOutput> => ({ vm: vm.name, uuid: vm.uuid, wasRunning });
  return {
    ...TIMES,
    title: wanted ? "Start a machine" : "Stop a machine: it is asked to go down, and ended when it does not",
    input: Input,
    output: PowerOutput,
    effect: "idempotent",
    changes: "vm",
    undo: {
      call: "vm.restore:1",
      with: {
        vm: "${ .output.uuid }",
        isRunning: "${ .output.wasRunning }",
        graceSeconds: `\${ .input.graceSeconds // ${GRACE_SECONDS} }`,
      },
    },
    run: async (given, attempt) => {
      const { vm, graceSeconds } = parseInput(Input, given);
      const virsh = new Virsh(environment, attempt);
      const domain = await theDomain(virsh, vm);
      const isRunning = domain.runId !== undefined;
      attempt.afterStored(async () => removeNote(new Virsh(environment, attempt), domain.vm.uuid, attempt.token));
      if (isRunning === wanted) return outputOf(domain, readNote(domain, attempt.token) === undefined ? wanted : !wanted);
      if (readNote(domain, attempt.token) === undefined) await keepNote(virsh, domain, attempt.token, { wasRunning: isRunning });
      if (wanted) await startMachine(virsh, domain.vm.uuid);
      else await powerOff(virsh, domain.vm.uuid, graceSeconds, attempt);
      return outputOf(domain, !wanted);
    },
    preview: async (given, attempt) => {
      const domain = await theDomain(new Virsh(environment, attempt), parseInput(Input, given).vm);
      const { vm } = domain;
      const effects = vm.isRunning === wanted ? [] : [changed(vm, { ...vm, isRunning: wanted }, true)];
      return { effects, output: outputOf(domain, vm.isRunning) };
    },
  };
}

/** Idempotent: the number of its start, noted before, tells whether it was started anew. */
function restart(environment: VirshEnvironment): ConnectorFunction {
  return {
    ...TIMES,
    title: "Restart a machine: stop and start it, with what was configured for its next start",
    input: StopInput,
    output: RestartOutput,
    effect: "idempotent",
    run: async (given, attempt) => {
      const { vm, graceSeconds } = parseInput(StopInput, given);
      const virsh = new Virsh(environment, attempt);
      const domain = await theDomain(virsh, vm);
      const { uuid } = domain.vm;
      attempt.afterStored(async () => removeNote(new Virsh(environment, attempt), uuid, attempt.token));
      const output = { vm: domain.vm.name, uuid };
      const runId = domain.runId ?? null;
      const note = readNote(domain, attempt.token);
      if (note === undefined) await keepNote(virsh, domain, attempt.token, { runId });
      else if (runId !== null && !isDeepStrictEqual(note, { runId })) return output;
      if (runId !== null) await powerOff(virsh, uuid, graceSeconds, attempt);
      await startMachine(virsh, uuid);
      return output;
    },
    preview: async (given, attempt) => {
      const { vm } = await theDomain(new Virsh(environment, attempt), parseInput(StopInput, given).vm);
      return {
        effects: vm.isRunning ? [] : [changed(vm, { ...vm, isRunning: true }, false)],
        output: { vm: vm.name, uuid: vm.uuid },
      };
    },
  };
}

/** Idempotent: a desired state. Configuration and note of what was before are written at once; what runs is adjusted after. */
function resize(environment: VirshEnvironment): ConnectorFunction {
  const planned = (given: JsonObject, { size }: Domain): Size => {
    const { vcpus = size.vcpus, memoryMib = size.memoryMib } = parseInput(ResizeInput, given);
    return { vcpus, vcpusMax: Math.max(vcpus, size.vcpusMax), memoryMib, memoryMaxMib: Math.max(memoryMib, size.memoryMaxMib) };
  };
  return {
    ...TIMES,
    title: "Change processors and memory of a machine, while it runs where that is possible",
    input: ResizeInput,
    output: ResizeOutput,
    effect: "idempotent",
    changes: "vm",
    undo: {
      call: "vm.restore:1",
      with: { vm: "${ .output.uuid }", size: "${ .output.before }", ifSizeIs: "${ .output.after }" },
    },
    run: async (given, attempt) => {
      const virsh = new Virsh(environment, attempt);
      const domain = await theDomain(virsh, parseInput(ResizeInput, given).vm);
      const { vm, size } = domain;
      attempt.afterStored(async () => removeNote(new Virsh(environment, attempt), vm.uuid, attempt.token));
      const after = planned(given, domain);
      const note = Size.safeParse(readNote(domain, attempt.token));
      const before = note.success ? note.data : size;
      if (!isDeepStrictEqual(size, after))
        await changeConfig(virsh, domain, { token: attempt.token, before, edit: (config) => setSize(config, after) });
      const isInForce = await adjust(virsh, domain, after);
      return { vm: vm.name, uuid: vm.uuid, before, after, isInForce };
    },
    preview: async (given, attempt) => {
      const domain = await theDomain(new Virsh(environment, attempt), parseInput(ResizeInput, given).vm);
      const { vm, size } = domain;
      const after = planned(given, domain);
      const effects = isDeepStrictEqual(size, after) ? [] : [changed(vm, { ...vm, vcpus: after.vcpus, memoryMib: after.memoryMib }, true)];
      return { effects, output: { vm: vm.name, uuid: vm.uuid, before: size, after } };
    },
  };
}

/** Idempotent: a desired state. It refuses what somebody else has set since. */
function restore(environment: VirshEnvironment): ConnectorFunction {
  const outputOf = ({ vm }: Domain): z.infer<typeof RestartOutput> => ({ vm: vm.name, uuid: vm.uuid });
  const mustBeOurs = (virsh: Virsh, { vm, size }: Domain, given: z.infer<typeof RestoreInput>): void => {
    if (given.size === undefined || given.ifSizeIs === undefined) return;
    if (isDeepStrictEqual(size, given.size) || isDeepStrictEqual(size, given.ifSizeIs)) return;
    throw virsh.refusal(`Somebody has changed processors or memory of ${vm.name} since: they stay as they are.`);
  };
  return {
    ...TIMES,
    title: "Put a machine back as it was: running or not, processors and memory",
    input: RestoreInput,
    output: RestartOutput,
    effect: "idempotent",
    changes: "vm",
    run: async (given, attempt) => {
      const input = parseInput(RestoreInput, given);
      const virsh = new Virsh(environment, attempt);
      const domain = await theDomain(virsh, input.vm);
      mustBeOurs(virsh, domain, input);
      const { uuid } = domain.vm;
      if (input.size !== undefined) {
        const { size } = input;
        attempt.afterStored(async () => removeNote(new Virsh(environment, attempt), uuid, attempt.token));
        if (!isDeepStrictEqual(domain.size, size))
          await changeConfig(virsh, domain, { token: attempt.token, before: domain.size, edit: (config) => setSize(config, size) });
        await adjust(virsh, domain, size);
      }
      if (input.isRunning === true && domain.runId === undefined) await startMachine(virsh, uuid);
      if (input.isRunning === false && domain.runId !== undefined) await powerOff(virsh, uuid, input.graceSeconds, attempt);
      return outputOf(domain);
    },
    preview: async (given, attempt) => {
      const input = parseInput(RestoreInput, given);
      const virsh = new Virsh(environment, attempt);
      const domain = await theDomain(virsh, input.vm);
      mustBeOurs(virsh, domain, input);
      const { vm } = domain;
      const after = {
        ...vm,
        vcpus: input.size?.vcpus ?? vm.vcpus,
        memoryMib: input.size?.memoryMib ?? vm.memoryMib,
        isRunning: input.isRunning ?? vm.isRunning,
      };
      return { effects: isDeepStrictEqual(after, vm) ? [] : [changed(vm, after, false)], output: outputOf(domain) };
    },
  };
}

/** Idempotent: what is gone is gone. What was on its disks is lost, so it can't be undone. */
function remove(environment: VirshEnvironment): ConnectorFunction {
  const machine = async (virsh: Virsh, given: JsonObject): Promise<Domain | undefined> => {
    const { vm, token } = parseInput(DeleteInput, given);
    const domain = await readDomain(virsh, vm);
    if (domain !== undefined && token !== undefined && domain.vm.token !== token)
      throw virsh.refusal(`The machine ${domain.vm.name} is not the one that the call ${token} made: it stays.`);
    return domain;
  };
  const Output = z.strictObject({ vm: z.string() });
  return {
    ...TIMES,
    title: "Delete a machine with its snapshots and the volumes that were made with it, also while it runs",
    input: DeleteInput,
    output: Output,
    effect: "idempotent",
    deletes: "vm",
    irreversible: true,
    run: async (given, attempt) => {
      const virsh = new Virsh(environment, attempt);
      const domain = await machine(virsh, given);
      const { vm, keepVolumes } = parseInput(DeleteInput, given);
      if (domain !== undefined) await removeMachine(virsh, domain, { keepVolumes });
      return { vm };
    },
    preview: async (given, attempt) => {
      const domain = await machine(new Virsh(environment, attempt), given);
      const { vm, keepVolumes } = parseInput(DeleteInput, given);
      if (domain === undefined) return { effects: [], output: { vm } };
      const volumes = keepVolumes ? [] : (domain.mark?.volumes ?? []);
      return {
        effects: [
          { kind: "delete", resource: "vm", name: domain.vm.name, before: domain.vm, isReversible: false },
          ...volumes.map((name) => ({ kind: "delete" as const, resource: "volume", name, isReversible: false })),
        ],
        output: { vm },
      };
    },
  };
}

function looks(environment: VirshEnvironment): Readonly<Record<string, ConnectorFunction>> {
  const read: ConnectorFunction = {
    ...TIMES,
    title: "Read a machine: how it is configured, and whether it runs",
    input: ReadInput,
    output: Vm,
    effect: "read",
    run: async (given, attempt) => (await theDomain(new Virsh(environment, attempt), parseInput(ReadInput, given).vm)).vm,
  };
  const list: ConnectorFunction = {
    ...TIMES,
    title: "List the machines",
    input: z.strictObject({}),
    output: z.strictObject({ vms: z.array(Vm) }),
    effect: "read",
    run: async (given, attempt) => {
      parseInput(z.strictObject({}), given);
      return { vms: (await allDomains(new Virsh(environment, attempt))).map(({ vm }) => vm) };
    },
  };
  const address: ConnectorFunction = {
    ...TIMES,
    title: "Wait for the address of a machine, from its DHCP lease, guest agent or host",
    input: AddressInput,
    output: AddressOutput,
    effect: "read",
    run: async (given, attempt) => {
      const { vm: reference, family, withinSeconds } = parseInput(AddressInput, given);
      const virsh = new Virsh(environment, attempt);
      const { vm } = await theDomain(virsh, reference);
      const addresses = await awaitAddress(virsh, vm, { family, withinSeconds, attempt });
      return { vm: vm.name, address: addresses[0]?.address ?? null, addresses: [...addresses] };
    },
  };
  return { "vm.read:1": read, "vm.list:1": list, "vm.address:1": address };
}

function changed(
  before: Vm,
  after: Vm,
  isReversible: boolean,
): { kind: "change"; resource: string; name: string; before: Json; after: Json; isReversible: boolean } {
  return { kind: "change", resource: "vm", name: before.name, before, after, isReversible };
}

const KIB_PER_MIB = 1024;

function setSize(config: Element, { vcpus, vcpusMax, memoryMib, memoryMaxMib }: Size): void {
  const set = (name: string, value: number): Element | undefined => {
    const element = child(config, name);
    if (element !== undefined) element.textContent = String(value);
    return element;
  };
  set("vcpu", vcpusMax)?.setAttribute("current", String(vcpus));
  set("memory", memoryMaxMib * KIB_PER_MIB);
  set("currentMemory", memoryMib * KIB_PER_MIB);
  // Processors that are told one by one, and a topology, are those of the old number.
  removeElement(child(config, "vcpus"));
  removeElement(child(config, "cpu", "topology"));
}

/** Gives what runs what it can take. @returns whether it has all of it. */
async function adjust(virsh: Virsh, { vm, runId, live }: Domain, { vcpus, memoryMib }: Size): Promise<boolean> {
  if (runId === undefined) return true;
  const ends = [
    live.vcpus === vcpus ? undefined : await virsh.change(["setvcpus", "--domain", vm.uuid, "--count", `${vcpus}`, "--live"]),
    live.memoryMib === memoryMib
      ? undefined
      : await virsh.change(["setmem", "--domain", vm.uuid, "--size", `${memoryMib * KIB_PER_MIB}`, "--live"]),
  ];
  return ends.every((end) => end === undefined || end.kind === "done");
}
