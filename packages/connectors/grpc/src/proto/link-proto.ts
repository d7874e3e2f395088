import { create, createFileRegistry, type FileRegistry } from "@bufbuild/protobuf";
import { type DescriptorProto, type FileDescriptorProto, FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { qualified, type TypeReference } from "./parse-message.ts";
import type { ParsedProto } from "./parse-proto.ts";
import { type Place, ProtoSyntaxError } from "./proto-syntax-error.ts";

/** The files of a service: each behind those that it imports. */
export interface ProtoFiles {
  /** Read from text, by name; types in them are still names. */
  readonly parsed: ReadonlyMap<string, ParsedProto>;
  /** All of them with those that are part of Protocol Buffers. */
  readonly ordered: readonly FileDescriptorProto[];
  /** Imports that are not there: nothing is wrong until one of their types is wanted. */
  readonly missing: readonly string[];
}

/** A file that can't be linked, and the place in it. */
export class ProtoLinkError extends Error {
  readonly file: string;

  constructor(file: string, reason: string, at: Place) {
    super(new ProtoSyntaxError(reason, at).message);
    this.name = "ProtoLinkError";
    this.file = file;
  }
}

/**
 * Puts full names in the place of those that stand in the files, and makes descriptors of all of them.
 *
 * @throws ProtoLinkError for a type that no file declares, or that two declare.
 */
export function linkProto({ parsed, ordered, missing }: ProtoFiles): FileRegistry {
  const kinds = new Map<string, "message" | "enum">();
  for (const file of ordered) {
    const declare = (name: string, kind: "message" | "enum"): void => {
      if (kinds.has(name)) throw new ProtoLinkError(file.name, `the type ${name} is declared twice`, { line: 1, column: 1 });
      kinds.set(name, kind);
    };
    for (const found of file.enumType) declare(qualified(file.package, found.name), "enum");
    for (const message of file.messageType) declareMessage(message, file.package, declare);
  }
  for (const [name, { references }] of parsed)
    for (const reference of references) {
      const fullName = lookUp(reference, kinds);
      if (fullName === undefined) {
        const hint = missing.length === 0 ? "" : ` (these imports were not found: ${missing.join(", ")})`;
        throw new ProtoLinkError(name, `the type "${reference.name}" is not known${hint}`, reference.at);
      }
      reference.resolve(fullName, kinds.get(fullName) ?? "message");
    }
  return createFileRegistry(create(FileDescriptorSetSchema, { file: [...ordered] }));
}

function declareMessage(message: DescriptorProto, scope: string, declare: (name: string, kind: "message" | "enum") => void): void {
  const name = qualified(scope, message.name);
  declare(name, "message");
  for (const found of message.enumType) declare(qualified(name, found.name), "enum");
  for (const nested of message.nestedType) declareMessage(nested, name, declare);
}

/** The name in the innermost scope that has it, outwards. */
function lookUp({ name, scope }: TypeReference, kinds: ReadonlyMap<string, unknown>): string | undefined {
  if (name.startsWith(".")) return kinds.has(name.slice(1)) ? name.slice(1) : undefined;
  for (let inner = scope; ; inner = inner.slice(0, Math.max(0, inner.lastIndexOf(".")))) {
    const candidate = qualified(inner, name);
    if (kinds.has(candidate)) return candidate;
    if (inner === "") return undefined;
  }
}
