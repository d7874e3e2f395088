import { connectorLaws, type ConnectorUnderTest, type GivenToCase } from "@tutti/connector-kit/conformance";
import { isJsonObject, type JsonObject } from "@tutti/model";
import { hasLab } from "@tutti/testkit/lab";
import { afterAll, beforeAll, describe, test } from "vitest";
import { libvirtConnector } from "./libvirt-connector.ts";
import { type Hypervisor, IMAGE, openDoor, startHypervisor } from "./libvirt-for-tests.ts";

let hypervisor: Hypervisor | undefined;

function theHypervisor(): Hypervisor {
  if (hypervisor === undefined) throw new Error("libvirt is started before the laws are asked");
  return hypervisor;
}

/** No guest boots for a law: machines are without a disk to boot from, and most are not started. */
async function machine({ name, call }: GivenToCase, more: JsonObject = {}): Promise<string> {
  await call("vm.create:1", { name, memoryMib: 32, networks: [], start: false, ...more });
  return name;
}

async function volume({ name, call }: GivenToCase): Promise<JsonObject> {
  const made = await call("volume.create:1", { name, sizeMib: 1 });
  if (!isJsonObject(made)) throw new Error("a volume was made");
  return { volume: made["volume"] ?? null };
}

async function attached(given: GivenToCase): Promise<JsonObject> {
  const input = { ...(await volume(given)), vm: await machine(given) };
  await given.call("volume.attach:1", input);
  return input;
}

async function snapshot(given: GivenToCase): Promise<JsonObject> {
  const vm = await machine(given, { disks: [{ sizeMib: 1 }] });
  await given.call("snapshot.create:1", { vm, name: "before" });
  return { vm, name: "before" };
}

/** The first three numbers of a network's addresses that no other call of a law has. */
function partOf(name: string): string {
  return `198.19.${Number.parseInt(name.slice(name.lastIndexOf("x") + 1), 36) & 0xff}`;
}

const NOBODY = { token: `tok_${"0".repeat(32)}` };

const FUNCTIONS: ConnectorUnderTest["functions"] = {
  "vm.create:1": {
    input: ({ name }) => ({
      name,
      vcpus: 1,
      memoryMib: 32,
      image: IMAGE,
      networks: ["lab"],
      userData: "#cloud-config\n{}\n",
      start: false,
      description: "Web <server> & more",
    }),
    refused: ({ name }) => ({ name, image: "nothing", start: false }),
  },
  "vm.start:1": {
    input: async (given) => ({ vm: await machine(given), graceSeconds: 0 }),
    refused: ({ name }) => ({ vm: name }),
  },
  "vm.stop:1": {
    input: async (given) => ({ vm: await machine(given, { start: true }), graceSeconds: 0 }),
    refused: ({ name }) => ({ vm: name }),
  },
  "vm.restart:1": {
    input: async (given) => ({ vm: await machine(given), graceSeconds: 0 }),
    refused: ({ name }) => ({ vm: name }),
  },
  "vm.resize:1": {
    input: async (given) => ({ vm: await machine(given), vcpus: 2, memoryMib: 48 }),
    refused: ({ name }) => ({ vm: name, vcpus: 2 }),
  },
  "vm.restore:1": {
    input: async (given) => ({
      vm: await machine(given, { vcpus: 2 }),
      size: { vcpus: 1, vcpusMax: 2, memoryMib: 32, memoryMaxMib: 32 },
    }),
    refused: async (given) => ({
      vm: await machine(given, { vcpus: 2 }),
      size: { vcpus: 1, vcpusMax: 1, memoryMib: 32, memoryMaxMib: 32 },
      ifSizeIs: { vcpus: 3, vcpusMax: 3, memoryMib: 32, memoryMaxMib: 32 },
    }),
  },
  "vm.delete:1": {
    input: async (given) => ({ vm: await machine(given, { disks: [{ sizeMib: 1 }] }) }),
    refused: async (given) => ({ vm: await machine(given), ...NOBODY }),
  },
  "vm.read:1": { input: async (given) => ({ vm: await machine(given) }), refused: ({ name }) => ({ vm: name }) },
  "vm.list:1": { input: () => ({}) },
  "vm.address:1": {
    input: async (given) => ({ vm: await machine(given), withinSeconds: 0 }),
    refused: ({ name }) => ({ vm: name, withinSeconds: 0 }),
  },
  "volume.create:1": { input: ({ name }) => ({ name, image: IMAGE }), refused: ({ name }) => ({ name, image: "nothing" }) },
  "volume.resize:1": {
    input: async (given) => ({ ...(await volume(given)), sizeMib: 2 }),
    refused: ({ name }) => ({ volume: name, sizeMib: 2 }),
  },
  "volume.attach:1": {
    input: async (given) => ({ ...(await volume(given)), vm: await machine(given) }),
    refused: async (given) => ({ volume: "nothing", vm: await machine(given) }),
  },
  "volume.detach:1": { input: attached, refused: async (given) => ({ volume: "nothing", vm: await machine(given) }) },
  "volume.reattach:1": {
    input: async (given) => ({ ...(await volume(given)), vm: await machine(given), before: "vdc" }),
    refused: async (given) => ({ ...(await volume(given)), vm: await machine(given, { disks: [{ sizeMib: 1 }] }), before: "vda" }),
  },
  "volume.delete:1": {
    input: volume,
    refused: async (given) => {
      const { volume: name } = await attached(given);
      return { volume: name ?? null };
    },
  },
  "volume.list:1": { input: () => ({ pool: "lab" }), refused: ({ name }) => ({ pool: name }) },
  "network.create:1": {
    input: ({ name }) => {
      const part = partOf(name);
      return { name, mode: "isolated", address: `${part}.1`, dhcp: { from: `${part}.10`, to: `${part}.20` } };
    },
    refused: () => ({ name: "lab", mode: "isolated" }),
  },
  "network.delete:1": {
    input: async ({ name, call }) => {
      await call("network.create:1", { name, mode: "isolated" });
      return { name };
    },
    refused: () => ({ name: "lab", ...NOBODY }),
  },
  "network.list:1": { input: () => ({}) },
  "snapshot.create:1": {
    input: async (given) => ({ vm: await machine(given, { disks: [{ sizeMib: 1 }] }), name: "before", description: "Before <it>" }),
    refused: snapshot,
  },
  "snapshot.revert:1": {
    input: async (given) => {
      const input = await snapshot(given);
      await given.call("vm.resize:1", { vm: input["vm"] ?? null, vcpus: 2 });
      return input;
    },
    refused: async (given) => ({ vm: await machine(given), name: "nothing" }),
  },
  "snapshot.delete:1": { input: snapshot, refused: async (given) => ({ ...(await snapshot(given)), ...NOBODY }) },
  "snapshot.list:1": { input: async (given) => ({ vm: (await snapshot(given))["vm"] ?? null }), refused: ({ name }) => ({ vm: name }) },
};

/** The real libvirt of `lab/libvirt.sh`. */
const UNDER_TEST: ConnectorUnderTest = {
  connector: libvirtConnector({ environment: process.env }),
  functions: FUNCTIONS,
  open: (fault) => openDoor(theHypervisor(), fault),
  cleanUp: () => theHypervisor().reset(),
};

describe.skipIf(!hasLab)("libvirt on the real libvirt", () => {
  beforeAll(async () => {
    hypervisor = await startHypervisor();
  });
  afterAll(async () => hypervisor?.stop());

  for (const law of connectorLaws(UNDER_TEST)) test(`${law.name}`, () => law.run());
});
