import { type HttpClient, type Resource, ResourceCache, resourceFailure, type ResourceKind } from "@tutti/connector-http";
import { ConnectorError } from "@tutti/connector-kit";
import { isJsonObject, type Json, type JsonObject, ownProperty } from "@tutti/model";
import { parse as parseYaml } from "yaml";

/** A loaded AsyncAPI document. Version 2 puts operations into channels, version 3 beside them. */
export interface AsyncapiDocument {
  readonly url: URL;
  readonly version: 2 | 3;
  readonly root: JsonObject;
}

const ASYNCAPI: ResourceKind = { name: "AsyncAPI document", accept: "application/json, application/yaml, */*;q=0.5" };
/** A reference may lead to a reference; a longer chain is a circle. */
const REFERENCES_MAX = 32;

/** Loads documents by HTTP or from the workflow's directory. */
export function asyncapiDocuments(client: HttpClient): ResourceCache<AsyncapiDocument> {
  return new ResourceCache(client, ASYNCAPI, parseDocument);
}

function parseDocument({ url, text }: Resource): AsyncapiDocument {
  let parsed: unknown;
  try {
    parsed = /^\s*\{/.test(text) ? (JSON.parse(text) as unknown) : (parseYaml(text, { maxAliasCount: 100 }) as unknown);
  } catch (error) {
    throw unusable(url, `it does not parse: ${error instanceof Error ? error.message : String(error)}`);
  }
  // YAML without tags gives JSON values; which ones is checked where they are read.
  const root = parsed as Json;
  const version = isJsonObject(root) && typeof root["asyncapi"] === "string" ? root["asyncapi"].slice(0, 2) : "";
  if (!isJsonObject(root) || (version !== "2." && version !== "3.")) throw unusable(url, "it is neither AsyncAPI 2 nor 3");
  return { url, version: version === "2." ? 2 : 3, root };
}

function unusable(url: URL, reason: string): ConnectorError {
  return resourceFailure(url, reason, { kind: ASYNCAPI, retryable: false });
}

/** An object of the document, and the name under which it stands there when it came by reference. */
export interface Named {
  readonly name: string;
  readonly value: JsonObject;
}

/** The object that `value` is or, as a local reference (`#/components/…`), stands for; undefined when it is neither. */
export function dereference(document: AsyncapiDocument, value: Json | undefined, name = ""): Named | undefined {
  let current = value;
  let last = name;
  for (let hops = 0; hops < REFERENCES_MAX; hops += 1) {
    if (!isJsonObject(current)) return undefined;
    const reference = ownProperty(current, "$ref");
    if (typeof reference !== "string") return { name: last, value: current };
    if (!reference.startsWith("#/")) throw unusable(document.url, `it refers to another document (${reference})`);
    const parts = reference.slice(2).split("/").map(unescapePart);
    last = parts.at(-1) ?? last;
    current = lookUp(document.root, parts);
  }
  throw unusable(document.url, "its references run in a circle");
}

function unescapePart(part: string): string {
  return decodeURIComponent(part).replaceAll("~1", "/").replaceAll("~0", "~");
}

/** The value at a path, following references on the way. */
function lookUp(root: JsonObject, parts: readonly string[]): Json | undefined {
  let current: Json | undefined = root;
  for (const part of parts) {
    if (Array.isArray(current)) current = current[Number(part)] as Json | undefined;
    else current = isJsonObject(current) ? ownProperty(current, part) : undefined;
  }
  return current;
}

/** A member that is an object, by reference or itself; an empty one when it is not there. */
export function objectOf(document: AsyncapiDocument, owner: JsonObject, key: string): JsonObject {
  return dereference(document, ownProperty(owner, key))?.value ?? {};
}

export function textOf(owner: JsonObject, key: string): string | undefined {
  const value = ownProperty(owner, key);
  return typeof value === "string" ? value : undefined;
}

/** The call does not fit the document: nothing was sent, and nothing changes by trying again. */
export function misfit(message: string): ConnectorError {
  return new ConnectorError(message, { kind: "configuration", outcome: "never-began" });
}
