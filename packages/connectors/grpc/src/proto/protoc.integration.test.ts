import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create, fromBinary, toBinary, toJson } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema, FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { isJsonObject, type Json, type JsonObject } from "@tutti/model";
import { afterAll, beforeAll, expect, test } from "vitest";
import { PET_FILES, writePetFiles } from "../pets-for-tests.ts";
import { bundledProtos, collectProto } from "./collect-proto.ts";
import { linkProto } from "./link-proto.ts";

let directory: string;
/** What protoc makes of the files, by name. */
let expected: ReadonlyMap<string, JsonObject>;

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "tutti-protoc-"));
  writePetFiles(directory);
  // Debian's protoc comes without the files that are part of Protocol Buffers.
  const bundled = join(directory, "bundled.bin");
  writeFileSync(bundled, toBinary(FileDescriptorSetSchema, create(FileDescriptorSetSchema, { file: bundledProtos() })));
  const out = join(directory, "set.bin");
  const files = Object.keys(PET_FILES).filter((path) => path !== "shared.proto");
  const options = [`--descriptor_set_in=${bundled}`, `--descriptor_set_out=${out}`, `--proto_path=${directory}`, "--include_imports"];
  execFileSync("protoc", [...options, ...files], { timeout: 60_000 });
  const set = fromBinary(FileDescriptorSetSchema, readFileSync(out));
  expected = new Map(set.file.map((file) => [file.name, comparable(toJson(FileDescriptorProtoSchema, file) as Json) as JsonObject]));
});

afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** Without what is passed over on purpose: options other than those that change messages, extensions and reserved numbers. */
function comparable(value: Json, key = ""): Json {
  if (Array.isArray(value)) return value.map((item) => comparable(item as Json));
  if (!isJsonObject(value)) return value;
  const kept: Record<string, Json> = {};
  for (const [name, member] of Object.entries(value)) {
    const isPassedOver =
      ["extension", "extensionRange", "reservedRange", "reservedName", "weakDependency"].includes(name) ||
      (key === "options" && !["packed", "mapEntry"].includes(name));
    if (isPassedOver || member === undefined) continue;
    const shown = comparable(member, name);
    if (name === "options" && isJsonObject(shown) && Object.keys(shown).length === 0) continue;
    kept[name] = shown;
  }
  // protoc leaves the default syntax out.
  if (kept["syntax"] === "proto2") delete kept["syntax"];
  return kept;
}

test.each(["acme/pets/v1/pets.proto", "google/rpc/status.proto"])("%s and its imports mean what protoc says", async (name) => {
  const files = await collectProto(name, PET_FILES[name] ?? "", async (path) => PET_FILES[path]);
  linkProto(files);
  expect(files.missing).toEqual([]);
  expect(files.parsed.size).toBe(name.startsWith("acme") ? 3 : 1);
  for (const [path, { file }] of files.parsed) {
    // Names are put in by linking; what is bundled is not ours to compare.
    expect(comparable(toJson(FileDescriptorProtoSchema, file) as Json)).toEqual(expected.get(path));
  }
});
