import { create } from "@bufbuild/protobuf";
import { reflect } from "@bufbuild/protobuf/reflect";
import { type FeatureSet, FeatureSetSchema, type FieldDescriptorProto, FieldOptionsSchema } from "@bufbuild/protobuf/wkt";
import type { ProtoOption, TokenReader } from "./token-reader.ts";

const FEATURE = "features.";

/** A place for the features of editions: options of files, messages, fields and enums have one. */
interface WithFeatures {
  features?: FeatureSet | undefined;
}

/**
 * Takes an option that is a feature of an edition, such as `features.field_presence = IMPLICIT`. Those of other programs (`features.(pb.go)`)
 * say nothing about messages.
 *
 * @returns the options to keep, made by `make` for the first feature.
 */
export function withFeature<T extends WithFeatures>(
  options: T | undefined,
  option: ProtoOption,
  { make, reader }: { readonly make: () => T; readonly reader: TokenReader },
): T | undefined {
  const name = option.name.startsWith(FEATURE) ? option.name.slice(FEATURE.length) : "";
  if (name === "" || name.startsWith("(")) return options;
  const field = FeatureSetSchema.fields.find((candidate) => candidate.name === name);
  const value = field?.fieldKind === "enum" ? field.enum.values.find((candidate) => candidate.name === option.value) : undefined;
  if (field === undefined || value === undefined)
    return reader.fail(`${option.name} = ${option.value ?? "{}"} is no known feature`, option.at);
  const changed = options ?? make();
  changed.features ??= create(FeatureSetSchema);
  reflect(FeatureSetSchema, changed.features).set(field, value.number);
  return changed;
}

/** The options that say how a field is written; all others describe it for programs and people. */
export function takeFieldOptions(field: FieldDescriptorProto, options: readonly ProtoOption[], reader: TokenReader): void {
  for (const option of options) {
    switch (option.name) {
      case "json_name":
        field.jsonName = option.value ?? "";
        break;
      case "packed":
        field.options ??= create(FieldOptionsSchema);
        field.options.packed = option.value === "true";
        break;
      case "default":
        field.defaultValue = option.value ?? "";
        break;
      default: {
        const changed = withFeature(field.options, option, { make: () => create(FieldOptionsSchema), reader });
        if (changed !== undefined) field.options = changed;
      }
    }
  }
}

/** The name of a field in JSON, as protoc derives it: `pet_id` is `petId`. */
export function jsonNameOf(name: string): string {
  return name.replaceAll(/_+(.?)/g, (_, next: string) => next.toUpperCase());
}
