import { DOMImplementation, DOMParser, type Document, type Element, XMLSerializer } from "@xmldom/xmldom";

/** A document deep or wide beyond this is none of libvirt's. */
const CHARACTERS_MAX = 16 * 1024 * 1024;

/** What is written where a child stands: an element with attributes and children, or a text. */
export type XmlPart = string | XmlElement;
export interface XmlElement {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string | number | undefined>>;
  readonly children: readonly XmlPart[];
}

/** An element to be written. Members that are undefined are left out. */
export function xml(
  name: string,
  attributes: XmlElement["attributes"] = {},
  ...children: readonly (XmlPart | number | undefined)[]
): XmlElement {
  return {
    name,
    attributes,
    children: children.filter((child) => child !== undefined).map((child) => (typeof child === "number" ? String(child) : child)),
  };
}

/** The text of an element; whatever stands in values is escaped. */
export function writeXml(root: XmlElement): string {
  const document = new DOMImplementation().createDocument(null, "", null);
  document.appendChild(domElement(document, root));
  return new XMLSerializer().serializeToString(document);
}

/** As a node of a document that was read, to be put into it. */
export function domElement(document: Document, { name, attributes, children }: XmlElement): Element {
  const namespace = attributes["xmlns"] ?? null;
  const element = document.createElementNS(namespace === null ? null : String(namespace), name);
  for (const [key, value] of Object.entries(attributes))
    if (value !== undefined && key !== "xmlns") element.setAttribute(key, String(value));
  for (const child of children)
    element.appendChild(typeof child === "string" ? document.createTextNode(child) : domElement(document, child));
  return element;
}

/** The documents that stand one after the other in a text; undefined when it is no such text. */
export function readXml(text: string): readonly Element[] | undefined {
  if (text.length > CHARACTERS_MAX) return undefined;
  const refuse = (): void => {
    throw new Error("not well-formed");
  };
  try {
    const document = new DOMParser({ onError: refuse }).parseFromString(`<all>${text}</all>`, "text/xml");
    const root = document.documentElement;
    if (root === null) return undefined;
    if ([...root.childNodes].some((node) => node.nodeType === node.TEXT_NODE && (node.nodeValue ?? "").trim() !== "")) return undefined;
    return elementsOf(root);
  } catch {
    return undefined;
  }
}

/** Takes an element out of its document. */
export function removeElement(element: Element | undefined): void {
  element?.parentNode?.removeChild(element);
}

export function writeElement(element: Element): string {
  return new XMLSerializer().serializeToString(element);
}

export function elementsOf(parent: Element): readonly Element[] {
  return [...parent.childNodes].filter((node): node is Element => node.nodeType === node.ELEMENT_NODE);
}

/** The first child by each name of a path; undefined when there is none. */
export function child(parent: Element | undefined, ...path: readonly string[]): Element | undefined {
  let at = parent;
  for (const name of path) at = at === undefined ? undefined : elementsOf(at).find(({ localName }) => localName === name);
  return at;
}

export function childrenOf(parent: Element | undefined, name: string): readonly Element[] {
  return parent === undefined ? [] : elementsOf(parent).filter(({ localName }) => localName === name);
}

export function textOf(element: Element | undefined): string | undefined {
  const text = element?.textContent?.trim();
  return text === "" ? undefined : text;
}

/** Undefined when the element or the attribute is not there. */
export function attribute(element: Element | undefined, name: string): string | undefined {
  return element?.getAttribute(name) ?? undefined;
}
