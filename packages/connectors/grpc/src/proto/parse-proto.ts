import { create } from "@bufbuild/protobuf";
import {
  Edition,
  type FileDescriptorProto,
  FileDescriptorProtoSchema,
  FileOptionsSchema,
  MethodDescriptorProtoSchema,
  type ServiceDescriptorProto,
  ServiceDescriptorProtoSchema,
} from "@bufbuild/protobuf/wkt";
import { type FileContext, parseEnum, parseMessage, qualified, skipExtend, type TypeReference } from "./parse-message.ts";
import type { Place } from "./proto-syntax-error.ts";
import { withFeature } from "./proto-options.ts";
import { TokenReader } from "./token-reader.ts";

export interface ProtoImport extends Place {
  readonly path: string;
  /** What the importing file shows of it to those who import that file. */
  readonly isPublic: boolean;
}

/** A .proto file that was read for itself. Its dependencies and the types that it refers to are still names. */
export interface ParsedProto {
  readonly file: FileDescriptorProto;
  readonly imports: readonly ProtoImport[];
  readonly references: readonly TypeReference[];
}

/** Editions whose features are known here. */
const EDITIONS: ReadonlyMap<string, Edition> = new Map([
  ["2023", Edition.EDITION_2023],
  ["2024", Edition.EDITION_2024],
]);

/**
 * Reads a file in the Protocol Buffers language (proto2, proto3, editions) into its descriptor, as far as messages and services go: comments,
 * custom options and extensions are passed over. Source: protobuf.dev, "Protocol Buffers Language Specification".
 *
 * @throws ProtoSyntaxError with line and column.
 */
export function parseProto(name: string, text: string): ParsedProto {
  const reader = new TokenReader(text);
  const file = create(FileDescriptorProtoSchema, { name });
  const context: FileContext = { reader, syntax: parseSyntax(reader, file), references: [] };
  const imports: ProtoImport[] = [];
  let scope = "";
  while (reader.next.kind !== "end") {
    if (reader.accept(";")) continue;
    const at = reader.next;
    if (reader.accept("package")) {
      // Types are looked up in it, so it has to be known before them.
      if (file.messageType.length + file.enumType.length + file.service.length > 0) reader.fail("the package comes before the types", at);
      scope = reader.typeName();
      file.package = scope;
      reader.expect(";");
    } else if (reader.accept("import")) {
      const isPublic = reader.accept("public");
      if (!isPublic) void (reader.accept("weak") || reader.accept("option"));
      imports.push({ path: reader.string("a path"), isPublic, line: at.line, column: at.column });
      reader.expect(";");
    } else if (reader.sees("option")) {
      const options = withFeature(file.options, reader.optionStatement(), { make: () => create(FileOptionsSchema), reader });
      if (options !== undefined) file.options = options;
    } else if (reader.sees("message")) file.messageType.push(parseMessage(context, scope));
    else if (reader.sees("enum")) file.enumType.push(parseEnum(context));
    else if (reader.sees("service")) file.service.push(parseService(context, scope));
    else if (reader.sees("extend")) skipExtend(reader);
    else reader.fail("expected message, enum, service, import, option, package or extend");
  }
  return { file, imports, references: context.references };
}

function parseSyntax(reader: TokenReader, file: FileDescriptorProto): FileContext["syntax"] {
  // As protoc has it: a file that says nothing is proto2.
  file.syntax = "proto2";
  const isEdition = reader.sees("edition");
  if (!isEdition && !reader.sees("syntax")) return "proto2";
  reader.take();
  reader.expect("=");
  const at = reader.next;
  const version = reader.string("the version");
  reader.expect(";");
  if (!isEdition) {
    if (version !== "proto2" && version !== "proto3") return reader.fail(`the syntax "${version}" is not known; proto2 and proto3 are`, at);
    file.syntax = version;
    return version;
  }
  const edition = EDITIONS.get(version);
  if (edition === undefined) return reader.fail(`the edition "${version}" is not known; ${[...EDITIONS.keys()].join(" and ")} are`, at);
  file.syntax = "editions";
  file.edition = edition;
  return "editions";
}

function parseService({ reader, references }: FileContext, outer: string): ServiceDescriptorProto {
  reader.expect("service");
  const service = create(ServiceDescriptorProtoSchema, { name: reader.identifier("the name of the service") });
  const scope = qualified(outer, service.name);
  reader.expect("{");
  while (!reader.accept("}")) {
    if (reader.accept(";")) continue;
    if (reader.sees("option")) {
      reader.optionStatement();
      continue;
    }
    reader.expect("rpc");
    const method = create(MethodDescriptorProtoSchema, { name: reader.identifier("the name of the method") });
    service.method.push(method);
    const message = (take: (typeName: string) => void): boolean => {
      reader.expect("(");
      const isStream = reader.accept("stream");
      const at = reader.next;
      const name = reader.typeName();
      reader.expect(")");
      references.push({
        scope,
        name,
        at,
        resolve: (fullName, kind) =>
          kind === "message" ? take(`.${fullName}`) : reader.fail(`a method takes and gives messages, and ${fullName} is an enum`, at),
      });
      return isStream;
    };
    // As protoc has it, what is not said is not there.
    if (message((typeName) => (method.inputType = typeName))) method.clientStreaming = true;
    reader.expect("returns");
    if (message((typeName) => (method.outputType = typeName))) method.serverStreaming = true;
    if (reader.sees("{")) reader.skipBlock();
    else reader.expect(";");
  }
  return service;
}
