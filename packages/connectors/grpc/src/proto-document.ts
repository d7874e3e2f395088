import { access } from "node:fs/promises";
import { dirname, sep } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import type { FileRegistry } from "@bufbuild/protobuf";
import {
  type Endpoint,
  type HttpClient,
  loadResource,
  type Resource,
  ResourceCache,
  resourceFailure,
  type ResourceKind,
} from "@tutti/connector-http";
import { type Attempt, ConnectorError, fileWithin } from "@tutti/connector-kit";
import { collectProto } from "./proto/collect-proto.ts";
import { linkProto, ProtoLinkError } from "./proto/link-proto.ts";

const PROTO: ResourceKind = { name: "proto document", accept: "text/plain, */*;q=0.5" };

/** The types and services of a .proto file with everything that it imports. */
export interface ProtoDocument {
  readonly url: URL;
  readonly registry: FileRegistry;
}

/** Loads .proto files by HTTP or from the workflow's directory. */
export function protoDocuments(client: HttpClient): ResourceCache<ProtoDocument> {
  return new ResourceCache(client, PROTO, async (resource, attempt, endpoint) => {
    const { url, text } = resource;
    try {
      const name = decodeURIComponent(url.pathname.slice(url.pathname.lastIndexOf("/") + 1));
      const roots = rootsOf(resource, attempt.baseDirectory);
      const files = await collectProto(name, text, async (path, importer) => {
        // As protoc looks an import up: from the root of the tree; and, where files were put side by side, beside the file that imports it.
        const beside = importer.includes("/") ? [new URL(`./${importer.slice(0, importer.lastIndexOf("/") + 1)}`, roots[0])] : [];
        for (const root of [...roots, ...beside]) {
          const found = await read(root, path, { client, attempt, endpoint });
          if (found !== undefined) return found;
        }
        return undefined;
      });
      return { url, registry: linkProto(files) };
    } catch (error) {
      if (error instanceof ConnectorError) throw error;
      const reason =
        error instanceof ProtoLinkError ? `${error.file}, ${error.message}` : error instanceof Error ? error.message : String(error);
      throw resourceFailure(url, reason, { kind: PROTO, retryable: false, cause: error });
    }
  });
}

const PACKAGE = /^[ \t]*package[ \t]+([A-Za-z_][\w.]*)[ \t]*;/m;

/** Where imports begin: the file's directory, and the directory above its package (`acme/pet/v1/` of `package acme.pet.v1`). */
function rootsOf({ url, text }: Resource, baseDirectory: string | undefined): readonly [URL, ...URL[]] {
  const directory = new URL(".", url);
  const path = `/${(PACKAGE.exec(text)?.[1] ?? "").replaceAll(".", "/")}/`;
  if (path === "//" || !directory.pathname.endsWith(path)) return [directory];
  const root = new URL(directory);
  root.pathname = root.pathname.slice(0, root.pathname.length - path.length + 1);
  // A document of the workflow does not lead out of the workflow's directory.
  const isOutside = url.protocol === "file:" && baseDirectory !== undefined && !fileURLToPath(root).startsWith(withSlash(baseDirectory));
  return isOutside ? [directory] : [directory, root];
}

function withSlash(directory: string): string {
  return directory.endsWith(sep) ? directory : directory + sep;
}

interface ImportOptions {
  readonly client: HttpClient;
  readonly attempt: Attempt;
  /** Of the document: what it needs to be read, its imports need, too. */
  readonly endpoint: Endpoint;
}

async function read(root: URL, path: string, { client, attempt, endpoint }: ImportOptions): Promise<string | undefined> {
  const how = { kind: PROTO, attempt, deps: client };
  if (root.protocol === "file:") {
    const directory = dirname(fileURLToPath(new URL("x", root)));
    const file = fileURLToPath(new URL(encodeURI(path), root));
    if (
      !(await access(file).then(
        () => true,
        () => false,
      ))
    )
      return undefined;
    return (await loadResource(pathToFileURL(await fileWithin([directory], file)), endpoint, how)).text;
  }
  try {
    return (await loadResource(new URL(encodeURI(path), root), endpoint, how)).text;
  } catch (error) {
    if (error instanceof ConnectorError && error.status === 404) return undefined;
    throw error;
  }
}
