import { open } from "node:fs/promises";
import { isAbsolute, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { type Attempt, ConnectorError } from "@tutti/connector-kit";
import { isJsonObject, type Json, type JsonObject, ownProperty } from "@tutti/model";
import { parse as parseYaml } from "yaml";
import { exchangeAuthenticated } from "./authenticated-exchange.ts";
import { type HttpDeps, publicUrl } from "./http-call.ts";
import type { Endpoint } from "./http-input.ts";

/** A loaded OpenAPI or Swagger document and where it came from: server addresses are relative to that. */
export interface OpenapiDocument {
  readonly url: URL;
  readonly root: JsonObject;
}

/** The largest public documents (Microsoft Graph, GitHub) have 8 to 12 MiB. */
const DOCUMENT_BYTES_MAX = 16 * 1024 * 1024;
/** A published document changes rarely; five minutes spare a loop of a thousand calls 999 downloads. */
const KEPT_FOR_MS = 5 * 60 * 1000;
/** Parsed documents take about ten times their text: this bounds the cache to some hundred MiB at worst, and to a few MiB in practice. */
const DOCUMENTS_MAX = 8;
/** A reference may lead to a reference; a longer chain is a circle. */
const REFERENCES_MAX = 32;

interface Kept {
  readonly document: OpenapiDocument;
  readonly untilMs: number;
}

/** Loads documents by HTTP or from the workflow's directory, and keeps those that came without credentials for a while. */
export class OpenapiDocuments {
  readonly #deps: HttpDeps & { readonly nowMs: () => number };
  readonly #kept = new Map<string, Kept>();

  constructor(deps: HttpDeps & { readonly nowMs: () => number }) {
    this.#deps = deps;
  }

  /** @throws ConnectorError never-began: the operation itself was not called. */
  async load(endpoint: Endpoint, attempt: Attempt): Promise<OpenapiDocument> {
    const { uri, authentication } = typeof endpoint === "string" ? { uri: endpoint, authentication: undefined } : endpoint;
    const url = documentUrl(uri, attempt.baseDirectory);
    // What credentials opened is not handed to a call without them; files are read anew, they are edited while a workflow is written.
    const key = authentication === undefined && url.protocol !== "file:" ? url.href : undefined;
    const kept = key === undefined ? undefined : this.#kept.get(key);
    if (kept !== undefined && kept.untilMs > this.#deps.nowMs()) return kept.document;
    const text = url.protocol === "file:" ? await readDocumentFile(url) : await this.#download(url, authentication, attempt);
    const document = { url, root: parseDocument(text, url) };
    if (key !== undefined) this.#keep(key, document);
    return document;
  }

  #keep(key: string, document: OpenapiDocument): void {
    this.#kept.delete(key);
    if (this.#kept.size >= DOCUMENTS_MAX) this.#kept.delete(this.#kept.keys().next().value ?? "");
    this.#kept.set(key, { document, untilMs: this.#deps.nowMs() + KEPT_FOR_MS });
  }

  async #download(url: URL, authentication: Exclude<Endpoint, string>["authentication"], attempt: Attempt): Promise<string> {
    const { send, limits, authenticator } = this.#deps;
    const headers = new Headers({ accept: "application/json, application/yaml, */*;q=0.5" });
    const request = { method: "GET", url, headers, body: undefined, followRedirects: true };
    const how = { send, authenticator, attempt, limits: { ...limits, bodyBytesMax: Math.min(limits.bodyBytesMax, DOCUMENT_BYTES_MAX) } };
    const answer = await exchangeAuthenticated(request, authentication, how).catch((error: unknown) => {
      const message = error instanceof Error ? error.message : String(error);
      const retryable = error instanceof ConnectorError ? error.retryable : true;
      throw loadFailure(url, message, { retryable, cause: error });
    });
    if (answer.status >= 300) throw loadFailure(url, `status ${answer.status}`, { retryable: answer.status >= 500, status: answer.status });
    return answer.body.toString("utf8");
  }
}

function documentUrl(uri: string, baseDirectory: string | undefined): URL {
  if (URL.canParse(uri)) {
    const url = new URL(uri);
    if (url.protocol === "http:" || url.protocol === "https:" || url.protocol === "file:") return url;
    throw new ConnectorError(`An OpenAPI document is loaded by http, https or file, not by ${url.protocol}`, {
      kind: "validation",
      outcome: "never-began",
    });
  }
  if (baseDirectory === undefined && !isAbsolute(uri)) {
    throw new ConnectorError(`"${uri}" is relative, and this workflow came without a directory: give a whole URL.`, {
      kind: "validation",
      outcome: "never-began",
    });
  }
  return pathToFileURL(resolve(baseDirectory ?? "/", uri));
}

async function readDocumentFile(url: URL): Promise<string> {
  try {
    const file = await open(fileURLToPath(url));
    try {
      if ((await file.stat()).size > DOCUMENT_BYTES_MAX) throw loadFailure(url, "it is larger than 16 MiB", { retryable: false });
      return await file.readFile("utf8");
    } finally {
      await file.close();
    }
  } catch (error) {
    if (error instanceof ConnectorError) throw error;
    throw loadFailure(url, error instanceof Error ? error.message : String(error), { retryable: false, cause: error });
  }
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

function loadFailure(
  url: URL,
  reason: string,
  more: { readonly retryable: boolean; readonly status?: number; readonly cause?: unknown },
): ConnectorError {
  const where = url.protocol === "file:" ? url.pathname : publicUrl(url);
  return new ConnectorError(`The OpenAPI document ${where} can't be used: ${reason}.`, {
    kind: more.retryable || more.status !== undefined ? "communication" : "configuration",
    outcome: "never-began",
    ...more,
  });
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
