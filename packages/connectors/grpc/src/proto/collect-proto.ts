import type { DescFile } from "@bufbuild/protobuf";
import {
  type FileDescriptorProto,
  file_google_protobuf_any,
  file_google_protobuf_api,
  file_google_protobuf_cpp_features,
  file_google_protobuf_descriptor,
  file_google_protobuf_duration,
  file_google_protobuf_empty,
  file_google_protobuf_field_mask,
  file_google_protobuf_go_features,
  file_google_protobuf_java_features,
  file_google_protobuf_source_context,
  file_google_protobuf_struct,
  file_google_protobuf_timestamp,
  file_google_protobuf_type,
  file_google_protobuf_wrappers,
} from "@bufbuild/protobuf/wkt";
import { ProtoLinkError, type ProtoFiles } from "./link-proto.ts";
import { type ParsedProto, parseProto, type ProtoImport } from "./parse-proto.ts";
import { ProtoSyntaxError } from "./proto-syntax-error.ts";

/** Files that are part of Protocol Buffers: they need not be brought along. */
const BUNDLED: ReadonlyMap<string, DescFile> = new Map(
  [
    file_google_protobuf_any,
    file_google_protobuf_api,
    file_google_protobuf_cpp_features,
    file_google_protobuf_descriptor,
    file_google_protobuf_duration,
    file_google_protobuf_empty,
    file_google_protobuf_field_mask,
    file_google_protobuf_go_features,
    file_google_protobuf_java_features,
    file_google_protobuf_source_context,
    file_google_protobuf_struct,
    file_google_protobuf_timestamp,
    file_google_protobuf_type,
    file_google_protobuf_wrappers,
  ].map((file) => [file.proto.name, file]),
);

/** Their descriptors, each behind those that it imports. */
export function bundledProtos(): FileDescriptorProto[] {
  const ordered = new Set<FileDescriptorProto>();
  const add = ({ proto, dependencies }: DescFile): void => {
    for (const dependency of dependencies) add(dependency);
    ordered.add(proto);
  };
  for (const file of BUNDLED.values()) add(file);
  return [...ordered];
}

/** The largest public trees (googleapis' Compute and Ads) reach some hundred files from one service. */
const FILES_MAX = 1000;

/** Gives the text of a file by the path under which it is imported; undefined when it is not there. */
export type ImportReader = (path: string, importer: string) => Promise<string | undefined>;

/**
 * Reads a file and everything that it imports.
 *
 * @throws ProtoLinkError naming file, line and column.
 */
export async function collectProto(name: string, text: string, read: ImportReader): Promise<ProtoFiles> {
  const parsed = new Map<string, ParsedProto>();
  const ordered: FileDescriptorProto[] = [];
  const known = new Set<string>();
  const missing: string[] = [];
  const open: string[] = [];

  const addBundled = ({ proto, dependencies }: DescFile): void => {
    if (known.has(proto.name)) return;
    known.add(proto.name);
    for (const dependency of dependencies) addBundled(dependency);
    ordered.push(proto);
  };
  const add = async (path: string, content: string): Promise<void> => {
    const found = parseNamed(path, content);
    parsed.set(path, found);
    if (parsed.size > FILES_MAX) throw new ProtoLinkError(path, `more than ${FILES_MAX} files belong to it`, { line: 1, column: 1 });
    open.push(path);
    for (const wanted of found.imports) {
      if (await isThere(path, wanted)) found.file.dependency.push(wanted.path);
      if (wanted.isPublic && found.file.dependency.at(-1) === wanted.path)
        found.file.publicDependency.push(found.file.dependency.length - 1);
    }
    open.pop();
    known.add(path);
    ordered.push(found.file);
  };
  const isThere = async (importer: string, wanted: ProtoImport): Promise<boolean> => {
    const { path } = wanted;
    if (open.includes(path)) throw new ProtoLinkError(importer, `the imports run in a circle: ${[...open, path].join(" → ")}`, wanted);
    if (known.has(path)) return true;
    const bundled = BUNDLED.get(path);
    if (bundled !== undefined) {
      addBundled(bundled);
      return true;
    }
    // As protoc has it; so an import never leads out of the directory that it is looked up in.
    if (/^[/\\]|^[a-z][a-z0-9+.-]*:|\\|(?:^|\/)\.{1,2}(?:\/|$)|\/\/|^$/i.test(path))
      throw new ProtoLinkError(importer, `the import "${path}" is no plain path, such as "acme/types.proto"`, wanted);
    const content = await read(path, importer);
    if (content === undefined) missing.push(path);
    else await add(path, content);
    return content !== undefined;
  };
  await add(name, text);
  return { parsed, ordered, missing };
}

function parseNamed(name: string, text: string): ParsedProto {
  try {
    return parseProto(name, text);
  } catch (error) {
    if (error instanceof ProtoSyntaxError) throw new ProtoLinkError(name, error.reason, error);
    throw error;
  }
}
