import { z } from "@tutti/connector-kit";
import type { Element } from "@xmldom/xmldom";
import type { Domain } from "./domains.ts";
import { tokenOfVolume } from "./names.ts";
import { quoted, type Virsh } from "./virsh.ts";
import { attribute, child, textOf, writeXml, xml } from "./xml.ts";

export const MIB = 1024 * 1024;

/** A volume without what changes by itself: what it takes up, and when it was touched. */
export const Volume = z.strictObject({
  pool: z.string(),
  name: z.string(),
  /** Of the call that made it; null for those of others. */
  token: z.string().nullable(),
  format: z.string().nullable(),
  capacityBytes: z.number(),
  path: z.string().nullable(),
  /** Path of the image that it lies over. */
  base: z.string().nullable(),
});
export type Volume = z.infer<typeof Volume>;

export function volumeId({ pool, name }: Pick<Volume, "pool" | "name">): string {
  return `${pool}/${name}`;
}

/** `pool/volume`, or a volume of the pool that is meant by it alone. */
export function splitVolume(text: string, pool: string): { readonly pool: string; readonly name: string } {
  const at = text.indexOf("/");
  return at < 0 ? { pool, name: text } : { pool: text.slice(0, at), name: text.slice(at + 1) };
}

/** @throws ConnectorError. @returns undefined when pool or volume is not there. */
export async function readVolume(virsh: Virsh, { pool, name }: Pick<Volume, "pool" | "name">): Promise<Volume | undefined> {
  const [document] = await virsh.readDocuments("volume", [dumpCommand(pool, name)]);
  const volume = document === undefined ? undefined : volumeOf(virsh, pool, document);
  // virsh takes keys and paths for names as well.
  return volume?.name === name ? volume : undefined;
}

/** All volumes of the pools that are active, or of one. @throws ConnectorError. */
export async function allVolumes(virsh: Virsh, pool?: string): Promise<readonly Volume[]> {
  const pools = pool === undefined ? linesOf((await virsh.read("pool-list", "--name")) ?? "") : [pool];
  if (!pools.every((each) => /^[\w .+@-]{1,255}$/.test(each))) throw virsh.strange();
  const found: Volume[] = [];
  for (const each of pools) {
    const listed = await virsh.read("vol-list", "--pool", each);
    if (listed === undefined) {
      if (pool !== undefined) throw virsh.refusal(`There is no storage pool ${pool}.`);
      continue;
    }
    const [head = "", line = "", ...rows] = listed.split("\n");
    if (!/^ ?Name +Path/.test(head) || !line.startsWith("---")) throw virsh.strange();
    const names = rows.map((row) => /^ ?(\S.*?) {2,}\S/.exec(row)?.[1]).filter((name) => name !== undefined);
    const documents = await virsh.readDocuments(
      "volume",
      names.map((name) => dumpCommand(each, name)),
    );
    found.push(...documents.map((document) => volumeOf(virsh, each, document)));
  }
  return found;
}

/** Makes a volume, or finds it made: its name is the call's own. @throws ConnectorError. */
export async function makeVolume(
  virsh: Virsh,
  volume: Pick<Volume, "pool" | "name" | "capacityBytes"> & {
    readonly format: string;
    readonly base: { readonly path: string; readonly format: string } | undefined;
  },
): Promise<void> {
  const { pool, name, capacityBytes, format, base } = volume;
  const input = writeXml(
    xml(
      "volume",
      {},
      xml("name", {}, name),
      xml("capacity", { unit: "bytes" }, capacityBytes),
      xml("target", {}, xml("format", { type: format })),
      base === undefined ? undefined : xml("backingStore", {}, xml("path", {}, base.path), xml("format", { type: base.format })),
    ),
  );
  const end = await virsh.change(["vol-create", "--pool", pool, "/dev/stdin"], { input });
  if (end.kind === "done" || (await readVolume(virsh, { pool, name })) !== undefined) return;
  if (end.kind === "absent") throw virsh.refusal(`There is no storage pool ${pool}: make it, or name another.`);
  throw virsh.refusal(`The volume can't be made: ${end.said}`);
}

/** Deletes a volume, or finds it gone. @throws ConnectorError. */
export async function removeVolume(virsh: Virsh, { pool, name }: Pick<Volume, "pool" | "name">): Promise<void> {
  const end = await virsh.change(["vol-delete", "--vol", name, "--pool", pool]);
  if (end.kind === "refused") throw virsh.refusal(`The volume ${pool}/${name} can't be deleted: ${end.said}`);
}

/** Whose disk a volume is. */
export function usersOf(domains: readonly Domain[], volume: Volume): readonly Domain[] {
  return domains.filter(({ vm }) =>
    vm.disks.some(({ source }) => source !== null && (source === volumeId(volume) || source === volume.path)),
  );
}

function volumeOf(virsh: Virsh, pool: string, document: Element): Volume {
  const name = textOf(child(document, "name"));
  const capacity = Number(textOf(child(document, "capacity")));
  if (name === undefined || !Number.isFinite(capacity)) throw virsh.strange();
  return {
    pool,
    name,
    token: tokenOfVolume(name),
    format: attribute(child(document, "target", "format"), "type") ?? null,
    capacityBytes: capacity,
    path: textOf(child(document, "target", "path")) ?? null,
    base: textOf(child(document, "backingStore", "path")) ?? null,
  };
}

function dumpCommand(pool: string, name: string): string {
  return `vol-dumpxml --vol ${quoted(name)} --pool ${quoted(pool)}`;
}

function linesOf(text: string): readonly string[] {
  return text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");
}
