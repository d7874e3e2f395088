import { z } from "@tutti/connector-kit";
import type { Element } from "@xmldom/xmldom";
import { isUuid } from "./names.ts";
import { quoted, type Virsh } from "./virsh.ts";
import { attribute, child, childrenOf, elementsOf, textOf } from "./xml.ts";

/** The element of ours in a machine's metadata. */
export const NAMESPACE = "urn:tutti:vm:1";
const TOKEN_AT_END = / ?tok_[0-9a-f]{32}$/;
const KIB_PER_MIB = 1024;

/** A machine as it is configured, and whether it runs; nothing that changes by itself. */
export const Vm = z.strictObject({
  name: z.string(),
  uuid: z.string(),
  /** Of the call that made it; null for those of others. */
  token: z.string().nullable(),
  description: z.string().nullable(),
  isRunning: z.boolean(),
  vcpus: z.number(),
  memoryMib: z.number(),
  disks: z.array(
    z.strictObject({
      target: z.string(),
      device: z.string(),
      /** `pool/volume`, or the path of a file; null for an empty drive. */
      source: z.string().nullable(),
      isReadOnly: z.boolean(),
    }),
  ),
  interfaces: z.array(z.strictObject({ mac: z.string(), network: z.string().nullable() })),
});
export type Vm = z.infer<typeof Vm>;

/** Processors and memory as they are configured for the next start. */
export const Size = z.strictObject({ vcpus: z.number(), vcpusMax: z.number(), memoryMib: z.number(), memoryMaxMib: z.number() });
export type Size = z.infer<typeof Size>;

/** What our element in a machine's metadata says. */
export interface Mark {
  readonly token: string;
  /** Everything that belongs to it has been made. */
  readonly isComplete: boolean;
  /** Volumes that were made with it and go with it, as pool/volume. */
  readonly volumes: readonly string[];
}

/** A machine as libvirt describes it. */
export interface Domain {
  readonly vm: Vm;
  readonly size: Size;
  /** What it has while it runs. */
  readonly live: { readonly vcpus: number; readonly memoryMib: number };
  /** Counts the starts of all machines; undefined while it does not run. */
  readonly runId: string | undefined;
  readonly mark: Mark | undefined;
  /** The description of the next start, with its secrets: to be changed and given back, never to be told. */
  readonly config: Element;
}

/** @throws ConnectorError. @returns undefined when there is no such machine. */
export async function readDomain(virsh: Virsh, reference: string): Promise<Domain | undefined> {
  const domain = (await readDomains(virsh, [reference])).at(0);
  // A name that is a number to virsh, or part of another, is none.
  return domain !== undefined && (domain.vm.name === reference || domain.vm.uuid === reference) ? domain : undefined;
}

/** @throws ConnectorError `validation`: there is no such machine. */
export async function theDomain(virsh: Virsh, reference: string): Promise<Domain> {
  const domain = await readDomain(virsh, reference);
  if (domain === undefined) throw virsh.refusal(`There is no machine ${reference}; \`vm.list\` tells which there are.`);
  return domain;
}

/** Those of them that are there. @throws ConnectorError. */
export async function readDomains(virsh: Virsh, references: readonly string[]): Promise<readonly Domain[]> {
  const documents = await virsh.readDocuments(
    "domain",
    references.flatMap((each) => [`dumpxml --domain ${quoted(each)}`, `dumpxml --domain ${quoted(each)} --inactive --security-info`]),
  );
  const byUuid = new Map<string, Element[]>();
  for (const document of documents) {
    const uuid = textOf(child(document, "uuid"));
    if (uuid === undefined) throw virsh.strange();
    byUuid.set(uuid, [...(byUuid.get(uuid) ?? []), document]);
  }
  return [...byUuid.values()].flatMap(([live, config]) => {
    // One that was deleted between the two looks is not there.
    if (live === undefined || config === undefined) return [];
    const domain = domainOf(live, config);
    if (domain === undefined) throw virsh.strange();
    return [domain];
  });
}

/** All machines there are. @throws ConnectorError. */
export async function allDomains(virsh: Virsh): Promise<readonly Domain[]> {
  const listed = await virsh.read("list", "--all", "--uuid");
  const uuids = (listed ?? "")
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");
  if (listed === undefined || !uuids.every(isUuid)) throw virsh.strange();
  return readDomains(virsh, uuids);
}

function domainOf(live: Element, config: Element): Domain | undefined {
  const [name, uuid] = [textOf(child(config, "name")), textOf(child(config, "uuid"))];
  const [size, liveSize] = [sizeOf(config), sizeOf(live)];
  if (name === undefined || uuid === undefined || size === undefined || liveSize === undefined) return undefined;
  const runId = attribute(live, "id");
  const mark = markOf(config);
  const devices = child(config, "devices");
  const vm: Vm = {
    name,
    uuid,
    token: mark?.token ?? null,
    description: textOf(child(config, "description"))?.replace(TOKEN_AT_END, "") || null,
    isRunning: runId !== undefined,
    vcpus: size.vcpus,
    memoryMib: size.memoryMib,
    disks: childrenOf(devices, "disk").map((disk) => ({
      target: attribute(child(disk, "target"), "dev") ?? "",
      device: attribute(disk, "device") ?? "disk",
      source: sourceOf(disk),
      isReadOnly: child(disk, "readonly") !== undefined,
    })),
    interfaces: childrenOf(devices, "interface").map((card) => ({
      mac: attribute(child(card, "mac"), "address") ?? "",
      network: attribute(child(card, "source"), "network") ?? null,
    })),
  };
  return { vm, size, live: { vcpus: liveSize.vcpus, memoryMib: liveSize.memoryMib }, runId, mark, config };
}

function sizeOf(domain: Element): Size | undefined {
  const vcpu = child(domain, "vcpu");
  const vcpusMax = Number(textOf(vcpu));
  const vcpus = Number(attribute(vcpu, "current") ?? vcpusMax);
  const memoryMax = mibOf(child(domain, "memory"));
  const memory = mibOf(child(domain, "currentMemory")) ?? memoryMax;
  if (!(vcpus > 0) || !(vcpusMax > 0) || memoryMax === undefined || memory === undefined) return undefined;
  return { vcpus, vcpusMax, memoryMib: memory, memoryMaxMib: memoryMax };
}

/** libvirt itself writes KiB, whatever it was given. */
function mibOf(element: Element | undefined): number | undefined {
  const value = Number(textOf(element));
  return Number.isFinite(value) && (attribute(element, "unit") ?? "KiB") === "KiB" ? value / KIB_PER_MIB : undefined;
}

/** Where a disk lies, as it is written in ids: `pool/volume`, or a path. */
export function sourceOf(disk: Element): string | null {
  const source = child(disk, "source");
  const volume = attribute(source, "volume");
  if (volume !== undefined) return `${attribute(source, "pool") ?? ""}/${volume}`;
  return attribute(source, "file") ?? attribute(source, "dev") ?? attribute(source, "name") ?? null;
}

function markOf(config: Element): Mark | undefined {
  const metadata = child(config, "metadata");
  const own = metadata === undefined ? undefined : elementsOf(metadata).find(({ namespaceURI }) => namespaceURI === NAMESPACE);
  const token = attribute(own, "token");
  if (token === undefined) return undefined;
  return {
    token,
    isComplete: attribute(own, "complete") === "yes",
    volumes: (attribute(own, "volumes") ?? "").split(" ").filter((each) => each !== ""),
  };
}
