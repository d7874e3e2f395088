import type { ConnectorError } from "@tutti/connector-kit";
import { isJsonObject, type Json, type JsonObject, ownProperty } from "@tutti/model";
import { parse as parseYaml } from "yaml";
import type { HttpClient } from "./http-client.ts";
import { ResourceCache, type ResourceKind, resourceFailure } from "./resource.ts";

/** A loaded OpenAPI or Swagger document and where it came from: server addresses are relative to that. */
export interface OpenapiDocument {
  readonly url: URL;
  readonly root: JsonObject;
}

const OPENAPI: ResourceKind = { name: "OpenAPI document", accept: "application/json, application/yaml, */*;q=0.5" };
/** A reference may lead to a reference; a longer chain is a circle. */
const REFERENCES_MAX = 32;

/** Loads documents by HTTP or from the workflow's directory. */
export function openapiDocuments(client: HttpClient): ResourceCache<OpenapiDocument> {
  return new ResourceCache(client, OPENAPI, ({ url, text }) => ({ url, root: parseDocument(text, url) }));
}

function parseDocument(text: string, url: URL): JsonObject {
  let parsed: unknown;
  try {
    parsed = /^\s*\{/.test(text) ? (JSON.parse(text) as unknown) : (parseYaml(text, { maxAliasCount: 100 }) as unknown);
  } catch (error) {
    throw loadFailure(url, `it does not parse: ${error instanceof Error ? error.message : String(error)}`, { retryable: false });
  }
  // YAML without tags gives JSON values; which ones is checked where they are read.
  const root = parsed as Json;
  const isKnown =
    isJsonObject(root) && (root["swagger"] === "2.0" || (typeof root["openapi"] === "string" && root["openapi"].startsWith("3.")));
  if (!isKnown) throw loadFailure(url, "it is neither Swagger 2.0 nor OpenAPI 3", { retryable: false });
  return root;
}

function loadFailure(url: URL, reason: string, more: { readonly retryable: boolean }): ConnectorError {
  return resourceFailure(url, reason, { kind: OPENAPI, ...more });
}

/** The object that `value` is or, as a local reference (`#/components/…`), stands for; undefined when it is neither. */
export function dereference(document: OpenapiDocument, value: Json | undefined): JsonObject | undefined {
  let current = value;
  for (let hops = 0; hops < REFERENCES_MAX; hops += 1) {
    if (!isJsonObject(current)) return undefined;
    const reference = ownProperty(current, "$ref");
    if (typeof reference !== "string") return current;
    if (!reference.startsWith("#/")) throw loadFailure(document.url, `it refers to another document (${reference})`, { retryable: false });
    current = lookUp(document.root, reference);
  }
  throw loadFailure(document.url, "its references run in a circle", { retryable: false });
}

function lookUp(root: JsonObject, reference: string): Json | undefined {
  let current: Json | undefined = root;
  for (const part of reference.slice(2).split("/")) {
    const name = decodeURIComponent(part).replaceAll("~1", "/").replaceAll("~0", "~");
    if (Array.isArray(current)) current = current[Number(name)] as Json | undefined;
    else current = isJsonObject(current) ? ownProperty(current, name) : undefined;
  }
  return current;
}
