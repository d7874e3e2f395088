import { create } from "@bufbuild/protobuf";
import {
  type DescriptorProto,
  DescriptorProtoSchema,
  type EnumDescriptorProto,
  EnumDescriptorProtoSchema,
  EnumOptionsSchema,
  EnumValueDescriptorProtoSchema,
  type FieldDescriptorProto,
  FieldDescriptorProto_Label as Label,
  FieldDescriptorProto_Type as Type,
  FieldDescriptorProtoSchema,
  MessageOptionsSchema,
  OneofDescriptorProtoSchema,
} from "@bufbuild/protobuf/wkt";
import { jsonNameOf, takeFieldOptions, withFeature } from "./proto-options.ts";
import type { TokenReader } from "./token-reader.ts";
import type { Token } from "./tokens.ts";

/** A name that stands for a type, and who wants to know what it is. */
export interface TypeReference {
  /** The package and messages around it, from the root on: where its look-up begins. */
  readonly scope: string;
  readonly name: string;
  readonly at: Token;
  readonly resolve: (fullName: string, kind: "message" | "enum") => void;
}

/** What the parts of a file share while it is read. */
export interface FileContext {
  readonly reader: TokenReader;
  readonly syntax: "proto2" | "proto3" | "editions";
  readonly references: TypeReference[];
}

/** As deep as protoc goes. */
const NESTING_MAX = 32;
/** Numbers of fields: 29 bits, without those that the implementations keep for themselves. */
const FIELD_NUMBER_MAX = 536_870_911;
const RESERVED_NUMBERS = { from: 19_000, to: 19_999 } as const;

const SCALARS: ReadonlyMap<string, Type> = new Map([
  ["double", Type.DOUBLE],
  ["float", Type.FLOAT],
  ["int32", Type.INT32],
  ["int64", Type.INT64],
  ["uint32", Type.UINT32],
  ["uint64", Type.UINT64],
  ["sint32", Type.SINT32],
  ["sint64", Type.SINT64],
  ["fixed32", Type.FIXED32],
  ["fixed64", Type.FIXED64],
  ["sfixed32", Type.SFIXED32],
  ["sfixed64", Type.SFIXED64],
  ["bool", Type.BOOL],
  ["string", Type.STRING],
  ["bytes", Type.BYTES],
]);
const NO_MAP_KEYS: ReadonlySet<Type> = new Set([Type.DOUBLE, Type.FLOAT, Type.BYTES]);
const LABELS: ReadonlyMap<string, Label> = new Map([
  ["optional", Label.OPTIONAL],
  ["repeated", Label.REPEATED],
  ["required", Label.REQUIRED],
]);

/** `message Name { … }`. */
export function parseMessage(context: FileContext, scope: string, depth = 1): DescriptorProto {
  context.reader.expect("message");
  return parseBody(context, create(DescriptorProtoSchema, { name: context.reader.identifier("the name of the message") }), scope, depth);
}

function parseBody(context: FileContext, message: DescriptorProto, outer: string, depth: number): DescriptorProto {
  const { reader } = context;
  const scope = qualified(outer, message.name);
  if (depth > NESTING_MAX) reader.fail(`messages are nested more than ${NESTING_MAX} deep`);
  reader.expect("{");
  while (!reader.accept("}")) {
    if (reader.accept(";")) continue;
    if (reader.sees("message")) message.nestedType.push(parseMessage(context, scope, depth + 1));
    else if (reader.sees("enum")) message.enumType.push(parseEnum(context));
    else if (reader.sees("extend")) skipExtend(reader);
    else if (reader.sees("reserved") || reader.sees("extensions")) reader.skipStatement();
    else if (reader.sees("option")) {
      const options = withFeature(message.options, reader.optionStatement(), { make: () => create(MessageOptionsSchema), reader });
      if (options !== undefined) message.options = options;
    } else if (reader.sees("oneof")) parseOneof(context, message, { scope, depth });
    else parseField(context, message, { scope, depth });
  }
  addSyntheticOneofs(message);
  return message;
}

/** Options of others, and fields that are added to messages from outside: neither can be given in JSON here. */
export function skipExtend(reader: TokenReader): void {
  reader.expect("extend");
  reader.typeName();
  reader.skipBlock();
}

interface FieldPlace {
  readonly scope: string;
  readonly depth: number;
  readonly oneofIndex?: number;
}

function parseOneof(context: FileContext, message: DescriptorProto, place: FieldPlace): void {
  const { reader } = context;
  reader.expect("oneof");
  const oneofIndex = message.oneofDecl.length;
  message.oneofDecl.push(create(OneofDescriptorProtoSchema, { name: reader.identifier("the name of the oneof") }));
  reader.expect("{");
  while (!reader.accept("}")) {
    if (reader.accept(";")) continue;
    if (reader.sees("option")) reader.optionStatement();
    else parseField(context, message, { ...place, oneofIndex });
  }
}

function parseField(context: FileContext, message: DescriptorProto, place: FieldPlace): void {
  const { reader, syntax } = context;
  const start = reader.next;
  const label = LABELS.get(start.text);
  if (label !== undefined) {
    reader.take();
    if (place.oneofIndex !== undefined) reader.fail("a field of a oneof has no label", start);
    if (label === Label.REQUIRED && syntax !== "proto2") reader.fail(`${syntax} has no required fields`, start);
  }
  const field = create(FieldDescriptorProtoSchema, { label: label ?? Label.OPTIONAL });
  if (place.oneofIndex !== undefined) field.oneofIndex = place.oneofIndex;
  if (reader.sees("map", "<")) return parseMap(context, message, { field, scope: place.scope });
  const isGroup = syntax === "proto2" && reader.accept("group");
  if (!isGroup) setType(context, field, place.scope);
  const nameAt = reader.next;
  field.name = reader.identifier("the name of the field");
  parseNumber(reader, message, { field, nameAt });
  if (isGroup) {
    const group = create(DescriptorProtoSchema, { name: field.name });
    field.name = field.name.toLowerCase();
    field.jsonName = jsonNameOf(field.name);
    field.type = Type.GROUP;
    field.typeName = `.${qualified(place.scope, group.name)}`;
    message.field.push(field);
    message.nestedType.push(parseBody(context, group, place.scope, place.depth + 1));
    return;
  }
  if (syntax === "proto3" && label === Label.OPTIONAL) field.proto3Optional = true;
  message.field.push(field);
  reader.expect(";");
}

/** `= 1 [options]`, and the name in JSON. */
function parseNumber(
  reader: TokenReader,
  message: DescriptorProto,
  { field, nameAt }: { readonly field: FieldDescriptorProto; readonly nameAt: Token },
): void {
  reader.expect("=");
  const at = reader.next;
  field.number = reader.integer("the number of the field");
  const isReserved = field.number >= RESERVED_NUMBERS.from && field.number <= RESERVED_NUMBERS.to;
  if (field.number < 1 || field.number > FIELD_NUMBER_MAX || isReserved) reader.fail(`no field may have the number ${field.number}`, at);
  for (const other of message.field) {
    if (other.number === field.number)
      reader.fail(`the field "${other.name}" of "${message.name}" has the number ${field.number}, too`, at);
    if (other.name === field.name) reader.fail(`"${message.name}" has two fields "${field.name}"`, nameAt);
  }
  field.jsonName = jsonNameOf(field.name);
  takeFieldOptions(field, reader.optionList(), reader);
}

function parseMap(
  context: FileContext,
  message: DescriptorProto,
  { field, scope }: { readonly field: FieldDescriptorProto; readonly scope: string },
): void {
  const { reader } = context;
  reader.expect("map");
  reader.expect("<");
  const keyAt = reader.next;
  const key = create(FieldDescriptorProtoSchema, { name: "key", number: 1, label: Label.OPTIONAL, jsonName: "key" });
  const keyType = SCALARS.get(reader.typeName());
  if (keyType === undefined || NO_MAP_KEYS.has(keyType))
    return reader.fail("the keys of a map are whole numbers, booleans or strings", keyAt);
  key.type = keyType;
  reader.expect(",");
  const value = create(FieldDescriptorProtoSchema, { name: "value", number: 2, label: Label.OPTIONAL, jsonName: "value" });
  setType(context, value, scope);
  reader.expect(">");
  const nameAt = reader.next;
  field.name = reader.identifier("the name of the field");
  parseNumber(reader, message, { field, nameAt });
  reader.expect(";");
  const camel = jsonNameOf(`_${field.name}`);
  const entry = create(DescriptorProtoSchema, { name: `${camel}Entry`, field: [key, value], options: { mapEntry: true } });
  field.label = Label.REPEATED;
  field.type = Type.MESSAGE;
  field.typeName = `.${qualified(scope, entry.name)}`;
  message.field.push(field);
  message.nestedType.push(entry);
}

function setType({ reader, references }: FileContext, field: FieldDescriptorProto, scope: string): void {
  const at = reader.next;
  const name = reader.typeName();
  const scalar = SCALARS.get(name);
  if (scalar !== undefined) {
    field.type = scalar;
    return;
  }
  references.push({
    scope,
    name,
    at,
    resolve: (fullName, kind) => {
      field.type = kind === "enum" ? Type.ENUM : Type.MESSAGE;
      field.typeName = `.${fullName}`;
    },
  });
}

/** `optional` in proto3 is a oneof with one field, behind all others. Source: protobuf, docs/implementing_proto3_presence.md. */
function addSyntheticOneofs(message: DescriptorProto): void {
  const taken = new Set([...message.field, ...message.oneofDecl].map(({ name }) => name));
  for (const field of message.field) {
    if (!field.proto3Optional) continue;
    let name = field.name.startsWith("_") ? field.name : `_${field.name}`;
    while (taken.has(name)) name = `X${name}`;
    taken.add(name);
    field.oneofIndex = message.oneofDecl.length;
    message.oneofDecl.push(create(OneofDescriptorProtoSchema, { name }));
  }
}

/** `enum Name { … }`. */
export function parseEnum({ reader, syntax }: FileContext): EnumDescriptorProto {
  reader.expect("enum");
  const nameAt = reader.next;
  const found = create(EnumDescriptorProtoSchema, { name: reader.identifier("the name of the enum") });
  reader.expect("{");
  while (!reader.accept("}")) {
    if (reader.accept(";")) continue;
    if (reader.sees("option")) {
      const options = withFeature(found.options, reader.optionStatement(), { make: () => create(EnumOptionsSchema), reader });
      if (options !== undefined) found.options = options;
    } else if (reader.sees("reserved")) reader.skipStatement();
    else {
      const name = reader.identifier("the name of a value");
      reader.expect("=");
      found.value.push(create(EnumValueDescriptorProtoSchema, { name, number: reader.integer("the number of the value") }));
      reader.optionList();
      reader.expect(";");
    }
  }
  const [first] = found.value;
  if (first === undefined) return reader.fail(`the enum "${found.name}" has no value`, nameAt);
  if (syntax === "proto3" && first.number !== 0) reader.fail(`the first value of the enum "${found.name}" must be 0`, nameAt);
  return found;
}

/** `a.b` in `x` is `x.a.b`. */
export function qualified(scope: string, name: string): string {
  return scope === "" ? name : `${scope}.${name}`;
}
