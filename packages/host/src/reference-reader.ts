import { readFile, stat } from "node:fs/promises";
import { isAbsolute } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { fileWithin, type Network, OutsideDirectoryError } from "@tutti/connector-kit";
import { AppError, isJsonObject, type Json, type JsonObject, ownProperty } from "@tutti/model";
import type { ReferenceReader, ReferenceRequest } from "@tutti/runtime";
import { messageOf } from "./data-directory.ts";

/** A function or schema is a page or two; what is larger is something else. */
const TEXT_BYTES_MAX = 4 * 1024 * 1024;
/** From the first request to the last byte: somebody waits for the publication. */
const READ_TIMEOUT_MS = 30_000;
const REDIRECTS_MAX = 5;

export interface ReferenceReaderOptions {
  readonly network: Network;
  /** Directories that documents may read files from besides their own. */
  readonly directories: readonly string[];
  /** The value of a secret, or undefined. */
  readonly secret: (name: string) => Promise<Json | undefined>;
}

/** Reads what documents refer to: files in their directory and those that the operator allows, and HTTP by the network's rules. */
export function createReferenceReader(options: ReferenceReaderOptions): ReferenceReader {
  return {
    read: async (request) => {
      const url = locate(request);
      return url.protocol === "file:" ? readLocal(url, request, options) : download(url, request, options);
    },
  };
}

function locate({ uri, from, baseDirectory }: ReferenceRequest): URL {
  const base = from ?? (baseDirectory === undefined ? undefined : `${pathToFileURL(baseDirectory).href}/`);
  if (base === undefined && !URL.canParse(uri) && !isAbsolute(uri))
    throw invalid(`${uri} is relative, and this document came without a directory: give a whole URL`);
  if (!URL.canParse(uri, base)) throw invalid(`${uri} is no URL`);
  const url = isAbsolute(uri) && (base === undefined || base.startsWith("file:")) ? pathToFileURL(uri) : new URL(uri, base);
  if (url.protocol !== "file:" && url.protocol !== "http:" && url.protocol !== "https:")
    throw invalid(`${uri} can't be read by ${url.protocol.slice(0, -1)}; http, https and file can`);
  if (url.protocol === "file:" && from !== undefined && !from.startsWith("file:"))
    throw invalid(`${uri} is a file, and what comes from ${new URL(from).host} may not name files here`);
  return url;
}

async function readLocal(
  url: URL,
  { uri, baseDirectory }: ReferenceRequest,
  { directories }: ReferenceReaderOptions,
): Promise<{ readonly url: string; readonly text: string }> {
  const [first, ...others] = baseDirectory === undefined ? directories : [baseDirectory, ...directories];
  if (first === undefined) throw invalid(`${uri} is a file, and this document came without a directory`);
  try {
    const file = await fileWithin([first, ...others], fileURLToPath(url));
    const { size } = await stat(file);
    if (size > TEXT_BYTES_MAX) throw tooLarge(uri);
    return { url: url.href, text: decode(await readFile(file), uri) };
  } catch (cause) {
    if (cause instanceof AppError) throw cause;
    if (cause instanceof OutsideDirectoryError)
      throw invalid(
        `${cause.message}; the operator may allow more directories under files.allow in the data directory's settings.yaml`,
        cause,
      );
    throw invalid(`${uri} can't be read: ${messageOf(cause)}`, cause);
  }
}

async function download(
  first: URL,
  { authentication }: ReferenceRequest,
  options: ReferenceReaderOptions,
): Promise<{ readonly url: string; readonly text: string }> {
  const signal = AbortSignal.timeout(READ_TIMEOUT_MS);
  const authorization = authentication === undefined ? undefined : await authorizationOf(authentication, options);
  let url = first;
  for (let hops = 0; hops <= REDIRECTS_MAX; hops++) {
    const headers = new Headers({ accept: "application/yaml, application/json, text/plain, */*;q=0.5" });
    // Whoever is redirected to has no right to the credentials.
    if (authorization !== undefined && url.origin === first.origin) headers.set("authorization", authorization);
    const answer = await options.network.fetch(url.href, { headers, redirect: "manual", signal }).catch((cause: unknown) => {
      throw unreachable(url, signal.aborted ? `no answer within ${READ_TIMEOUT_MS / 1000} s` : reasonOf(cause), cause);
    });
    const location = answer.headers.get("location");
    if (answer.status >= 300 && answer.status < 400 && location !== null && URL.canParse(location, url.href)) {
      await answer.body?.cancel();
      url = new URL(location, url);
      if (url.protocol !== "http:" && url.protocol !== "https:") throw unreachable(first, `it redirects to ${url.protocol}`);
      continue;
    }
    if (!answer.ok) {
      await answer.body?.cancel();
      throw unreachable(url, `status ${answer.status}`);
    }
    // What it is named by is where it stands: a redirect may lead to a copy that lasts for minutes.
    return { url: first.href, text: decode(await bodyOf(answer, url), first.href) };
  }
  throw unreachable(first, `it redirects more than ${REDIRECTS_MAX} times`);
}

async function bodyOf(answer: Response, url: URL): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let size = 0;
  try {
    // The standard's stream of a body gives bytes.
    for await (const part of (answer.body ?? []) as AsyncIterable<Uint8Array>) {
      size += part.byteLength;
      if (size > TEXT_BYTES_MAX) throw tooLarge(url.href);
      parts.push(part);
    }
  } catch (cause) {
    throw cause instanceof AppError ? cause : unreachable(url, reasonOf(cause), cause);
  }
  return Buffer.concat(parts);
}

/** `basic` and `bearer`, written out or in a secret. */
async function authorizationOf(policy: JsonObject, options: ReferenceReaderOptions): Promise<string> {
  for (const scheme of ["basic", "bearer"] as const) {
    const given = ownProperty(policy, scheme);
    if (!isJsonObject(given)) continue;
    const name = ownProperty(given, "use");
    const held = typeof name === "string" ? await options.secret(name) : given;
    if (held === undefined) throw new AppError("secret-not-found", `There is no secret ${JSON.stringify(name)}.`);
    const values: JsonObject = isJsonObject(held) ? held : { token: held };
    const text = (key: string): string => {
      const value = ownProperty(values, key);
      if (typeof value !== "string" || value.includes("${")) throw invalid(`its ${scheme} authentication needs \`${key}\` as text`);
      return value;
    };
    return scheme === "bearer"
      ? `Bearer ${text("token")}`
      : `Basic ${Buffer.from(`${text("username")}:${text("password")}`).toString("base64")}`;
  }
  throw invalid(`authentication by ${Object.keys(policy)[0] ?? "nothing"} is not for what documents refer to; basic and bearer are`);
}

function decode(bytes: Uint8Array, uri: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw invalid(`${uri} is not UTF-8 text`, cause);
  }
}

function invalid(why: string, cause?: unknown): AppError {
  return new AppError("reference-invalid", `${why}.`, { cause });
}

function tooLarge(uri: string): AppError {
  return invalid(`${uri} is larger than ${TEXT_BYTES_MAX / 1024 / 1024} MiB`);
}

/** Without user, password and query: they may be secrets. */
function unreachable(url: URL, why: string, cause?: unknown): AppError {
  return new AppError("reference-unreachable", `${url.origin}${url.pathname} can't be read: ${why}.`.replace(/\.\.$/, "."), { cause });
}

/** The fetch of the standard hides the reason one or two causes deep. */
function reasonOf(error: unknown): string {
  let inner = error;
  while (inner instanceof Error && inner.cause instanceof Error) inner = inner.cause;
  return messageOf(inner);
}
