import { open } from "node:fs/promises";
import { isAbsolute, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { type Attempt, ConnectorError, fileWithin, OutsideDirectoryError } from "@tutti/connector-kit";
import { exchangeAuthenticated } from "./authenticated-exchange.ts";
import type { HttpDeps } from "./http-call.ts";
import type { HttpClient } from "./http-client.ts";
import type { Endpoint } from "./http-input.ts";

/** A text that a call needs before it can be sent: the description of a service. */
export interface Resource {
  readonly url: URL;
  readonly text: string;
}

/** What is loaded, for messages and the request: "OpenAPI document". */
export interface ResourceKind {
  readonly name: string;
  readonly accept: string;
}

/** The largest public OpenAPI documents (Microsoft Graph, GitHub) have 8 to 12 MiB; others are smaller. */
const RESOURCE_BYTES_MAX = 16 * 1024 * 1024;

/** A published description changes rarely; five minutes spare a loop of a thousand calls 999 downloads. */
const KEPT_FOR_MS = 5 * 60 * 1000;
/** Parsed documents take about ten times their text: this bounds the cache to some hundred MiB at worst, and to a few MiB in practice. */
const KEPT_MAX = 8;

/** Makes of a text what calls need. What the text refers to is loaded the way it was loaded itself: from `endpoint`, with its credentials. */
type ResourceReader<T> = (resource: Resource, attempt: Attempt, endpoint: Endpoint) => T | Promise<T>;

/** Loads and reads resources of one kind, and keeps those that came without credentials for a while. */
export class ResourceCache<T> {
  readonly #deps: HttpClient;
  readonly #kind: ResourceKind;
  readonly #read: ResourceReader<T>;
  readonly #kept = new Map<string, { readonly value: T; readonly untilMs: number }>();

  constructor(deps: HttpClient, kind: ResourceKind, read: ResourceReader<T>) {
    this.#deps = deps;
    this.#kind = kind;
    this.#read = read;
  }

  /** @throws ConnectorError never-began: the call itself was not sent. */
  async load(endpoint: Endpoint, attempt: Attempt): Promise<T> {
    const url = await resourceUrl(endpoint, attempt.baseDirectory, this.#kind);
    // What credentials opened is not handed to a call without them; files are read anew, they are edited while a workflow is written.
    const key = authenticationOf(endpoint) === undefined && url.protocol !== "file:" ? url.href : undefined;
    const kept = key === undefined ? undefined : this.#kept.get(key);
    if (kept !== undefined && kept.untilMs > this.#deps.nowMs()) return kept.value;
    const value = await this.#read(await loadResource(url, endpoint, { kind: this.#kind, attempt, deps: this.#deps }), attempt, endpoint);
    if (key !== undefined) this.#keep(key, value);
    return value;
  }

  #keep(key: string, value: T): void {
    this.#kept.delete(key);
    if (this.#kept.size >= KEPT_MAX) this.#kept.delete(this.#kept.keys().next().value ?? "");
    this.#kept.set(key, { value, untilMs: this.#deps.nowMs() + KEPT_FOR_MS });
  }
}

/**
 * Loads a resource by http, https or from the workflow's directory.
 *
 * @throws ConnectorError never-began: the call itself was not sent.
 */
export async function loadResource(url: URL, endpoint: Endpoint, how: LoadOptions): Promise<Resource> {
  const text = url.protocol === "file:" ? await readResourceFile(url, how.kind) : await download(url, authenticationOf(endpoint), how);
  return { url, text };
}

export interface LoadOptions {
  readonly kind: ResourceKind;
  readonly attempt: Attempt;
  readonly deps: HttpDeps;
}

/** Where an endpoint's resource lies. A relative reference is one of the workflow's directory. */
async function resourceUrl(endpoint: Endpoint, baseDirectory: string | undefined, kind: ResourceKind): Promise<URL> {
  const uri = typeof endpoint === "string" ? endpoint : endpoint.uri;
  // `file://app/x` has no machine "app" in mind: the specification's own examples mean a file beside the workflow.
  const relative = /^file:\/\/(?!localhost\/|\/)(.+)$/i.exec(uri)?.[1];
  if (relative !== undefined) return fileOf(relative, baseDirectory, kind);
  if (URL.canParse(uri)) {
    const url = new URL(uri);
    if (url.protocol === "http:" || url.protocol === "https:" || url.protocol === "file:") return url;
    throw invalid(`${withArticle(kind.name)} is loaded by http, https or file, not by ${url.protocol}`);
  }
  return isAbsolute(uri) ? pathToFileURL(uri) : fileOf(uri, baseDirectory, kind);
}

/** A file of the workflow's directory. */
async function fileOf(path: string, baseDirectory: string | undefined, kind: ResourceKind): Promise<URL> {
  if (baseDirectory === undefined) throw invalid(`"${path}" is relative, and this workflow came without a directory: give a whole URL.`);
  try {
    return pathToFileURL(await fileWithin([baseDirectory], path));
  } catch (error) {
    if (error instanceof OutsideDirectoryError)
      throw invalid(`The ${kind.name} ${error.message}: bring it with the workflow, or name it by a whole path.`);
    // Reading it says why it can't be read.
    return pathToFileURL(resolve(baseDirectory, path));
  }
}

function invalid(message: string): ConnectorError {
  return new ConnectorError(message, { kind: "validation", outcome: "never-began" });
}

function authenticationOf(endpoint: Endpoint): Exclude<Endpoint, string>["authentication"] {
  return typeof endpoint === "string" ? undefined : endpoint.authentication;
}

/** The error of a resource that can't be used, before anything was sent. */
export function resourceFailure(
  url: URL,
  reason: string,
  more: { readonly kind: ResourceKind; readonly retryable: boolean; readonly status?: number; readonly cause?: unknown },
): ConnectorError {
  const where = url.protocol === "file:" ? url.pathname : `${url.origin}${url.pathname}`;
  const { kind, ...rest } = more;
  return new ConnectorError(`The ${kind.name} ${where} can't be used: ${reason}.`, {
    kind: more.retryable || more.status !== undefined ? "communication" : "configuration",
    outcome: "never-began",
    ...rest,
  });
}

async function download(
  url: URL,
  authentication: ReturnType<typeof authenticationOf>,
  { kind, attempt, deps }: LoadOptions,
): Promise<string> {
  const { send, limits, authenticator } = deps;
  const headers = new Headers({ accept: kind.accept });
  const request = { method: "GET", url, headers, body: undefined, followRedirects: true };
  const how = { send, authenticator, attempt, limits: { ...limits, bodyBytesMax: Math.min(limits.bodyBytesMax, RESOURCE_BYTES_MAX) } };
  const answer = await exchangeAuthenticated(request, authentication, how).catch((error: unknown) => {
    const message = error instanceof Error ? error.message : String(error);
    const retryable = error instanceof ConnectorError ? error.retryable : true;
    throw resourceFailure(url, message, { kind, retryable, cause: error });
  });
  if (answer.status >= 300)
    throw resourceFailure(url, `status ${answer.status}`, { kind, retryable: answer.status >= 500, status: answer.status });
  return answer.body.toString("utf8");
}

async function readResourceFile(url: URL, kind: ResourceKind): Promise<string> {
  try {
    const file = await open(fileURLToPath(url));
    try {
      if ((await file.stat()).size > RESOURCE_BYTES_MAX) throw resourceFailure(url, "it is larger than 16 MiB", { kind, retryable: false });
      return await file.readFile("utf8");
    } finally {
      await file.close();
    }
  } catch (error) {
    if (error instanceof ConnectorError) throw error;
    throw resourceFailure(url, error instanceof Error ? error.message : String(error), { kind, retryable: false, cause: error });
  }
}

function withArticle(name: string): string {
  return `${/^[aeiouAEIOU]/.test(name) ? "An" : "A"} ${name}`;
}
