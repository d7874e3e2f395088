import { create, fromJson, toBinary, toJson } from "@bufbuild/protobuf";
import { describe, expect, test } from "vitest";
import { collectProto } from "./collect-proto.ts";
import { linkProto, ProtoLinkError } from "./link-proto.ts";

async function registryOf(text: string, others: Readonly<Record<string, string>> = {}) {
  return linkProto(await collectProto("main.proto", text, async (path) => others[path]));
}

async function problemOf(text: string, others: Readonly<Record<string, string>> = {}): Promise<string> {
  const problem: unknown = await registryOf(text, others).then(
    () => "none",
    (error: unknown) => error,
  );
  return problem instanceof ProtoLinkError ? `${problem.file} ${problem.message}` : String(problem);
}

const HEAD = 'syntax = "proto3";\n';

describe("a text that is wrong is named with file, line and column", () => {
  test.each([
    ["nonsense", "main.proto line 1, column 1: expected message, enum, service"],
    [`${HEAD}message A {\n  string = 1;\n}`, 'main.proto line 3, column 10: expected the name of the field, but here is "="'],
    [`${HEAD}message A { string a = 1 }`, 'line 2, column 26: expected ";", but here is "}"'],
    [`${HEAD}message A {`, "line 2, column 12: expected the name of a type, but the file ends"],
    [`${HEAD}message A { string a = one; }`, "expected the number of the field, a whole number"],
    [`${HEAD}message A { string a = 19500; }`, "no field may have the number 19500"],
    [`${HEAD}message A { string a = 1; int32 b = 1; }`, 'the field "a" of "A" has the number 1, too'],
    [`${HEAD}message A { string a = 1; int32 a = 2; }`, '"A" has two fields "a"'],
    [`${HEAD}message A { required string a = 1; }`, "proto3 has no required fields"],
    [`${HEAD}message A { oneof x { repeated string a = 1; } }`, "a field of a oneof has no label"],
    [`${HEAD}message A { map<double, string> a = 1; }`, "the keys of a map are whole numbers, booleans or strings"],
    [`${HEAD}message A { B b = 1; }`, 'main.proto line 2, column 13: the type "B" is not known'],
    [`${HEAD}message A {}\nmessage A {}`, "the type A is declared twice"],
    [`${HEAD}enum E {}`, 'the enum "E" has no value'],
    [`${HEAD}enum E { A = 1; }`, 'the first value of the enum "E" must be 0'],
    [`${HEAD}enum E { A = 0; }\nservice S { rpc Do(E) returns (E); }`, "a method takes and gives messages, and E is an enum"],
    [`${HEAD}message A {}\npackage late;`, "the package comes before the types"],
    ['syntax = "proto4";', 'the syntax "proto4" is not known'],
    ['edition = "1999";', 'the edition "1999" is not known'],
    ['edition = "2023"; option features.field_presence = SOMETIMES;', "features.field_presence = SOMETIMES is no known feature"],
    [`${HEAD}/* for ever`, "line 2, column 1: this comment has no end"],
    [`${HEAD}import "a`, "line 2, column 8: this string has no end"],
    [`${HEAD}message A { § }`, '"§" begins nothing'],
    [`${HEAD}import "../secret.proto";`, 'the import "../secret.proto" is no plain path'],
    [`${HEAD}import "/etc/passwd";`, "is no plain path"],
    [`${HEAD}import "http://x/a.proto";`, "is no plain path"],
    [`${HEAD}${"message A { ".repeat(40)}${"}".repeat(40)}`, "messages are nested more than 32 deep"],
  ])("%s", async (text, problem) => {
    expect(await problemOf(text)).toContain(problem);
  });

  test("also in what it imports", async () => {
    const others = { "a/b.proto": `${HEAD}message B {\n  C c = 1;\n}` };
    expect(await problemOf(`${HEAD}import "a/b.proto";`, others)).toBe('a/b.proto line 3, column 3: the type "C" is not known');
  });

  test("imports that run in a circle", async () => {
    const others = { "a.proto": `${HEAD}import "b.proto";`, "b.proto": `${HEAD}import "a.proto";` };
    expect(await problemOf(`${HEAD}import "a.proto";`, others)).toContain("circle: main.proto → a.proto → b.proto → a.proto");
  });
});

test("an import that is not there is missed only by those who use it", async () => {
  const head = `${HEAD}import "google/api/annotations.proto";\n`;
  const method = 'service S { rpc Do(A) returns (A) { option (google.api.http) = { get: "https://x//{name=*}" }; } }';
  const registry = await registryOf(`${head}message A { string a = 1; }\n${method}`);
  expect(registry.getService("S")?.methods.map(({ name }) => name)).toEqual(["Do"]);
  expect(await problemOf(`${head}message A { google.api.Http a = 1; }`)).toContain(
    '"google.api.Http" is not known (these imports were not found: google/api/annotations.proto)',
  );
});

test("names are looked up from the inside out", async () => {
  const text = `${HEAD}package a.b;
    message T { string outer = 1; }
    message M { message T { string inner = 1; } T near = 1; .a.b.T far = 2; b.T other = 3; }`;
  const fields = (await registryOf(text)).getMessage("a.b.M")?.fields ?? [];
  expect(fields.map((field) => (field.fieldKind === "message" ? field.message.typeName : ""))).toEqual(["a.b.M.T", "a.b.T", "a.b.T"]);
});

test("editions: features say what is written", async () => {
  const text = `edition = "2023";
    option features.field_presence = IMPLICIT;
    option features.(pb.go).api_level = API_OPAQUE;
    message M {
      int32 a = 1;
      int32 b = 2 [features.field_presence = EXPLICIT];
      repeated int32 c = 3 [features.repeated_field_encoding = EXPANDED];
      E e = 4;
    }
    enum E { option features.enum_type = OPEN; ZERO = 0; ONE = 1; }`;
  const registry = await registryOf(text);
  const schema = registry.getMessage("M");
  if (schema === undefined) throw new Error("no message M");
  const message = fromJson(schema, { a: 0, b: 0, c: [1, 2], e: "ONE" });
  expect(Buffer.from(toBinary(schema, message)).toString("hex")).toBe("1000180118022001");
  expect(toJson(schema, message, { registry, alwaysEmitImplicit: true })).toEqual({ a: 0, b: 0, c: [1, 2], e: "ONE" });
  expect(toJson(schema, create(schema), { alwaysEmitImplicit: true })).toEqual({ a: 0, c: [], e: "ZERO" });
});
