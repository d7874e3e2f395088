import { type ConnectorFunction, parseInput, z } from "@tutti/connector-kit";
import type { JsonObject } from "@tutti/model";
import type { Element } from "@xmldom/xmldom";
import { isIPv4 } from "node:net";
import { allDomains } from "./domains.ts";
import { isUuid, NetworkName, tokenOfUuid, TokenText, uuidOf } from "./names.ts";
import { quoted, TIMES, Virsh, type VirshEnvironment } from "./virsh.ts";
import { attribute, child, textOf, writeXml, xml } from "./xml.ts";

/** A network of libvirt. */
export const Network = z.strictObject({
  name: z.string(),
  uuid: z.string(),
  /** nat, route, open, bridge …; `isolated` when nothing is forwarded. */
  mode: z.string(),
  bridge: z.string().nullable(),
  address: z.string().nullable(),
  isActive: z.boolean(),
});
export type Network = z.infer<typeof Network>;

const Address = z.string().refine(isIPv4, "an IPv4 address");
const CreateInput = z
  .strictObject({
    name: NetworkName,
    mode: z
      .enum(["nat", "isolated", "bridge"])
      .default("nat")
      .meta({ description: "nat: out through the host; isolated: among the machines; bridge: a bridge of the host" }),
    bridge: z
      .string()
      .regex(/^[A-Za-z_][\w.-]{0,14}$/, "the name of a bridge of the host")
      .optional()
      .meta({ description: "With mode bridge: the host's bridge" }),
    address: Address.optional().meta({ description: "Of the host in the network: 10.20.0.1" }),
    prefix: z.int().min(8).max(30).default(24),
    dhcp: z.strictObject({ from: Address, to: Address }).optional().meta({ description: "Addresses that are given to machines" }),
    domain: z
      .string()
      .regex(/^[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252}[A-Za-z0-9])?$/, "a DNS domain")
      .optional()
      .meta({ description: "DNS domain of its machines" }),
    autostart: z.boolean().default(true).meta({ description: "Start it with its host" }),
  })
  .refine(({ mode, bridge }) => (mode === "bridge") === (bridge !== undefined), "name a bridge with mode bridge, and only with it")
  .refine(
    ({ mode, address }) => mode === "isolated" || (mode === "bridge") === (address === undefined),
    "mode nat needs an address, mode bridge takes none",
  )
  .refine(({ dhcp, address }) => dhcp === undefined || address !== undefined, "dhcp needs an address");
type CreateInput = z.infer<typeof CreateInput>;
const CreateOutput = z.strictObject({ name: z.string(), uuid: z.string(), token: z.string() });
const DeleteInput = z.strictObject({
  name: NetworkName,
  token: TokenText.optional().meta({ description: "Only the network that the call with this token made" }),
});
const DeleteOutput = z.strictObject({ name: z.string() });

export function networkFunctions(environment: VirshEnvironment): Readonly<Record<string, ConnectorFunction>> {
  /** Findable and unique: the UUID follows from the token, and libvirt has one network of a UUID and of a name. */
  const create: ConnectorFunction = {
    ...TIMES,
    title: "Make a network and start it",
    input: CreateInput,
    output: CreateOutput,
    effect: "findable",
    unique: true,
    creates: "network",
    undo: { call: "network.delete:1", with: { name: "${ .output.name }", token: "${ .output.token }" } },
    run: async (given, attempt) => {
      const virsh = new Virsh(environment, attempt);
      const input = parseInput(CreateInput, given);
      const uuid = uuidOf(attempt.token);
      const present = await ours(virsh, input, uuid);
      // An input that was corrected since: what was made of the old one goes.
      if (present !== undefined) await removeNetwork(virsh, present);
      await virsh.must(["net-define", "/dev/stdin"], { input: networkXml(input, uuid) });
      const started = await virsh.change(["net-start", "--network", uuid]);
      if (started.kind !== "done" && !started.said.includes("already active")) {
        await removeNetwork(virsh, { uuid, isActive: false });
        throw virsh.refusal(`The network can't be started: ${started.said}`);
      }
      if (input.autostart) await virsh.must(["net-autostart", "--network", uuid]);
      return { name: input.name, uuid, token: attempt.token };
    },
    find: async (given, attempt) => {
      const input = parseInput(CreateInput, given);
      const uuid = uuidOf(attempt.token);
      const present = await readNetwork(new Virsh(environment, attempt), uuid);
      // One that does not run is half made: an attempt makes it anew.
      return present?.uuid === uuid && present.isActive ? { name: input.name, uuid, token: attempt.token } : undefined;
    },
    preview: async (given, attempt) => {
      const input = parseInput(CreateInput, given);
      const uuid = uuidOf(attempt.token);
      const output = { name: input.name, uuid, token: attempt.token };
      if ((await ours(new Virsh(environment, attempt), input, uuid)) !== undefined) return { effects: [], output };
      const after = { name: input.name, uuid, mode: input.mode, isActive: true };
      return { effects: [{ kind: "create", resource: "network", name: input.name, after, isReversible: true }], output };
    },
  };

  const toDelete = async (virsh: Virsh, given: JsonObject): Promise<Network | undefined> => {
    const { name, token } = parseInput(DeleteInput, given);
    const network = await readNetwork(virsh, name);
    if (network === undefined) return undefined;
    if (token !== undefined && network.uuid !== uuidOf(token))
      throw virsh.refusal(`The network ${name} is not the one that the call ${token} made: it stays.`);
    const user = (await allDomains(virsh)).find(({ vm }) => vm.interfaces.some((card) => card.network === name));
    if (user !== undefined) throw virsh.refusal(`The machine ${user.vm.name} is in the network ${name}: take it out, or delete it first.`);
    return network;
  };
  /** Idempotent: what is gone is gone. */
  const remove: ConnectorFunction = {
    ...TIMES,
    title: "Delete a network that no machine is in",
    input: DeleteInput,
    output: DeleteOutput,
    effect: "idempotent",
    deletes: "network",
    irreversible: true,
    run: async (given, attempt) => {
      const virsh = new Virsh(environment, attempt);
      const network = await toDelete(virsh, given);
      if (network !== undefined) await removeNetwork(virsh, network);
      return { name: parseInput(DeleteInput, given).name };
    },
    preview: async (given, attempt) => {
      const network = await toDelete(new Virsh(environment, attempt), given);
      const output = { name: parseInput(DeleteInput, given).name };
      if (network === undefined) return { effects: [], output };
      return { effects: [{ kind: "delete", resource: "network", name: network.name, before: network, isReversible: false }], output };
    },
  };

  const list: ConnectorFunction = {
    ...TIMES,
    title: "List the networks",
    input: z.strictObject({}),
    output: z.strictObject({ networks: z.array(Network) }),
    effect: "read",
    run: async (given, attempt) => {
      parseInput(z.strictObject({}), given);
      return { networks: [...(await allNetworks(new Virsh(environment, attempt)))] };
    },
  };
  return { "network.create:1": create, "network.delete:1": remove, "network.list:1": list };
}

/** All networks there are. @throws ConnectorError. */
export async function allNetworks(virsh: Virsh): Promise<readonly Network[]> {
  const uuids = linesOf(virsh, await virsh.read("net-list", "--all", "--uuid"));
  const active = linesOf(virsh, await virsh.read("net-list", "--uuid"));
  const documents = await virsh.readDocuments(
    "network",
    uuids.map((uuid) => `net-dumpxml --network ${quoted(uuid)}`),
  );
  return documents.map((document) => networkOf(virsh, document, active));
}

/** @throws ConnectorError. @returns undefined when there is no such network. */
export async function readNetwork(virsh: Virsh, reference: string): Promise<Network | undefined> {
  const [document] = await virsh.readDocuments("network", [`net-dumpxml --network ${quoted(reference)}`]);
  if (document === undefined) return undefined;
  return networkOf(virsh, document, linesOf(virsh, await virsh.read("net-list", "--uuid")));
}

export function tokenOfNetwork({ uuid }: Network): string | undefined {
  return tokenOfUuid(uuid);
}

/** What an earlier attempt has made. @throws ConnectorError `validation`: there is another of that name. */
async function ours(virsh: Virsh, { name }: CreateInput, uuid: string): Promise<Network | undefined> {
  const other = await readNetwork(virsh, name);
  if (other?.uuid === uuid) return other;
  if (other !== undefined) throw virsh.refusal(`There is a network ${name} already, and this call has not made it. Choose another name.`);
  return readNetwork(virsh, uuid);
}

async function removeNetwork(virsh: Virsh, { uuid, isActive }: Pick<Network, "uuid" | "isActive">): Promise<void> {
  if (isActive) {
    const end = await virsh.change(["net-destroy", "--network", uuid]);
    if (end.kind === "refused" && !end.said.includes("not active")) throw virsh.refusal(`The network can't be stopped: ${end.said}`);
  }
  const end = await virsh.change(["net-undefine", "--network", uuid]);
  if (end.kind === "refused") throw virsh.refusal(`The network can't be deleted: ${end.said}`);
}

function networkOf(virsh: Virsh, document: Element, active: readonly string[]): Network {
  const [name, uuid] = [textOf(child(document, "name")), textOf(child(document, "uuid"))];
  if (name === undefined || uuid === undefined) throw virsh.strange();
  return {
    name,
    uuid,
    mode: attribute(child(document, "forward"), "mode") ?? "isolated",
    bridge: attribute(child(document, "bridge"), "name") ?? null,
    address: attribute(child(document, "ip"), "address") ?? null,
    isActive: active.includes(uuid),
  };
}

function linesOf(virsh: Virsh, text: string | undefined): readonly string[] {
  const lines = (text ?? "")
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");
  if (text === undefined || !lines.every(isUuid)) throw virsh.strange();
  return lines;
}

function networkXml({ name, mode, bridge, address, prefix, dhcp, domain }: CreateInput, uuid: string): string {
  return writeXml(
    xml(
      "network",
      {},
      xml("name", {}, name),
      xml("uuid", {}, uuid),
      mode === "isolated" ? undefined : xml("forward", { mode }),
      bridge === undefined ? undefined : xml("bridge", { name: bridge }),
      domain === undefined ? undefined : xml("domain", { name: domain, localOnly: "yes" }),
      address === undefined
        ? undefined
        : xml(
            "ip",
            { address, prefix },
            dhcp === undefined ? undefined : xml("dhcp", {}, xml("range", { start: dhcp.from, end: dhcp.to })),
          ),
    ),
  );
}
