import type { Json, Token } from "@tutti/model";
import type { Element } from "@xmldom/xmldom";
import { type Domain, readDomain } from "./domains.ts";
import type { Virsh } from "./virsh.ts";
import { attribute, child, domElement, elementsOf, writeElement, xml, removeElement } from "./xml.ts";

/**
 * What was there before a change, kept in the machine's metadata under a namespace of the token's own until the end of the call is stored: an attempt
 * that comes after a lost answer must not take its own work for what was before.
 */
export function readNote(domain: Domain, token: Token): Json | undefined {
  const value = attribute(noteOf(domain.config, token), "value");
  return value === undefined ? undefined : (JSON.parse(Buffer.from(value, "base64url").toString()) as Json);
}

/** Keeps a note. @throws ConnectorError. */
export async function keepNote(virsh: Virsh, domain: Domain, token: Token, before: Json): Promise<void> {
  const note = `<before value="${encoded(before)}"/>`;
  await virsh.must(["metadata", "--domain", domain.vm.uuid, "--uri", namespaceOf(token), "--key", "tuttinote", "--set", note, "--config"]);
}

/** Changes the machine's configuration and keeps what was before, both or neither. @throws ConnectorError. */
export async function changeConfig(
  virsh: Virsh,
  domain: Domain,
  change: { readonly token: Token; readonly before: Json; readonly edit: (config: Element) => void },
): Promise<void> {
  const { config } = domain;
  removeElement(noteOf(config, change.token));
  const document = config.ownerDocument;
  if (document === null) throw virsh.strange();
  let metadata = child(config, "metadata");
  if (metadata === undefined) {
    metadata = document.createElement("metadata");
    config.appendChild(metadata);
  }
  metadata.appendChild(domElement(document, xml("before", { xmlns: namespaceOf(change.token), value: encoded(change.before) })));
  change.edit(config);
  await virsh.must(["define", "/dev/stdin"], { input: writeElement(config) });
}

/** Removes what was kept. @throws ConnectorError. */
export async function removeNote(virsh: Virsh, uuid: string, token: Token): Promise<void> {
  const domain = await readDomain(virsh, uuid);
  if (domain === undefined || noteOf(domain.config, token) === undefined) return;
  await virsh.change(["metadata", "--domain", uuid, "--uri", namespaceOf(token), "--remove", "--config"]);
}

function noteOf(config: Element, token: Token): Element | undefined {
  const metadata = child(config, "metadata");
  return metadata === undefined ? undefined : elementsOf(metadata).find(({ namespaceURI }) => namespaceURI === namespaceOf(token));
}

function namespaceOf(token: Token): string {
  return `urn:tutti:note:${token}`;
}

function encoded(before: Json): string {
  return Buffer.from(JSON.stringify(before)).toString("base64url");
}
