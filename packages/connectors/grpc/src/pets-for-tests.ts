import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

/** Files of a service that uses what the language of Protocol Buffers has, and the details of errors that its server gives. */
export const PET_FILES: Readonly<Record<string, string>> = {
  "acme/pets/v1/pets.proto": `
// It's a comment; "with" quotes /* and marks.
syntax = "proto3";
package acme.pets.v1; import "acme/pets/v1/kind.proto"; import public "shared.proto"; import "google/protobuf/timestamp.proto"; import "google/protobuf/struct.proto"; import "google/protobuf/wrappers.proto"; import "google/protobuf/any.proto"; import "google/protobuf/descriptor.proto";

option java_package = "com.acme" ".pets";
option (note) = { text: "a { b }" list: [1, 2] };

extend google.protobuf.FileOptions { Note note = 50000; }
message Note { string text = 1; repeated int32 list = 2; }

/* A pet, with everything. */
message Pet {
  reserved 100 to 110, 120;
  reserved "old", 'older';
  string name = 1;
  int64 born_at_ms = 2 [deprecated = true];
  optional int32 weight = 3;
  Kind kind = 4;
  repeated int32 scores = 5;
  repeated uint32 loose_scores = 6 [packed = false];
  map<string, Tag> tags = 7;
  map<int64, double> rates = 8;
  oneof home { string street = 9; acme.shared.Place place = 10; Empty none = 11; };
  bytes picture = 12 [json_name = "photo"];
  .google.protobuf.Timestamp seen = 13;
  google.protobuf.Struct more = 14;
  google.protobuf.StringValue nick = 15;
  google.protobuf.Any extra = 0x10;
  Pet parent = 021;
  bool is_tame = 18;
  double ratio = 19;
  fixed64 big = 20;
  sint32 zig = 22;
  optional string _odd__name = 23;
  message Tag {
    string text = 1;
    Level level = 2;
    enum Level { option allow_alias = true; LOW = 0; NONE = 0; HIGH = -1; TOP = 0x7f; reserved 5, 200 to max; }
  }
  message Empty {}
}

message Watching { int32 count = 1; bool fail_at_end = 2; }
message Sight { int32 number = 1; }
message Failing { int32 code = 1; bool with_details = 2; }
message Size { int32 size = 1; }
message Data { bytes data = 1; }

service PetService {
  option deprecated = true;
  rpc Echo(Pet) returns (Pet) { option idempotency_level = NO_SIDE_EFFECTS; };
  rpc Watch(Watching) returns (stream Sight);
  rpc Fail(Failing) returns (Pet);
  rpc Hang(.acme.pets.v1.Pet) returns (Pet) {}
  rpc Big(Size) returns (Data);
  rpc Upload(stream Pet) returns (Size);
  rpc Absent(Size) returns (Data);
}
`,
  "acme/pets/v1/kind.proto": `syntax = "proto3"; package acme.pets.v1; enum Kind { KIND_UNKNOWN = 0; KIND_CAT = 1; KIND_DOG = 2; }`,
  "shared.proto": `
syntax = "proto2";
package acme.shared;
message Place {
  required string city = 1 [default = "Bern \\"B\\""];
  optional int32 zip = 2 [default = 3000];
  repeated sint64 spots = 3 [packed = true];
  optional group Inner = 4 { optional float depth = 1 [default = -inf]; }
  extensions 1000 to max;
  enum Size { S = 1; L = 2; }
  optional Size size = 5 [default = L];
}
extend Place { optional string nick = 1000; }
`,
  // The service of the specification's example.
  "app/greet.proto": `
syntax = "proto3";
package GreeterApi;
service Greeter { rpc SayHello (HelloRequest) returns (HelloReply); }
message HelloRequest { string name = 1; }
message HelloReply { string message = 1; }
`,
  "google/rpc/status.proto": `
syntax = "proto3";
package google.rpc; import "google/protobuf/any.proto";
message Status { int32 code = 1; string message = 2; repeated google.protobuf.Any details = 3; }
message ErrorInfo { string reason = 1; string domain = 2; map<string, string> metadata = 3; }
`,
};

export function writePetFiles(directory: string): void {
  for (const [path, text] of Object.entries(PET_FILES)) {
    mkdirSync(dirname(join(directory, path)), { recursive: true });
    writeFileSync(join(directory, path), text);
  }
}
